//! Admission: what comes above a node's rate is refused and done later, and what nobody
//! waits for any more is not done at all.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // A test with processes.

mod common;

use bytes::Bytes;
use common::{PROTOCOLS, call, client, config, get, put, start};
use isegoria::{Endpoint, Stats};
use isegoria_client::{Client, ClientOptions, Question, ask};
use isegoria_kv::Op;
use isegoria_transport::WIRE_VERSION;
use isegoria_transport::client_port::{ClientHello, Connection, ConnectionOptions};
use isegoria_types::{ClientId, Request, RequestId};
use std::time::{Duration, Instant};

/// Requests a second that one node lets in.
const RATE: u32 = 100;

async fn stats(endpoint: &Endpoint) -> Stats {
    let text = ask(endpoint, Question::Status, ClientOptions::default()).await.expect("the node answers");
    serde_json::from_str(&text).expect("counters")
}

#[tokio::test]
async fn what_is_above_the_rate_is_refused_and_done_later() {
    for protocol in PROTOCOLS {
        let dir = tempfile::tempdir().expect("a directory");
        let mut config = config(protocol, 3, dir.path());
        config.limits.commands_per_s_max = Some(RATE);
        let cluster = start(&config).await;
        let client = client(&cluster, 0).await;
        let began = Instant::now();
        // With all nodes asked at once it would still take half a second.
        let writes = (0..150).map(|number| put(&client, format!("k{number}"), format!("{number}")));
        futures::future::join_all(writes).await;
        assert!(began.elapsed() >= Duration::from_millis(300), "{protocol}: {:?}", began.elapsed());
        tokio::time::sleep(Duration::from_millis(100)).await;
        let mut refused_count = 0;
        for node in cluster.nodes() {
            refused_count += stats(node.client.as_ref().expect("a port")).await.overloaded_count;
        }
        assert!(refused_count > 0, "{protocol}");
        for number in [0, 77, 149] {
            assert_eq!(get(&client, format!("k{number}")).await, Some(number.to_string()), "{protocol}");
        }
        cluster.stop().await;
    }
}

#[tokio::test]
async fn what_nobody_waits_for_is_not_done() {
    let dir = tempfile::tempdir().expect("a directory");
    let cluster = start(&config("simple-bpaxos", 3, dir.path())).await;
    let endpoint = cluster.nodes()[0].client.clone().expect("a port");
    let hello = ClientHello { wire: WIRE_VERSION, cluster: None, relation: None };
    let opened = Connection::open(&endpoint, hello, ConnectionOptions::default()).await;
    let (connection, opened) = opened.expect("the node is up");
    let op = Op::Put(Bytes::from_static(b"late"), Bytes::from_static(b"x"));
    let request = Request {
        id: RequestId { client: ClientId(7), number: 0 },
        acked_below: 0,
        generation: opened.generation,
        patience_ms: 0,
        payload: postcard::to_stdvec(&op).expect("encoding into memory").into(),
    };
    connection.submit(vec![request]).await.expect("handed over");
    let began = Instant::now();
    while stats(&endpoint).await.expired_count == 0 {
        assert!(began.elapsed() < Duration::from_secs(10), "never counted");
    }
    let client = client(&cluster, 1).await;
    assert!(call(&client, &Op::Put(Bytes::from_static(b"after"), Bytes::new())).await.is_ok());
    assert_eq!(get(&client, "late".to_owned()).await, None);
    cluster.stop().await;
}

/// A leader that is cut off cannot get anything chosen, and its clients ask again and again.
#[tokio::test]
#[cfg(target_os = "linux")]
async fn a_leader_that_is_cut_off_does_not_fill_its_memory() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut config = config("simple-bpaxos", 3, dir.path());
    config.options.insert("in_flight_bytes_max".to_owned(), (16 << 20).into());
    let mut cluster = start(&config).await;
    // A new node takes part once it met all others.
    put(&client(&cluster, 0).await, "first".to_owned(), "x".to_owned()).await;
    let pid = cluster.nodes()[0].pid;
    cluster.kill("n2").await;
    cluster.kill("n3").await;
    let endpoint = cluster.nodes()[0].client.clone().expect("a port");
    let mut options = ClientOptions::default();
    options.session.deadline_ms = 10_000;
    let client = Client::connect(&[endpoint], options).await.expect("the node is up");
    let value = Bytes::from(vec![7; 512 << 10]);
    let writes = (0..200).map(|number| {
        let op = Op::Put(Bytes::from(format!("k{number}")), value.clone());
        let client = &client;
        async move { call(client, &op).await }
    });
    for outcome in futures::future::join_all(writes).await {
        assert!(outcome.is_err(), "a minority chose something");
    }
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    // 16 MiB under way, each in the log's buffer, the links' and a cell; and what waits for the loop.
    assert!(kib < 300 << 10, "peak {kib} KiB");
    cluster.stop().await;
}
