//! Transactions on lists: planted anomalies, each with the name that it is reported by.

#![allow(clippy::unwrap_used)] // Helpers of tests.
mod common;

use bytes::Bytes;
use common::{Lists, Shape, draw_transaction, execute, some_order_explains};
use isegoria_check::history::{Answer, Call, Finding, History, List, Model, Operation, Outcome, Part};
use isegoria_check::list_append::check_list_append;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

fn text(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

fn append(key: &str, element: &str) -> Part {
    Part::Append(text(key), text(element))
}

fn read(key: &str) -> Part {
    Part::Read(text(key))
}

fn history(operations: Vec<Operation>) -> History {
    History { model: Model::ListAppend, operations }
}

/// A transaction of a client of its own that took `[from, to]` and read these lists.
fn done(client: u64, times: (u64, u64), parts: Vec<Part>, reads: &[&[&str]]) -> Operation {
    let mut reads = reads.iter();
    let result = |part: &Part| match part {
        Part::Append(..) => None,
        Part::Read(_) => Some(reads.next().expect("a result a read").iter().collect::<List>()),
    };
    let answer = Answer::List(parts.iter().map(result).collect());
    let outcome = Outcome::Ok { returned_us: times.1, answer };
    Operation { client, invoked_us: times.0, call: Call::List(parts), outcome }
}

fn anomaly(operations: Vec<Operation>) -> &'static str {
    let history = history(operations);
    assert!(!some_order_explains::<Lists>(&history), "the planted anomaly is none");
    check_list_append(&history).finding.anomaly().expect("an anomaly").name
}

#[test]
fn planted_anomalies_are_found_by_name() {
    let put = |client, times, element: &str| done(client, times, vec![append("a", element)], &[]);
    let get = |client, times, list: &[&str]| done(client, times, vec![read("a")], &[list]);
    // A stale read, and a lost write.
    assert_eq!(anomaly(vec![put(1, (0, 10), "x"), get(2, (20, 30), &[])]), "lost append (G-single-realtime)");
    let lost = vec![put(1, (0, 10), "x"), put(2, (20, 30), "y"), get(3, (40, 50), &["y"])];
    assert_eq!(anomaly(lost), "G0-realtime");
    // Applied twice; made up; not executed and seen.
    assert_eq!(anomaly(vec![put(1, (0, 10), "x"), get(2, (20, 30), &["x", "x"])]), "double apply");
    assert_eq!(anomaly(vec![get(2, (20, 30), &["z"])]), "phantom read");
    let failed = Operation { outcome: Outcome::Failed, ..put(1, (0, 10), "x") };
    assert_eq!(anomaly(vec![failed, get(2, (20, 30), &["x"])]), "aborted read (G1a)");
    // Two readers that disagree.
    let orders = vec![
        put(1, (0, 10), "x"),
        put(2, (0, 10), "y"),
        get(3, (20, 30), &["x", "y"]),
        get(4, (20, 30), &["y", "x"]),
    ];
    assert_eq!(anomaly(orders), "incompatible order");
    // Each reads what the other writes, before it does.
    let skew = vec![
        done(1, (0, 100), vec![read("a"), append("b", "x")], &[&[]]),
        done(2, (0, 100), vec![read("b"), append("a", "y")], &[&[]]),
        done(3, (200, 300), vec![read("a"), read("b")], &[&["y"], &["x"]]),
    ];
    assert_eq!(anomaly(skew), "write skew (G2)");
    // It sees one half of a transaction.
    let half = vec![
        done(1, (0, 100), vec![append("a", "x"), append("b", "x")], &[]),
        done(2, (0, 100), vec![read("a"), read("b")], &[&["x"], &[]]),
        done(3, (200, 300), vec![read("a"), read("b")], &[&["x"], &["x"]]),
    ];
    assert_eq!(anomaly(half), "G-single");
    // Each reads what the other appended: information flows in a circle.
    let circle = vec![
        done(1, (0, 100), vec![append("a", "x"), read("b")], &[&["y"]]),
        done(2, (0, 100), vec![append("b", "y"), read("a")], &[&["x"]]),
    ];
    assert_eq!(anomaly(circle), "G1c");
    // Two lists say the opposite of the order of two transactions.
    let dirty = vec![
        done(1, (0, 100), vec![append("a", "x"), append("b", "x")], &[]),
        done(2, (0, 100), vec![append("a", "y"), append("b", "y")], &[]),
        done(3, (200, 300), vec![read("a")], &[&["x", "y"]]),
        done(4, (200, 300), vec![read("b")], &[&["y", "x"]]),
    ];
    assert_eq!(anomaly(dirty), "G0");
}

/// 100,000 transactions of 64 clients, some of unknown outcome, are judged in one pass;
/// one stale read among them is found.
#[test]
fn a_long_history_is_judged() {
    let shape = Shape { clients: 64, operations: 100_000, unknown: 0.002, failed: 0.001, step_us: 300 };
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut count = 0;
    let mut history = execute(&shape, &mut rng, |rng, _: &Lists| draw_transaction(rng, 1_000, 2, &mut count));
    let verdict = check_list_append(&history);
    assert_eq!(verdict.finding, Finding::Valid);
    assert!(verdict.evaluated.operations > 99_000 && verdict.evaluated.keys == 1_000);
    let long_read = |operation: &&mut Operation| match &operation.outcome {
        Outcome::Ok { answer: Answer::List(reads), .. } => {
            reads.len() == 1 && reads[0].as_ref().is_some_and(|list| list.len() > 2)
        }
        _ => false,
    };
    let stale = history.operations.iter_mut().rfind(long_read).unwrap();
    let Outcome::Ok { answer, .. } = &mut stale.outcome else { unreachable!("it was answered") };
    *answer = Answer::List(vec![Some(List::new())]);
    let culprit = stale.clone();
    let found = check_list_append(&history).finding;
    let anomaly = found.anomaly().unwrap();
    assert_eq!(anomaly.name, "stale read (G-single-realtime)");
    assert!(anomaly.involved.contains(&culprit), "{anomaly}");
}
