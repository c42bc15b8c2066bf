use crate::{Choice, Tally, simple};
use isegoria_types::{Ballot, NodeId, NodeSet, Quorum};
use std::fmt::Debug;

/// An acceptor's promise as its proposer hears it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Promised<V> {
    /// The ballot that was promised.
    pub ballot: Ballot,
    /// The acceptor's last vote, if it has voted.
    pub vote: Option<(Ballot, V)>,
}

/// A proposer's attempt on one vertex, in one ballot.
///
/// Invariant: there is a value only in phase 2, it never changes within the attempt,
/// and where phase 1 forced one it is that one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Progress<V> {
    /// Asking for promises.
    Phase1 {
        /// The ballot of the attempt.
        ballot: Ballot,
        /// The votes reported so far.
        promises: Tally<Option<(Ballot, V)>>,
    },
    /// A quorum has promised and none of it had voted: the caller owes a value.
    Free {
        /// The ballot of the attempt.
        ballot: Ballot,
    },
    /// Asking for votes.
    Phase2 {
        /// The ballot of the attempt.
        ballot: Ballot,
        /// What is proposed.
        value: V,
        /// Who has voted for it.
        votes: NodeSet,
    },
}

impl<V: Clone + Eq + Debug> Progress<V> {
    /// An attempt that begins with phase 1.
    #[must_use]
    pub fn phase1(ballot: Ballot) -> Progress<V> {
        Progress::Phase1 { ballot, promises: Tally::default() }
    }

    /// An attempt that skips phase 1: only for the owner of a reserved round.
    #[must_use]
    pub fn phase2(ballot: Ballot, value: V) -> Progress<V> {
        Progress::Phase2 { ballot, value, votes: NodeSet::EMPTY }
    }

    /// The ballot of the attempt.
    #[must_use]
    pub fn ballot(&self) -> Ballot {
        match self {
            Progress::Phase1 { ballot, .. } | Progress::Free { ballot } | Progress::Phase2 { ballot, .. } => {
                *ballot
            }
        }
    }

    /// The value proposed.
    #[must_use]
    pub fn value(&self) -> Option<&V> {
        match self {
            Progress::Phase2 { value, .. } => Some(value),
            _ => None,
        }
    }

    /// Notes a promise. The one that completes a quorum yields the choice: `Forced`
    /// is being proposed from here on, after `Free` the caller owes
    /// [`Progress::propose`]. Late, repeated and other ballots' promises yield `None`.
    pub fn on_promise(&mut self, from: NodeId, promised: Promised<V>, quorum: &Quorum) -> Option<Choice<V>> {
        self.on_promise_by(from, promised, quorum, |answers| simple(answers.iter().cloned()))
    }

    /// As [`Progress::on_promise`], for a protocol with a choice of its own: it gets each
    /// promise's vote, in the order of nodes.
    pub fn on_promise_by(
        &mut self,
        from: NodeId,
        promised: Promised<V>,
        quorum: &Quorum,
        choose: impl FnOnce(&[Option<(Ballot, V)>]) -> Choice<V>,
    ) -> Option<Choice<V>> {
        let Progress::Phase1 { ballot, promises } = self else { return None };
        let ballot = *ballot;
        if promised.ballot != ballot || !promises.answer(from, promised.vote) || !promises.is_quorum(quorum) {
            return None;
        }
        let answers: Vec<Option<(Ballot, V)>> = promises.iter().map(|(_, vote)| vote.clone()).collect();
        let choice = choose(&answers);
        *self = match &choice {
            Choice::Free => Progress::Free { ballot },
            Choice::Forced(value) => Progress::phase2(ballot, value.clone()),
        };
        Some(choice)
    }

    /// Proposes a value of the caller's after a free choice.
    ///
    /// # Panics
    /// In any other state: a value is forced, or proposed already.
    pub fn propose(&mut self, value: V) {
        let Progress::Free { ballot } = *self else {
            panic!("{value:?} may not be proposed in {self:?}");
        };
        *self = Progress::phase2(ballot, value);
    }

    /// Notes a vote in `ballot`; true for the one that completes a quorum: the value is chosen.
    pub fn on_vote(&mut self, from: NodeId, voted: Ballot, quorum: &Quorum) -> bool {
        let Progress::Phase2 { ballot, votes, .. } = self else { return false };
        voted == *ballot && votes.insert(from) && {
            quorum.is_quorum(*votes) && !quorum.is_quorum(votes.without(from))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ballot(round: u32) -> Ballot {
        Ballot { round, owner: NodeId::new(0) }
    }

    fn promise(round: u32, vote: Option<(u32, char)>) -> Promised<char> {
        Promised { ballot: ballot(round), vote: vote.map(|(round, value)| (ballot(round), value)) }
    }

    #[test]
    fn a_forced_value_is_proposed_and_chosen_once() {
        let [a, b, c] = [0, 1, 2].map(NodeId::new);
        let quorum = Quorum::majority(NodeSet::first(3));
        let mut progress = Progress::phase1(ballot(5));
        assert_eq!(progress.on_promise(a, promise(4, Some((4, 'z'))), &quorum), None, "another ballot");
        assert_eq!(progress.on_promise(a, promise(5, Some((2, 'x'))), &quorum), None);
        assert_eq!(progress.on_promise(a, promise(5, Some((3, 'y'))), &quorum), None, "a repeated answer");
        assert!(!progress.on_vote(a, ballot(5), &quorum), "nothing is proposed yet");
        assert_eq!(progress.on_promise(c, promise(5, None), &quorum), Some(Choice::Forced('x')));
        assert_eq!(progress.on_promise(b, promise(5, Some((3, 'y'))), &quorum), None, "too late");
        assert_eq!((progress.value(), progress.ballot()), (Some(&'x'), ballot(5)));
        let votes = [(a, 5), (a, 5), (b, 4), (b, 5), (b, 5), (c, 5)];
        let reached = votes.map(|(from, round)| progress.on_vote(from, ballot(round), &quorum));
        assert_eq!(reached, [false, false, false, true, false, false]);
    }

    #[test]
    fn a_free_choice_waits_for_the_callers_value() {
        let quorum = Quorum::majority(NodeSet::first(3));
        let mut progress = Progress::phase1(ballot(1));
        let answers = [0, 1].map(|node| progress.on_promise(NodeId::new(node), promise(1, None), &quorum));
        assert_eq!(answers, [None, Some(Choice::Free)]);
        assert_eq!(progress.on_promise(NodeId::new(2), promise(1, Some((0, 'x'))), &quorum), None);
        progress.propose('w');
        assert_eq!(progress.value(), Some(&'w'));
    }

    #[test]
    #[should_panic(expected = "may not be proposed")]
    fn a_second_value_in_a_ballot_is_refused() {
        let mut progress = Progress::phase2(ballot(0), 'x');
        progress.propose('y');
    }
}
