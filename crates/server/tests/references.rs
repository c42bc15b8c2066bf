//! Systems of others under the same load: they are started, far apart if they are to be, and say what they are.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // A test with processes.

mod common;

use common::{ISEGORIA, bench, configs, has, number, text};
use serde_json::Value;
use std::process::Command;

fn both_are_here() -> bool {
    [("redis-server", "--version"), ("etcd", "--version")].iter().all(|(program, ask)| has(program, &[ask]))
}

/// The row of a system, without errors.
fn row<'a>(rows: &'a [Value], protocol: &str) -> &'a Value {
    let found = rows.iter().find(|row| row["protocol"] == protocol);
    let row = found.unwrap_or_else(|| panic!("no row of {protocol}"));
    assert!(row["errors"] == 0 && number(row, "/throughput_ops_s") > 0.0, "{row:#}");
    row
}

/// The links of others are as long as ours, whoever opens a connection over them.
#[test]
fn no_reference_is_faster_than_its_distance_allows() {
    if !both_are_here() {
        return;
    }
    let geo = configs("regions/three.toml");
    let rows = bench(&format!(
        "--protocols multipaxos:leader=1 --references redis,etcd --rate 200 --clients 600 --duration 3 --batch 1 --geo {geo}"
    ));
    assert_eq!(rows.len(), 3);
    let limits = |row: &Value| -> Vec<f64> {
        (0..3).map(|at| number(row, &format!("/sites/{at}/limit_us"))).collect()
    };
    let ours = row(&rows, "multipaxos:leader=1");
    for (protocol, version) in [("redis", "redis-server "), ("etcd", "etcd ")] {
        let row = row(&rows, protocol);
        assert!(
            row["reference"]["version"].as_str().is_some_and(|text| text.starts_with(version)),
            "{row:#}"
        );
        assert!(
            number(row, "/link_lateness/count") > 0.0
                && number(row, "/cpu_us_per_command/busiest_node") > 0.0
        );
        for (at, limit) in limits(row).into_iter().enumerate() {
            let p50 = number(row, &format!("/sites/{at}/latency_us/p50"));
            // Histograms keep three digits.
            assert!(p50 >= 0.998 * limit, "{protocol} at {at}: {p50} µs, and the limit is {limit}");
        }
    }
    assert_eq!(limits(row(&rows, "etcd")), limits(ours), "both are led by n1");
    assert_eq!(row(&rows, "etcd")["durability"], "fsync", "whatever was asked for");
    let (redis, ours) = (limits(row(&rows, "redis")), limits(ours));
    assert!(
        redis[0] == 0.0 && redis.iter().zip(&ours).all(|(redis, ours)| redis < ours),
        "nobody else is asked"
    );
}

#[test]
fn references_read_what_was_written_before_and_run_within_caps() {
    if !both_are_here() {
        return;
    }
    for workload in ["ycsb-e", "ycsb-f"] {
        let rows = bench(&format!(
            "--protocols epaxos --references redis,etcd --clients 30 --duration 1 --cap-cpu 0.5 --workload {workload}:keys=300"
        ));
        for protocol in ["redis", "etcd"] {
            row(&rows, protocol);
        }
    }
}

#[test]
fn what_is_not_installed_is_left_out_by_name() {
    let out = tempfile::tempdir().expect("a directory");
    let output = Command::new(ISEGORIA)
        .args(
            "bench --protocols multipaxos --references etcd,redis --clients 3 --duration 1 --warm-up 0 --out"
                .split(' '),
        )
        .arg(out.path())
        .env("PATH", out.path())
        .output()
        .expect("the binary");
    let said = text(&output.stdout);
    assert!(output.status.success(), "{said}{}", text(&output.stderr));
    for note in [
        "note: etcd is left out, for etcd is not installed",
        "note: redis is left out, for redis-server is not",
    ] {
        assert!(said.contains(note), "{said}");
    }
}
