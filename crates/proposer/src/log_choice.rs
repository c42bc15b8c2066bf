use isegoria_types::Ballot;
use std::fmt::Debug;

/// One acceptor's promise for a log.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LogAnswer<V> {
    /// Every slot below is chosen, and the acceptor has dropped its vote.
    pub base: u64,
    /// Its votes at or above the base: slot, ballot, value.
    pub votes: Vec<(u64, Ballot, V)>,
}

/// What a new leader of a log must propose again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LogChoice<V> {
    /// The first slot to propose. Those before it, if any were asked for, are chosen
    /// and dropped by some acceptor: their values come from a replica, and proposing
    /// a noop in one would undo it (trace B11).
    pub first: u64,
    /// Each slot from `first` to the highest with a vote, unchanged; `None` is a
    /// hole, to be filled with a noop.
    pub entries: Vec<(u64, Option<V>)>,
}

/// The choice from the answers of a phase-1 quorum to a leader that asked for the
/// slots from `from` upwards: in each slot, the value voted for in the highest ballot
/// (protocols.md 3.10).
///
/// The result has an entry for every slot up to the highest reported, so the caller
/// first discards answers with slots outside of its window.
///
/// # Panics
/// If two votes for one slot in one ballot differ.
#[must_use]
pub fn log_choice<V: Clone + Eq + Debug>(answers: &[LogAnswer<V>], from: u64) -> LogChoice<V> {
    let first = answers.iter().map(|answer| answer.base).fold(from, u64::max);
    let mut votes: Vec<&(u64, Ballot, V)> =
        answers.iter().flat_map(|answer| &answer.votes).filter(|(slot, ..)| *slot >= first).collect();
    votes.sort_by_key(|(slot, ballot, _)| (*slot, *ballot));
    let mut entries: Vec<(u64, Option<V>)> = Vec::new();
    for slot_votes in votes.chunk_by(|one, next| one.0 == next.0) {
        for pair in slot_votes.windows(2) {
            let (slot, ballot, value) = pair[0];
            let same = pair[1].1 != *ballot || pair[1].2 == *value;
            assert!(same, "two values in slot {slot}, ballot {ballot}: {value:?} and {:?}", pair[1].2);
        }
        let (slot, _, value) = slot_votes[slot_votes.len() - 1];
        let next = entries.last().map_or(first, |(last, _)| last + 1);
        entries.extend((next..*slot).map(|hole| (hole, None)));
        entries.push((*slot, Some(value.clone())));
    }
    LogChoice { first, entries }
}

#[cfg(test)]
mod tests {
    use super::*;
    use isegoria_types::NodeId;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use std::collections::BTreeMap;

    fn ballot(round: u32) -> Ballot {
        Ballot { round, owner: NodeId::new(0) }
    }

    #[test]
    fn behaves_like_an_ordered_map() {
        for seed in 0..5000 {
            let mut dice = ChaCha8Rng::seed_from_u64(seed);
            let from = dice.random_range(0..6);
            let answers: Vec<LogAnswer<u64>> = (0..dice.random_range(0..4))
                .map(|_| {
                    let base = dice.random_range(0..8);
                    let slots = (base..16).filter(|_| dice.random_bool(0.3)).collect::<Vec<_>>();
                    // One value a slot and ballot.
                    let vote = |slot: u64, round: u32| (slot, ballot(round), slot * 10 + u64::from(round));
                    LogAnswer {
                        base,
                        votes: slots.into_iter().map(|slot| vote(slot, dice.random_range(0..4))).collect(),
                    }
                })
                .collect();
            let first = answers.iter().map(|answer| answer.base).max().unwrap_or(0).max(from);
            let mut dumb: BTreeMap<u64, (Ballot, u64)> = BTreeMap::new();
            for (slot, ballot, value) in answers.iter().flat_map(|answer| answer.votes.clone()) {
                let best = dumb.entry(slot).or_insert((ballot, value));
                *best = (*best).max((ballot, value));
            }
            let end = dumb.keys().max().map_or(0, |last| last + 1);
            let entries = (first..end).map(|slot| (slot, dumb.get(&slot).map(|(_, value)| *value)));
            let expected = LogChoice { first, entries: entries.collect() };
            assert_eq!(log_choice(&answers, from), expected, "seed {seed}");
        }
    }

    #[test]
    #[should_panic(expected = "two values in slot 3, ballot 1.n1")]
    fn two_values_in_one_ballot_stop_the_process() {
        let answer = |value| LogAnswer { base: 0, votes: vec![(3, ballot(1), value)] };
        let _ = log_choice(&[answer('x'), answer('y')], 0);
    }
}
