//! What a request costs in the session table: a million of them, a hundred thousand
//! clients. Prints nanoseconds a request (`--nocapture`).
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // measures time

use bytes::Bytes;
use isegoria_replica::{SessionTable, Verdict};
use isegoria_types::{ClientId, RequestId};
use std::time::Instant;

/// `rounds` requests of each client, `in_flight` of them unacknowledged.
fn run(clients: u64, rounds: u64, in_flight: u64) {
    let mut table = SessionTable::default();
    let answer = Bytes::from_static(b"OK");
    let start = Instant::now();
    for number in 0..rounds {
        for client in 0..clients {
            let client = ClientId(client.wrapping_mul(0x9E37_79B9_7F4A_7C15));
            let request = RequestId { client, number };
            assert_eq!(table.begin(request, number.saturating_sub(in_flight - 1), 0), Verdict::Fresh);
            table.record(request, answer.clone());
        }
    }
    let per_request = start.elapsed().as_nanos() as f64 / (clients * rounds) as f64;
    println!("{clients} clients, {in_flight} in flight: {per_request:.1} ns/request");
    assert_eq!(table.len() as u64, clients);
}

#[test]
fn requests_of_many_clients() {
    run(1_000, 1_000, 1);
    run(100_000, 10, 1);
    run(100, 10_000, 64);
    run(2, 500_000, 10_000);
}
