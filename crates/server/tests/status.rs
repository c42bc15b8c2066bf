//! `isegoria status` of real nodes, all up and one down.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // A test with processes.

mod common;

use common::{ISEGORIA, client, config, put, start};
use std::process::Command;

fn status(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(ISEGORIA).arg("status").args(arguments).output().expect("it runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[tokio::test]
async fn every_node_has_its_line() {
    let dir = tempfile::tempdir().expect("a directory");
    let config = config("epaxos", 3, dir.path());
    let file = dir.path().join("cluster.toml");
    std::fs::write(&file, config.to_toml()).expect("it can be written");
    let file = file.to_str().expect("text");
    let mut cluster = start(&config).await;
    let client = client(&cluster, 0).await;
    for number in 0..20 {
        put(&client, format!("key{number}"), "value".to_owned()).await;
    }
    let (code, table, _) = status(&["--config", file]);
    assert_eq!(code, Some(0), "{table}");
    let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    let names: Vec<&str> = lines.iter().map(|line| line[0]).collect();
    assert_eq!(names, ["node", "n1", "n2", "n3"]);
    assert!(lines[1][2].parse::<u64>().expect("applied") >= 20, "{table}");
    assert_eq!(lines[1][5], "100.0", "all on the fast path: {table}");

    cluster.kill("n2").await;
    let (code, json, _) = status(&["--config", file, "--json"]);
    assert_eq!(code, Some(1), "{json}");
    let nodes: serde_json::Value = serde_json::from_str(&json).expect("JSON alone");
    let states: Vec<&str> = (0..3).map(|node| nodes[node]["state"].as_str().expect("a state")).collect();
    assert_eq!(states, ["serves", "down", "serves"]);
    assert!(nodes[0]["stats"]["applied_count"].as_u64().expect("a count") >= 20);

    let endpoint = config.nodes[2].client.as_ref().expect("a port").to_string();
    let (code, table, _) = status(&["--connect", &endpoint]);
    assert_eq!((code, table.lines().count()), (Some(0), 2), "{table}");
    cluster.stop().await;
}

#[test]
fn bad_usage_is_a_sentence() {
    let (code, _, error) = status(&["--connect", "nowhere"]);
    assert_eq!(code, Some(2));
    assert!(error.starts_with("isegoria: --connect nowhere: "), "{error}");
    let (code, _, error) = status(&["--config", "/does/not/exist.toml"]);
    assert_eq!(code, Some(2));
    assert!(error.contains("cannot read /does/not/exist.toml"), "{error}");
}
