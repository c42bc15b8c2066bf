//! `isegoria sim`: a run's figures, a violation with its replay, and bad usage.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // A test with processes.

mod common;

use common::{ISEGORIA, PROTOCOLS, text};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// What a script may rely on, in order.
const KEYS: [&str; 17] = [
    "commands",
    "commands_min",
    "cpu_s",
    "evaluations",
    "faults",
    "faults_min",
    "holes",
    "protocol",
    "seeds",
    "simulated_s",
    "situations",
    "steps",
    "steps_per_cpu_s",
    "stuck",
    "violating_seeds",
    "violations",
    "wall_s",
];

fn sim(line: &str, out: &Path) -> Output {
    let words = line.split_whitespace();
    Command::new(ISEGORIA).arg("sim").args(words).arg("--out").arg(out).output().expect("the binary")
}

fn files(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).expect("a folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.filter(|path| path.extension().is_some_and(|found| found == extension)).collect()
}

#[test]
fn a_run_says_what_it_did() {
    let dir = tempfile::tempdir().expect("a directory");
    for protocol in PROTOCOLS {
        let output = sim(&format!("--protocol {protocol} --seeds 3..6 --commands 60 --json"), dir.path());
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let report: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
        let zero = ["violations", "stuck"].map(|name| report[name].clone());
        assert_eq!((zero, &report["seeds"]), ([json!(0), json!(0)], &json!(3)), "{report:#}");
        let keys: Vec<&str> = report.as_object().expect("an object").keys().map(String::as_str).collect();
        assert_eq!(keys, KEYS);
        for name in ["steps", "commands", "faults", "simulated_s", "wall_s", "cpu_s"] {
            assert!(report[name].as_f64() > Some(0.0), "{name} in {report:#}");
        }
        assert!(report["situations"]["message lost"].as_u64() > Some(0), "{report:#}");
    }
    assert!(files(dir.path(), "toml").is_empty(), "nothing was violated");
}

/// Each call to a node's storage is interrupted in every way, and the report says how many.
/// (Of both protocols in the simulator's own tests, which are built to be quick.)
#[test]
fn every_storage_call_is_interrupted() {
    let dir = tempfile::tempdir().expect("a directory");
    let output =
        sim("--protocol multipaxos --storage-calls --seeds 3..4 --nodes 3 --commands 3 --json", dir.path());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    let calls = report["calls_interrupted_by_kind_and_seed"].as_object().expect("an object");
    assert_eq!(calls.len(), 6, "{report:#}");
    let count: u64 = calls.values().map(|seeds| seeds["3"].as_u64().unwrap_or(0)).sum();
    assert!(count > 60 && report["runs"] == json!(count), "{report:#}");
    assert_eq!(report["violations"], json!(0), "{report:#}");
}

#[test]
fn an_interrupted_call_is_replayed_from_a_file() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("case.toml");
    let case = |how: &str| {
        let call = format!("[interrupted]\nnode = 0\ncall = 4\nhow = \"{how}\"\n");
        format!("protocol = \"multipaxos\"\nseed = 3\nnodes = 3\ncommands = 3\n{call}")
    };
    std::fs::write(&file, case("dies-within")).expect("written");
    let output = sim(&format!("--replay {}", file.display()), dir.path());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("the disk of n1: the process died"), "{}", text(&output.stdout));
    std::fs::write(&file, case("burns")).expect("written");
    let output = sim(&format!("--replay {}", file.display()), dir.path());
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("`burns` is no interruption; choose one of dies-before"), "{said}");
}

/// Disks that forget are a fault that nodes do not notice: the checks must.
#[test]
fn a_violation_can_be_replayed_and_is_drawn() {
    let dir = tempfile::tempdir().expect("a directory");
    let faults = dir.path().join("faults");
    std::fs::write(&faults, "amnesia_count = 3\n").expect("written");
    let line = format!("--protocol simple-bpaxos --seeds 0..6 --commands 60 --faults {}", faults.display());
    let output = sim(&line, dir.path());
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let cases = files(dir.path(), "toml");
    assert!(!cases.is_empty(), "a file for each violation");
    for words in ["check `", "seed ", &format!("replay: isegoria sim --replay {}", dir.path().display())] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let marked: usize = cases.iter().map(|case| replay(case, &said)).sum();
    assert!(marked > 0, "one of them is about a place that messages name");
}

/// Replays what was said of a case; returns how many messages are about its place.
fn replay(case: &Path, said: &str) -> usize {
    let dir = case.parent().expect("a folder");
    let replay = sim(&format!("--replay {}", case.display()), dir);
    let again = text(&replay.stderr);
    assert_eq!(replay.status.code(), Some(1), "{again}");
    let seed = case.file_stem().expect("a name").to_string_lossy().replace("simple-bpaxos-", "");
    let told = |said: &str| said.lines().find_map(|line| Some(line.split_once("check `")?.1.to_owned()));
    let first = said.split(&format!("seed {seed}: ")).nth(1).and_then(told);
    let check = first.as_deref().and_then(|line| line.split('`').next()).expect("the check's name");
    assert!(again.contains(check), "{check}: {again}");
    let trace = text(&replay.stdout);
    assert!(trace.lines().count() > 100, "a trace");
    let about = |line: &&str| line.starts_with('»') && (line.contains(" → ") || line.contains(" ↛ "));
    let marked = trace.lines().filter(about).count();
    let svg = std::fs::read_to_string(case.with_extension("svg")).expect("a diagram");
    assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"), "{}", case.display());
    let red =
        svg.lines().filter(|line| line.starts_with("<line") && line.contains("stroke=\"#c00\"")).count();
    assert_eq!(red, marked.min(250), "seed {seed}: what the messages about the place are drawn in");
    assert_eq!(red == 0, svg.contains("no single place"), "seed {seed}");
    marked
}

#[test]
fn bad_usage_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let broken = dir.path().join("broken.toml");
    std::fs::write(&broken, "protocol = 7").expect("written");
    for (line, expected) in [
        ("--seeds 9..3".to_owned(), "0..200"),
        ("--protocol raft-ish".to_owned(), "unknown protocol `raft-ish`"),
        ("--replay /no/such/file".to_owned(), "/no/such/file"),
        (format!("--replay {}", broken.display()), "broken.toml:1"),
        (format!("--faults {}", broken.display()), "unknown field"),
    ] {
        let output = sim(&line, dir.path());
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{line}: {said}");
        assert!(said.contains(expected), "{line}: {said}");
    }
}
