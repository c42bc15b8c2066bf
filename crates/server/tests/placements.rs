//! Real processes with roles placed apart, with quorums that are not majorities, and
//! over Unix sockets.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // A test with processes.

mod common;

use common::{PROTOCOLS, client, config, get, incr, put, start};
use isegoria::{ClusterConfig, Endpoint};
use isegoria_types::{QuorumSystem, Role};

/// Writes at the first leader, reads at the last, and counts at both.
async fn works(config: &ClusterConfig) {
    let cluster = start(config).await;
    let leaders: Vec<usize> =
        (0..config.nodes.len()).filter(|index| config.nodes[*index].roles.contains(&Role::Leader)).collect();
    let (first, last) = (leaders[0], leaders[leaders.len() - 1]);
    let (writer, reader) = (client(&cluster, first).await, client(&cluster, last).await);
    for number in 0..20 {
        put(&writer, format!("k{number}"), format!("{number}")).await;
        assert_eq!(get(&reader, format!("k{number}")).await, Some(number.to_string()), "{}", config.protocol);
    }
    for expected in 1..=10 {
        let (one, two) = (incr(&writer, "n").await, incr(&reader, "n").await);
        assert_eq!((one, two), (2 * expected - 1, 2 * expected), "{}", config.protocol);
    }
    for (name, stats) in cluster.stop().await {
        let stats = stats.unwrap_or_else(|| panic!("{name} did not stop well"));
        assert_eq!(stats.rejected_count, 0, "{name} rejected messages of its peers");
    }
}

/// Two nodes propose and execute, three compute dependencies, three vote.
#[tokio::test]
async fn roles_apart() {
    for protocol in PROTOCOLS {
        let dir = tempfile::tempdir().expect("a directory");
        let mut config = config(protocol, 8, dir.path());
        for (index, node) in config.nodes.iter_mut().enumerate() {
            node.roles = match index {
                0..2 => vec![Role::Leader, Role::Replica],
                2..5 => vec![Role::Dependency],
                _ => vec![Role::Acceptor],
            };
            if index >= 2 {
                node.client = None;
            }
        }
        if ["unanimous-bpaxos", "atlas", "epaxos"].contains(&protocol) {
            let refusal = config.check().expect_err("its nodes have all roles").to_string();
            assert!(refusal.contains("roles"), "{refusal}");
            continue;
        }
        works(&config).await;
    }
}

#[tokio::test]
async fn quorums_that_are_no_majorities() {
    let systems = [
        (4, QuorumSystem::TieBreaker { node: "n1".into() }),
        (4, QuorumSystem::MajorityWithout { node: "n4".into() }),
        (5, QuorumSystem::Counts { phase1: 4, phase2: 2, dependency: None }),
        (6, QuorumSystem::Grid { rows: 2, columns: 3, dependency: Default::default() }),
    ];
    for (nodes, system) in systems {
        for protocol in PROTOCOLS {
            let dir = tempfile::tempdir().expect("a directory");
            let config = ClusterConfig { quorum: system.clone(), ..config(protocol, nodes, dir.path()) };
            if protocol == "unanimous-bpaxos" && matches!(system, QuorumSystem::Grid { .. }) {
                let refusal = config.check().expect_err("a row contains no cross").to_string();
                assert!(refusal.contains("Q4"), "{refusal}");
                continue;
            }
            if ["atlas", "epaxos"].contains(&protocol) {
                let refusal = config.check().expect_err("its quorums follow from f or e").to_string();
                assert!(refusal.contains("leave `quorum` out"), "{refusal}");
                continue;
            }
            works(&config).await;
        }
    }
}

#[tokio::test]
async fn unix_sockets() {
    for protocol in PROTOCOLS {
        let dir = tempfile::tempdir().expect("a directory");
        let mut config = config(protocol, 3, dir.path());
        let socket = |name: String| -> Endpoint {
            format!("unix:{}", dir.path().join(name).display()).parse().expect("an address")
        };
        for node in &mut config.nodes {
            node.peer = socket(format!("{}.peer", node.name));
            node.client = Some(socket(format!("{}.client", node.name)));
        }
        works(&config).await;
    }
}
