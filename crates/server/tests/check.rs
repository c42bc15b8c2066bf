//! `isegoria check`: what it says of good, bad and broken histories, and its exit codes.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // A test with processes.

mod common;

use common::ISEGORIA;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

const KV: &str = r#"{"isegoria_history":1,"model":"kv"}"#;
const PUT: &str =
    r#"{"client":1,"invoked_us":1,"returned_us":2,"op":["put","k","v"],"outcome":"ok","result":null}"#;
const STALE: &str =
    r#"{"client":2,"invoked_us":3,"returned_us":4,"op":["get","k"],"outcome":"ok","result":null}"#;

fn write(lines: &[&str]) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("h.jsonl");
    std::fs::write(&file, lines.join("\n")).expect("written");
    (dir, file)
}

/// The exit code, standard output and standard error.
fn check(lines: &[&str], options: &[&str]) -> (Option<i32>, String, String) {
    let (_dir, file) = write(lines);
    let output = Command::new(ISEGORIA).arg("check").arg(file).args(options).output().expect("the binary");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_valid_history_passes_and_a_stale_read_does_not() {
    let (code, said, _) = check(&[KV, PUT], &[]);
    assert!(code == Some(0) && said.contains("\nvalid\n"), "{code:?} {said}");
    let (code, said, _) = check(&[KV, PUT, STALE], &[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("stale read") && said.contains("client 2"), "{said}");
    let (code, said, _) = check(&[KV, PUT, STALE], &["--json"]);
    let report: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!((code, &report["verdict"], &report["operations"]), (Some(1), &json!("violation"), &json!(2)));
}

/// A history in which nothing was answered proves nothing.
#[test]
fn an_empty_history_does_not_pass() {
    let (code, said, _) = check(&[KV], &[]);
    assert!(code == Some(1) && said.contains("record for longer"), "{code:?} {said}");
}

#[test]
fn a_malformed_file_is_refused_with_its_line_and_what_is_wrong() {
    for (lines, line, what) in [
        (&[KV, PUT, "{"][..], "line 3", "EOF"),
        (&[KV, r#"{"client":1}"#], "line 2", "invoked_us"),
        (&[KV, &PUT.replace("put", "push")], "line 2", "push"),
        (&[KV, &PUT.replace("null", "7")], "line 2", "result"),
        (&[KV, &PUT.replace(":2,", ":0,")], "line 2", "returned"),
        (&["{}"], "line 1", "isegoria_history"),
        (&[&KV.replace(":1", ":9")], "line 1", "9"),
        (&[""], "line 1", "header"),
    ] {
        let (code, said, error) = check(lines, &[]);
        assert_eq!((code, said.as_str()), (Some(2), ""), "{lines:?}: {error}");
        assert!(error.contains(line) && error.contains(what), "{lines:?}: {error}");
    }
    let output = Command::new(ISEGORIA).args(["check", "/no/such/file"]).output().expect("the binary");
    assert_eq!(output.status.code(), Some(2));
    let (code, _, error) = check(&[KV, PUT], &["--model", "list-append"]);
    assert!(code == Some(2) && error.contains("leave --model out"), "{error}");
}
