//! The admin port of real nodes, `isegoria explain`, and the page in a browser.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // A test with processes and sockets.

mod common;

use common::{ISEGORIA, PROTOCOLS, client, config, has, put, start};
use isegoria_bench::local_cluster::{LocalCluster, take_free_endpoints};
use isegoria_kv::Op;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

async fn cluster(protocol: &str, dir: &Path) -> LocalCluster {
    let mut config = config(protocol, 3, dir).with_edges(1).expect("ports");
    take_free_endpoints(&mut config).expect("free ports");
    start(&config).await
}

fn admin(cluster: &LocalCluster, index: usize) -> String {
    cluster.nodes()[index].admin.as_ref().expect("an admin port").to_string()
}

/// The status and the body of what is at an address.
fn get(address: &str, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).expect("the node listens");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a time limit");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")
        .expect("it is sent");
    let mut said = String::new();
    stream.read_to_string(&mut said).expect("an answer");
    let (head, body) = said.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, body.to_owned())
}

fn json(address: &str, path: &str) -> Value {
    let (status, body) = get(address, path);
    assert_eq!(status, 200, "{path}: {body}");
    serde_json::from_str(&body).unwrap_or_else(|error| panic!("{path}: {error}: {body}"))
}

/// The value of a metric.
fn metric(text: &str, name: &str) -> f64 {
    let line = text.lines().find(|line| line.split(' ').next() == Some(name));
    let value = line.and_then(|line| line.rsplit(' ').next()?.parse().ok());
    value.unwrap_or_else(|| panic!("{name} in {text}"))
}

#[tokio::test]
async fn a_node_tells_of_itself() {
    for protocol in PROTOCOLS {
        let dir = tempfile::tempdir().expect("a directory");
        let mut cluster = cluster(protocol, dir.path()).await;
        let (first, own) = (admin(&cluster, 0), client(&cluster, 0).await);
        // A retry may go to another node.
        for number in 0..30 {
            put(&own, format!("key{number}"), "value".to_owned()).await;
        }
        assert_eq!(get(&first, "/livez"), (200, "ok\n".to_owned()));
        assert_eq!(get(&first, "/readyz"), (200, "ok\n".to_owned()), "{protocol}");
        let (_, text) = get(&first, "/metrics");
        assert!(metric(&text, "isegoria_commands_applied_total") >= 20.0, "{protocol}");
        assert!((metric(&text, "isegoria_peers_connected") - 2.0).abs() < 0.1, "{protocol}");
        for histogram in ["commit", "answer"] {
            let count = metric(&text, &format!("isegoria_{histogram}_seconds_count"));
            assert!(count >= 20.0, "{protocol}: {histogram} {count}");
        }
        assert!(metric(&text, "isegoria_fsync_seconds_total") > 0.0, "{protocol}");
        let status = json(&first, "/status");
        assert_eq!((&status["node"], &status["protocol"]), (&Value::from("n1"), &Value::from(protocol)));
        assert!(status["stats"]["applied_count"].as_u64() >= Some(20), "{protocol}: {status}");
        let nodes = json(&first, "/cluster")["nodes"].as_array().cloned().expect("nodes");
        assert!(
            nodes.len() == 3 && nodes.iter().all(|node| node["stats"].is_object()),
            "{protocol}: {nodes:?}"
        );
        assert!(get(&first, "/graph").1.starts_with("digraph"));
        assert!(get(&first, "/graph.svg").1.starts_with("<svg"));
        assert!(get(&first, "/").1.contains("<title>n1"));
        assert_eq!(get(&first, "/nothing").0, 404);
        assert_eq!(get(&first, "/explain?command=nonsense").0, 400);
        assert_eq!(get(&first, "/explain?command=cabc:1").0, 404);

        // Without a majority a node lives and is not ready.
        cluster.kill("n2").await;
        cluster.kill("n3").await;
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let (status, said) = get(&first, "/readyz");
            if status == 503 {
                assert!(said.contains("no majority"), "{protocol}: {said}");
                break;
            }
            assert!(Instant::now() < deadline, "{protocol}: {said}");
            tokio::task::yield_now().await;
        }
        assert_eq!(get(&first, "/livez").0, 200);
        assert!(json(&first, "/cluster")["nodes"][2]["stats"].is_null(), "{protocol}");
        cluster.stop().await;
    }
}

#[tokio::test]
async fn a_command_is_explained() {
    for (protocol, path) in [
        ("epaxos", "fast"),
        ("atlas", "fast"),
        ("unanimous-bpaxos", "fast"),
        ("simple-bpaxos", "two round trips"),
        ("multipaxos", "leader"),
    ] {
        let dir = tempfile::tempdir().expect("a directory");
        let cluster = cluster(protocol, dir.path()).await;
        let own = client(&cluster, 0).await;
        let op = Op::Put(bytes::Bytes::from_static(b"key"), bytes::Bytes::from_static(b"value"));
        let payload = postcard::to_stdvec(&op).expect("encoding into memory");
        let (request, answer) = own.call_as(payload.into()).await;
        answer.unwrap_or_else(|error| panic!("{protocol}: {error}"));
        let request = request.expect("it was sent");
        let command = request.to_string();
        let told = (0..3).map(|node| get(&admin(&cluster, node), &format!("/explain?command={command}")));
        let stories = told.filter(|(status, _)| *status == 200).map(|(_, body)| {
            serde_json::from_str::<Value>(&body).unwrap_or_else(|error| panic!("{error}: {body}"))
        });
        let story = stories.max_by_key(|story| story["us"]["all"].as_u64()).expect("a node knows it");
        // A machine that is busy may let all votes come too late.
        let is_slow = protocol == "unanimous-bpaxos" && story["path"] == "slow";
        assert!(is_slow || story["path"] == path, "{protocol}: {story}");
        let all = story["us"]["all"].as_u64().expect("it is answered");
        let stages = ["waiting_for_batch", "learning_dependencies", "deciding", "waiting_for_execution"];
        let sum: u64 = stages.iter().filter_map(|stage| story["us"][stage].as_u64()).sum();
        assert!(all > 0 && sum.abs_diff(all) <= 4, "{protocol}: {story}");
        if protocol != "multipaxos" {
            assert!(story["answered_by"].as_array().expect("a list").len() >= 2, "{protocol}: {story}");
        }

        let connect: Vec<String> =
            cluster.nodes().iter().map(|node| node.client.as_ref().expect("a port").to_string()).collect();
        let run = |command: &str| {
            let output = Command::new(ISEGORIA)
                .args(["explain", "--connect", &connect.join(","), command])
                .output()
                .expect("it runs");
            let said = [output.stdout, output.stderr].concat();
            (output.status.code(), String::from_utf8_lossy(&said).into_owned())
        };
        let (code, said) = run(&command);
        assert_eq!(code, Some(0), "{said}");
        assert!(
            said.contains(&format!("path          {}", story["path"].as_str().expect("a path"))),
            "{said}"
        );
        let (code, said) = run("cabc:1");
        assert_eq!((code, said.contains("no node knows cabc:1")), (Some(1), true), "{said}");
        assert_eq!(run("nonsense").0, Some(2));
        cluster.stop().await;
    }
}

/// Who named what, and who waited for whom, under conflicts from all sides.
#[tokio::test]
async fn conflicts_are_explained() {
    let dir = tempfile::tempdir().expect("a directory");
    let cluster = cluster("atlas", dir.path()).await;
    let mut clients = Vec::new();
    for node in 0..3 {
        clients.push(client(&cluster, node).await);
    }
    let payload = |number: usize| {
        let op = Op::Append(bytes::Bytes::from_static(b"one"), number.to_string().into());
        postcard::to_stdvec(&op).expect("encoding into memory")
    };
    for _ in 0..200 {
        let calls = clients.iter().enumerate().map(|(node, client)| client.call_as(payload(node).into()));
        let answers = futures::future::join_all(calls).await;
        for (node, (request, answer)) in answers.into_iter().enumerate() {
            answer.unwrap_or_else(|error| panic!("{error}"));
            let command = request.expect("it was sent").to_string();
            let (status, body) = get(&admin(&cluster, node), &format!("/explain?command={command}"));
            // A retry may have gone elsewhere.
            let story: Value =
                if status == 200 { serde_json::from_str(&body).expect("JSON") } else { continue };
            let has_added = story["added"].as_array().is_some_and(|added| !added.is_empty());
            if has_added && story["component_size"].as_u64() > Some(1) {
                cluster.stop().await;
                return;
            }
        }
    }
    panic!("600 commands on one key, and none was in a component with a dependency that another named");
}

/// A browser runs the page; what it has drawn is looked at.
#[tokio::test]
async fn the_page_draws_in_a_browser() {
    if !has("chromium", &["--version"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let cluster = cluster("epaxos", dir.path()).await;
    let own = client(&cluster, 0).await;
    let writing = tokio::spawn(async move {
        for number in 0.. {
            put(&own, format!("key{}", number % 100), "value".to_owned()).await;
        }
    });
    let address = format!("http://{}/", admin(&cluster, 0));
    let profile = dir.path().join("browser");
    let browse = move || {
        Command::new("chromium")
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
            .args(["--virtual-time-budget=6000", "--dump-dom"])
            .arg(format!("--user-data-dir={}", profile.display()))
            .arg(address)
            .stderr(Stdio::null())
            .output()
            .expect("it runs")
    };
    let output = tokio::task::spawn_blocking(browse).await.expect("it ends");
    let page = String::from_utf8_lossy(&output.stdout).into_owned();
    writing.abort();
    assert!(page.contains("3 of 3 nodes answer"), "{page}");
    for node in ["n1", "n2", "n3"] {
        assert!(page.contains(&format!("<td>{node}</td>")), "{node} in {page}");
    }
    let lines = page.split("<polyline data-node=\"n1\"").skip(1);
    let drawn: Vec<usize> = lines
        .map(|line| {
            line.split("points=\"")
                .nth(1)
                .map_or(0, |points| points.split('"').next().unwrap_or_default().split_whitespace().count())
        })
        .collect();
    assert!(drawn.len() == 3 && drawn[0] >= 2, "{drawn:?} points in three charts: {page}");
    assert!(page.contains("everything committed is executed") || page.contains("<rect"), "{page}");
    cluster.stop().await;
}
