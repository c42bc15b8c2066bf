//! Real processes: `f` of `2f+1` nodes die, the others go on; a node that is started
//! again on its data directory takes part again.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // A test with processes.

mod common;

use common::{PROTOCOLS, client, config, get, incr, put, start};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Kills the last `f` nodes, goes on, brings them back, then kills the first `f`:
/// now a quorum needs those that came back.
async fn survive(protocol: &str, nodes: usize) {
    let f = (nodes - 1) / 2;
    let dir = tempfile::tempdir().expect("a directory");
    let mut cluster = start(&config(protocol, nodes, dir.path())).await;
    let names: Vec<String> = cluster.nodes().iter().map(|node| node.name.clone()).collect();
    let first = client(&cluster, 0).await;
    for number in 0..20 {
        put(&first, format!("before-{number}"), format!("{number}")).await;
    }
    assert_eq!(incr(&first, "count").await, 1);

    for name in &names[nodes - f..] {
        cluster.kill(name).await;
    }
    for number in 0..20 {
        put(&first, format!("during-{number}"), format!("{number}")).await;
    }
    assert_eq!(incr(&first, "count").await, 2);

    for name in &names[nodes - f..] {
        cluster.restart(name).await.unwrap_or_else(|error| panic!("{error}"));
    }
    let last = client(&cluster, nodes - 1).await;
    assert_eq!(get(&last, "during-19".into()).await.as_deref(), Some("19"), "{protocol}");

    for name in &names[..f] {
        cluster.kill(name).await;
    }
    for number in 0..20 {
        put(&last, format!("after-{number}"), format!("{number}")).await;
        assert_eq!(get(&last, format!("before-{number}")).await, Some(number.to_string()), "{protocol}");
        assert_eq!(get(&last, format!("after-{number}")).await, Some(number.to_string()), "{protocol}");
    }
    assert_eq!(incr(&last, "count").await, 3, "{protocol}");
    cluster.stop().await;
}

#[tokio::test]
async fn three_nodes_survive_one() {
    for protocol in PROTOCOLS {
        survive(protocol, 3).await;
    }
}

#[tokio::test]
async fn five_nodes_survive_two() {
    for protocol in PROTOCOLS {
        survive(protocol, 5).await;
    }
}

/// All nodes die at once, as in a power cut, and come back: what was acknowledged is there.
#[tokio::test]
async fn nothing_acknowledged_is_lost_when_all_die() {
    for protocol in PROTOCOLS {
        let dir = tempfile::tempdir().expect("a directory");
        let mut cluster = start(&config(protocol, 3, dir.path())).await;
        let names: Vec<String> = cluster.nodes().iter().map(|node| node.name.clone()).collect();
        for round in 0..3 {
            let writer = client(&cluster, round % 3).await;
            for number in 0..30 {
                put(&writer, format!("{round}-{number}"), format!("{number}")).await;
            }
            assert_eq!(incr(&writer, "rounds").await, i64::try_from(round).expect("small") + 1, "{protocol}");
            for name in &names {
                cluster.kill(name).await;
            }
            for name in &names {
                cluster.restart(name).await.unwrap_or_else(|error| panic!("{error}"));
            }
            let reader = client(&cluster, (round + 1) % 3).await;
            for number in 0..30 {
                let value = get(&reader, format!("{round}-{number}")).await;
                assert_eq!(value, Some(number.to_string()), "{protocol}");
            }
        }
        cluster.stop().await;
    }
}

/// Nodes with small segments write checkpoints, drop old segments, and come back from
/// checkpoint and log with everything, sessions included.
#[tokio::test]
async fn checkpoints_bound_the_log_and_lose_nothing() {
    for protocol in PROTOCOLS {
        let dir = tempfile::tempdir().expect("a directory");
        let mut config = config(protocol, 3, dir.path());
        config.limits.payload_bytes_max = 16 << 10;
        config.limits.segment_bytes = 256 << 10;
        config.limits.checkpoint_bytes = 512 << 10;
        let mut cluster = start(&config).await;
        let names: Vec<String> = cluster.nodes().iter().map(|node| node.name.clone()).collect();
        for round in 0..2 {
            let writer = client(&cluster, round).await;
            let writes = (0..2000).map(|number| put(&writer, format!("{round}-{number}"), "v".repeat(1000)));
            futures::future::join_all(writes).await;
            incr(&writer, "rounds").await;
            let data = |name: &String| {
                let node = cluster.nodes().iter().find(|node| node.name == *name).expect("the node");
                node.data_dir.clone()
            };
            let data: Vec<PathBuf> = names.iter().map(data).collect();
            let files = |prefix: &str, at: &Path| {
                let names = std::fs::read_dir(at).expect("a directory");
                let names = names.filter_map(|file| file.ok()?.file_name().into_string().ok());
                names.filter(|name| name.starts_with(prefix)).count()
            };
            // Of 2 MB a round; a checkpoint that is being written ends before the next begins.
            let deadline = Instant::now() + Duration::from_secs(60);
            while let Some(large) = data.iter().find(|data| files("0", &data.join("log")) >= 12) {
                assert!(Instant::now() < deadline, "{protocol}: 12 segments and more in {large:?}");
                incr(&writer, "more").await;
            }
            for name in &names {
                cluster.kill(name).await;
            }
            for (name, data) in names.iter().zip(&data) {
                // Two, if it died between writing one and removing the one before.
                let checkpoints = files("checkpoint-", data);
                assert!((1..=2).contains(&checkpoints), "{protocol} {name}: {checkpoints} checkpoints");
                cluster.restart(name).await.unwrap_or_else(|error| panic!("{error}"));
            }
            let reader = client(&cluster, 2).await;
            for number in (0..2000).step_by(97) {
                let value = get(&reader, format!("{round}-{number}")).await;
                assert_eq!(value.map(|value| value.len()), Some(1000), "{protocol} {round}-{number}");
            }
            assert_eq!(incr(&reader, "probe").await, i64::try_from(round).expect("small") + 1, "{protocol}");
        }
        cluster.stop().await;
    }
}
