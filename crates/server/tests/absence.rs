//! Real processes: a node is away for longer than the others hold anything for it, and
//! comes back by a snapshot and what followed it.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // A test with processes.

mod common;

use common::{PROTOCOLS, client, config, get, incr, put, start};
use isegoria::Stats;
use isegoria_bench::local_cluster::LocalCluster;
use isegoria_client::Client;
use isegoria_kv::{Op, Output};
use isegoria_transport::WIRE_VERSION;
use isegoria_transport::client_port::{ClientHello, Connection, ConnectionOptions};
use isegoria_types::{ClientId, Outcome, Reply, Request, RequestId};
use std::time::{Duration, Instant};

/// What each node holds for others, vertices or slots.
const RETAIN: usize = 50;

/// Several times as long as it takes to propose a cut.
const ABSENCE: Duration = Duration::from_secs(3);

/// A request of a session of its own.
fn request(op: &Op) -> Request {
    Request {
        id: RequestId { client: ClientId(0x01d), number: 0 },
        acked_below: 0,
        generation: 0,
        patience_ms: 30_000,
        payload: postcard::to_stdvec(op).expect("encoding into memory").into(),
    }
}

/// Sends exactly this request to the first of these nodes that does not name another leader.
async fn ask(cluster: &LocalCluster, nodes: &[usize], request: &Request) -> Outcome {
    let deadline = Instant::now() + Duration::from_secs(30);
    for index in nodes.iter().cycle() {
        assert!(Instant::now() < deadline, "no answer to {request:?}");
        let endpoint = cluster.nodes()[*index].client.clone().expect("a client port");
        let hello = ClientHello { wire: WIRE_VERSION, cluster: None, relation: None };
        let opened = Connection::open(&endpoint, hello, ConnectionOptions::default()).await;
        let (connection, _) = opened.unwrap_or_else(|error| panic!("{error}"));
        connection.submit(vec![request.clone()]).await.expect("a connection");
        match connection.replies().await.expect("a connection").pop() {
            Some(Reply { outcome: Outcome::Refused(_), .. }) | None => {}
            Some(reply) => return reply.outcome,
        }
    }
    unreachable!("a cycle has no end")
}

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
        let older = request(&Op::Incr("retried".into(), 7));
        let answer = ask(&cluster, &[0], &older).await;
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
        // It came before the absence; here it comes again, from a client that has not heard the answer.
        assert_eq!(ask(&cluster, &[2, 1], &older).await, answer, "{protocol}");
        let seven = Output::Number(7);
        assert_eq!(answer, Outcome::Done(postcard::to_stdvec(&seven).expect("encoding into memory").into()));
        cluster.restart("n1").await.unwrap_or_else(|error| panic!("{error}"));
        let stats: Vec<Stats> = cluster.stop().await.into_iter().filter_map(|(_, stats)| stats).collect();
        assert!(stats[1].cut_count > 0, "{protocol}: {:?}", stats[1]);
        assert!(stats[2].snapshot_count > 0, "{protocol}: {:?}", stats[2]);
    }
}
