//! Emulated distance, from the command line.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // A test with processes.

mod common;

use common::ISEGORIA;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn matrix() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs/rtt/aws-2021.csv")
}

fn bench(geo: &Path, more: &[&str]) -> Output {
    let out = tempfile::tempdir().expect("a directory");
    let line =
        "bench --json --nodes 3 --clients 6 --duration 2 --warm-up 1 --durability memory --batch 1 --geo";
    Command::new(ISEGORIA)
        .args(line.split(' '))
        .arg(geo)
        .args(more)
        .arg("--out")
        .arg(out.path())
        .output()
        .expect("the binary")
}

/// Nothing is faster than light here, for whichever protocol, and whoever asks.
#[test]
fn no_site_is_faster_than_its_distance_allows() {
    let sites = ["ca-central-1", "us-west-1", "eu-west-1"];
    let output = bench(&matrix(), &["--sites", &sites.join(","), "--jitter-ms", "1"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let rows: Vec<Value> = serde_json::from_slice(&output.stdout).expect("one JSON document");
    assert_eq!(rows.len(), common::PROTOCOLS.len());
    for row in rows {
        assert_eq!(row["method"], "cpu-per-command,emulated-wan");
        let found = row["sites"].as_array().expect("a list");
        let names: Vec<&str> = found.iter().map(|at| at["site"].as_str().expect("a name")).collect();
        assert_eq!(names, sites);
        for at in found {
            let (limit, p50) = (at["limit_us"].as_f64().unwrap(), at["latency_us"]["p50"].as_f64().unwrap());
            assert!(limit > 70_000.0, "{at}");
            // Histograms keep three digits.
            assert!(p50 > 0.998 * limit, "{}: {at}", row["protocol"]);
        }
    }
}

#[test]
fn bad_distances_are_one_sentence_before_anything_is_started() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = |text: &str| {
        let path = dir.path().join("rtt.csv");
        std::fs::write(&path, text).expect("written");
        path
    };
    for (geo, more, expected) in [
        (dir.path().join("nowhere.csv"), vec![], "cannot read"),
        (file("region,a,b,c\na,0,1,2\nb,1,0\nc,2,2,0\n"), vec![], "nothing is said about b to c"),
        (matrix(), vec!["--sites", "mars,eu-west-1,us-west-1"], "unknown site `mars`"),
        (matrix(), vec!["--sites", "eu-west-1,us-west-1"], "2 sites for 3 nodes"),
        (matrix(), vec!["--jitter-ms=-1"], "geo.jitter_ms"),
    ] {
        let output = bench(&geo, &more);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(expected), "{expected}: {said}");
    }
}
