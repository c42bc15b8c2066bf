//! Which votes of ballot 0 fit together, and what a quorum of them forces: pure, tested by
//! enumeration.

use crate::Value;
use crate::unanimous::Fast;
use isegoria_proposer::{Choice, Tally};
use isegoria_types::{Ballot, DepSet, Layout, NodeId, NodeSet};

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
    /// So many are equal to the leader's, its own among them, and its own word decides.
    Leaders {
        /// How many votes are equal.
        count: usize,
    },
}

/// What a node answers to a request for a promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Who.
    pub from: NodeId,
    /// Its last vote, if it has voted.
    pub vote: Option<(Ballot, Value)>,
    /// Whether its vote in ballot 0 was the leader's ([`Fit::Leaders`]).
    pub unchanged: bool,
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
            Fast::Basic => Fit::Leaders { count: layout.node_count.saturating_sub(1).max(1) },
        }
    }

    /// Whether votes fit together if `missing` more come that name no more than is named, or
    /// are equal to the leader's.
    fn holds(self, leader: NodeId, votes: &Tally<DepSet>, union: &DepSet, missing: usize) -> bool {
        match self {
            Fit::Leaders { count } => {
                let own = votes.get(leader);
                votes.iter().filter(|(_, deps)| Some(*deps) == own).count() + missing >= count
            }
            Fit::Equal => votes.iter().all(|(_, deps)| deps == union),
            Fit::Named { count } => union.as_prefix().iter().all(|(leader, below)| {
                let named = votes.iter().filter(|(_, deps)| deps.below(leader) == below).count();
                below == 0 || named + missing >= count
            }),
        }
    }
}

/// The union of all votes.
pub(crate) fn union<'a>(votes: impl Iterator<Item = &'a DepSet>) -> DepSet {
    votes.fold(DepSet::default(), |mut union, deps| {
        union.union(deps);
        union
    })
}

/// Where the votes of ballot 0 lead their leader. `given_up` are the nodes that are not waited for.
#[must_use]
pub fn outlook(
    fit: Fit,
    (leader, votes): (NodeId, &Tally<DepSet>),
    layout: &Layout,
    given_up: NodeSet,
) -> Outlook {
    let all = layout.acceptors;
    let missing = all.difference(votes.set());
    let union = union(votes.iter().map(|(_, deps)| deps));
    if fit.holds(leader, votes, &union, 0) {
        match fit {
            Fit::Leaders { .. } => return Outlook::Chosen(votes.get(leader).expect("counted").clone()),
            Fit::Equal | Fit::Named { .. } if missing.is_empty() => return Outlook::Chosen(union),
            Fit::Equal | Fit::Named { .. } => {}
        }
    }
    if !layout.quorums.phase1.is_quorum(votes.set()) {
        return Outlook::Open;
    }
    // The votes of a phase-1 quorum are promises for ballot 1; what they amount to is what
    // may still be chosen, if anything may.
    let is_lost = !fit.holds(leader, votes, &union, missing.len());
    if is_lost || missing.difference(given_up).is_empty() { Outlook::Slow(union) } else { Outlook::Open }
}

/// Appendix B of protocols.md, `unanimous` and `unan_atlas`: what the votes of a phase-1
/// quorum leave open. A vote above round 0 decides; else, if all of them voted in ballot 0
/// and the votes fit together as far as one can see, what they amount to.
///
/// Where the leader's word decides: if it is among them it has not spoken and never will;
/// else it may have if all but one of them voted as it did, and then those and the leader
/// are a dependency quorum.
///
/// # Panics
/// If two votes in one ballot above round 0 differ, or two batches in ballot 0.
#[must_use]
pub fn choose(fit: Fit, leader: NodeId, answers: &[Heard]) -> Choice<Value> {
    let votes = || answers.iter().filter_map(|answer| answer.vote.as_ref());
    let highest = votes().map(|(ballot, _)| *ballot).max();
    match highest {
        None => Choice::Free,
        Some(ballot) if ballot.round > 0 => {
            // Those of ballot 0 may differ, and count no more.
            let later = |vote: &(Ballot, Value)| vote.0.round > 0;
            isegoria_proposer::simple(answers.iter().map(|answer| answer.vote.clone().filter(later)))
        }
        Some(_) if matches!(fit, Fit::Leaders { .. }) => {
            let same: Vec<&Heard> = answers.iter().filter(|answer| answer.unchanged).collect();
            let has_spoken =
                answers.iter().all(|answer| answer.from != leader) && same.len() + 1 >= answers.len();
            match same.first().and_then(|answer| answer.vote.as_ref()) {
                Some((_, value)) if has_spoken => Choice::Forced(value.clone()),
                _ => Choice::Free,
            }
        }
        Some(_) if answers.iter().any(|answer| answer.vote.is_none()) => Choice::Free,
        Some(ballot) => {
            let values: Vec<&Value> = votes().map(|(_, value)| value).collect();
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
    use isegoria_types::{Batch, Command, Prefix, QuorumSystem};

    fn leader() -> NodeId {
        NodeId::new(0)
    }

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

    fn fits(nodes: usize) -> [Fit; 3] {
        [Fast::Unanimous, Fast::Threshold, Fast::Basic].map(|fast| Fit::new(fast, &layout(nodes)))
    }

    /// Every way in which `nodes` nodes may have voted in ballot 0, or not. Where the leader's
    /// vote comes first, the others have what it has, and nobody votes without it.
    fn histories(fit: Fit, nodes: usize) -> impl Iterator<Item = Vec<Option<usize>>> {
        let most = 5usize.pow(u32::try_from(nodes).unwrap());
        let all = (0..most).map(move |code| -> Vec<Option<usize>> {
            (0..nodes)
                .map(|node| (code / 5usize.pow(u32::try_from(node).unwrap()) % 5).checked_sub(1))
                .collect()
        });
        all.filter(move |votes| {
            let follows = |vote: &usize| votes[0].is_some_and(|own| vote & own == own);
            !matches!(fit, Fit::Leaders { .. }) || votes.iter().flatten().all(follows)
        })
    }

    /// What the definition says is chosen in ballot 0, or may be by the leader's word, counted dumbly.
    fn chosen(fit: Fit, votes: &[Option<usize>]) -> Option<DepSet> {
        if let Fit::Leaders { count } = fit {
            let own = votes[0]?;
            let same = votes.iter().filter(|vote| **vote == Some(own)).count();
            return (same >= count).then(|| deps(own));
        }
        let cast: Vec<usize> = votes.iter().copied().collect::<Option<_>>()?;
        let named = |bit: usize| cast.iter().filter(|code| *code >> bit & 1 == 1).count();
        let holds = match fit {
            Fit::Equal => cast.iter().all(|code| *code == cast[0]),
            Fit::Named { count } => (0..2).all(|bit| named(bit) == 0 || named(bit) >= count),
            Fit::Leaders { .. } => unreachable!("said above"),
        };
        holds.then(|| deps(cast.iter().fold(0, |all, code| all | code)))
    }

    /// What the members of a set answer to a recoverer.
    fn answers(votes: &[Option<usize>], set: usize) -> Vec<Heard> {
        let answer = |node: usize| Heard {
            from: NodeId::new(node),
            vote: votes[node].map(|code| (Ballot::initial(leader()), value(deps(code)))),
            unchanged: votes[node].is_some() && votes[node] == votes[0],
        };
        (0..votes.len()).filter(|node| set >> node & 1 == 1).map(answer).collect()
    }

    fn majorities(nodes: usize) -> impl Iterator<Item = usize> {
        (0..1usize << nodes).filter(move |set| set.count_ones() as usize > nodes / 2)
    }

    type Chooser = fn(Fit, NodeId, &[Heard]) -> Choice<Value>;

    /// The omniscient oracle: whatever is chosen, or may have been by a leader that does not
    /// answer, is forced by every majority of answers; and a leader that promises and has not
    /// spoken leaves a free choice. Returns how often something was forced, or the first mistake.
    fn enumerate(nodes: usize, fit: Fit, chooser: Chooser) -> Result<usize, String> {
        let mut forced_count = 0;
        for votes in histories(fit, nodes) {
            let Some(deps) = chosen(fit, &votes) else { continue };
            for set in majorities(nodes) {
                let choice = chooser(fit, leader(), &answers(&votes, set));
                let has_promised = matches!(fit, Fit::Leaders { .. }) && set & 1 == 1;
                let expected = if has_promised { Choice::Free } else { Choice::Forced(value(deps.clone())) };
                if choice != expected {
                    return Err(format!("{votes:?}, heard {set:b}: {choice:?}"));
                }
                forced_count += usize::from(!has_promised);
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
        let first: Chooser = |_, _, answers| {
            let vote = answers.iter().find_map(|answer| answer.vote.as_ref());
            vote.map_or(Choice::Free, |(_, value)| Choice::Forced(value.clone()))
        };
        let free: Chooser = |_, _, _| Choice::Free;
        for fit in &fits(5)[1..] {
            for (name, wrong) in [("first", first), ("free", free)] {
                assert!(enumerate(5, *fit, wrong).is_err(), "{name}");
            }
        }
        for fewer in [Fit::Named { count: 2 }, Fit::Leaders { count: 3 }] {
            assert!(enumerate(5, fewer, choose).is_err(), "{fewer:?} of five");
        }
    }

    /// Every forced value has the answers of a complete dependency quorum in it: of those
    /// who answered, or of those who voted like the leader, and the leader.
    #[test]
    fn what_is_forced_was_answered_by_a_dependency_quorum() {
        for nodes in [3, 4, 5] {
            for fit in fits(nodes) {
                for votes in histories(fit, nodes) {
                    for set in majorities(nodes) {
                        let heard = answers(&votes, set);
                        let Choice::Forced(Value { deps: forced, .. }) = choose(fit, leader(), &heard) else {
                            continue;
                        };
                        let sources = (0..nodes).filter(|node| {
                            let is_heard = set >> node & 1 == 1 || *node == 0;
                            let covers = |code| forced.as_prefix().covers(deps(code).as_prefix());
                            is_heard && votes[*node].is_some_and(covers)
                        });
                        assert!(sources.count() > nodes / 2, "{fit:?} {votes:?} {set:b}");
                    }
                }
            }
        }
    }

    /// The leader's view agrees with the definition, and its slow value with what is still
    /// possible without it.
    #[test]
    fn a_leader_never_proposes_beside_what_may_be_chosen() {
        for nodes in [3, 4, 5] {
            for fit in fits(nodes) {
                let layout = layout(nodes);
                let mut counts = [0; 3];
                for votes in histories(fit, nodes) {
                    let tally = tally(&votes);
                    match outlook(fit, (leader(), &tally), &layout, NodeSet::EMPTY) {
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
                    let slow = outlook(fit, (leader(), &tally), &layout, layout.acceptors);
                    let Outlook::Slow(deps) = slow else { continue };
                    let all = tally.iter().fold(DepSet::default(), |mut union, (_, deps)| {
                        union.union(deps);
                        union
                    });
                    assert_eq!(deps, all, "every answer goes into the union");
                    // Where its own word decides, a leader that goes this way has not given it.
                    if !matches!(fit, Fit::Leaders { .. }) {
                        for votes in completions(&votes) {
                            assert!(
                                chosen(fit, &votes).is_none_or(|chosen| chosen == deps),
                                "{votes:?}: {deps:?}"
                            );
                        }
                    }
                }
                assert!(counts.iter().all(|count| *count > 0), "{fit:?}, {nodes} nodes: {counts:?}");
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
        let heard = |round: u32, code| Heard {
            from: NodeId::new(code),
            vote: Some((Ballot { round, owner: leader() }, value(deps(code)))),
            unchanged: false,
        };
        let none = Heard { from: NodeId::new(1), vote: None, unchanged: false };
        for fit in fits(3) {
            let decided = Choice::Forced(value(deps(3)));
            assert_eq!(choose(fit, leader(), &[heard(0, 1), heard(1, 3)]), decided);
            let beside = [heard(0, 1), heard(0, 2), heard(1, 3)];
            assert_eq!(choose(fit, leader(), &beside), decided, "beside votes that differ");
            assert_eq!(choose(fit, leader(), &[none.clone(), none.clone()]), Choice::Free);
        }
    }
}
