//! The command line against a running cluster, from another process.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // A test with processes.

mod common;

use common::ISEGORIA;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// `isegoria cluster`, up to its `ready`.
struct Cluster {
    process: Child,
    lines: Vec<String>,
}

impl Cluster {
    fn start(protocol: &str) -> Cluster {
        let mut process = Command::new(ISEGORIA)
            .args(["cluster", "--protocol", protocol, "--base-port", "0", "--durability", "os"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary");
        let out = BufReader::new(process.stdout.take().expect("piped"));
        let lines: Vec<String> =
            out.lines().map_while(Result::ok).take_while(|line| line != "ready").collect();
        Cluster { process, lines }
    }

    fn field(&self, node: usize, name: &str) -> &str {
        let start = format!("{name}=");
        let mut fields = self.lines[node].split(' ');
        fields.find_map(|field| field.strip_prefix(&start)).expect("the field")
    }

    fn pid(process: &Child) -> rustix::process::Pid {
        rustix::process::Pid::from_child(process)
    }
}

fn isegoria(arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(ISEGORIA).args(arguments).output().expect("the binary");
    (output.status.code(), String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[test]
fn a_client_in_another_process_uses_any_node() {
    for protocol in common::PROTOCOLS {
        let mut cluster = Cluster::start(protocol);
        assert_eq!(cluster.lines.len(), 3, "{protocol}: {:?}", cluster.lines);
        let client = |node: usize, arguments: &[&str]| {
            isegoria(&[&["client", "--connect", cluster.field(node, "client")], arguments].concat())
        };
        let done = |text: &str| (Some(0), text.to_owned());
        assert_eq!(client(0, &["put", "name", "Ada"]), done("OK"));
        assert_eq!(client(1, &["get", "name"]), done("Ada"));
        assert_eq!(client(2, &["incr", "n"]), done("1"));
        assert_eq!(client(0, &["incr", "n", "-3"]), done("-2"));
        assert_eq!(client(1, &["add", "n", "5"]), done("OK"));
        assert_eq!(client(2, &["append", "name", " L"]), done("5"));
        assert_eq!(client(0, &["cas", "name", "Ada L", "Grace"]), done("true"));
        assert_eq!(client(1, &["mput", "a=1", "b=2"]), done("OK"));
        assert_eq!(client(2, &["mget", "a", "b", "c"]), done("1\n2\n(nil)"));
        assert_eq!(client(0, &["del", "a"]), done("true"));
        assert_eq!(client(1, &["get", "a"]), (Some(1), "(nil)".to_owned()));
        assert_eq!(client(2, &["incr", "name"]).0, Some(1), "not a number");
        let (code, text) = client(1, &["status"]);
        let stats: isegoria::Stats = serde_json::from_str(&text).expect("counters");
        assert!(code == Some(0) && stats.session_count > 0, "{protocol}: {text}");

        rustix::process::kill_process(Cluster::pid(&cluster.process), rustix::process::Signal::INT)
            .expect("running");
        assert!(cluster.process.wait().expect("it ends").success(), "{protocol}");
        for node in 0..3 {
            let gone = format!("/proc/{}", cluster.field(node, "pid"));
            assert!(!std::path::Path::new(&gone).exists(), "{protocol}: node {node} still runs");
        }
    }
}

#[test]
fn protocols_are_listed() {
    let (code, text) = isegoria(&["protocols", "--json"]);
    assert_eq!(code, Some(0));
    let list: Vec<serde_json::Value> = serde_json::from_str(&text).expect("one JSON document");
    let names: Vec<_> = list.iter().map(|entry| entry["name"].as_str().expect("a name")).collect();
    assert_eq!(names, ["epaxos", "atlas", "simple-bpaxos", "unanimous-bpaxos", "multipaxos"]);
    assert!(isegoria(&["protocols"]).1.contains("simple-bpaxos"));
}
