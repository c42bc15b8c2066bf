//! Measures a commit: append, flush, durable, one batch at a time.
//!
//! `cargo run --release -p isegoria-storage --example commit_time -- DIR [fsync|os]`

#![allow(clippy::disallowed_types, clippy::disallowed_methods, clippy::print_stdout)]

use isegoria_storage::{Durability, Identity, Store, StoreOptions};
use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

const BATCHES: usize = 5000;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let dir = arguments.get(1).ok_or("name a directory")?;
    let durability: Durability = arguments.get(2).map_or("fsync", String::as_str).parse()?;
    for records in [1, 16, 128] {
        let times = measure(&Path::new(dir).join(format!("commit-{records}")), durability, records)?;
        let at = |per_mille: usize| times[(times.len() - 1) * per_mille / 1000].as_secs_f64() * 1e6;
        println!(
            "{durability} {records:>3} records of 100 B: p50 {:.0} µs, p90 {:.0} µs, p99 {:.0} µs, max {:.0} µs",
            at(500),
            at(900),
            at(990),
            at(1000)
        );
    }
    Ok(())
}

fn measure(dir: &Path, durability: Durability, records: usize) -> Result<Vec<Duration>, Box<dyn Error>> {
    let identity = Identity { epoch: 0, cluster: 1, node: 0 };
    let own = std::thread::current();
    let options = StoreOptions { waker: Arc::new(move || own.unpark()), ..StoreOptions::default() };
    let (recovered, mut log) = Store::open(dir, identity, durability, options)?;
    drop(recovered);
    let payload = [7; 100];
    let mut times = Vec::with_capacity(BATCHES);
    for _ in 0..BATCHES {
        let start = Instant::now();
        for _ in 0..records {
            log.append(|bytes| bytes.extend_from_slice(&payload))?;
        }
        log.flush();
        while log.durable() < log.end() {
            if let Some(failure) = log.error() {
                return Err(failure.into());
            }
            std::thread::park();
        }
        times.push(start.elapsed());
    }
    times.sort_unstable();
    let stats = log.stats();
    println!(
        "  mean sync {} µs, longest {} µs",
        stats.fsync_sum_ns / stats.fsync_count.max(1) / 1000,
        stats.fsync_max_ns / 1000
    );
    log.close()?;
    std::fs::remove_dir_all(dir)?;
    Ok(times)
}
