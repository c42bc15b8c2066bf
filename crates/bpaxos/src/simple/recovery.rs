use crate::simple::message::{Message, Record, Value};
use crate::simple::node::SimpleNode;
use isegoria_acceptor::Cell;
use isegoria_node::{Event, Outbox};
use isegoria_proposer::{BackOff, BallotSource, Choice, Progress, Promised, Schedule};
use isegoria_types::{Ballot, NodeId, NodeSet, Prefix, Quorum, Vertex};
use std::collections::BTreeMap;

/// The most doublings of the pause between two recoveries of one vertex.
const DOUBLINGS_MAX: u32 = 3;

/// The most recoveries that one look starts: the rest is looked at again.
const STARTS_MAX: usize = 256;

/// What this node does about vertices that stay unchosen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Recovery {
    /// Nodes that the failure detector believes to be down.
    pub(crate) suspected: NodeSet,
    attempts: BTreeMap<Vertex, Progress<Value>>,
    /// The highest ballot of each unchosen vertex that was used here or refused us.
    highest: BTreeMap<Vertex, Ballot>,
    /// Vertices that were unchosen at some look, and when they are due.
    watched: BTreeMap<Vertex, BackOff>,
    tick: u64,
}

impl Recovery {
    /// A ballot that must not be used again.
    pub(crate) fn used(&mut self, vertex: Vertex, ballot: Ballot) {
        let highest = self.highest.entry(vertex).or_insert(ballot);
        *highest = ballot.max(*highest);
    }

    pub(crate) fn used_ballots(&self) -> impl Iterator<Item = (Vertex, Ballot)> {
        self.highest.iter().map(|(vertex, ballot)| (*vertex, *ballot))
    }

    /// The vertex is chosen.
    pub(crate) fn settle(&mut self, vertex: Vertex) {
        self.attempts.remove(&vertex);
        self.highest.remove(&vertex);
        self.watched.remove(&vertex);
    }

    /// Everything in `floor` is executed everywhere.
    pub(crate) fn forget(&mut self, floor: &Prefix) {
        self.attempts.retain(|vertex, _| !floor.contains(*vertex));
        self.highest.retain(|vertex, _| !floor.contains(*vertex));
        self.watched.retain(|vertex, _| !floor.contains(*vertex));
    }

    /// Counts a vote for an attempt; the value, if it is chosen by it.
    pub(crate) fn on_vote(
        &mut self,
        from: NodeId,
        vertex: Vertex,
        ballot: Ballot,
        quorum: &Quorum,
    ) -> Option<Value> {
        let attempt = self.attempts.get_mut(&vertex)?;
        if attempt.on_vote(from, ballot, quorum) { attempt.value().cloned() } else { None }
    }
}

impl SimpleNode {
    /// One look at everything between what is executed and what is known.
    pub(crate) fn look_for_stuck(&mut self, out: &mut Outbox<Self>) {
        self.recovery.tick += 1;
        if !self.layout.leaders.contains(self.own) {
            return;
        }
        let mut due = Vec::new();
        for leader in self.layout.leaders.iter() {
            let first = self.executed.below(leader).max(self.cells.base(leader));
            for number in first..self.cells.end(leader) {
                let vertex = Vertex::new(leader, number);
                if self.is_settled(vertex) || self.is_under_way(vertex) {
                    continue;
                }
                let now = self.recovery.tick;
                let (schedule, jitter) = (self.schedule(leader), self.jitter(vertex));
                let fresh = BackOff::start(now, &schedule, jitter);
                let back_off = self.recovery.watched.entry(vertex).or_insert(fresh);
                // A leader that is suspected since then is given up sooner than was planned.
                if back_off.retry_count() == 0 && fresh.due_at() < back_off.due_at() {
                    *back_off = fresh;
                }
                if back_off.due(now) && due.len() < STARTS_MAX {
                    due.push(vertex);
                }
            }
        }
        for vertex in due {
            self.recover(vertex, out);
        }
    }

    /// Whether this node's own proposal is still on its ordinary way.
    fn is_under_way(&self, vertex: Vertex) -> bool {
        use crate::simple::leader::Stage;
        let proposal = self.leader.proposals.get(vertex);
        proposal.is_some_and(|proposal| !matches!(proposal.stage, Stage::Outbid { .. }))
    }

    /// How long to wait before recovering: longer for a leader that seems alive, doubling
    /// with every try, and staggered, so that usually one node recovers.
    fn schedule(&self, leader: NodeId) -> Schedule {
        let suspected = self.recovery.suspected.contains(leader);
        let base_ms = if suspected { self.options.suspect_ms } else { self.options.recovery_ms };
        let nodes = self.layout.node_count;
        let base_ticks = self.options.ticks(base_ms);
        let rank = (self.own.index() + nodes - leader.index()) % nodes;
        Schedule { base_ticks, stagger_ticks: 2, max_ticks: base_ticks << DOUBLINGS_MAX, rank: rank as u64 }
    }

    /// Different for every node and vertex, the same in every run.
    fn jitter(&self, vertex: Vertex) -> u64 {
        vertex.number.wrapping_mul(7).wrapping_add(self.own.index() as u64 * 13)
    }

    /// Starts over, in the smallest own ballot above everything seen.
    pub(crate) fn recover(&mut self, vertex: Vertex, out: &mut Outbox<Self>) {
        let now = self.recovery.tick;
        let (schedule, jitter) = (self.schedule(vertex.leader), self.jitter(vertex));
        let fresh = BackOff::start(now, &schedule, jitter);
        self.recovery.watched.entry(vertex).or_insert(fresh).retry(now, &schedule, jitter);
        self.on_outbid(vertex);
        let promised = self.cells.get(vertex).and_then(Cell::promised);
        let highest = self.recovery.highest.get(&vertex).copied();
        // Round 0 belongs to the leader of the vertex.
        let mut ballots = BallotSource::above_round(self.own, 0);
        promised.into_iter().chain(highest).for_each(|ballot| ballots.observe(ballot));
        let ballot = ballots.issue();
        self.recovery.used(vertex, ballot);
        if !self.layout.acceptors.contains(self.own) {
            out.persist(Record::Attempted { vertex, ballot });
        }
        self.recovery.attempts.insert(vertex, Progress::phase1(ballot));
        out.events.push(Event::RecoveryStarted { vertex, ballot });
        out.send(self.layout.acceptors, Message::Phase1a { vertex, ballot });
    }

    pub(crate) fn on_phase1b(
        &mut self,
        from: NodeId,
        at: (Vertex, Ballot),
        vote: Option<(Ballot, Value)>,
        out: &mut Outbox<Self>,
    ) {
        let (vertex, ballot) = at;
        let own = self.own_value(vertex);
        let Some(attempt) = self.recovery.attempts.get_mut(&vertex) else { return };
        let promised = Promised { ballot, vote };
        let value = match attempt.on_promise(from, promised, &self.layout.quorums.phase1) {
            None => return,
            Some(Choice::Forced(value)) => value,
            Some(Choice::Free) => {
                let value = own.unwrap_or_else(Value::noop);
                attempt.propose(value.clone());
                value
            }
        };
        if value == Value::noop() {
            out.events.push(Event::NoopProposed { vertex });
        }
        out.send(self.layout.acceptors, Message::Phase2a { vertex, ballot, value });
    }

    /// An acceptor promised more: give way; the next look that finds it due starts over.
    pub(crate) fn on_nack(&mut self, vertex: Vertex, ballot: Ballot, promised: Ballot) {
        if self.is_settled(vertex) {
            return;
        }
        self.recovery.used(vertex, promised);
        if ballot == Ballot::initial(self.own) && vertex.leader == self.own {
            self.on_outbid(vertex);
        }
        if self.recovery.attempts.get(&vertex).is_some_and(|attempt| attempt.ballot() == ballot) {
            self.recovery.attempts.remove(&vertex);
        }
    }
}
