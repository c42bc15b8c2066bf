//! One key, 64 clients, 100,000 operations, hundreds of them of unknown outcome.

#![allow(clippy::unwrap_used)] // Helpers of tests.
mod common;

use bytes::Bytes;
use common::{Shape, bytes, execute};
use isegoria_check::history::{Answer, Call, Finding, History, Outcome, Verdict};
use isegoria_check::linearizability::check_kv;
use isegoria_kv::{Kv, Op, Output};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const SHAPE: Shape = Shape { clients: 64, operations: 100_000, unknown: 0.004, failed: 0.001, step_us: 500 };

/// Draws operations on the key `k` that write no value twice.
struct Mix {
    kinds: &'static [&'static str],
    written_count: u64,
}

impl Mix {
    fn fresh(&mut self) -> Bytes {
        self.written_count += 1;
        bytes(&format!("v{};", self.written_count))
    }

    fn draw(&mut self, rng: &mut ChaCha8Rng, store: &Kv) -> Op {
        let key = bytes("k");
        match self.kinds[rng.random_range(0..self.kinds.len())] {
            "get" => Op::Get(key),
            "put" => Op::Put(key, self.fresh()),
            "del" => Op::Delete(key),
            "incr" => Op::Incr(key, 1),
            "add" => Op::Add(key, 1),
            "cas" => {
                // Half of them expect what is there.
                let expected = match rng.random_bool(0.5) {
                    true => store.map().get_bytes(b"k"),
                    false => Some(bytes("other")),
                };
                Op::CompareAndSet { key, expected, value: self.fresh() }
            }
            other => panic!("{other} is none of the kinds"),
        }
    }
}

fn record(kinds: &'static [&'static str]) -> History {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut mix = Mix { kinds, written_count: 0 };
    let history = execute(&SHAPE, &mut rng, |rng, store| Call::Kv(mix.draw(rng, store)));
    let unknown = history.operations.iter().filter(|operation| operation.outcome == Outcome::Unknown).count();
    assert!(unknown >= 200, "{unknown} outcomes are unknown");
    history
}

fn judge(history: &History) -> Verdict {
    let verdict = check_kv(history);
    assert!(verdict.evaluated.operations > 99_000 && verdict.evaluated.keys == 1, "{:?}", verdict.evaluated);
    verdict
}

#[test]
fn an_order_is_found_for_each_kind_of_hot_key() {
    let kinds: [&'static [&'static str]; 4] =
        [&["get", "put"], &["get", "get", "put", "cas", "del"], &["incr", "get"], &["add", "get"]];
    for kinds in kinds {
        let verdict = judge(&record(kinds));
        println!("{kinds:?}: {} configurations", verdict.evaluated.configurations);
        assert_eq!(verdict.finding, Finding::Valid, "{kinds:?}");
    }
}

/// The places of the reads that were answered, with what they saw, in the order of time.
fn reads(history: &History) -> Vec<(usize, u64, Option<Bytes>)> {
    let read = |(index, operation): (usize, &isegoria_check::history::Operation)| match &operation.outcome {
        Outcome::Ok { answer: Answer::Kv(Output::Value(value)), .. } => {
            Some((index, operation.invoked_us, value.clone()))
        }
        _ => None,
    };
    let mut reads: Vec<_> = history.operations.iter().enumerate().filter_map(read).collect();
    reads.sort_by_key(|(_, invoked_us, _)| *invoked_us);
    reads
}

/// One read in the middle sees what another one saw long before.
#[test]
fn one_stale_read_among_them_is_found() {
    let kinds: [&'static [&'static str]; 2] = [&["get", "put"], &["get", "get", "put", "cas", "del"]];
    for kinds in kinds {
        let mut history = record(kinds);
        let reads = reads(&history);
        let middle = reads.len() / 2;
        let stale = reads[middle].0;
        let seen = reads[..middle - 1000].iter().rev().find_map(|(_, _, value)| value.clone());
        let Outcome::Ok { answer, .. } = &mut history.operations[stale].outcome else {
            unreachable!("it was answered")
        };
        *answer = Answer::Kv(Output::Value(seen));
        let verdict = judge(&history);
        let anomaly = verdict.finding.anomaly().unwrap();
        assert_eq!(anomaly.name, "stale read", "{kinds:?}: {anomaly}");
        assert_eq!(anomaly.culprit, history.operations[stale], "{kinds:?}: {anomaly}");
    }
}
