//! The cell and the log acceptor against the whole history of what they said.

use super::*;
use crate::{LogAccepted, LogAcceptor, LogPromise};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

/// Everything ever promised and voted, per slot; the answers follow from the history.
#[derive(Clone, Default)]
struct History {
    promises: Vec<Ballot>,
    votes: BTreeMap<u64, BTreeMap<Ballot, u32>>,
    base: u64,
}

impl History {
    fn promised(&self) -> Option<Ballot> {
        self.promises.iter().copied().chain(self.votes.values().flat_map(|slot| slot.keys().copied())).max()
    }

    fn last(&self, slot: u64) -> Option<(Ballot, u32)> {
        let (ballot, value) = self.votes.get(&slot)?.last_key_value()?;
        Some((*ballot, *value))
    }

    fn above(&self, from: u64) -> Vec<(u64, Ballot, u32)> {
        let slots = self.votes.keys().filter(|slot| **slot >= from.max(self.base));
        slots.filter_map(|slot| self.last(*slot).map(|(ballot, value)| (*slot, ballot, value))).collect()
    }
}

/// One value a slot and ballot, as correct proposers see to.
fn value_of(slot: u64, ballot: Ballot) -> u32 {
    u32::try_from(slot).unwrap() * 1000 + ballot.round * 10 + u32::try_from(ballot.owner.index()).unwrap()
}

fn random_ballot(dice: &mut ChaCha8Rng) -> Ballot {
    ballot(dice.random_range(0..6), dice.random_range(0..3))
}

#[test]
fn a_cell_says_what_its_history_says() {
    for seed in 0..5000 {
        let mut dice = ChaCha8Rng::seed_from_u64(seed);
        let (mut cell, mut history, mut chosen) = (Cell::default(), History::default(), None);
        for _ in 0..dice.random_range(1..40) {
            let asked = random_ballot(&mut dice);
            let (promised, vote) = (history.promised(), history.last(0));
            let value = value_of(0, asked);
            match dice.random_range(0..20) {
                0..9 => {
                    let expected = match (chosen, promised) {
                        (Some(value), _) => Said::Chosen(value),
                        (_, Some(promised)) if promised > asked => Said::Rejected(promised),
                        _ => Said::Promise(vote),
                    };
                    if let Said::Promise(_) = expected {
                        let news = matches!(cell.clone().promise(asked), Promise::Granted { .. });
                        assert_eq!(news, promised != Some(asked), "seed {seed}");
                        history.promises.push(asked);
                    }
                    assert_eq!(Acceptor::promise(&mut cell, asked), expected, "seed {seed}");
                }
                9..18 => {
                    let expected = match (chosen, promised) {
                        (Some(value), _) => Said::Chosen(value),
                        (_, Some(promised)) if promised > asked => Said::Rejected(promised),
                        _ => Said::Vote,
                    };
                    if expected == Said::Vote {
                        let news = cell.clone().accept(asked, value) == Accepted::Voted;
                        assert_eq!(news, vote.is_none_or(|(last, _)| last != asked), "seed {seed}");
                        history.votes.entry(0).or_default().insert(asked, value);
                    }
                    assert_eq!(Acceptor::accept(&mut cell, asked, value), expected, "seed {seed}");
                }
                18 => cell = cell.restart(),
                _ => {
                    let value = *chosen.get_or_insert(value);
                    cell.choose(value);
                }
            }
            if chosen.is_none() {
                assert!(history.promised() >= promised, "seed {seed}: the promise fell");
                assert_eq!(cell.promised(), history.promised(), "seed {seed}");
                assert_eq!(
                    cell.vote().map(|(ballot, value)| (ballot, *value)),
                    history.last(0),
                    "seed {seed}"
                );
            }
        }
    }
}

/// Writes what a checkpoint of a log acceptor would hold, and reads it back.
fn restart(log: &LogAcceptor<u32>, window: u64) -> LogAcceptor<u32> {
    let mut after = LogAcceptor::new(window);
    after.drop_below(log.base());
    log.promised().into_iter().for_each(|ballot| after.restore_promise(ballot));
    for (slot, ballot, value) in log.votes_from(0) {
        assert!(after.restore_vote(ballot, slot, *value));
        assert!(after.restore_vote(ballot, slot, *value), "a repeated record");
    }
    after
}

#[test]
fn a_log_says_what_its_history_says() {
    const WINDOW: u64 = 8;
    for seed in 0..5000 {
        let mut dice = ChaCha8Rng::seed_from_u64(seed);
        let (mut log, mut history) = (LogAcceptor::new(WINDOW), History::default());
        for _ in 0..dice.random_range(1..60) {
            let (asked, slot) = (random_ballot(&mut dice), dice.random_range(0..16));
            let promised = history.promised();
            let value = value_of(slot, asked);
            match dice.random_range(0..20) {
                0..5 => match log.promise(asked, slot) {
                    LogPromise::Rejected { promised: higher } => {
                        assert!(Some(higher) == promised && higher > asked, "seed {seed}");
                    }
                    LogPromise::Granted { base, votes } => {
                        assert!(promised.is_none_or(|promised| promised < asked), "seed {seed}");
                        let votes: Vec<_> =
                            votes.map(|(slot, ballot, value)| (slot, ballot, *value)).collect();
                        assert_eq!((base, votes), (history.base, history.above(slot)), "seed {seed}");
                        history.promises.push(asked);
                    }
                    LogPromise::Repeated { base, votes } => {
                        assert_eq!(promised, Some(asked), "seed {seed}");
                        let votes: Vec<_> =
                            votes.map(|(slot, ballot, value)| (slot, ballot, *value)).collect();
                        assert_eq!((base, votes), (history.base, history.above(slot)), "seed {seed}");
                    }
                },
                5..17 => {
                    let end = history.base + WINDOW;
                    let expected = match promised {
                        Some(promised) if promised > asked => LogAccepted::Rejected { promised },
                        _ if slot < history.base => LogAccepted::Gced { base: history.base },
                        _ if slot >= end => LogAccepted::Beyond { end },
                        _ if history.last(slot).is_some_and(|(last, _)| last == asked) => {
                            LogAccepted::Repeated
                        }
                        _ => LogAccepted::Voted,
                    };
                    if expected == LogAccepted::Voted {
                        history.votes.entry(slot).or_default().insert(asked, value);
                    }
                    assert_eq!(log.accept(asked, slot, value), expected, "seed {seed}");
                }
                17 => log = restart(&log, WINDOW),
                _ => {
                    let below = history.base + dice.random_range(0..3);
                    history.base = below;
                    log.drop_below(below);
                }
            }
            log.assert_invariants();
            assert!(log.promised() >= promised, "seed {seed}: the promise fell");
            assert_eq!((log.promised(), log.base()), (history.promised(), history.base), "seed {seed}");
            for slot in 0..24 {
                let kept = (slot >= history.base).then(|| history.last(slot)).flatten();
                assert_eq!(log.vote(slot).map(|(ballot, value)| (ballot, *value)), kept, "seed {seed}");
                assert_eq!(log.admits(slot), (history.base..history.base + WINDOW).contains(&slot));
            }
        }
    }
}
