//! The checker of the store's histories against judges that are too simple to err.

#![allow(clippy::unwrap_used)] // Helpers of tests.
mod common;

use bytes::Bytes;
use common::{Shape, bytes, execute, lines, porcupine_accepts_kv, read, some_order_explains, spoil};
use isegoria_check::history::{Call, Finding, History};
use isegoria_check::linearizability::check_kv;
use isegoria_kv::{Kv, Op};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Texts that meet each other in every way: equal, numbers in two spellings, prefixes.
const TEXTS: [&str; 8] = ["", "1", "2", "02", "a", "ab", "b", "x1"];

fn text(rng: &mut ChaCha8Rng) -> Bytes {
    bytes(TEXTS[rng.random_range(0..TEXTS.len())])
}

fn number(rng: &mut ChaCha8Rng) -> i64 {
    [-1, 0, 1, 1, 2, i64::MAX][rng.random_range(0..6)]
}

/// Any operation on the key `k`; `kinds` says which.
fn operation(rng: &mut ChaCha8Rng, kinds: &[u32]) -> Op {
    let key = || bytes("k");
    match kinds[rng.random_range(0..kinds.len())] {
        0 => Op::Get(key()),
        1 => Op::Put(key(), text(rng)),
        2 => Op::Delete(key()),
        3 => Op::Incr(key(), number(rng)),
        4 => Op::Add(key(), number(rng)),
        5 => Op::Append(key(), text(rng)),
        6 => {
            let expected = rng.random_bool(0.7).then(|| text(rng));
            Op::CompareAndSet { key: key(), expected, value: text(rng) }
        }
        7 => Op::MultiGet(vec![key(); rng.random_range(1..3)]),
        _ => Op::MultiPut((0..rng.random_range(1..3)).map(|_| (key(), text(rng))).collect()),
    }
}

/// Which kinds occur together: all, and each few that are hard in their own way.
const MIXES: [&[u32]; 9] = [
    &[0, 1, 2, 3, 4, 5, 6, 7, 8],
    &[0, 1],
    &[0, 1, 6],
    &[0, 1, 2, 6],
    &[0, 3],
    &[0, 3, 4, 1],
    &[0, 5],
    &[0, 1, 5, 2],
    &[1, 2, 3, 5, 6],
];

fn shape(rng: &mut ChaCha8Rng, operations: usize) -> Shape {
    Shape {
        clients: rng.random_range(2..=6),
        operations,
        unknown: [0.0, 0.15, 0.4][rng.random_range(0..3)],
        failed: 0.05,
        step_us: rng.random_range(2..30),
    }
}

fn accepts(history: &History) -> bool {
    match check_kv(history).finding {
        Finding::Valid | Finding::Empty => true,
        Finding::Violation(_) => false,
        Finding::Undecided(sentence) => panic!("{sentence}"),
    }
}

/// Draws histories, spoils most of them, and compares two verdicts.
fn compare(seeds: std::ops::Range<u64>, operations: usize, judge: fn(&History) -> bool) -> [u32; 2] {
    let mut verdicts = [0, 0];
    for seed in seeds {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mix = MIXES[rng.random_range(0..MIXES.len())];
        let count = rng.random_range(2..=operations);
        let shape = shape(&mut rng, count);
        let mut history = execute(&shape, &mut rng, |rng, _: &Kv| Call::Kv(operation(rng, mix)));
        let spoilt = rng.random_range(0..4);
        for _ in 0..spoilt {
            spoil(&mut history, &mut rng);
        }
        let (expected, found) = (judge(&history), check_kv(&history));
        assert!(
            accepts(&history) == expected,
            "seed {seed}: expected {expected}, found {}\n{}",
            found.finding,
            lines(&history)
        );
        assert!(spoilt > 0 || expected, "seed {seed}: what was executed has an order");
        verdicts[usize::from(expected)] += 1;
    }
    verdicts
}

#[test]
fn all_permutations_of_up_to_six_operations_agree() {
    let [refused, accepted] = compare(0..20_000, 6, some_order_explains::<Kv>);
    println!("permutations: {accepted} histories accepted, {refused} refused");
    assert!(refused > 4000 && accepted > 4000, "both verdicts occur: {refused} {accepted}");
}

#[test]
fn porcupine_agrees_on_longer_histories() {
    let [refused, accepted] = compare(100_000..104_000, 16, porcupine_accepts_kv);
    println!("porcupine: {accepted} histories accepted, {refused} refused");
    assert!(refused > 1000 && accepted > 1000, "both verdicts occur: {refused} {accepted}");
}

/// A key that was never written is absent, and a removal makes it so again: a value that
/// one step alone can make, and that was there without it.
#[test]
fn the_initial_value_is_there_before_its_only_maker() {
    let history = read(
        r#"
{"isegoria_history":1,"model":"kv"}
{"client":0,"invoked_us":1,"returned_us":5,"op":["get","k"],"outcome":"ok","result":null}
{"client":1,"invoked_us":2,"returned_us":3,"op":["put","k","a"],"outcome":"ok","result":null}
{"client":1,"invoked_us":6,"returned_us":7,"op":["del","k"],"outcome":"ok","result":true}
{"client":1,"invoked_us":8,"returned_us":9,"op":["get","k"],"outcome":"ok","result":null}
"#,
    );
    assert!(some_order_explains::<Kv>(&history));
    assert_eq!(check_kv(&history).finding, Finding::Valid);
}
