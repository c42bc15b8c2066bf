//! Nodes within one process: the embedding API against real ports, logs and threads.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // Processes, sockets, clocks.

use isegoria::{Config, Durability, Footprint, OpenError, Replica, StateMachine, SubmitError};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;

#[derive(Default, Serialize, Deserialize)]
struct Words(BTreeMap<String, String>);

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Op {
    Get(String),
    Put(String, String),
    Append(String, String),
}

impl StateMachine for Words {
    type Command = Op;
    type Output = Option<String>;

    fn footprint(op: &Op, footprint: &mut Footprint) {
        match op {
            Op::Get(key) => footprint.read(key.as_bytes()),
            Op::Put(key, _) | Op::Append(key, _) => footprint.write(key.as_bytes()),
        }
    }

    fn apply(&mut self, op: Op) -> Option<String> {
        match op {
            Op::Get(key) => self.0.get(&key).cloned(),
            Op::Put(key, value) => self.0.insert(key, value),
            Op::Append(key, tail) => {
                let value = self.0.entry(key).or_default();
                value.push_str(&tail);
                Some(value.clone())
            }
        }
    }
}

/// Three nodes with ports that were free a moment ago.
fn config(protocol: &str, directory: &Path, own: usize, ports: &[u16]) -> Config {
    let builder =
        Config::builder(&format!("n{own}")).protocol(protocol).data_dir(directory).durability(Durability::Os);
    let address = |port: u16| format!("127.0.0.1:{port}");
    (1..=3)
        .fold(builder, |builder, node| {
            builder.node(&format!("n{node}"), &address(ports[2 * node - 2]), &address(ports[2 * node - 1]))
        })
        .build()
        .unwrap_or_else(|error| panic!("{error}"))
}

fn ports() -> Vec<u16> {
    let listeners: Vec<TcpListener> =
        (0..6).map(|_| TcpListener::bind("127.0.0.1:0").expect("a free port")).collect();
    listeners.iter().map(|listener| listener.local_addr().expect("bound").port()).collect()
}

async fn open(config: Config) -> Replica<Words> {
    Replica::open(config, Words::default()).await.unwrap_or_else(|error| panic!("{error}"))
}

fn put(key: &str, value: &str) -> Op {
    Op::Put(key.to_owned(), value.to_owned())
}

fn get(key: &str) -> Op {
    Op::Get(key.to_owned())
}

#[tokio::test]
async fn every_protocol_can_be_embedded() {
    for protocol in ["epaxos", "atlas", "simple-bpaxos", "unanimous-bpaxos", "multipaxos"] {
        let (directory, ports) = (tempfile::tempdir().expect("a directory"), ports());
        let mut nodes = Vec::new();
        for own in 1..=3 {
            nodes.push(open(config(protocol, directory.path(), own, &ports)).await);
        }
        assert_eq!(nodes[0].submit(put("name", "Ada")).await, Ok(None), "{protocol}");
        for node in &nodes {
            assert_eq!(node.read(get("name")).await, Ok(Some("Ada".to_owned())), "{protocol}");
        }
        // Many tasks at once, at all nodes: each letter is appended once.
        let tasks: Vec<_> = (0..60)
            .map(|number| {
                let node = nodes[number % 3].clone();
                tokio::spawn(async move { node.submit(Op::Append("list".into(), "x".into())).await })
            })
            .collect();
        for task in tasks {
            assert!(task.await.expect("no panic").is_ok(), "{protocol}");
        }
        let list = nodes[2].read(get("list")).await.expect("an output").unwrap_or_default();
        assert_eq!(list.len(), 60, "{protocol}");
        let status = nodes[1].status().await.expect("it runs");
        assert_eq!((status.node.as_str(), status.protocol.as_str()), ("n2", protocol));
        assert!(status.stats.applied_count >= 61, "{protocol}: {status:?}");
        assert_eq!(nodes[0].read(put("name", "Bob")).await, Err(SubmitError::NotARead));
        for node in nodes {
            node.shutdown().await.unwrap_or_else(|error| panic!("{protocol}: {error}"));
        }
    }
}

#[tokio::test]
async fn nodes_stop_and_come_back_with_what_was_acknowledged() {
    let (directory, ports) = (tempfile::tempdir().expect("a directory"), ports());
    let config = |own| config("epaxos", directory.path(), own, &ports);
    let (one, two, three) = (open(config(1)).await, open(config(2)).await, open(config(3)).await);
    one.submit(put("a", "1")).await.expect("three of three");
    let clone = three.clone();
    three.shutdown().await.expect("a clean end");
    assert_eq!(clone.submit(put("a", "2")).await, Err(SubmitError::Closed));
    assert_eq!(clone.status().await, Err(SubmitError::Closed));
    clone.stopped().await.expect("it was told to");
    two.submit(put("b", "2")).await.expect("two of three");
    let three = open(config(3)).await;
    assert_eq!(three.read(get("b")).await, Ok(Some("2".to_owned())));
    // Dropping the last handle is a crash: the data directory is free again, and nothing is lost.
    let gone = two.clone();
    drop(two);
    assert!(gone.status().await.is_ok(), "a clone keeps it alive");
    drop(gone);
    one.submit(put("c", "3")).await.expect("two of three");
    let two = reopen(config(2)).await;
    assert_eq!(two.read(get("c")).await, Ok(Some("3".to_owned())));
    for node in [one, two, three] {
        node.shutdown().await.expect("a clean end");
    }
}

/// A node that was dropped lets go of its files and ports a moment later.
async fn reopen(config: Config) -> Replica<Words> {
    for _ in 0..60_000 {
        match Replica::open(config.clone(), Words::default()).await {
            Ok(replica) => return replica,
            Err(OpenError::Io(_)) => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    }
    panic!("a dropped node never let go")
}

#[tokio::test]
async fn what_cannot_be_opened_says_why() {
    let (directory, ports) = (tempfile::tempdir().expect("a directory"), ports());
    let taken = TcpListener::bind(("127.0.0.1", ports[0])).expect("it was free");
    let error = Replica::open(config("atlas", directory.path(), 1, &ports), Words::default()).await;
    let sentence = error.expect_err("the port is taken").to_string();
    assert!(sentence.contains("cannot listen on") && sentence.contains("peer port"), "{sentence}");
    drop(taken);
    let first = open(config("atlas", directory.path(), 1, &ports)).await;
    let again = Replica::open(config("atlas", directory.path(), 1, &ports), Words::default()).await;
    assert!(matches!(again, Err(OpenError::Io(_))), "{again:?}");
    first.shutdown().await.expect("a clean end");
}

#[tokio::test]
async fn a_command_that_is_too_large_is_refused() {
    let (directory, ports) = (tempfile::tempdir().expect("a directory"), ports());
    let node = open(config("epaxos", directory.path(), 1, &ports)).await;
    let large = put("key", &"x".repeat(2 << 20));
    assert!(matches!(node.submit(large).await, Err(SubmitError::TooLarge { limit: 1_048_576, .. })));
    node.shutdown().await.expect("a clean end");
}
