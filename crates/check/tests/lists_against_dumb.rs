//! The checker of transactions on lists against judges that are too simple to err.

mod common;

use common::{
    Lists, Shape, draw_transaction, execute, lines, porcupine_accepts_lists, some_order_explains, spoil_list,
};
use isegoria_check::history::{Finding, History};
use isegoria_check::list_append::check_list_append;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

/// Draws histories, spoils most of them, and compares two verdicts. Returns how many were
/// accepted, and how often each anomaly was found.
fn compare(
    seeds: std::ops::Range<u64>,
    operations_max: usize,
    judge: fn(&History) -> bool,
) -> (u32, BTreeMap<&'static str, u32>) {
    let (mut accepted, mut found) = (0, BTreeMap::<&str, u32>::new());
    for seed in seeds {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let shape = Shape {
            clients: rng.random_range(2..=6),
            operations: rng.random_range(2..=operations_max),
            unknown: [0.0, 0.3][rng.random_range(0..2)],
            failed: 0.05,
            step_us: rng.random_range(2..30),
        };
        let (keys, parts) = (rng.random_range(1..=3), rng.random_range(1..=3));
        let mut count = 0;
        let mut history =
            execute(&shape, &mut rng, |rng, _: &Lists| draw_transaction(rng, keys, parts, &mut count));
        let spoilt = rng.random_range(0..3);
        for _ in 0..spoilt {
            spoil_list(&mut history, &mut rng);
        }
        let expected = judge(&history);
        let finding = check_list_append(&history).finding;
        let is_accepted = match &finding {
            Finding::Valid | Finding::Empty => true,
            Finding::Violation(anomaly) => {
                *found.entry(anomaly.name).or_default() += 1;
                false
            }
            Finding::Undecided(sentence) => panic!("seed {seed}: {sentence}"),
        };
        assert_eq!(is_accepted, expected, "seed {seed}: found {finding}\n{}", lines(&history));
        assert!(spoilt > 0 || expected, "seed {seed}: what was executed has an order");
        accepted += u32::from(expected);
    }
    println!("{accepted} histories accepted; refused: {found:#?}");
    (accepted, found)
}

#[test]
fn all_permutations_of_up_to_six_transactions_agree() {
    let (accepted, found) = compare(0..30_000, 6, some_order_explains::<Lists>);
    assert!(accepted > 10_000 && found.values().sum::<u32>() > 5_000);
    for name in
        ["double apply", "incompatible order", "phantom read", "aborted read (G1a)", "internal", "G-single"]
    {
        assert!(found.contains_key(name), "{name} never occurred");
    }
}

#[test]
fn porcupine_agrees_on_longer_histories() {
    let (accepted, found) = compare(100_000..104_000, 16, porcupine_accepts_lists);
    assert!(accepted > 1_000 && found.values().sum::<u32>() > 1_000);
}
