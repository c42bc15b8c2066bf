use crate::{Event, Node};
use isegoria_types::{Batch, NodeId, NodeSet, Order, Refusal};
use std::collections::VecDeque;
use std::ops::RangeInclusive;

/// Whether what a step shows the world must wait for a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Weight {
    /// A promise: nothing that was decided after it may leave before it is durable.
    Gating,
    /// A note that saves work after a restart; losing it loses no promise.
    Lazy,
}

/// A message and whom it is for; never the sender itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Send<M> {
    /// The receivers, at least one.
    pub to: NodeSet,
    /// What to say; a driver encodes it once.
    pub message: M,
}

/// A timer to set; it replaces one of the same name that is still running.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TimerWish<T> {
    /// Its name.
    pub timer: T,
    /// When, ms from now: the driver throws the dice within the range.
    pub after_ms: RangeInclusive<u32>,
}

/// What a step wishes: first in, first out.
#[derive(Clone, Debug)]
pub struct Outbox<N: Node> {
    own: NodeId,
    /// Records to append to the log, in this order.
    pub records: Vec<(N::Record, Weight)>,
    /// Messages to other nodes.
    pub sends: Vec<Send<N::Msg>>,
    /// Timers to set.
    pub timers: Vec<TimerWish<N::Timer>>,
    /// Chosen batches for the replica.
    pub commits: Vec<(Order, Batch)>,
    /// Submitted batches that this node does not take.
    pub refusals: Vec<(Batch, Refusal)>,
    /// What happened.
    pub events: Vec<Event>,
    to_self: VecDeque<N::Msg>,
}

impl<N: Node> Outbox<N> {
    /// An empty outbox of the node `own`.
    #[must_use]
    pub fn new(own: NodeId) -> Outbox<N> {
        Outbox {
            own,
            records: Vec::new(),
            sends: Vec::new(),
            timers: Vec::new(),
            commits: Vec::new(),
            refusals: Vec::new(),
            events: Vec::new(),
            to_self: VecDeque::new(),
        }
    }

    /// The node whose outbox this is.
    #[must_use]
    pub fn own(&self) -> NodeId {
        self.own
    }

    /// Appends a record that gates what follows.
    pub fn persist(&mut self, record: N::Record) {
        self.records.push((record, Weight::Gating));
    }

    /// Appends a record that gates nothing.
    pub fn note(&mut self, record: N::Record) {
        self.records.push((record, Weight::Lazy));
    }

    /// Sends a message to every node of `to`; the node's own copy is delivered within this step.
    pub fn send(&mut self, to: NodeSet, message: N::Msg) {
        let others = to.without(self.own);
        if to.contains(self.own) {
            self.to_self.push_back(message.clone());
        }
        if !others.is_empty() {
            self.sends.push(Send { to: others, message });
        }
    }

    /// Sends a message to one node.
    pub fn send_to(&mut self, to: NodeId, message: N::Msg) {
        if to == self.own {
            self.to_self.push_back(message);
        } else {
            self.sends.push(Send { to: NodeSet::only(to), message });
        }
    }

    /// Sets a timer to run out within a range of ms from now.
    pub fn set_timer(&mut self, timer: N::Timer, after_ms: RangeInclusive<u32>) {
        self.timers.push(TimerWish { timer, after_ms });
    }

    /// The next message of the node to itself.
    pub(crate) fn take_own(&mut self) -> Option<N::Msg> {
        self.to_self.pop_front()
    }

    /// Whether the step wished nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
            && self.sends.is_empty()
            && self.timers.is_empty()
            && self.commits.is_empty()
            && self.refusals.is_empty()
            && self.events.is_empty()
    }
}
