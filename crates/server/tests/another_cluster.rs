//! Real processes: what was chosen by the nodes and quorums of one configuration is not
//! forgotten under another.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // A test with processes.

mod common;

use common::{client, config, get, put, start};
use isegoria_bench::local_cluster::LocalCluster;
use isegoria_types::QuorumSystem;
use std::path::Path;

/// Three of five nodes choose a command; the other two and one that was away may not go on as a
/// cluster of three that never heard of it.
#[tokio::test]
async fn a_file_with_fewer_nodes_is_refused_and_nothing_is_forgotten() {
    let dir = tempfile::tempdir().expect("a directory");
    let five = config("epaxos", 5, dir.path());
    let mut cluster = start(&five).await;
    // Once all have met, some may go.
    put(&client(&cluster, 0).await, "first".to_owned(), "value".to_owned()).await;
    cluster.kill("n1").await;
    cluster.kill("n2").await;
    put(&client(&cluster, 2).await, "key".to_owned(), "value".to_owned()).await;
    cluster.stop().await;

    let mut three = five.clone();
    three.nodes.truncate(3);
    let refused = LocalCluster::start(Path::new(common::ISEGORIA), &three).await.unwrap_err().to_string();
    assert!(refused.contains("put the configuration back as it was"), "{refused}");

    let cluster = start(&five).await;
    assert_eq!(get(&client(&cluster, 0).await, "key".to_owned()).await.as_deref(), Some("value"));
    cluster.stop().await;
}

/// Nodes that count votes differently do not work together: each says why.
#[tokio::test]
async fn nodes_with_different_quorums_refuse_each_other() {
    let dir = tempfile::tempdir().expect("a directory");
    let majorities = config("multipaxos", 3, dir.path());
    let mut other = majorities.clone();
    other.quorum = QuorumSystem::Counts { phase1: 3, phase2: 1, dependency: None };
    let launch = |own| isegoria_bench::local_cluster::Launch { config: own, ..Default::default() };
    let launches = vec![launch(None), launch(None), launch(Some(other))];
    let cluster = LocalCluster::start_as(Path::new(common::ISEGORIA), &majorities, launches)
        .await
        .unwrap_or_else(|error| panic!("{error}"));
    let log = cluster.nodes()[2].log_file.clone();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    loop {
        let said = std::fs::read_to_string(&log).expect("a log");
        if said.contains("use the same configuration on both") {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "n3 is let in: {said}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    cluster.stop().await;
}
