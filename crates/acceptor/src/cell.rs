use isegoria_types::Ballot;
use std::fmt::Debug;

/// The acceptor of one vertex (single-decree Paxos).
///
/// A fast round needs nothing more: the vote of round 0 is cast by
/// [`Cell::accept`] in the vertex's initial ballot, which every fresh cell takes. The
/// caller memoises what it voted for there, since a second, different value in one
/// ballot is a broken invariant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Cell<V> {
    state: State<V>,
}

/// A vote without a promise, or a chosen value with either, cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum State<V> {
    /// Has not voted.
    Unvoted {
        /// The highest ballot promised, if any.
        promised: Option<Ballot>,
    },
    /// Has voted.
    Voted {
        /// The highest ballot promised, by promise or vote; not below `ballot`.
        promised: Ballot,
        /// The ballot of the last vote.
        ballot: Ballot,
        /// What was voted for.
        value: V,
    },
    /// Knows the outcome, and answers with it whatever the ballot.
    Chosen {
        /// The outcome.
        value: V,
    },
}

/// The answer to a request for a promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise<'a, V> {
    /// A new promise: durable before it is told. No lower ballot gets anything from now on.
    Granted {
        /// The last vote, if any: its ballot and value.
        vote: Option<(Ballot, &'a V)>,
    },
    /// This ballot was joined before, so nothing changed: told again, never refused.
    Repeated {
        /// The last vote, if any: its ballot and value.
        vote: Option<(Ballot, &'a V)>,
    },
    /// A higher ballot has the promise.
    Rejected {
        /// That ballot.
        promised: Ballot,
    },
    /// The outcome is known.
    Chosen(&'a V),
}

/// The answer to a request for a vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted<'a, V> {
    /// A new vote: durable before it is told.
    Voted,
    /// This vote was cast before, so nothing changed: told again, never refused.
    Repeated,
    /// A higher ballot has the promise.
    Rejected {
        /// That ballot.
        promised: Ballot,
    },
    /// The outcome is known. Never answered with a plain vote: that would support a
    /// second outcome in a stale ballot (trace B19b).
    Chosen(&'a V),
}

impl<V> Default for Cell<V> {
    fn default() -> Cell<V> {
        Cell { state: State::Unvoted { promised: None } }
    }
}

impl<V: Eq + Debug> Cell<V> {
    /// Phase 1: asks for a promise in `ballot`.
    pub fn promise(&mut self, ballot: Ballot) -> Promise<'_, V> {
        let before = self.promised();
        if before < Some(ballot) {
            self.raise(ballot);
        }
        match (&self.state, before) {
            (State::Chosen { value }, _) => Promise::Chosen(value),
            (_, Some(promised)) if promised > ballot => Promise::Rejected { promised },
            (_, Some(promised)) if promised == ballot => Promise::Repeated { vote: self.vote() },
            _ => Promise::Granted { vote: self.vote() },
        }
    }

    /// Phase 2: asks for a vote for `value` in `ballot`.
    ///
    /// # Panics
    /// If this cell voted for another value in the same ballot: its owner proposed two.
    pub fn accept(&mut self, ballot: Ballot, value: V) -> Accepted<'_, V> {
        if let State::Voted { ballot: last, value: voted, .. } = &self.state {
            assert!(
                *last != ballot || *voted == value,
                "two values in ballot {ballot}: {voted:?}, {value:?}"
            );
        }
        match self.state {
            State::Chosen { ref value } => Accepted::Chosen(value),
            State::Unvoted { promised: Some(promised) } | State::Voted { promised, .. }
                if promised > ballot =>
            {
                Accepted::Rejected { promised }
            }
            State::Voted { ballot: last, .. } if last == ballot => Accepted::Repeated,
            State::Unvoted { .. } | State::Voted { .. } => {
                self.state = State::Voted { promised: ballot, ballot, value };
                Accepted::Voted
            }
        }
    }

    /// Takes note that `value` is chosen; says whether that was news.
    ///
    /// # Panics
    /// If another value is known to be chosen (S1).
    pub fn choose(&mut self, value: V) -> bool {
        if let State::Chosen { value: before } = &self.state {
            assert!(*before == value, "S1: two values chosen: {before:?} and {value:?}");
            return false;
        }
        self.state = State::Chosen { value };
        true
    }

    /// Repeats a promise from the log. Records may repeat; a lower ballot changes nothing.
    pub fn restore_promise(&mut self, ballot: Ballot) {
        if self.promised() < Some(ballot) {
            self.raise(ballot);
        }
    }

    /// Repeats a vote from the log. Records may repeat; a lower ballot changes nothing.
    pub fn restore_vote(&mut self, ballot: Ballot, value: V) {
        let promised = self.promised().map_or(ballot, |before| before.max(ballot));
        let newer = match &self.state {
            State::Unvoted { .. } => true,
            State::Voted { ballot: last, .. } => *last < ballot,
            State::Chosen { .. } => false,
        };
        if newer {
            self.state = State::Voted { promised, ballot, value };
        }
    }

    /// The highest ballot promised; `None` too once the outcome is known.
    #[must_use]
    pub fn promised(&self) -> Option<Ballot> {
        match &self.state {
            State::Unvoted { promised } => *promised,
            State::Voted { promised, .. } => Some(*promised),
            State::Chosen { .. } => None,
        }
    }

    /// The last vote; `None` too once the outcome is known.
    #[must_use]
    pub fn vote(&self) -> Option<(Ballot, &V)> {
        match &self.state {
            State::Voted { ballot, value, .. } => Some((*ballot, value)),
            State::Unvoted { .. } | State::Chosen { .. } => None,
        }
    }

    /// The outcome, if it is known.
    #[must_use]
    pub fn chosen(&self) -> Option<&V> {
        match &self.state {
            State::Chosen { value } => Some(value),
            State::Unvoted { .. } | State::Voted { .. } => None,
        }
    }

    /// Checks S8.
    ///
    /// # Panics
    /// If the promised ballot is below the voted one.
    pub fn assert_invariants(&self) {
        if let State::Voted { promised, ballot, value } = &self.state {
            assert!(promised >= ballot, "S8: promised {promised} is below the vote {ballot} for {value:?}");
        }
    }

    /// Raises the promise alone; the vote stays what it is.
    fn raise(&mut self, ballot: Ballot) {
        match &mut self.state {
            State::Unvoted { promised } => *promised = Some(ballot),
            State::Voted { promised, .. } => *promised = ballot,
            State::Chosen { .. } => {}
        }
    }
}
