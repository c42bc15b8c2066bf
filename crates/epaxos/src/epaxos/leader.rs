use crate::Value;
use crate::epaxos::choose::{Outlook, outlook};
use crate::epaxos::instance::PreAccepted;
use crate::epaxos::message::{Message, Record};
use crate::epaxos::node::EpaxosNode;
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
    /// Ballot 0: everybody who is asked says what it depends on, beside what this leader's own
    /// answer has. The floor is the one that it has with its number, whatever was collected since.
    PreAccept { oks: Tally<DepSet>, asked: NodeSet, floor: Prefix },
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

impl EpaxosNode {
    /// Numbers the batch, works out what it depends on here, and asks the others.
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
        let deps = self.conflicts(vertex, footprint, out);
        let mut oks = Tally::default();
        oks.answer(self.own, deps.clone());
        let floor = self.floor.clone();
        let to = self.asked_first();
        let stage = Stage::PreAccept { oks, asked: to, floor: floor.clone() };
        if let Some(below) = self.leader.proposals.open(batch.clone(), stage) {
            out.persist(Record::Reserved { below });
        }
        let asked = PreAccepted { batch: batch.clone(), initial: deps.clone(), deps: Some(deps.clone()) };
        self.note_asked(vertex, asked, out);
        out.send(to.without(self.own), Message::PreAccept { vertex, batch, deps, floor });
        self.advance(vertex, self.given_up(), out);
    }

    /// All nodes, or with `thrifty` a fast quorum.
    fn asked_first(&self) -> NodeSet {
        if self.options.thrifty {
            self.leader.peers.quorum(self.own, &self.sizes.fast_quorum(), self.given_up())
        } else {
            self.layout.nodes()
        }
    }

    pub(crate) fn on_pre_accept_ok(
        &mut self,
        from: NodeId,
        vertex: Vertex,
        deps: DepSet,
        out: &mut Outbox<Self>,
    ) {
        self.leader.peers.heard(from);
        let Some(proposal) = self.leader.proposals.get_mut(vertex) else { return };
        let Stage::PreAccept { oks, .. } = &mut proposal.stage else { return };
        oks.answer(from, deps);
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
        // What a snapshot has executed nobody tells this leader of, and nobody need recover.
        let is_over = |vertex: &Vertex| prefix.contains(*vertex) && !self.executed.contains(*vertex);
        let over: Vec<Vertex> = self.recovery.attempts().map(|(vertex, _)| vertex).filter(is_over).collect();
        over.into_iter().for_each(|vertex| self.recovery.abandon(vertex));
        self.executed.union(prefix);
        self.leader.proposals.executed(prefix);
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
        let Stage::PreAccept { oks, asked, .. } = &proposal.stage else { return };
        let (batch, asked) = (proposal.batch.clone(), *asked);
        let others = self.layout.nodes().difference(asked);
        match outlook(self.own, oks, self.sizes, given_up.union(others)) {
            Outlook::Open => {
                if asked.difference(oks.set()).difference(given_up).is_empty() {
                    self.ask_others(vertex, out);
                }
            }
            Outlook::Fast => {
                let deps = oks.get(self.own).expect("its own answer").clone();
                out.persist(Record::FastChosen { vertex });
                tell_answers(vertex, oks, &mut out.events);
                out.events.push(Event::Path { vertex, fast: true });
                self.note_proposed(vertex, &deps, out);
                let value = Value { batch, deps };
                let ballot = Ballot::initial(self.own);
                out.send(asked.without(self.own), Message::Commit { vertex, ballot });
                if !others.is_empty() {
                    out.send(others, Message::Chosen { vertex, value: value.clone() });
                }
                self.decide(vertex, value, out);
            }
            Outlook::Slow(deps) => {
                tell_answers(vertex, oks, &mut out.events);
                proposal.stage = Stage::Slow { deps: deps.clone(), votes: NodeSet::EMPTY };
                out.events.push(Event::Path { vertex, fast: false });
                self.note_proposed(vertex, &deps, out);
                let (ballot, value) = (slow_ballot(self.own), Value { batch, deps });
                out.send(self.layout.nodes(), Message::Phase2a { vertex, ballot, value });
            }
        }
    }

    /// Asks those who were not asked, too.
    fn ask_others(&mut self, vertex: Vertex, out: &mut Outbox<Self>) {
        let all = self.layout.nodes();
        let Some(proposal) = self.leader.proposals.get_mut(vertex) else { return };
        let Stage::PreAccept { asked, .. } = &mut proposal.stage else { return };
        let others = all.difference(*asked);
        *asked = all;
        if !others.is_empty() {
            self.ask(vertex, others, out);
        }
    }

    /// Asks (again) what the vertex depends on.
    fn ask(&self, vertex: Vertex, whom: NodeSet, out: &mut Outbox<Self>) {
        let Some(proposal) = self.leader.proposals.get(vertex) else { return };
        let Stage::PreAccept { oks, floor, .. } = &proposal.stage else { return };
        let deps = oks.get(self.own).expect("its own answer").clone();
        let (batch, floor) = (proposal.batch.clone(), floor.clone());
        out.send(whom, Message::PreAccept { vertex, batch, deps, floor });
    }

    fn note_proposed(&self, vertex: Vertex, deps: &DepSet, out: &mut Outbox<Self>) {
        let conflicting = !self.floor.covers(deps.as_prefix());
        out.events.push(Event::Proposed { vertex, conflicting });
    }

    /// The node has dropped more than what this vertex was asked with, which cannot be changed
    /// any more: give it up, and submit the batch again as a vertex that covers it.
    pub(crate) fn on_stale_floor(&mut self, vertex: Vertex, dropped: &Prefix, out: &mut Outbox<Self>) {
        self.raise_floor(dropped, out);
        out.events.push(Event::StaleFloor { vertex });
        let stage = self.leader.proposals.get(vertex).map(|proposal| &proposal.stage);
        if matches!(stage, Some(Stage::PreAccept { .. })) {
            self.recover(vertex, out);
        }
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
        out.send(others, Message::Commit { vertex, ballot });
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
                Stage::PreAccept { oks, asked, .. } => {
                    let missing = asked.difference(oks.set());
                    if due {
                        self.ask(vertex, missing, out);
                    }
                    if proposal.patience() >= slow || (due && *asked != all) {
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
        if matches!(stage, Some(Stage::PreAccept { .. })) {
            self.on_outbid(vertex);
        }
    }

    /// A node has refused an own ballot. That ends the stage of that ballot, and no later one: an
    /// answer to ballot 0 may come behind what ballot 1 has done.
    pub(crate) fn on_own_nack(&mut self, vertex: Vertex, ballot: Ballot, promised: Ballot) {
        let is_of_stage = match self.leader.proposals.get(vertex).map(|proposal| &proposal.stage) {
            Some(Stage::PreAccept { .. }) => ballot.round == 0,
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
}
