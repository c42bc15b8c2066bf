//! Cells against dumb models, the ballot bug, and random Paxos runs, each with proof
//! that it can fail.

mod against_models;
mod paxos;
mod scripts;

use crate::{Accepted, Cell, Promise};
use isegoria_types::{Ballot, NodeId};

pub(super) fn ballot(round: u32, owner: usize) -> Ballot {
    Ballot { round, owner: NodeId::new(owner) }
}

/// An answer without borrows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Promise(Option<(Ballot, u32)>),
    Vote,
    Rejected(Ballot),
    Chosen(u32),
}

/// What the tests ask of an acceptor, correct or broken.
pub(super) trait Acceptor: Clone + Default {
    fn promise(&mut self, ballot: Ballot) -> Said;
    fn accept(&mut self, ballot: Ballot, value: u32) -> Said;
    fn choose(&mut self, value: u32);
    /// What is left after a crash: rebuilt from what a log would hold.
    fn restart(&self) -> Self;
}

impl Acceptor for Cell<u32> {
    fn promise(&mut self, ballot: Ballot) -> Said {
        let said = match self.promise(ballot) {
            Promise::Granted { vote } | Promise::Repeated { vote } => {
                Said::Promise(vote.map(|(ballot, value)| (ballot, *value)))
            }
            Promise::Rejected { promised } => Said::Rejected(promised),
            Promise::Chosen(value) => Said::Chosen(*value),
        };
        self.assert_invariants();
        said
    }
    fn accept(&mut self, ballot: Ballot, value: u32) -> Said {
        let said = match self.accept(ballot, value) {
            Accepted::Voted | Accepted::Repeated => Said::Vote,
            Accepted::Rejected { promised } => Said::Rejected(promised),
            Accepted::Chosen(value) => Said::Chosen(*value),
        };
        self.assert_invariants();
        said
    }
    fn choose(&mut self, value: u32) {
        self.choose(value);
    }
    fn restart(&self) -> Self {
        let mut after = Cell::default();
        if let Some((ballot, value)) = self.vote() {
            after.restore_vote(ballot, *value);
        }
        self.promised().into_iter().for_each(|ballot| after.restore_promise(ballot));
        self.chosen().into_iter().for_each(|value| {
            after.choose(*value);
        });
        assert_eq!(after, *self);
        after
    }
}

/// The ballot bug (mutant 3): one ballot variable, so that a promise relabels the vote.
#[derive(Clone, Default)]
pub(super) struct OneBallot {
    ballot: Option<Ballot>,
    value: Option<u32>,
}

impl Acceptor for OneBallot {
    fn promise(&mut self, ballot: Ballot) -> Said {
        match self.ballot {
            Some(promised) if promised > ballot => Said::Rejected(promised),
            before => {
                self.ballot = Some(ballot);
                Said::Promise(before.and_then(|before| self.value.map(|value| (before, value))))
            }
        }
    }
    fn accept(&mut self, ballot: Ballot, value: u32) -> Said {
        match self.ballot {
            Some(promised) if promised > ballot => Said::Rejected(promised),
            _ => {
                (self.ballot, self.value) = (Some(ballot), Some(value));
                Said::Vote
            }
        }
    }
    fn choose(&mut self, _: u32) {}
    fn restart(&self) -> Self {
        self.clone()
    }
}

/// A correct cell whose promises do not survive a crash (mutant 2).
#[derive(Clone, Default)]
pub(super) struct Forgetful(Cell<u32>);

impl Acceptor for Forgetful {
    fn promise(&mut self, ballot: Ballot) -> Said {
        Acceptor::promise(&mut self.0, ballot)
    }
    fn accept(&mut self, ballot: Ballot, value: u32) -> Said {
        Acceptor::accept(&mut self.0, ballot, value)
    }
    fn choose(&mut self, value: u32) {
        self.0.choose(value);
    }
    fn restart(&self) -> Self {
        let mut after = Cell::default();
        if let Some((ballot, value)) = self.0.vote() {
            after.restore_vote(ballot, *value);
        }
        self.0.chosen().into_iter().for_each(|value| {
            after.choose(*value);
        });
        Forgetful(after)
    }
}

/// A cell that votes below its promise (mutant 10).
#[derive(Clone, Default)]
pub(super) struct Pushover(Cell<u32>);

impl Acceptor for Pushover {
    fn promise(&mut self, ballot: Ballot) -> Said {
        Acceptor::promise(&mut self.0, ballot)
    }
    fn accept(&mut self, ballot: Ballot, value: u32) -> Said {
        match Acceptor::accept(&mut self.0, ballot, value) {
            Said::Rejected(_) if self.0.vote().is_none_or(|(last, _)| last < ballot) => {
                self.0.restore_vote(ballot, value);
                Said::Vote
            }
            said => said,
        }
    }
    fn choose(&mut self, value: u32) {
        self.0.choose(value);
    }
    fn restart(&self) -> Self {
        self.clone()
    }
}
