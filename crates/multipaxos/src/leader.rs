use crate::election::Report;
use crate::message::Entry;
use isegoria_types::{Ballot, NodeId, NodeSet, Quorum};
use std::collections::{BTreeMap, VecDeque};

/// What a node is for the others; each state has only its own fields.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Role {
    /// Follows, or waits for somebody to lead.
    Follower {
        /// Who leads, as far as known.
        leader: Option<NodeId>,
    },
    /// Hears no leader and asks whether others do.
    Prospect {
        /// The ballot it would use.
        ballot: Ballot,
        /// Who hears no leader either.
        supporters: NodeSet,
    },
    /// Asks for promises.
    Candidate(Candidate),
    /// Proposes.
    Leader(Leading),
}

/// A node in phase 1.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Candidate {
    pub(crate) ballot: Ballot,
    pub(crate) from_slot: u64,
    /// Acceptors that reported all their votes.
    pub(crate) promised: NodeSet,
    /// The first slot that each acceptor has not reported on.
    reported: BTreeMap<NodeId, u64>,
    /// What they reported: slot, ballot, value.
    pub(crate) votes: Vec<(u64, Ballot, Entry)>,
    /// The first slot that all of them still keep: everything below is chosen.
    pub(crate) base: u64,
}

impl Candidate {
    pub(crate) fn new(ballot: Ballot, from_slot: u64) -> Candidate {
        Candidate {
            ballot,
            from_slot,
            promised: NodeSet::EMPTY,
            reported: BTreeMap::new(),
            votes: Vec::new(),
            base: 0,
        }
    }

    /// Takes one report; a repeated one, or one out of order, says nothing new.
    pub(crate) fn on_report(&mut self, from: NodeId, report: Report) {
        let Report { from_slot, votes, next_slot, base, .. } = report;
        self.base = self.base.max(base);
        let expected = self.reported.entry(from).or_insert(self.from_slot);
        if *expected != from_slot || self.promised.contains(from) {
            return;
        }
        self.votes.extend(votes.into_iter().map(|vote| (vote.slot, vote.ballot, vote.entry)));
        match next_slot {
            Some(slot) => *expected = slot,
            None => {
                self.promised.insert(from);
            }
        }
    }
}

/// A slot that was proposed and is not below the first undecided one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct InFlight {
    pub(crate) entry: Entry,
    /// Who was asked for a vote.
    pub(crate) asked: NodeSet,
    pub(crate) votes: NodeSet,
    /// Heartbeats since it was proposed or repeated.
    pub(crate) age: u32,
}

/// A node in phase 2.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Leading {
    pub(crate) ballot: Ballot,
    /// The slot of the front of `in_flight`.
    pub(crate) base: u64,
    pub(crate) in_flight: VecDeque<InFlight>,
    /// Found in phase 1 and the `StartWorking` entry: proposed before anything else.
    pub(crate) takeover: VecDeque<Entry>,
    /// Client batches that wait for the window, or for `StartWorking` to be chosen.
    pub(crate) queue: VecDeque<Entry>,
    /// The slot of the `StartWorking` entry.
    pub(crate) working_slot: u64,
    /// Who answered a heartbeat or voted since the last look.
    pub(crate) heard_from: NodeSet,
}

impl Leading {
    /// The slot that the next proposal gets.
    pub(crate) fn next_slot(&self) -> u64 {
        self.base + self.in_flight.len() as u64
    }

    /// Whether everything up to `StartWorking` is chosen, so that clients may be served.
    pub(crate) fn serves(&self) -> bool {
        self.base > self.working_slot
    }

    /// The next entry that may be proposed within the window.
    pub(crate) fn next_entry(&mut self, window: usize) -> Option<Entry> {
        if self.in_flight.len() >= window {
            return None;
        }
        self.takeover.pop_front().or_else(|| if self.serves() { self.queue.pop_front() } else { None })
    }

    /// Counts a vote; the entry and who was asked, if it completes a quorum.
    pub(crate) fn on_vote(&mut self, slot: u64, from: NodeId, quorum: &Quorum) -> Option<(Entry, NodeSet)> {
        let offset = usize::try_from(slot.checked_sub(self.base)?).ok()?;
        let place = self.in_flight.get_mut(offset)?;
        let fresh = place.votes.insert(from);
        (fresh && quorum.is_quorum(place.votes)).then(|| (place.entry.clone(), place.asked))
    }

    /// Whether this leader's ballot is over: `entry` is chosen in a slot in which it has
    /// proposed something else, or nothing yet. Phase 1 would have found what a lower
    /// ballot chose, so a higher one chose it.
    pub(crate) fn is_overtaken(&self, slot: u64, entry: &Entry) -> bool {
        let Some(offset) = slot.checked_sub(self.base).and_then(|offset| usize::try_from(offset).ok()) else {
            return false;
        };
        let proposed = match offset.checked_sub(self.in_flight.len()) {
            None => self.in_flight.get(offset).map(|place| &place.entry),
            Some(behind) => self.takeover.get(behind),
        };
        proposed != Some(entry)
    }

    /// Moves the front up to the first slot that is not known to be chosen; says whether
    /// it moved. Not only votes tell: a slot may have been chosen and forgotten by all
    /// acceptors, and learned from another replica, before this leader's votes come.
    pub(crate) fn advance(&mut self, below: u64) -> bool {
        let before = self.base;
        while self.base < below {
            if self.in_flight.pop_front().is_none() && self.takeover.pop_front().is_none() {
                break;
            }
            self.base += 1;
        }
        self.base > before
    }
}
