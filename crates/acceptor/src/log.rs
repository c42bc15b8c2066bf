use isegoria_types::Ballot;
use std::collections::{VecDeque, vec_deque};
use std::fmt::Debug;

/// The acceptor of a log: one promise for all slots, one vote a slot
/// (Multi-Paxos, protocols.md 3.10).
///
/// Invariant: the promised ballot is not below any vote's. Slots below the base are
/// chosen and dropped; the base is durable before they go, and a request for one is
/// told so, since an answer as if it were fresh would let a leader fill a chosen slot
/// with a noop (trace B11).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LogAcceptor<V> {
    promised: Option<Ballot>,
    base: u64,
    votes: VecDeque<Option<(Ballot, V)>>,
    window_max: u64,
}

/// The answer to a request for a promise.
#[derive(Clone, Debug)]
pub enum LogPromise<'a, V> {
    /// A new promise: durable before it is told.
    Granted {
        /// Every slot below is chosen and dropped here; ask a replica for it.
        base: u64,
        /// The votes at or above the slot asked for and the base.
        votes: LogVotes<'a, V>,
    },
    /// This ballot was joined before, so nothing changed: told again, never refused.
    Repeated {
        /// Every slot below is chosen and dropped here; ask a replica for it.
        base: u64,
        /// The votes at or above the slot asked for and the base.
        votes: LogVotes<'a, V>,
    },
    /// A higher ballot has the promise.
    Rejected {
        /// That ballot.
        promised: Ballot,
    },
}

/// The answer to a request for a vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogAccepted {
    /// A new vote, which also promises its ballot for all slots: durable before it is told.
    Voted,
    /// This vote was cast before, so nothing changed: told again, never refused.
    Repeated,
    /// A higher ballot has the promise.
    Rejected {
        /// That ballot.
        promised: Ballot,
    },
    /// The slot is chosen and dropped, like all below `base`.
    Gced {
        /// The first slot that is kept.
        base: u64,
    },
    /// The slot is outside of the window, and nothing changed: ask again later.
    Beyond {
        /// The first slot that is not admitted.
        end: u64,
    },
}

/// Votes by slot: the slot, the ballot and the value.
#[derive(Clone, Debug)]
pub struct LogVotes<'a, V> {
    slot: u64,
    cells: vec_deque::Iter<'a, Option<(Ballot, V)>>,
}

impl<'a, V> Iterator for LogVotes<'a, V> {
    type Item = (u64, Ballot, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let cell = self.cells.next()?;
            self.slot += 1;
            if let Some((ballot, value)) = cell {
                return Some((self.slot - 1, *ballot, value));
            }
        }
    }
}

impl<V: Eq + Debug> LogAcceptor<V> {
    /// An acceptor that holds votes for at most `window_max` slots from its base upwards.
    #[must_use]
    pub fn new(window_max: u64) -> LogAcceptor<V> {
        LogAcceptor { promised: None, base: 0, votes: VecDeque::new(), window_max }
    }

    /// Phase 1: asks for a promise in `ballot` for all slots, and for the votes from
    /// `from` upwards.
    pub fn promise(&mut self, ballot: Ballot, from: u64) -> LogPromise<'_, V> {
        let before = self.promised.replace(ballot);
        match before {
            Some(promised) if promised > ballot => {
                self.promised = before;
                LogPromise::Rejected { promised }
            }
            Some(promised) if promised == ballot => {
                LogPromise::Repeated { base: self.base, votes: self.votes_from(from) }
            }
            _ => LogPromise::Granted { base: self.base, votes: self.votes_from(from) },
        }
    }

    /// Phase 2: asks for a vote for `value` in `slot`.
    ///
    /// # Panics
    /// If another value was voted for in this slot and ballot: its owner proposed two.
    pub fn accept(&mut self, ballot: Ballot, slot: u64, value: V) -> LogAccepted {
        if let Some((last, voted)) = self.vote(slot) {
            let same = last != ballot || *voted == value;
            assert!(same, "two values in slot {slot}, ballot {ballot}: {voted:?}, {value:?}");
        }
        match self.promised {
            Some(promised) if promised > ballot => return LogAccepted::Rejected { promised },
            _ if slot < self.base => return LogAccepted::Gced { base: self.base },
            _ if !self.admits(slot) => return LogAccepted::Beyond { end: self.end() },
            _ => {}
        }
        if self.vote(slot).is_some_and(|(last, _)| last == ballot) {
            return LogAccepted::Repeated;
        }
        self.promised = Some(ballot);
        *self.place(slot) = Some((ballot, value));
        LogAccepted::Voted
    }

    /// Drops the votes below `slot`, all of which are chosen and kept by replicas.
    pub fn drop_below(&mut self, slot: u64) {
        while self.base < slot && self.votes.pop_front().is_some() {
            self.base += 1;
        }
        self.base = self.base.max(slot);
    }

    /// Repeats a promise from the log. Records may repeat; a lower ballot changes nothing.
    pub fn restore_promise(&mut self, ballot: Ballot) {
        self.promised = self.promised.max(Some(ballot));
    }

    /// Repeats a vote from the log; says whether its slot is within the window, or
    /// below the base. Records may repeat; a lower ballot changes nothing.
    pub fn restore_vote(&mut self, ballot: Ballot, slot: u64, value: V) -> bool {
        if slot >= self.end() {
            return false;
        }
        self.restore_promise(ballot);
        if slot >= self.base && self.vote(slot).is_none_or(|(last, _)| last < ballot) {
            *self.place(slot) = Some((ballot, value));
        }
        true
    }

    /// The highest ballot promised.
    #[must_use]
    pub fn promised(&self) -> Option<Ballot> {
        self.promised
    }

    /// The first slot that is kept: all below are chosen and dropped.
    #[must_use]
    pub fn base(&self) -> u64 {
        self.base
    }

    /// Places for votes that are held, from the base upwards, used or not.
    #[must_use]
    pub fn span(&self) -> usize {
        self.votes.len()
    }

    /// Whether `slot` is neither dropped nor beyond the window.
    #[must_use]
    pub fn admits(&self, slot: u64) -> bool {
        (self.base..self.end()).contains(&slot)
    }

    /// The last vote in `slot`.
    #[must_use]
    pub fn vote(&self, slot: u64) -> Option<(Ballot, &V)> {
        let offset = usize::try_from(slot.checked_sub(self.base)?).ok()?;
        self.votes.get(offset)?.as_ref().map(|(ballot, value)| (*ballot, value))
    }

    /// The votes from `slot` upwards.
    #[must_use]
    pub fn votes_from(&self, slot: u64) -> LogVotes<'_, V> {
        let first = slot.max(self.base);
        let offset = usize::try_from(first - self.base).unwrap_or(usize::MAX).min(self.votes.len());
        LogVotes { slot: first, cells: self.votes.range(offset..) }
    }

    /// Checks S8 for every slot: for tests, since it walks them all.
    ///
    /// # Panics
    /// If the promised ballot is below a vote's.
    pub fn assert_invariants(&self) {
        for (slot, ballot, value) in self.votes_from(0) {
            let promised = self.promised;
            let kept = promised >= Some(ballot);
            assert!(
                kept,
                "S8: promised {promised:?} is below the vote {ballot} in slot {slot} for {value:?}"
            );
        }
    }

    /// The first slot beyond the window.
    fn end(&self) -> u64 {
        self.base.saturating_add(self.window_max)
    }

    /// The place of an admitted slot.
    fn place(&mut self, slot: u64) -> &mut Option<(Ballot, V)> {
        let offset = usize::try_from(slot - self.base).expect("within the window");
        if self.votes.len() <= offset {
            self.votes.resize_with(offset + 1, || None);
        }
        &mut self.votes[offset]
    }
}
