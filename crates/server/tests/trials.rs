//! The trials of `isegoria bench`, in tiny sizes: that they measure something, keep it, and
//! say so by their exit codes.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // A test with processes.

mod common;

use common::ISEGORIA;
use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// Runs a trial; its summary, and the files of its folder.
fn trial(line: &str, out: &Path) -> (Value, Vec<String>) {
    let output = Command::new(ISEGORIA)
        .args(["bench"])
        .args(line.split_whitespace())
        .args(["--json", "--out"])
        .arg(out)
        .output()
        .expect("the binary");
    let said = String::from_utf8_lossy(&output.stderr);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{line}: {said}{text}");
    let folder = std::fs::read_dir(out).expect("made").flatten().find(|entry| entry.path().is_dir());
    let files = std::fs::read_dir(folder.expect("a folder").path()).expect("listed").flatten();
    let mut names: Vec<String> = files.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    (serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}{said}")), names)
}

const FILES: [&str; 4] = ["env.json", "input.json", "summary.json", "table.txt"];

#[test]
fn recovery_is_measured() {
    let out = tempfile::tempdir().expect("a directory");
    let (found, files) = trial("recovery --quick --repeat 1 --rate 1000", out.path());
    assert_eq!(files, FILES);
    let restarts = found["restarts"].as_array().expect("rows");
    let protocol_count = isegoria::protocols().len();
    assert_eq!(restarts.len(), 2 * protocol_count, "{found:#}");
    for row in restarts {
        assert!(row["log_bytes"].as_u64() >= Some(1_000_000), "{row:#}");
        assert!(row["record_count"].as_u64() > Some(0) && row["ready_s"].as_f64() > Some(0.0), "{row:#}");
        assert!(row["first_answer_s"].as_f64() >= row["ready_s"].as_f64(), "{row:#}");
    }
    let ways: Vec<&str> =
        found["catch_ups"].as_array().expect("rows").iter().filter_map(|row| row["way"].as_str()).collect();
    assert_eq!(ways, ["commits", "snapshot"].repeat(protocol_count), "{found:#}");
}

#[test]
fn a_short_overload_keeps_every_rule() {
    let out = tempfile::tempdir().expect("a directory");
    let (found, files) = trial("overload --quick --capacity 1000", out.path());
    assert_eq!(files, FILES);
    for run in found.as_array().expect("a run a protocol") {
        assert_eq!(run["broken"], serde_json::json!([]), "{run:#}");
        assert!(run["node_refusals"].as_u64() > Some(1_000), "{run:#}");
        assert_eq!(run["seconds"].as_array().map(Vec::len), Some(14), "{run:#}");
    }
}

#[test]
fn a_slice_of_endurance_is_flat() {
    for absent in ["", "--absent 1"] {
        let out = tempfile::tempdir().expect("a directory");
        let line = "endurance --commands 100000 --keys 1000 --clients 256 --rate 20000 --sample-ms 100";
        let (found, files) = trial(&format!("{line} {absent}"), out.path());
        assert_eq!(files, FILES);
        for run in found.as_array().expect("a run a protocol") {
            assert_eq!((&run["answered"], &run["failed"]), (&100_000.into(), &0.into()), "{run:#}");
            assert!(run["samples"].as_array().map(Vec::len) >= Some(20), "{run:#}");
        }
    }
}

/// A rule that cannot be kept is said, and the figures are kept all the same.
#[test]
fn a_broken_rule_is_exit_code_1() {
    let out = tempfile::tempdir().expect("a directory");
    let line = "bench overload --quick --capacity 500 --protocols multipaxos --rss-cap-mb 1 --out";
    let output = Command::new(ISEGORIA).args(line.split(' ')).arg(out.path()).output().expect("the binary");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && said.contains("the cap is 1 MB"), "{said}");
    assert!(
        std::fs::read_to_string(out.path().join("README.md")).is_ok_and(|text| text.contains("overload"))
    );
}

#[test]
fn durabilities_are_side_by_side() {
    let out = tempfile::tempdir().expect("a directory");
    let line = "durability --protocols multipaxos --clients 8 --duration 0.5 --warm-up 0.2 --repeat 1";
    let (found, files) = trial(line, out.path());
    assert_eq!(files, FILES);
    let rows = found.as_array().expect("rows").iter();
    let rows: Vec<_> = rows.map(|row| (row["durability"].as_str(), row["errors"].as_u64())).collect();
    assert_eq!(rows, ["memory", "os", "fsync"].map(|durability| (Some(durability), Some(0))));
}

/// All write one key, and one of five nodes dies. (That no second goes by without an answer is for a quiet machine.)
#[test]
fn a_hot_key_keeps_components_small() {
    let out = tempfile::tempdir().expect("a directory");
    let line = "hot-key --nodes 5 --clients 40 --duration 6 --protocols epaxos,atlas";
    let (found, files) = trial(line, out.path());
    assert_eq!(files, FILES);
    for run in found.as_array().expect("a run a protocol") {
        let answered = run["answered"].as_array().expect("a number a second");
        assert!(answered.len() == 6 && answered[5].as_u64() > Some(0), "{run:#}");
        assert!((1..=1_000).contains(&run["component_max"].as_u64().expect("a number")), "{run:#}");
    }
}
