//! The scripted traces of protocols.md 7.3 that concern acceptors, and the rules of 1.5.

use super::*;
use crate::{LogAccepted, LogAcceptor, LogPromise};
use isegoria_proposer::{Choice, simple};

/// B2: runs the trace on three acceptors; returns the values that got a majority of
/// votes in one ballot.
fn b2<T: Acceptor>() -> Vec<u32> {
    let [mut a, mut b, mut c] = [(); 3].map(|()| T::default());
    let mut chosen = Vec::new();
    assert_eq!(a.accept(ballot(1, 0), 1), Said::Vote);
    assert_eq!(b.promise(ballot(2, 1)), Said::Promise(None));
    assert_eq!(c.promise(ballot(2, 1)), Said::Promise(None));
    if (b.accept(ballot(2, 1), 2), c.accept(ballot(2, 1), 2)) == (Said::Vote, Said::Vote) {
        chosen.push(2);
    }
    assert!(matches!(a.promise(ballot(3, 2)), Said::Promise(Some((_, 1)))));
    let answers = [a.promise(ballot(4, 0)), b.promise(ballot(4, 0))].map(|said| match said {
        Said::Promise(vote) => vote,
        other => panic!("{other:?}"),
    });
    let Choice::Forced(value) = simple(answers.into_iter()) else { panic!("both have voted") };
    if (a.accept(ballot(4, 0), value), b.accept(ballot(4, 0), value)) == (Said::Vote, Said::Vote) {
        chosen.push(value);
    }
    chosen
}

#[test]
fn b2_a_promise_must_not_touch_the_vote() {
    assert_eq!(b2::<OneBallot>(), [2, 1], "the mutant must disagree");
    assert_eq!(b2::<Cell<u32>>(), [2, 2]);
}

#[test]
fn repetitions_are_answered_again_and_change_nothing() {
    let mut cell = Cell::default();
    assert_eq!(cell.promise(ballot(1, 1)), Promise::Granted { vote: None });
    assert_eq!(cell.promise(ballot(1, 1)), Promise::Repeated { vote: None });
    assert_eq!(cell.accept(ballot(1, 1), 'x'), Accepted::Voted);
    let before = cell.clone();
    assert_eq!(cell.accept(ballot(1, 1), 'x'), Accepted::Repeated);
    assert_eq!(cell.promise(ballot(1, 1)), Promise::Repeated { vote: Some((ballot(1, 1), &'x')) });
    assert_eq!(cell.promise(ballot(0, 2)), Promise::Rejected { promised: ballot(1, 1) });
    assert_eq!(cell, before);
    assert_eq!(cell.promise(ballot(2, 0)), Promise::Granted { vote: Some((ballot(1, 1), &'x')) });
    assert_eq!(cell.accept(ballot(1, 1), 'x'), Accepted::Rejected { promised: ballot(2, 0) });
}

/// B19b: whoever knows the outcome never votes any more, least of all in a stale ballot.
#[test]
fn a_chosen_value_answers_everything() {
    let mut cell = Cell::default();
    cell.accept(ballot(5, 0), 'x');
    assert!(cell.choose('x') && !cell.choose('x'));
    assert_eq!(cell.accept(ballot(1, 1), 'y'), Accepted::Chosen(&'x'));
    assert_eq!(cell.accept(ballot(9, 1), 'y'), Accepted::Chosen(&'x'));
    assert_eq!(cell.promise(ballot(9, 1)), Promise::Chosen(&'x'));
    cell.restore_promise(ballot(9, 1));
    cell.restore_vote(ballot(9, 1), 'y');
    assert_eq!((cell.chosen(), cell.vote(), cell.promised()), (Some(&'x'), None, None));
}

#[test]
#[should_panic(expected = "S1: two values chosen: 'x' and 'y'")]
fn a_second_outcome_stops_the_process() {
    let mut cell = Cell::default();
    cell.choose('x');
    cell.choose('y');
}

#[test]
#[should_panic(expected = "two values in ballot 0.n1: 'x', 'y'")]
fn a_second_value_in_a_ballot_stops_the_process() {
    let mut cell = Cell::default();
    cell.accept(Ballot::initial(NodeId::new(0)), 'x');
    cell.accept(Ballot::initial(NodeId::new(0)), 'y');
}

/// B11: a dropped slot is never answered as if it were fresh.
#[test]
fn a_dropped_slot_is_said_to_be_dropped() {
    let mut log = LogAcceptor::new(10);
    for slot in 0..6 {
        assert_eq!(log.accept(ballot(0, 0), slot, slot), LogAccepted::Voted);
    }
    log.drop_below(4);
    assert_eq!(log.accept(ballot(7, 1), 3, 99), LogAccepted::Gced { base: 4 });
    assert_eq!(log.promised(), Some(ballot(0, 0)), "and nothing was promised by that");
    let LogPromise::Granted { base, votes } = log.promise(ballot(7, 1), 2) else { panic!("it is higher") };
    assert_eq!(base, 4);
    assert_eq!(votes.collect::<Vec<_>>(), [(4, ballot(0, 0), &4), (5, ballot(0, 0), &5)]);
    assert_eq!(log.accept(ballot(7, 1), 14, 1), LogAccepted::Beyond { end: 14 });
    assert_eq!(log.accept(ballot(7, 1), 13, 1), LogAccepted::Voted);
    assert_eq!(log.accept(ballot(7, 1), u64::MAX, 1), LogAccepted::Beyond { end: 14 });
    assert_eq!(log.promise(ballot(8, 1), u64::MAX).votes().count(), 0);
    log.drop_below(100);
    assert_eq!((log.base(), log.vote(13), log.admits(99), log.admits(100)), (100, None, false, true));
}

impl<'a, V> LogPromise<'a, V> {
    /// The votes of a promise that was made.
    pub(super) fn votes(self) -> crate::LogVotes<'a, V> {
        match self {
            LogPromise::Granted { votes, .. } | LogPromise::Repeated { votes, .. } => votes,
            LogPromise::Rejected { promised } => panic!("{promised} was promised before"),
        }
    }
}
