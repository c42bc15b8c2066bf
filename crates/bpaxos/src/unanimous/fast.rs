//! Which votes of ballot 0 fit together, and what a quorum of them forces: pure, tested by
//! enumeration.

use crate::Value;
use crate::unanimous::Fast;
use isegoria_proposer::{Choice, Tally};
use isegoria_types::{Ballot, DepSet, Layout, NodeSet};

/// Which votes of ballot 0 fit together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fit {
    /// All are equal.
    Equal,
    /// Each dependency of the union is named by so many of them, that every phase-1 quorum
    /// has one that names it.
    Named {
        /// How many votes name it.
        count: usize,
    },
}

/// How a leader stands with the votes of ballot 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outlook {
    /// Chosen: all have voted, and the votes fit together.
    Chosen(DepSet),
    /// Not chosen, and it cannot be any more, or is not worth waiting for: propose this in
    /// ballot 1.
    Slow(DepSet),
    /// More votes are needed.
    Open,
}

impl Fit {
    pub(crate) fn new(fast: Fast, layout: &Layout) -> Fit {
        match fast {
            Fast::Unanimous => Fit::Equal,
            // So many that none of them is in no phase-1 quorum.
            Fast::Threshold => Fit::Named { count: layout.node_count - layout.quorums.phase1.size_min() + 1 },
        }
    }

    /// Whether votes fit together if `missing` more come that name no more than is named.
    fn holds(self, votes: &Tally<DepSet>, union: &DepSet, missing: usize) -> bool {
        match self {
            Fit::Equal => votes.iter().all(|(_, deps)| deps == union),
            Fit::Named { count } => union.as_prefix().iter().all(|(leader, below)| {
                let named = votes.iter().filter(|(_, deps)| deps.below(leader) == below).count();
                below == 0 || named + missing >= count
            }),
        }
    }
}

/// The union of all votes.
fn union<'a>(votes: impl Iterator<Item = &'a DepSet>) -> DepSet {
    votes.fold(DepSet::default(), |mut union, deps| {
        union.union(deps);
        union
    })
}

/// Where the votes of ballot 0 lead. `given_up` are the nodes that are not waited for.
#[must_use]
pub fn outlook(fit: Fit, votes: &Tally<DepSet>, layout: &Layout, given_up: NodeSet) -> Outlook {
    let all = layout.acceptors;
    let missing = all.difference(votes.set());
    let union = union(votes.iter().map(|(_, deps)| deps));
    if missing.is_empty() && fit.holds(votes, &union, 0) {
        return Outlook::Chosen(union);
    }
    if !layout.quorums.phase1.is_quorum(votes.set()) {
        return Outlook::Open;
    }
    // The votes of a phase-1 quorum are promises for ballot 1; what they amount to is what
    // may still be chosen, if anything may.
    let is_lost = !fit.holds(votes, &union, missing.len());
    if is_lost || missing.difference(given_up).is_empty() { Outlook::Slow(union) } else { Outlook::Open }
}

/// Appendix B of protocols.md, `unanimous` and `unan_atlas`: what the votes of a phase-1
/// quorum leave open. A vote above round 0 decides; else, if all of them voted in ballot 0
/// and the votes fit together as far as one can see, what they amount to.
///
/// # Panics
/// If two votes in one ballot above round 0 differ, or two batches in ballot 0.
#[must_use]
pub fn choose(fit: Fit, answers: &[Option<(Ballot, Value)>]) -> Choice<Value> {
    let highest = answers.iter().flatten().map(|(ballot, _)| *ballot).max();
    match highest {
        None => Choice::Free,
        Some(ballot) if ballot.round > 0 => {
            // Those of ballot 0 may differ, and count no more.
            let later = |vote: &(Ballot, Value)| vote.0.round > 0;
            isegoria_proposer::simple(answers.iter().map(|vote| vote.clone().filter(later)))
        }
        Some(_) if answers.iter().any(Option::is_none) => Choice::Free,
        Some(ballot) => {
            let values: Vec<&Value> = answers.iter().flatten().map(|(_, value)| value).collect();
            let batch = &values[0].batch;
            assert!(
                values.iter().all(|value| value.batch == *batch),
                "two batches in ballot {ballot}: {values:?}"
            );
            let union = union(values.iter().map(|value| &value.deps));
            if fit == Fit::Equal && values.iter().any(|value| value.deps != union) {
                return Choice::Free;
            }
            Choice::Forced(Value { batch: batch.clone(), deps: union })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use isegoria_types::{Batch, Command, NodeId, Prefix, QuorumSystem};

    fn layout(nodes: usize) -> Layout {
        Layout::co_located(nodes, &QuorumSystem::Majority).unwrap()
    }

    /// Dependencies on vertices of two leaders.
    fn deps(code: usize) -> DepSet {
        DepSet::from_prefix(Prefix::new(&[(code % 2) as u64, (code / 2) as u64]))
    }

    fn value(deps: DepSet) -> Value {
        Value { batch: Batch::of(&[Command::expire_sessions(1)]), deps }
    }

    fn tally(votes: &[Option<usize>]) -> Tally<DepSet> {
        let mut tally = Tally::default();
        for (node, code) in votes.iter().enumerate() {
            if let Some(code) = code {
                tally.answer(NodeId::new(node), deps(*code));
            }
        }
        tally
    }

    /// Every way in which `nodes` nodes may have voted in ballot 0, or not.
    fn histories(nodes: usize) -> impl Iterator<Item = Vec<Option<usize>>> {
        let most = 5usize.pow(u32::try_from(nodes).unwrap());
        (0..most).map(move |code| {
            (0..nodes)
                .map(|node| (code / 5usize.pow(u32::try_from(node).unwrap()) % 5).checked_sub(1))
                .collect()
        })
    }

    fn fits(nodes: usize) -> [Fit; 2] {
        [Fast::Unanimous, Fast::Threshold].map(|fast| Fit::new(fast, &layout(nodes)))
    }

    /// What the definition says is chosen in ballot 0, counted dumbly.
    fn chosen(fit: Fit, votes: &[Option<usize>]) -> Option<DepSet> {
        let cast: Vec<usize> = votes.iter().copied().collect::<Option<_>>()?;
        let named = |bit: usize| cast.iter().filter(|code| *code >> bit & 1 == 1).count();
        let holds = match fit {
            Fit::Equal => cast.iter().all(|code| *code == cast[0]),
            Fit::Named { count } => (0..2).all(|bit| named(bit) == 0 || named(bit) >= count),
        };
        holds.then(|| deps(cast.iter().fold(0, |all, code| all | code)))
    }

    type Chooser = fn(Fit, &[Option<(Ballot, Value)>]) -> Choice<Value>;

    /// The omniscient oracle: whatever is chosen, or may become so once those outside the
    /// quorum have voted, is forced by every majority of answers. Returns how often
    /// something was forced, or the first mistake.
    fn enumerate(nodes: usize, fit: Fit, chooser: Chooser) -> Result<usize, String> {
        let mut forced_count = 0;
        for votes in histories(nodes) {
            let Some(deps) = chosen(fit, &votes) else { continue };
            for set in 0..1usize << nodes {
                if set.count_ones() as usize <= nodes / 2 {
                    continue;
                }
                let answers: Vec<Option<(Ballot, Value)>> = (0..nodes)
                    .filter(|node| set >> node & 1 == 1)
                    .map(|node| {
                        let code = votes[node].expect("all voted");
                        Some((Ballot::initial(NodeId::new(0)), value(self::deps(code))))
                    })
                    .collect();
                let choice = chooser(fit, &answers);
                if choice != Choice::Forced(value(deps.clone())) {
                    return Err(format!("{votes:?}, heard {set:b}: {choice:?}"));
                }
                forced_count += 1;
            }
        }
        Ok(forced_count)
    }

    #[test]
    fn whatever_ballot_0_chose_is_forced() {
        for nodes in [3, 4, 5] {
            for fit in fits(nodes) {
                assert!(enumerate(nodes, fit, choose).unwrap() > 10);
            }
        }
    }

    /// The enumeration catches plausible mistakes.
    #[test]
    fn wrong_choices_are_caught() {
        let first: Chooser = |_, answers| {
            answers.iter().flatten().next().map_or(Choice::Free, |(_, value)| Choice::Forced(value.clone()))
        };
        let free: Chooser = |_, _| Choice::Free;
        for (name, wrong) in [("first", first), ("free", free)] {
            assert!(enumerate(5, fits(5)[1], wrong).is_err(), "{name}");
        }
        let fewer = Fit::Named { count: 2 };
        assert!(enumerate(5, fewer, choose).is_err(), "a dependency that only two of five name");
    }

    /// Every forced value that is no noop has the answers of a majority in it: a complete
    /// dependency quorum.
    #[test]
    fn what_is_forced_was_answered_by_a_dependency_quorum() {
        for votes in histories(3) {
            for set in (0..8usize).filter(|set| set.count_ones() >= 2) {
                let heard: Vec<Option<usize>> =
                    (0..3).filter(|node| set >> node & 1 == 1).map(|node| votes[node]).collect();
                let answers: Vec<_> = heard
                    .iter()
                    .map(|vote| vote.map(|code| (Ballot::initial(NodeId::new(0)), value(deps(code)))))
                    .collect();
                for fit in fits(3) {
                    if let Choice::Forced(Value { deps: forced, .. }) = choose(fit, &answers) {
                        assert!(heard.iter().all(|vote| {
                            vote.is_some_and(|code| forced.as_prefix().covers(deps(code).as_prefix()))
                        }));
                    }
                }
            }
        }
    }

    /// The leader's view agrees with the definition, and its slow value with what is still
    /// possible.
    #[test]
    fn a_leader_never_proposes_beside_what_may_be_chosen() {
        for nodes in [3, 4, 5] {
            for fit in fits(nodes) {
                let layout = layout(nodes);
                let mut counts = [0; 3];
                for votes in histories(nodes) {
                    let tally = tally(&votes);
                    match outlook(fit, &tally, &layout, NodeSet::EMPTY) {
                        Outlook::Chosen(deps) => {
                            counts[0] += 1;
                            assert_eq!(chosen(fit, &votes), Some(deps));
                        }
                        Outlook::Slow(_) => {
                            counts[1] += 1;
                            // Whatever the missing ones vote for, it is not chosen.
                            assert!(
                                completions(&votes).all(|votes| chosen(fit, &votes).is_none()),
                                "{votes:?}"
                            );
                        }
                        Outlook::Open => counts[2] += 1,
                    }
                    if let Outlook::Slow(deps) = outlook(fit, &tally, &layout, layout.acceptors) {
                        for votes in completions(&votes) {
                            assert!(
                                chosen(fit, &votes).is_none_or(|chosen| chosen == deps),
                                "{votes:?}: {deps:?}"
                            );
                        }
                    }
                }
                assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
            }
        }
    }

    /// All ways in which the missing votes may be cast.
    fn completions(votes: &[Option<usize>]) -> impl Iterator<Item = Vec<Option<usize>>> {
        let missing: Vec<usize> = (0..votes.len()).filter(|node| votes[*node].is_none()).collect();
        let votes = votes.to_vec();
        (0..1usize << (2 * missing.len())).map(move |code| {
            let mut all = votes.clone();
            for (position, node) in missing.iter().enumerate() {
                all[*node] = Some(code >> (2 * position) & 3);
            }
            all
        })
    }

    #[test]
    fn a_vote_above_round_0_decides() {
        let round = |round| Ballot { round, owner: NodeId::new(0) };
        let answers = [Some((round(0), value(deps(1)))), Some((round(1), value(deps(3))))];
        assert_eq!(choose(Fit::Equal, &answers), Choice::Forced(value(deps(3))));
        let answers = [answers[0].clone(), Some((round(0), value(deps(2)))), answers[1].clone()];
        assert_eq!(choose(Fit::Equal, &answers), Choice::Forced(value(deps(3))), "beside votes that differ");
        assert_eq!(choose(Fit::Equal, &[None, None]), Choice::Free);
    }
}
