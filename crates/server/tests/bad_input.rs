//! Bad input gets one clear sentence and exit code 2, or a closed connection; the
//! cluster goes on.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // A test with processes and sockets.

mod common;

use common::{ISEGORIA, PROTOCOLS, call, client, config, get, put, start};
use isegoria::Endpoint;
use isegoria_client::{ClientError, SubmitError};
use isegoria_kv::Op;
use std::io::Read;
use std::process::Command;

/// Runs the binary; returns its exit code and what it said on standard error.
fn run(arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(ISEGORIA).args(arguments).env("RUST_LOG", "off").output().expect("the binary");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn refused(arguments: &[&str], expected: &str) {
    let (code, sentence) = run(arguments);
    assert_eq!(code, Some(2), "{arguments:?}: {sentence}");
    assert!(sentence.contains(expected), "{arguments:?}: {sentence}");
    assert!(!sentence.contains("panicked"), "{sentence}");
}

#[test]
fn bad_usage_is_refused() {
    refused(&["cluster", "--protocol", "paxos-9"], "unknown protocol `paxos-9`; choose one of");
    refused(&["cluster", "--protocol", "multipaxos:window=0"], "window = 0");
    refused(&["cluster", "--protocol", "multipaxos:colour=red"], "colour");
    refused(&["cluster", "--protocol", "multipaxos:phase1=1,phase2=2"], "Q1");
    refused(&["cluster", "--protocol", "simple-bpaxos:quorum=grid-2x2"], "needs 4 nodes");
    refused(&["cluster", "--nodes", "0"], "nodes = 0");
    refused(&["cluster", "--durability", "maybe"], "maybe");
    refused(&["client", "--connect", "nowhere", "get", "x"], "nowhere");
    refused(&["serve", "--config", "/nonexistent/cluster.toml", "--node", "n1"], "cannot read");
    refused(&["frobnicate"], "frobnicate");
}

#[test]
fn a_bad_configuration_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let good = config("simple-bpaxos", 3, dir.path()).to_toml();
    let first = good.lines().find(|line| line.starts_with("peer")).expect("a peer").to_owned();
    let second = good.lines().filter(|line| line.starts_with("peer")).nth(1).expect("a peer").to_owned();
    let grid = "[quorum]\nsystem = \"grid\"\nrows = 3\ncolumns = 1\ndependency = \"row\"\n";
    for (text, expected) in [
        (good.replacen("cluster =", "colour = 1\ncluster =", 1), "unknown field `colour`"),
        (good.replace(&second, &first), "change one"),
        (good.replace("[quorum]\nsystem = \"majority\"\n", grid), "Q3"),
        (good.replace("name = \"n2\"", "name = \"n1\""), "used twice"),
        ("cluster = ".to_owned(), "line 1"),
    ] {
        let file = dir.path().join("bad.toml");
        std::fs::write(&file, text).expect("a file");
        refused(&["serve", "--config", file.to_str().expect("a path"), "--node", "n1"], expected);
    }
    let file = dir.path().join("good.toml");
    std::fs::write(&file, good).expect("a file");
    refused(
        &["serve", "--config", file.to_str().expect("a path"), "--node", "n7"],
        "choose one of n1, n2, n3",
    );
}

#[test]
fn a_port_in_use_is_named() {
    let dir = tempfile::tempdir().expect("a directory");
    let config = config("multipaxos", 3, dir.path());
    let Endpoint::Tcp { host, port } = &config.nodes[0].peer else { panic!("TCP") };
    let _holder = std::net::TcpListener::bind((host.as_str(), *port)).expect("a free port");
    let file = dir.path().join("cluster.toml");
    std::fs::write(&file, config.to_toml()).expect("a file");
    refused(
        &["serve", "--config", file.to_str().expect("a path"), "--node", "n1"],
        &format!("{host}:{port}"),
    );
}

/// A value above the limit is refused by name; the session goes on.
#[tokio::test]
async fn a_value_over_the_limit_is_refused() {
    for protocol in PROTOCOLS {
        let dir = tempfile::tempdir().expect("a directory");
        let mut config = config(protocol, 3, dir.path());
        config.limits.payload_bytes_max = 1000;
        let cluster = start(&config).await;
        let client = client(&cluster, 0).await;
        let large = Op::Put("key".into(), vec![0; 2000].into());
        match call(&client, &large).await {
            Err(ClientError::Submit(error @ SubmitError::TooLarge { .. })) => {
                assert!(error.to_string().contains("1000"), "{error}");
            }
            other => panic!("{other:?}"),
        }
        put(&client, "key".into(), "small".into()).await;
        assert_eq!(get(&client, "key".into()).await.as_deref(), Some("small"));
        cluster.stop().await;
    }
}

/// A command that touches more keys than a footprint may name is executed all the same,
/// as one that conflicts with everything.
#[tokio::test]
async fn a_command_with_very_many_keys_is_executed() {
    for protocol in PROTOCOLS {
        let dir = tempfile::tempdir().expect("a directory");
        let mut config = config(protocol, 3, dir.path());
        config.limits.payload_bytes_max = 4 << 20;
        let cluster = start(&config).await;
        let client = client(&cluster, 0).await;
        put(&client, "aaa".into(), "1".into()).await;
        let letters = || (b'a'..=b'z').chain(b'A'..=b'Z').chain(b'0'..=b'9');
        let keys = letters().flat_map(|a| letters().flat_map(move |b| letters().map(move |c| [a, b, c])));
        let keys: Vec<bytes::Bytes> = keys.map(|key| bytes::Bytes::copy_from_slice(&key)).collect();
        let count = keys.len();
        assert!(count > 200_000);
        match call(&client, &Op::MultiGet(keys)).await {
            Ok(isegoria_kv::Output::Values(values)) => {
                assert_eq!(values.len(), count);
                assert_eq!(values.iter().flatten().count(), 1, "{protocol}");
            }
            other => panic!("{protocol}: {other:?}"),
        }
        assert_eq!(get(&client, "aaa".into()).await.as_deref(), Some("1"), "{protocol}");
        cluster.stop().await;
    }
}

/// Strangers on both ports of every node: their connections are closed, the cluster goes on.
#[tokio::test]
async fn random_bytes_do_no_harm() {
    for protocol in PROTOCOLS {
        let dir = tempfile::tempdir().expect("a directory");
        let mut cluster = start(&config(protocol, 3, dir.path())).await;
        let client = client(&cluster, 0).await;
        put(&client, "before".into(), "1".into()).await;
        let endpoints: Vec<Endpoint> = cluster
            .nodes()
            .iter()
            .flat_map(|node| [Some(node.peer.clone()), node.client.clone()])
            .flatten()
            .collect();
        for (index, endpoint) in endpoints.iter().enumerate() {
            for bytes in garbage(index as u64) {
                let endpoint = endpoint.clone();
                tokio::task::spawn_blocking(move || disturb(&endpoint, &bytes)).await.expect("no panic");
            }
        }
        put(&client, "after".into(), "2".into()).await;
        assert_eq!(get(&client, "before".into()).await.as_deref(), Some("1"), "{protocol}");
        let died = tokio::time::timeout(std::time::Duration::from_millis(1), cluster.exited()).await;
        assert!(died.is_err(), "{protocol}: a node died: {died:?}");
        for node in cluster.nodes() {
            let log = std::fs::read_to_string(&node.log_file).expect("a log");
            assert!(!log.contains("panicked"), "{protocol}: {log}");
        }
        cluster.stop().await;
    }
}

/// HTTP, TLS, RESP, huge lengths, and noise.
fn garbage(seed: u64) -> Vec<Vec<u8>> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut noise = |length: usize| -> Vec<u8> {
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            u8::try_from(state >> 56).expect("eight bits")
        };
        (0..length).map(|_| next()).collect()
    };
    let mut all = vec![
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        b"*1\r\n$4\r\nPING\r\n".to_vec(),
        vec![0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3],
        vec![0xff; 64],
        vec![0; 64],
        [&[0, 0, 0, 200][..], &[7; 200]].concat(),
    ];
    all.extend([1, 5, 100, 10_000].map(&mut noise));
    // A plausible length in front of noise.
    all.extend((0..20).map(|_| {
        let body = noise(40);
        [&40u32.to_be_bytes()[..], &body].concat()
    }));
    all
}

/// Sends the bytes, and reads until the node closes the connection or says something.
fn disturb(endpoint: &Endpoint, bytes: &[u8]) {
    use std::io::Write;
    let Endpoint::Tcp { host, port } = endpoint else { return };
    let mut stream = std::net::TcpStream::connect((host.as_str(), *port)).expect("the port listens");
    stream.set_read_timeout(Some(std::time::Duration::from_millis(50))).expect("a timeout");
    // The node may close the connection while we still write.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut answer = [0; 64];
    let _ = stream.read(&mut answer);
}
