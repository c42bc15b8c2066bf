use crate::Value;
use crate::unanimous::fast::{Fit, Outlook, outlook, union};
use crate::unanimous::message::{Message, Record};
use crate::unanimous::node::UnanimousNode;
use isegoria_acceptor::Cell;
use isegoria_multileader::{Proposals, tell_answers};
use isegoria_node::{Event, Outbox};
use isegoria_proposer::{Peers, Tally, repeats_at};
use isegoria_types::{Ballot, Batch, DepSet, NodeId, NodeSet, Prefix, Refusal, Vertex};

/// The leader's own vertices.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Leader {
    pub(crate) proposals: Proposals<Stage>,
    peers: Peers,
}

/// How far an own vertex is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Stage {
    /// Ballot 0: everybody votes with what it knows above floor and base, which are the same
    /// for all. With `fast=basic` the base is this leader's own vote, and there is none before.
    Fast { votes: Tally<DepSet>, floor: Prefix, base: Option<DepSet> },
    /// Ballot 1: votes for the union of those votes.
    Slow { deps: DepSet, votes: NodeSet },
    /// Somebody recovers it: wait for what is chosen. The dependencies, if a quorum had
    /// answered, are their union.
    Outbid { deps: Option<DepSet> },
}

/// The leader's second ballot, for which the votes of its first are promises.
pub(crate) fn slow_ballot(leader: NodeId) -> Ballot {
    Ballot { round: 1, owner: leader }
}

impl Leader {
    pub(crate) fn new(own: NodeId, node_count: usize) -> Leader {
        Leader { proposals: Proposals::new(own), peers: Peers::new(own, node_count) }
    }
}

impl UnanimousNode {
    /// Numbers the batch and asks everybody to vote for it.
    pub(crate) fn on_submit(&mut self, batch: Batch, out: &mut Outbox<Self>) {
        let most = (self.options.in_flight_max, self.options.in_flight_bytes_max);
        let vertex = match self.leader.proposals.room(batch.byte_len(), most) {
            Ok(vertex) if self.cells.admits(vertex) => vertex,
            Ok(_) => return out.refusals.push((batch, Refusal::Unavailable)),
            Err(refusal) => return out.refusals.push((batch, refusal)),
        };
        let floor = self.floor.clone();
        self.leader.proposals.tells(&floor);
        let stage = Stage::Fast { votes: Tally::default(), floor: floor.clone(), base: None };
        if let Some(below) = self.leader.proposals.open(batch.clone(), stage) {
            out.persist(Record::Reserved { below });
        }
        let first = if self.is_basic() { NodeSet::only(self.own) } else { self.layout.nodes() };
        out.send(first, Message::FastPropose { vertex, batch, floor, base: None });
    }

    /// Whether this leader's own vote comes first, and its word decides.
    fn is_basic(&self) -> bool {
        matches!(self.fit, Fit::Leaders { .. })
    }

    /// This leader has voted for its own vertex, and tells the others how.
    fn on_own_vote(&mut self, vertex: Vertex, deps: DepSet, out: &mut Outbox<Self>) {
        let Some(proposal) = self.leader.proposals.get_mut(vertex) else { return };
        let Stage::Fast { floor, base: base @ None, .. } = &mut proposal.stage else { return };
        *base = Some(deps);
        let (batch, floor, base) = (proposal.batch.clone(), floor.clone(), base.clone());
        let others = self.layout.nodes().without(self.own);
        out.send(others, Message::FastPropose { vertex, batch, floor, base });
    }

    pub(crate) fn on_fast_vote(
        &mut self,
        from: NodeId,
        vertex: Vertex,
        deps: DepSet,
        out: &mut Outbox<Self>,
    ) {
        self.leader.peers.heard(from);
        let Some(proposal) = self.leader.proposals.get_mut(vertex) else { return };
        let Stage::Fast { votes, .. } = &mut proposal.stage else { return };
        votes.answer(from, deps.clone());
        if from == self.own && self.is_basic() {
            self.on_own_vote(vertex, deps, out);
        }
        self.advance(vertex, self.given_up(), out);
    }

    /// Nodes whose votes are not waited for.
    fn given_up(&self) -> NodeSet {
        self.recovery.suspected().union(self.leader.peers.silent())
    }

    /// Goes on with an own vertex of ballot 0 as far as its votes lead.
    pub(crate) fn advance(&mut self, vertex: Vertex, given_up: NodeSet, out: &mut Outbox<Self>) {
        let Some(proposal) = self.leader.proposals.get_mut(vertex) else { return };
        let Stage::Fast { votes, .. } = &proposal.stage else { return };
        let batch = proposal.batch.clone();
        match outlook(self.fit, (self.own, votes), &self.layout, given_up) {
            Outlook::Open => {}
            Outlook::Chosen(deps) => {
                let is_every_vote =
                    votes.set() == self.layout.nodes() && votes.iter().all(|(_, vote)| *vote == deps);
                tell_answers(vertex, votes, &mut out.events);
                if self.is_basic() {
                    // Its acceptor has promised no more: then its word is as good as all votes.
                    let promised = self.cells.get(vertex).and_then(Cell::promised);
                    if promised != Some(Ballot::initial(self.own)) {
                        self.on_outbid(vertex);
                        return;
                    }
                    out.persist(Record::FastChosen { vertex });
                }
                out.events.push(Event::Path { vertex, fast: true });
                self.note_proposed(vertex, &deps, out);
                let told = (!is_every_vote).then(|| deps.clone());
                self.announce((vertex, Ballot::initial(self.own)), Value { batch, deps }, told, out);
            }
            Outlook::Slow(deps) => {
                tell_answers(vertex, votes, &mut out.events);
                proposal.stage = Stage::Slow { deps: deps.clone(), votes: NodeSet::EMPTY };
                out.events.push(Event::Path { vertex, fast: false });
                self.note_proposed(vertex, &deps, out);
                let (ballot, value) = (slow_ballot(self.own), Value { batch, deps });
                out.send(self.layout.nodes(), Message::Phase2a { vertex, ballot, value });
            }
        }
    }

    fn note_proposed(&self, vertex: Vertex, deps: &DepSet, out: &mut Outbox<Self>) {
        let conflicting = !self.floor.covers(deps.as_prefix());
        out.events.push(Event::Proposed { vertex, conflicting });
    }

    /// The node has dropped more than this leader knew to be executed everywhere.
    pub(crate) fn on_stale_floor(
        &mut self,
        from: NodeId,
        vertex: Vertex,
        floor: &Prefix,
        out: &mut Outbox<Self>,
    ) {
        self.floor.union(floor);
        out.events.push(Event::StaleFloor { vertex });
        let Some(proposal) = self.leader.proposals.get(vertex) else { return };
        if let Stage::Fast { base, .. } = &proposal.stage {
            let (batch, floor, base) = (proposal.batch.clone(), self.floor.clone(), base.clone());
            out.send_to(from, Message::FastPropose { vertex, batch, floor, base });
        }
    }

    /// A vote above round 0: for an own vertex in ballot 1, or for a recovery.
    pub(crate) fn on_phase2b(&mut self, from: NodeId, at: (Vertex, Ballot), out: &mut Outbox<Self>) {
        let (vertex, ballot) = at;
        let quorum = &self.layout.quorums.phase2;
        let value = if ballot == slow_ballot(self.own) {
            let Some(proposal) = self.leader.proposals.get_mut(vertex) else { return };
            let Stage::Slow { deps, votes } = &mut proposal.stage else { return };
            votes.insert(from);
            if !quorum.is_quorum(*votes) {
                return;
            }
            Value { batch: proposal.batch.clone(), deps: deps.clone() }
        } else {
            let Some(attempt) = self.recovery.attempt(vertex) else { return };
            if !attempt.progress.on_vote(from, ballot, quorum) {
                return;
            }
            attempt.progress.value().expect("voted for").clone()
        };
        self.announce(at, value, None, out);
    }

    /// It is chosen: tell everybody. The others hold the value with their vote, or the
    /// batch with it and are told the dependencies.
    fn announce(
        &mut self,
        (vertex, ballot): (Vertex, Ballot),
        value: Value,
        told: Option<DepSet>,
        out: &mut Outbox<Self>,
    ) {
        let others = self.layout.nodes().without(self.own);
        out.send(others, Message::Commit { vertex, ballot, deps: told });
        self.learn(vertex, value, out);
    }

    /// An own vertex is chosen. If it is not with this leader's batch, a recoverer was faster.
    pub(crate) fn settle_own(&mut self, vertex: Vertex, value: &Value, out: &mut Outbox<Self>) {
        if let Some(batch) = self.leader.proposals.settle(vertex, &value.batch) {
            self.resubmit(vertex, batch, out);
        }
    }

    /// What is forgotten is decided.
    pub(crate) fn settle_collected(&mut self, floor: &Prefix, out: &mut Outbox<Self>) {
        for (vertex, batch) in self.leader.proposals.settle_collected(floor) {
            self.resubmit(vertex, batch, out);
        }
    }

    fn resubmit(&mut self, lost: Vertex, batch: Batch, out: &mut Outbox<Self>) {
        out.events.push(Event::Resubmitted { vertex: lost });
        self.on_submit(batch, out);
    }

    /// Repeats what was not answered, at doubling ages, and gives up waiting for the last votes.
    pub(crate) fn repeat_own(&mut self, out: &mut Outbox<Self>) {
        let (repeat, slow) =
            (self.options.ticks(self.options.repeat_ms), self.options.ticks(self.options.slow_ms));
        let all = self.layout.nodes();
        let mut late = NodeSet::EMPTY;
        self.leader.proposals.tick();
        for (vertex, proposal) in self.leader.proposals.iter() {
            let due = repeats_at(proposal.age, repeat);
            match &proposal.stage {
                Stage::Fast { votes, floor, base } => {
                    if due {
                        let (batch, floor, base) = (proposal.batch.clone(), floor.clone(), base.clone());
                        let missing = all.difference(votes.set());
                        out.send(missing, Message::FastPropose { vertex, batch, floor, base });
                    }
                    if proposal.patience() >= slow {
                        late = late.union(all.difference(votes.set()));
                    }
                }
                Stage::Slow { deps, votes } if due => {
                    let value = Value { batch: proposal.batch.clone(), deps: deps.clone() };
                    let (missing, ballot) = (all.difference(*votes), slow_ballot(self.own));
                    out.send(missing, Message::Phase2a { vertex, ballot, value });
                }
                Stage::Slow { .. } | Stage::Outbid { .. } => {}
            }
        }
        if !late.is_empty() {
            self.leader.peers.missed(late);
            self.advance_all(out);
        }
    }

    /// Some votes are not waited for any more.
    pub(crate) fn advance_all(&mut self, out: &mut Outbox<Self>) {
        let given_up = self.given_up();
        let open: Vec<Vertex> = self.leader.proposals.iter().map(|(vertex, _)| vertex).collect();
        for vertex in open {
            self.advance(vertex, given_up, out);
        }
    }

    /// Somebody promised more for an own vertex: ballots 0 and 1 are lost.
    pub(crate) fn on_outbid(&mut self, vertex: Vertex) {
        let Some(proposal) = self.leader.proposals.get_mut(vertex) else { return };
        let deps = match &mut proposal.stage {
            Stage::Fast { votes, .. } => {
                let is_answered = self.layout.quorums.dependency.is_quorum(votes.set());
                is_answered.then(|| union(votes.iter().map(|(_, deps)| deps)))
            }
            Stage::Slow { deps, .. } => Some(std::mem::take(deps)),
            Stage::Outbid { deps } => deps.take(),
        };
        proposal.stage = Stage::Outbid { deps };
    }

    /// What this leader may propose for an own vertex in a higher ballot that is free: its
    /// batch, if a dependency quorum has answered.
    pub(crate) fn own_value(&self, vertex: Vertex) -> Option<Value> {
        let proposal = self.leader.proposals.get(vertex)?;
        let Stage::Outbid { deps } = &proposal.stage else { return None };
        Some(Value { batch: proposal.batch.clone(), deps: deps.clone()? })
    }

    /// After a restart: the numbers that were reserved and never chosen hold others up.
    pub(crate) fn settle_reserved(&mut self, out: &mut Outbox<Self>) {
        let base = self.cells.base(self.own);
        let first = base.max(self.executed.below(self.own));
        for vertex in self.leader.proposals.reserved(first, base) {
            let _ = self.cell(vertex);
            if !self.is_settled(vertex) {
                self.recover(vertex, out);
            }
        }
    }

    /// Tells all nodes how much this leader's requests would cover, unless a request has
    /// done so: an idle leader must not keep them from forgetting.
    pub(crate) fn tell_floor(&mut self, out: &mut Outbox<Self>) {
        if self.leader.proposals.owes(&self.floor) {
            out.send(self.layout.nodes(), Message::Floor { floor: self.floor.clone() });
        }
    }
}
