//! Histories of real processes: recorded under faults and by the benchmark, and judged;
//! and one with a lie in it.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // A test with processes.

mod common;

use common::{ISEGORIA, PROTOCOLS};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// A plan of six kills within six seconds: of every node, and once of a node that starts.
const SEED: &str = "16";

/// A plan of power cuts of all nodes within six seconds.
const POWER_SEED: &str = "1";

fn isegoria(line: &str) -> Output {
    Command::new(ISEGORIA).args(line.split_whitespace()).output().expect("the binary")
}

fn check(file: &Path) -> (Option<i32>, String) {
    let output = isegoria(&format!("check {}", file.display()));
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    (output.status.code(), text.into_owned())
}

/// Runs `isegoria nemesis` and returns its report; its exit code must agree with the verdict.
fn nemesis(line: &str) -> Value {
    nemesis_as_planned(line, SEED)
}

fn nemesis_as_planned(line: &str, seed: &str) -> Value {
    let output = isegoria(&format!("nemesis {line} --duration 6 --seed {seed} --json"));
    let text = String::from_utf8_lossy(&output.stdout);
    let said = String::from_utf8_lossy(&output.stderr);
    let report: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}{said}"));
    assert_eq!(output.status.success(), report["verdict"] == "pass", "{report:#}\n{said}");
    report
}

#[test]
fn both_protocols_keep_their_promises_while_nodes_are_killed() {
    for protocol in PROTOCOLS {
        for workload in ["kv", "list-append"] {
            let report = nemesis(&format!("--protocol {protocol} --workload {workload}"));
            assert_eq!(report["verdict"], "pass", "{report:#}");
            assert_eq!((&report["kills"], &report["restarts"]), (&json!(6), &json!(6)), "{report:#}");
            assert!(report["ok"].as_u64() >= Some(100), "{report:#}");
            assert_eq!(
                (&report["history"], &report["data"]),
                (&json!(null), &json!(null)),
                "kept for nothing"
            );
        }
    }
}

/// Runs one kind of fault for a while on each protocol, and counts it by the report's field; or says
/// that this machine does not have what it needs.
fn each_protocol_survives(kind: &str, more: &str, count: impl Fn(&Value) -> Option<u64>) {
    let seed = if kind == "power" { POWER_SEED } else { SEED };
    for protocol in PROTOCOLS {
        let report = nemesis_as_planned(&format!("--protocol {protocol} --faults {kind} {more}"), seed);
        if let Some(skipped) = report["skipped"].as_array().and_then(|skipped| skipped.first()) {
            println!("skipped: {kind}: {}", skipped["why"]);
            assert_eq!(skipped["fault"], kind);
        } else {
            assert!(count(&report) > Some(0), "{report:#}");
        }
        assert_eq!(report["verdict"], "pass", "{report:#}");
        assert!(report["ok"].as_u64() >= Some(100) && report["digest"].is_string(), "{report:#}");
    }
}

#[test]
fn promises_are_kept_across_partitions() {
    let partitions = |report: &Value| report["partitions"].as_u64();
    each_protocol_survives("partition", "", partitions);
    each_protocol_survives("partition", "--partition-by relays --nodes 5", |report| {
        assert_eq!(report["partitioned_by"], "relays");
        partitions(report)
    });
}

#[test]
fn promises_are_kept_across_power_cuts() {
    each_protocol_survives("power", "", |report| report["power_cuts"].as_u64());
}

/// What is not synced is lost with the power, and what was lost is found.
#[test]
fn a_cluster_that_does_not_sync_is_found_out_by_a_power_cut() {
    let report = nemesis_as_planned("--protocol multipaxos --faults power --durability os", POWER_SEED);
    match report["skipped"].as_array().and_then(|skipped| skipped.first()) {
        Some(skipped) => println!("skipped: {}", skipped["why"]),
        None => assert_ne!(report["verdict"], "pass", "{report:#}"),
    }
    if let Some(data) = report["data"].as_str() {
        std::fs::remove_dir_all(data).expect("kept, and no disk is mounted in it");
    }
}

#[test]
fn a_full_disk_is_survived() {
    each_protocol_survives("disk-full", "", |report| report["disk_fulls"].as_u64());
}

#[test]
fn a_failed_sync_ends_the_node() {
    each_protocol_survives("fsync-error", "", |report| report["fsync_errors"].as_u64());
}

#[test]
fn a_flipped_bit_is_harmless_or_told() {
    each_protocol_survives("flip", "", |report| report["flips"].as_object().map(|flips| flips.len() as u64));
}

/// Programs that are not there are no reason to fail, nor to be silent.
#[test]
fn what_a_machine_does_not_have_is_skipped_by_name() {
    let output = Command::new(ISEGORIA)
        .args("nemesis --protocol multipaxos --faults all --duration 1 --json".split_whitespace())
        .env("PATH", "/nowhere")
        .output()
        .expect("the binary");
    let (said, told) = (String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout));
    let report: Value = serde_json::from_str(&told).expect("a report");
    let skipped: Vec<&str> = report["skipped"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|one| one["fault"].as_str())
        .collect();
    assert!(skipped.starts_with(&["power"]) && skipped.ends_with(&["fsync-error"]), "{report:#}");
    for fault in skipped {
        assert!(said.contains(&format!("skipped: {fault} (")), "{said}");
    }
    assert_eq!(
        (&report["partitioned_by"], &report["verdict"]),
        (&json!("relays"), &json!("pass")),
        "{report:#}"
    );
}

/// Nodes hold so little for those that are away that they come back by snapshots.
#[test]
fn promises_are_kept_across_pauses_and_snapshots() {
    for protocol in PROTOCOLS {
        let report = nemesis(&format!("--protocol {protocol} --faults kill,pause --retain 20"));
        assert_eq!(report["verdict"], "pass", "{report:#}");
        assert!(report["pauses"].as_u64() > Some(0) && report["cuts"].as_u64() > Some(0), "{report:#}");
    }
}

/// One key's puts and gets, as far as a stale read needs them.
struct Lines(Vec<Value>);

impl Lines {
    fn read(file: &Path) -> Lines {
        let text = std::fs::read_to_string(file).expect("a history");
        Lines(text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect())
    }

    fn write(&self, file: &Path) {
        let lines: Vec<String> = self.0.iter().map(Value::to_string).collect();
        std::fs::write(file, lines.join("\n") + "\n").expect("written");
    }

    /// The answered operations of this name, by their place.
    fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (usize, &'a Value)> {
        self.0.iter().enumerate().filter(move |(_, line)| line["op"][0] == name && line["outcome"] == "ok")
    }

    /// Lets a get answer with what one put wrote and a later put had replaced before.
    fn plant_a_stale_read(&mut self) {
        let before = |one: &Value, other: &Value| one["returned_us"].as_u64() < other["invoked_us"].as_u64();
        let same_key = |one: &Value, other: &Value| one["op"][1] == other["op"][1];
        let put_before = |line: &Value| {
            let put = self.named("put").find(|(_, put)| same_key(put, line) && before(put, line));
            put.map(|(_, put)| put["op"][2].clone())
        };
        let stale = self.named("get").find_map(|(place, get)| {
            let replaced = |(_, put): (usize, &Value)| {
                (same_key(put, get) && before(put, get)).then(|| put_before(put)).flatten()
            };
            Some((place, self.named("put").find_map(replaced)?))
        });
        let (place, value) = stale.expect("two puts and a get of one key, one after the other");
        assert_ne!(self.0[place]["result"], value);
        self.0[place]["result"] = value;
    }
}

#[test]
fn a_stale_read_is_found() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("history.jsonl");
    let report = nemesis(&format!("--protocol multipaxos --faults none --history {}", file.display()));
    assert_eq!((&report["verdict"], report["kills"].as_u64()), (&json!("pass"), Some(0)), "{report:#}");
    assert_eq!(check(&file).0, Some(0), "{}", check(&file).1);
    let mut lines = Lines::read(&file);
    lines.plant_a_stale_read();
    lines.write(&file);
    let (code, text) = check(&file);
    assert_eq!(code, Some(1), "{text}");
}

/// The processes that a process has started, and that still run.
fn children(parent: u32) -> Vec<i32> {
    let is_child = |pid: &i32| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        status
            .lines()
            .any(|line| line.strip_prefix("PPid:").is_some_and(|id| id.trim() == parent.to_string()))
    };
    let names = std::fs::read_dir("/proc").expect("a listing");
    let pids = names.filter_map(|name| name.ok()?.file_name().to_str()?.parse().ok());
    pids.filter(is_child).collect()
}

#[test]
fn a_node_that_ends_by_itself_is_found() {
    let dir = tempfile::tempdir().expect("a directory");
    let line = "nemesis --protocol simple-bpaxos --faults none --duration 60 --json --data-dir";
    let mut process = Command::new(ISEGORIA)
        .args(line.split_whitespace())
        .arg(dir.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary");
    // The first line of progress: clients are at work.
    let mut progress = BufReader::new(process.stderr.take().expect("piped")).lines();
    assert!(progress.any(|line| line.expect("text").contains(" ops ")), "no progress");
    let victim = Pid::from_raw(children(process.id())[0]).expect("a process");
    kill_process(victim, Signal::KILL).expect("running");
    let output = process.wait_with_output().expect("it ends");
    let report: Value = serde_json::from_slice(&output.stdout).expect("a report");
    assert_eq!((output.status.code(), &report["verdict"]), (Some(1), &json!("node_failed")), "{report:#}");
    assert!(report["findings"][0].as_str().expect("a sentence").contains("ended by itself: signal 9"));
    for kept in ["history", "data"] {
        let path = report[kept].as_str().expect("kept");
        assert!(Path::new(path).starts_with(dir.path()) && Path::new(path).exists(), "{path}");
    }
}

#[test]
fn the_benchmark_records_what_can_be_judged() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = |name: &str| dir.path().join(name);
    let output = isegoria(&format!(
        "bench --duration 1 --warm-up 0.2 --clients 8 --load-processes 2 --conflict 0.3 --durability os \
         --out {} --history {}",
        file("results").display(),
        file("h.jsonl").display()
    ));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for protocol in PROTOCOLS {
        let history = file(&format!("h.{protocol}.jsonl"));
        assert_eq!(check(&history).0, Some(0), "{}", check(&history).1);
        let lines = Lines::read(&history);
        let (gets, puts) = (lines.named("get").count(), lines.named("put").count());
        assert!(gets > 100 && puts > 100 && gets.abs_diff(puts) < (gets + puts) / 5, "{gets} and {puts}");
        let clients = lines.0.iter().filter_map(|line| line["client"].as_u64()).max();
        assert_eq!(clients, Some(7), "both load processes");
    }
    let left = std::fs::read_dir(dir.path()).expect("a directory").count();
    assert_eq!(left, PROTOCOLS.len() + 1, "a history each, the results, and no parts");
}

#[test]
fn bad_usage_is_refused() {
    for (line, expected) in [
        ("--protocol multipaxos --faults freeze", "unknown fault `freeze`"),
        ("--protocol multipaxos --nodes 2", "--faults none"),
        ("--protocol multipaxos --partition-by magic", "unknown way `magic`"),
        ("--protocol raft-ish", "unknown protocol `raft-ish`"),
        ("--protocol multipaxos --clients 0", "clients = 0"),
        ("", "--protocol"),
    ] {
        let output = isegoria(&format!("nemesis {line}"));
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{line}: {said}");
        assert!(said.contains(expected), "{line}: {said}");
    }
    let help = isegoria("nemesis --help");
    assert!(String::from_utf8_lossy(&help.stdout).contains("Examples:"));
}
