//! What the tests with real processes share.
#![allow(dead_code)] // Each test file uses a part of it.

use isegoria::{ClusterConfig, Durability, ProtocolSpec};
use isegoria_bench::local_cluster::{LocalCluster, take_free_endpoints};
use isegoria_client::{Client, ClientError, ClientOptions};
use isegoria_kv::{Op, Output};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// The binary under test.
pub(crate) const ISEGORIA: &str = env!("CARGO_BIN_EXE_isegoria");

pub(crate) const PROTOCOLS: [&str; 5] =
    ["multipaxos", "simple-bpaxos", "unanimous-bpaxos", "atlas", "epaxos"];

/// A cluster's configuration with ports that are free.
pub(crate) fn config(protocol: &str, nodes: usize, dir: &Path) -> ClusterConfig {
    let spec: ProtocolSpec = protocol.parse().expect("a protocol");
    let mut config = ClusterConfig::loopback(&spec, nodes, 20_000, dir).expect("a legal cluster");
    take_free_endpoints(&mut config).expect("free ports");
    config.durability = Durability::Fsync;
    config
}

pub(crate) async fn start(config: &ClusterConfig) -> LocalCluster {
    LocalCluster::start(Path::new(ISEGORIA), config).await.unwrap_or_else(|error| panic!("{error}"))
}

/// A client that talks to the node `index` first.
pub(crate) async fn client(cluster: &LocalCluster, index: usize) -> Client {
    let endpoint = cluster.nodes()[index].client.clone().expect("a client port");
    let mut options = ClientOptions::default();
    options.session.deadline_ms = 30_000;
    Client::connect(&[endpoint], options).await.unwrap_or_else(|error| panic!("{error}"))
}

pub(crate) async fn call(client: &Client, op: &Op) -> Result<Output, ClientError> {
    let payload = postcard::to_stdvec(op).expect("encoding into memory");
    let answer = client.call(payload.into()).await?;
    Ok(postcard::from_bytes(&answer).expect("an output of the store"))
}

pub(crate) async fn put(client: &Client, key: String, value: String) {
    let op = Op::Put(key.into_bytes().into(), value.into_bytes().into());
    assert_eq!(call(client, &op).await.unwrap_or_else(|error| panic!("{error}")), Output::Ok);
}

pub(crate) async fn get(client: &Client, key: String) -> Option<String> {
    match call(client, &Op::Get(key.into_bytes().into())).await {
        Ok(Output::Value(value)) => value.map(|value| String::from_utf8_lossy(&value).into_owned()),
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn incr(client: &Client, key: &str) -> i64 {
    match call(client, &Op::Incr(bytes::Bytes::copy_from_slice(key.as_bytes()), 1)).await {
        Ok(Output::Number(number)) => number,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A file of `configs/`.
pub(crate) fn configs(file: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs").join(file).display().to_string()
}

/// The rows of a comparison.
pub(crate) fn bench(line: &str) -> Vec<Value> {
    let out = tempfile::tempdir().expect("a directory");
    let output = Command::new(ISEGORIA)
        .args("bench --json --warm-up 1 --durability memory".split(' '))
        .args(line.split(' '))
        .arg("--out")
        .arg(out.path())
        .output()
        .expect("the binary");
    assert!(output.status.success(), "{line}: {}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("one JSON document")
}

pub(crate) fn number(row: &Value, pointer: &str) -> f64 {
    row.pointer(pointer).and_then(Value::as_f64).unwrap_or_else(|| panic!("{pointer} in {row:#}"))
}

/// Whether a program is there that a test cannot do without. Where `ISEGORIA_TOOLS` is `all`, as in `.ci/run`, it
/// has to be.
pub(crate) fn has(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    let silent =
        command.args(arguments).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let there = silent.status().is_ok_and(|status| status.success());
    assert!(
        there || std::env::var("ISEGORIA_TOOLS").as_deref() != Ok("all"),
        "{program} {arguments:?} is missing"
    );
    if !there {
        eprintln!("{program} {arguments:?} is missing: nothing was tried with it");
    }
    there
}
