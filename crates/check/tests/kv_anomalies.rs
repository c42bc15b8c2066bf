//! Planted anomalies at one key, each with the name that it is reported by.

#![allow(clippy::unwrap_used)] // Helpers of tests.
mod common;

use common::read;
use isegoria_check::linearizability::check_kv;

/// Operations of clients of their own: when, what, and what was answered; `?` if nothing was.
fn named(operations: &[(u64, u64, &str, &str)]) -> &'static str {
    let mut text = String::from("{\"isegoria_history\":1,\"model\":\"kv\"}\n");
    for (client, (invoked, returned, op, result)) in operations.iter().enumerate() {
        let outcome = match *result {
            "?" => r#""outcome":"unknown""#.to_owned(),
            result => format!(r#""returned_us":{returned},"outcome":"ok","result":{result}"#),
        };
        text += &format!(r#"{{"client":{client},"invoked_us":{invoked},"op":{op},{outcome}}}"#);
        text.push('\n');
    }
    let verdict = check_kv(&read(&text));
    let anomaly = verdict.finding.anomaly().unwrap_or_else(|| panic!("{}\n{text}", verdict.finding));
    println!("{anomaly}");
    anomaly.name
}

#[test]
fn each_is_found_and_named() {
    let put = |value: &str| format!(r#"["put","k","{value}"]"#);
    let (one, two) = (&*put("1"), &*put("2"));
    let (get, incr) = (r#"["get","k"]"#, r#"["incr","k",1]"#);
    let cas = |value: &str| format!(r#"["cas","k","1","{value}"]"#);
    // A read of what was overwritten before it was asked.
    assert_eq!(named(&[(1, 2, one, "null"), (3, 4, two, "null"), (5, 6, get, r#""1""#)]), "stale read");
    // A write that was acknowledged and then never was.
    assert_eq!(named(&[(1, 2, one, "null"), (3, 4, get, "null")]), "stale read");
    // Two updates of one state, of which one was lost.
    assert_eq!(
        named(&[(1, 2, one, "null"), (3, 8, &cas("a"), "true"), (4, 9, &cas("b"), "true")]),
        "lost update"
    );
    // One increment, applied twice.
    assert_eq!(named(&[(1, 2, incr, "1"), (3, 4, get, r#""2""#)]), "phantom read");
    assert_eq!(named(&[(1, 2, incr, "2")]), "wrong result");
    // An increment of unknown outcome is applied once at most.
    assert_eq!(named(&[(1, 2, incr, "?"), (3, 4, incr, "3")]), "no order");
    // A value that nobody wrote, and one that was read before it was.
    assert_eq!(named(&[(1, 2, one, "null"), (3, 4, get, r#""3""#)]), "phantom read");
    assert_eq!(named(&[(1, 2, get, r#""1""#), (3, 4, one, "null")]), "read of the future");
    // An answer that no state gives.
    assert_eq!(named(&[(1, 2, r#"["mget",["k","k"]]"#, r#"["1",null]"#)]), "impossible answer");
}
