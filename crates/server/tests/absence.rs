//! Real processes: a node is away for longer than the others hold anything for it, and
//! comes back by a snapshot and what followed it.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // A test with processes.

mod common;

use common::{PROTOCOLS, client, config, get, incr, put, start};
use isegoria::Stats;
use isegoria_client::Client;
use std::time::{Duration, Instant};

/// What each node holds for others, vertices or slots.
const RETAIN: usize = 50;

/// Several times as long as it takes to propose a cut.
const ABSENCE: Duration = Duration::from_secs(3);

async fn write(client: &Client, name: &str) {
    let writes = (0..400).map(|number| put(client, format!("{name}-{number}"), format!("{number}")));
    futures::future::join_all(writes).await;
}

#[tokio::test]
async fn a_node_that_was_away_for_long_comes_back_under_load() {
    for protocol in PROTOCOLS {
        let dir = tempfile::tempdir().expect("a directory");
        let mut config = config(protocol, 3, dir.path());
        // Every command is a vertex or slot of its own.
        config.limits.batch_max = 1;
        config.limits.retain_count_max = RETAIN;
        let mut cluster = start(&config).await;
        let first = client(&cluster, 0).await;
        write(&first, "before").await;
        assert_eq!(incr(&first, "count").await, 1);
        cluster.kill("n3").await;
        let began = Instant::now();
        while began.elapsed() < ABSENCE {
            write(&first, "during").await;
        }
        let (load, restarted) = tokio::join!(write(&first, "meanwhile"), cluster.restart("n3"));
        let () = load;
        restarted.unwrap_or_else(|error| panic!("{error}"));
        // From now on nothing is chosen without n3.
        cluster.kill("n1").await;
        let last = client(&cluster, 2).await;
        for name in ["before", "during", "meanwhile"] {
            for number in (0..400).step_by(57) {
                let value = get(&last, format!("{name}-{number}")).await;
                assert_eq!(value, Some(number.to_string()), "{protocol} {name}-{number}");
            }
        }
        assert_eq!(incr(&last, "count").await, 2, "{protocol}");
        cluster.restart("n1").await.unwrap_or_else(|error| panic!("{error}"));
        let stats: Vec<Stats> = cluster.stop().await.into_iter().filter_map(|(_, stats)| stats).collect();
        assert!(stats[1].cut_count > 0, "{protocol}: {:?}", stats[1]);
        assert!(stats[2].snapshot_count > 0, "{protocol}: {:?}", stats[2]);
    }
}
