use crate::Value;
use crate::atlas::choose::{Collected, Outlook, outlook};
use crate::atlas::message::{Message, Record};
use crate::atlas::node::AtlasNode;
use isegoria_multileader::{Proposals, tell_answers};
use isegoria_node::{Event, Outbox};
use isegoria_proposer::{Peers, Tally, repeats_at};
use isegoria_types::{Ballot, Batch, DepSet, Footprint, NodeId, NodeSet, Prefix, Refusal, Vertex};

/// The leader's own vertices.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Leader {
    pub(crate) proposals: Proposals<Stage>,
    pub(crate) peers: Peers,
}

/// How far an own vertex is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Stage {
    /// Ballot 0: those who were asked say what it depends on, beside what this leader's own
    /// answer has.
    Collect { acks: Tally<DepSet>, quorum: NodeSet, asked: NodeSet, floor: Prefix },
    /// Ballot 1: votes for the union of what was said.
    Slow { deps: DepSet, votes: NodeSet },
    /// Somebody recovers it: wait for what is chosen.
    Outbid,
}

/// The leader's second ballot. Nobody but the leader decides in its first, so that it needs
/// no promises for it.
pub(crate) fn slow_ballot(leader: NodeId) -> Ballot {
    Ballot { round: 1, owner: leader }
}

impl Leader {
    pub(crate) fn new(own: NodeId, node_count: usize, tail_ticks: u64) -> Leader {
        Leader { proposals: Proposals::with_tail(own, tail_ticks), peers: Peers::new(own, node_count) }
    }
}

impl AtlasNode {
    /// Numbers the batch, works out what it depends on here, and asks a fast quorum.
    pub(crate) fn on_submit(&mut self, batch: Batch, footprint: &Footprint, out: &mut Outbox<Self>) {
        let most = (self.options.in_flight_max, self.options.in_flight_bytes_max);
        let vertex = match self.leader.proposals.room(batch.byte_len(), most) {
            Ok(vertex) if self.instances.admits(vertex) => vertex,
            Ok(_) => return out.refusals.push((batch, Refusal::Unavailable)),
            Err(refusal) => return out.refusals.push((batch, refusal)),
        };
        if self.leader.proposals.is_late() && self.would_wait(&batch, footprint) {
            out.events.push(Event::HeldBack { at: self.own });
            return self.leader.proposals.hold(batch);
        }
        let quorum = self.leader.peers.quorum(self.own, &self.fast_quorum, self.given_up());
        let deps = self.conflicts(vertex, footprint);
        let mut acks = Tally::default();
        acks.answer(self.own, deps.clone());
        let floor = self.floor.clone();
        let stage = Stage::Collect { acks, quorum, asked: quorum, floor: floor.clone() };
        if let Some(below) = self.leader.proposals.open(batch.clone(), stage) {
            out.persist(Record::Reserved { below });
        }
        let value = Value { batch: batch.clone(), deps: deps.clone() };
        self.say(vertex, Collected { value, quorum: Some(quorum) }, out);
        out.send(quorum.without(self.own), Message::Collect { vertex, batch, deps, floor, quorum });
        self.advance(vertex, self.given_up(), out);
    }

    pub(crate) fn on_collect_ack(
        &mut self,
        from: NodeId,
        vertex: Vertex,
        deps: DepSet,
        out: &mut Outbox<Self>,
    ) {
        let Some(proposal) = self.leader.proposals.get_mut(vertex) else { return };
        let Stage::Collect { acks, .. } = &mut proposal.stage else { return };
        acks.answer(from, deps);
        self.advance(vertex, self.given_up(), out);
    }

    /// Whether a batch would have to wait for others to be executed, and may: what replicas propose
    /// themselves is never held back, for memory depends on it.
    fn would_wait(&self, batch: &Batch, footprint: &Footprint) -> bool {
        if batch.iter().all(|command| command.is_housekeeping()) {
            return false;
        }
        let answer = self.index.deps(footprint, &self.floor);
        answer.deps().is_none_or(|deps| !self.executed.covers(deps.as_prefix()))
    }

    /// The replica beside this node has executed more: what was held back for that goes on.
    pub(crate) fn on_executed(&mut self, prefix: &Prefix, out: &mut Outbox<Self>) {
        self.executed.union(prefix);
        self.leader.proposals.executed(prefix);
        // What a snapshot has executed nobody tells this leader of.
        self.settle_collected(prefix, out);
        for _ in 0..self.leader.proposals.held_count() {
            let Some(batch) = self.leader.proposals.release() else { return };
            let footprint = batch.footprint();
            if self.leader.proposals.is_late() && self.would_wait(&batch, &footprint) {
                self.leader.proposals.hold(batch);
            } else {
                self.on_submit(batch, &footprint, out);
            }
        }
    }

    /// Nodes whose answers are not waited for.
    fn given_up(&self) -> NodeSet {
        self.recovery.suspected().union(self.leader.peers.silent())
    }

    /// Goes on with an own vertex of ballot 0 as far as its answers lead.
    pub(crate) fn advance(&mut self, vertex: Vertex, given_up: NodeSet, out: &mut Outbox<Self>) {
        let Some(proposal) = self.leader.proposals.get_mut(vertex) else { return };
        let Stage::Collect { acks, quorum, .. } = &proposal.stage else { return };
        let (batch, quorum) = (proposal.batch.clone(), *quorum);
        match outlook(acks, (quorum, self.named_by), &self.quorums.dependency, given_up) {
            Outlook::Open => {}
            Outlook::Short => self.ask_others(vertex, out),
            Outlook::Chosen(deps) => {
                let is_every_answer = acks.iter().all(|(_, said)| *said == deps);
                let told = (!is_every_answer).then(|| deps.clone());
                let answered = acks.set();
                out.persist(Record::FastChosen { vertex, deps: deps.clone(), quorum });
                tell_answers(vertex, acks, &mut out.events);
                out.events.push(Event::Path { vertex, fast: true });
                self.note_proposed(vertex, &deps, out);
                let (ballot, value) = (Ballot::initial(self.own), Value { batch, deps });
                let others = self.layout.nodes().without(self.own);
                let has_batch = answered.intersection(others);
                out.send(has_batch, Message::Commit { vertex, ballot, deps: told });
                out.send(others.difference(answered), Message::Chosen { vertex, value: value.clone() });
                self.decide(vertex, value, out);
            }
            Outlook::Slow(deps) => {
                tell_answers(vertex, acks, &mut out.events);
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

    /// Asks those who are not in the fast quorum, too.
    fn ask_others(&mut self, vertex: Vertex, out: &mut Outbox<Self>) {
        let all = self.layout.nodes();
        let Some(proposal) = self.leader.proposals.get_mut(vertex) else { return };
        let Stage::Collect { asked, .. } = &mut proposal.stage else { return };
        let others = all.difference(*asked);
        *asked = all;
        self.ask(vertex, others, out);
    }

    /// Asks (again) what the vertex depends on.
    fn ask(&self, vertex: Vertex, whom: NodeSet, out: &mut Outbox<Self>) {
        let Some(proposal) = self.leader.proposals.get(vertex) else { return };
        let Stage::Collect { acks, quorum, floor, .. } = &proposal.stage else { return };
        let deps = acks.get(self.own).expect("this leader has said so itself").clone();
        let (batch, floor, quorum) = (proposal.batch.clone(), floor.clone(), *quorum);
        out.send(whom, Message::Collect { vertex, batch, deps, floor, quorum });
    }

    /// The node has dropped more than this leader knew to be executed everywhere.
    pub(crate) fn on_stale_floor(
        &mut self,
        from: NodeId,
        vertex: Vertex,
        dropped: &Prefix,
        out: &mut Outbox<Self>,
    ) {
        self.floor.union(dropped);
        out.events.push(Event::StaleFloor { vertex });
        let Some(proposal) = self.leader.proposals.get_mut(vertex) else { return };
        let Stage::Collect { floor, .. } = &mut proposal.stage else { return };
        floor.union(&self.floor);
        self.ask(vertex, NodeSet::only(from), out);
    }

    /// A vote: for an own vertex in ballot 1, or for a recovery.
    pub(crate) fn on_phase2b(&mut self, from: NodeId, at: (Vertex, Ballot), out: &mut Outbox<Self>) {
        let (vertex, ballot) = at;
        let quorum = &self.quorums.phase2;
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
            let Some(value) = attempt.on_vote(from, ballot, quorum) else { return };
            value
        };
        let others = self.layout.nodes().without(self.own);
        out.send(others, Message::Commit { vertex, ballot, deps: None });
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
        let footprint = batch.footprint();
        self.on_submit(batch, &footprint, out);
    }

    /// Repeats what was not answered, at doubling ages, and gives up waiting for the last answers.
    pub(crate) fn repeat_own(&mut self, out: &mut Outbox<Self>) {
        let (repeat, slow) =
            (self.options.ticks(self.options.repeat_ms), self.options.ticks(self.options.slow_ms));
        let all = self.layout.nodes();
        let mut late = NodeSet::EMPTY;
        self.leader.proposals.tick();
        for (vertex, proposal) in self.leader.proposals.iter() {
            let due = repeats_at(proposal.age, repeat);
            match &proposal.stage {
                Stage::Collect { acks, asked, .. } => {
                    let missing = asked.difference(acks.set());
                    if due {
                        self.ask(vertex, missing, out);
                    }
                    if proposal.patience() >= slow {
                        late = late.union(missing);
                    }
                }
                Stage::Slow { deps, votes } if due => {
                    let value = Value { batch: proposal.batch.clone(), deps: deps.clone() };
                    let (missing, ballot) = (all.difference(*votes), slow_ballot(self.own));
                    out.send(missing, Message::Phase2a { vertex, ballot, value });
                }
                Stage::Slow { .. } | Stage::Outbid => {}
            }
        }
        if !late.is_empty() {
            self.leader.peers.missed(late);
            self.advance_all(out);
        }
    }

    /// Some answers are not waited for any more.
    pub(crate) fn advance_all(&mut self, out: &mut Outbox<Self>) {
        let given_up = self.given_up();
        let open: Vec<Vertex> = self.leader.proposals.iter().map(|(vertex, _)| vertex).collect();
        for vertex in open {
            self.advance(vertex, given_up, out);
        }
    }

    /// This node promised more, or voted: it does not decide any more at once, if the vertex is its own.
    pub(crate) fn on_promised(&mut self, vertex: Vertex) {
        let stage = self.leader.proposals.get(vertex).map(|proposal| &proposal.stage);
        if matches!(stage, Some(Stage::Collect { .. })) {
            self.on_outbid(vertex);
        }
    }

    /// A node has refused an own ballot. That ends the stage of that ballot, and no later one: an
    /// answer to ballot 0 may come behind what ballot 1 has done.
    pub(crate) fn on_own_nack(&mut self, vertex: Vertex, ballot: Ballot, promised: Ballot) {
        let is_of_stage = match self.leader.proposals.get(vertex).map(|proposal| &proposal.stage) {
            Some(Stage::Collect { .. }) => ballot.round == 0,
            Some(Stage::Slow { .. }) => ballot == slow_ballot(self.own),
            Some(Stage::Outbid) | None => false,
        };
        if is_of_stage && promised > slow_ballot(self.own) {
            self.on_outbid(vertex);
        }
    }

    /// Somebody promised more for an own vertex: ballots 0 and 1 are lost.
    pub(crate) fn on_outbid(&mut self, vertex: Vertex) {
        if let Some(proposal) = self.leader.proposals.get_mut(vertex) {
            proposal.stage = Stage::Outbid;
        }
    }

    /// After a restart: the numbers that were reserved and never chosen hold others up.
    pub(crate) fn settle_reserved(&mut self, out: &mut Outbox<Self>) {
        let base = self.instances.base(self.own);
        let first = base.max(self.executed.below(self.own));
        for vertex in self.leader.proposals.reserved(first, base) {
            let _ = self.instance(vertex);
            if !self.is_settled(vertex) {
                self.recover(vertex, out);
            }
        }
    }

    /// Tells all nodes how much this leader's requests cover from now on: most are not asked.
    pub(crate) fn tell_floor(&mut self, out: &mut Outbox<Self>) {
        if self.leader.proposals.owes(&self.floor) {
            out.send(self.layout.nodes(), Message::Floor { floor: self.floor.clone() });
        }
    }
}
