//! The Redis port of real nodes: order, transactions, failover, hostile bytes, and Redis's own tools.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // A test with processes and sockets.

mod common;

use common::{PROTOCOLS, config, has, start};
use isegoria::ClusterConfig;
use isegoria_bench::local_cluster::{LocalCluster, take_free_endpoints};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A cluster's configuration with a Redis port for each node.
fn with_resp(protocol: &str, dir: &Path) -> ClusterConfig {
    let mut config = config(protocol, 3, dir).with_edges(1).expect("ports");
    take_free_endpoints(&mut config).expect("free ports");
    config
}

fn address(cluster: &LocalCluster, index: usize) -> String {
    cluster.nodes()[index].resp.as_ref().expect("a Redis port").to_string()
}

fn host_and_port(address: &str) -> (&str, &str) {
    address.rsplit_once(':').expect("HOST:PORT")
}

/// A connection that is spoken to in lines.
struct Lines(BufReader<TcpStream>);

impl Lines {
    fn open(address: &str) -> Lines {
        let stream = TcpStream::connect(address).expect("the node listens");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a time limit");
        Lines(BufReader::new(stream))
    }

    fn send(&mut self, text: &str) {
        self.0.get_mut().write_all(text.as_bytes()).expect("it can be written");
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("an answer");
        line.trim_end().to_owned()
    }

    fn ask(&mut self, text: &str) -> String {
        self.send(&format!("{text}\r\n"));
        self.line()
    }
}

#[tokio::test]
async fn commands_of_a_connection_keep_their_order() {
    for protocol in PROTOCOLS {
        let dir = tempfile::tempdir().expect("a directory");
        let mut cluster = start(&with_resp(protocol, dir.path())).await;
        let mut connections: Vec<Lines> = (0..3).map(|node| Lines::open(&address(&cluster, node))).collect();
        // All nodes at once, all on one key; each connection reads its own writes.
        for (node, connection) in connections.iter_mut().enumerate() {
            let pipeline: String = (0..200)
                .map(|number| format!("HSET all n{node} {number}\r\nHGET all n{node}\r\nINCR sum\r\n"))
                .collect();
            connection.send(&pipeline);
        }
        for connection in &mut connections {
            let mut last = 0;
            for number in 0..200 {
                assert_eq!(connection.line(), if number == 0 { ":1" } else { ":0" }, "{protocol}");
                assert!(connection.line().starts_with('$'));
                assert_eq!(connection.line(), number.to_string(), "{protocol}");
                let sum: i64 = connection.line()[1..].parse().expect("a number");
                assert!(sum > last, "{protocol}");
                last = sum;
            }
        }
        assert_eq!(connections[1].ask("GET sum"), "$3");
        assert_eq!(connections[1].line(), "600");

        // One dies: its clients go elsewhere, and the others go on.
        cluster.kill("n3").await;
        assert_eq!(connections[0].ask("SADD s a b"), ":2", "{protocol}");
        assert_eq!(connections[1].ask("SCARD s"), ":2", "{protocol}");
        assert_eq!(connections[2].line(), "", "closed");
        cluster.stop().await;
    }
}

/// Kilobytes of memory of a process.
fn resident_kb(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find(|line| line.starts_with("VmRSS")).expect("its memory");
    line.split_whitespace().nth(1).expect("a number").parse().expect("a number")
}

#[tokio::test]
async fn hostile_bytes_cost_little_and_end_connections() {
    let dir = tempfile::tempdir().expect("a directory");
    let cluster = start(&with_resp("epaxos", dir.path())).await;
    let address = address(&cluster, 0);
    assert_eq!(Lines::open(&address).ask("PING"), "+PONG");
    let before = resident_kb(cluster.nodes()[0].pid);
    let nested = "*1\r\n".repeat(100_000);
    let ends = [
        "*1\r\n$536870912\r\n",
        "*2147483647\r\n",
        "*1\r\n$-5\r\n",
        &nested,
        "\u{16}\u{3}\u{1}\r\n\u{0}QUIT\r\nQUIT\r\n",
    ];
    for bytes in ends {
        for _ in 0..20 {
            let mut stream = TcpStream::connect(&address).expect("the node listens");
            stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a time limit");
            // It may be closed before all is written.
            let _ = stream.write_all(bytes.as_bytes());
            let mut said = Vec::new();
            match stream.read_to_end(&mut said) {
                Ok(_) => assert_eq!(said.first(), Some(&b'-'), "{}", String::from_utf8_lossy(&said)),
                // Closed with bytes unread, it is reset.
                Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{bytes:.20}"),
            }
        }
    }
    // Announced, and never sent, by many at once.
    let silent: Vec<TcpStream> = (0..200)
        .map(|_| {
            let mut stream = TcpStream::connect(&address).expect("the node listens");
            stream.write_all(b"*100000\r\n$1000000\r\nabc").expect("it can be written");
            stream
        })
        .collect();
    assert_eq!(Lines::open(&address).ask("SET a b"), "+OK");
    let after = resident_kb(cluster.nodes()[0].pid);
    assert!(after < before + 20_000, "{before} kB and then {after} kB");
    drop(silent);

    // Deep trees do not exist: what is stored is flat, and what is answered is bounded.
    let mut connection = Lines::open(&address);
    let value = "x".repeat(900_000);
    assert_eq!(connection.ask(&format!("*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n$900000\r\n{value}")), "+OK");
    // Pipelined, each has an answer of its own; in a transaction they are one.
    connection.send(&"GET big\r\n".repeat(7));
    for _ in 0..7 {
        assert_eq!(connection.line(), "$900000");
        assert_eq!(connection.line(), value);
    }
    connection.send(&format!("MULTI\r\n{}EXEC\r\n", "GET big\r\n".repeat(5)));
    assert_eq!([(); 7].map(|()| connection.line()).last().map(String::as_str), Some("*5"));
    let lengths: Vec<usize> = (0..9).map(|_| connection.line().len()).collect();
    assert_eq!(lengths[7], 900_000);
    assert!(lengths[8] < 100, "an error: {lengths:?}");
    let many = format!("MGET{}", " big".repeat(10_000));
    assert!(connection.ask(&many).starts_with("-ERR the reply is longer than 4 MiB"));
    // What does not fit into one request to the cluster goes with the next one.
    let set =
        |length: usize| format!("*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n${length}\r\n{}\r\n", "x".repeat(length));
    connection.send(&[set(200_000), set(1_048_500), set(100), "STRLEN big\r\n".to_owned()].concat());
    assert_eq!([(); 4].map(|()| connection.line()), ["+OK", "+OK", "+OK", ":100"]);
    assert_eq!(connection.ask("DBSIZE"), ":2");
    // Refused before it is sent: what was on its way would reset the connection.
    let said = connection.ask("*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n$1048600");
    assert!(said.starts_with("-ERR Protocol error: invalid bulk length"), "{said}");
    cluster.stop().await;
}

fn output(command: &mut Command) -> String {
    let output = command.output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{command:?}: {said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

#[tokio::test]
async fn redis_cli_and_redis_benchmark_find_nothing_wrong() {
    if !has("redis-cli", &["--version"]) || !has("redis-benchmark", &["--version"]) {
        return;
    }
    for protocol in PROTOCOLS {
        let dir = tempfile::tempdir().expect("a directory");
        let cluster = start(&with_resp(protocol, dir.path())).await;
        let addresses: Vec<String> = (0..3).map(|node| address(&cluster, node)).collect();
        for (version, expected) in [("-2", "1) \"f\"\n2) \"v\"\n"), ("-3", "1# \"f\" => \"v\"\n")] {
            let (host, port) = host_and_port(&addresses[0]);
            let cli = |words: &[&str]| {
                output(
                    Command::new("redis-cli").args([version, "--no-raw", "-h", host, "-p", port]).args(words),
                )
            };
            cli(&["HSET", "h", "f", "v"]);
            assert_eq!(cli(&["HGETALL", "h"]), expected);
        }
        let benchmarks: Vec<Child> = addresses
            .iter()
            .map(|address| {
                let (host, port) = host_and_port(address);
                Command::new("redis-benchmark")
                    .args([
                        "-h",
                        host,
                        "-p",
                        port,
                        "-t",
                        "set,get,incr",
                        "-P",
                        "16",
                        "-q",
                        "-n",
                        "4000",
                        "-r",
                        "1000",
                    ])
                    .stdout(Stdio::piped())
                    .stderr(Stdio::piped())
                    .spawn()
                    .expect("it runs")
            })
            .collect();
        for benchmark in benchmarks {
            let output = benchmark.wait_with_output().expect("it ends");
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            let wrong = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success() && wrong.is_empty(), "{protocol}: {said}{wrong}");
            let results: Vec<&str> = said.split(['\r', '\n']).filter(|line| line.contains("p50")).collect();
            assert_eq!(results.len(), 3, "{protocol}: {said}");
            assert!(!said.to_lowercase().contains("err"), "{protocol}: {said}");
        }
        cluster.stop().await;
    }
}

/// A Redis of this machine's, ended with the test.
struct Redis(Child);

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn answers_are_those_of_a_redis() {
    if !has("redis-server", &["--version"]) || !has("python3", &["-c", "import redis"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let cluster = start(&with_resp("epaxos", dir.path())).await;
    // An address of the cluster's own, where nobody else takes ports.
    let own = address(&cluster, 0);
    let (host, _) = host_and_port(&own);
    let port = std::net::TcpListener::bind((host, 0))
        .and_then(|listener| listener.local_addr())
        .expect("a port")
        .port()
        .to_string();
    let redis = Command::new("redis-server")
        .args(["--bind", host, "--port", &port, "--save", "", "--protected-mode", "no", "--dir"])
        .arg(dir.path())
        .stdout(Stdio::null())
        .spawn()
        .expect("it runs");
    let _redis = Redis(redis);
    let real = format!("{host}:{port}");
    while TcpStream::connect(&real).is_err() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/redis/agree.py");
    let addresses = (0..3).map(|node| address(&cluster, node));
    let said = output(Command::new("python3").arg(script).arg(&real).args(addresses));
    assert!(said.contains("commands agree"), "{said}");
    cluster.stop().await;
}
