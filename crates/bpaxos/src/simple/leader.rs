use crate::Value;
use crate::simple::message::{Message, Record};
use crate::simple::node::SimpleNode;
use isegoria_multileader::tell_added;
use isegoria_node::{Event, Outbox};
use isegoria_proposer::repeats_at;
use isegoria_types::{
    Ballot, Batch, DepSet, Footprint, Layout, NodeId, NodeSet, Prefix, Quorum, Refusal, Vertex,
};

/// How far an own vertex is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Stage {
    /// Asks dependency nodes.
    Asking { footprint: Footprint, asked: NodeSet, answers: NodeSet, deps: DepSet },
    /// Asks for votes in ballot 0. With `thrifty` since that age: without, all have been asked,
    /// and what is repeated goes by the age of the vertex.
    Proposing { deps: DepSet, asked: NodeSet, votes: NodeSet, since: u64 },
    /// Somebody recovers it: wait for what is chosen. The dependencies, if they were
    /// complete, are those of the one value proposed in ballot 0.
    Outbid { deps: Option<DepSet> },
}

impl SimpleNode {
    /// Numbers the batch and asks what it depends on.
    pub(crate) fn on_submit(&mut self, batch: Batch, footprint: Footprint, out: &mut Outbox<Self>) {
        let most = (self.options.in_flight_max, self.options.in_flight_bytes_max);
        let leads = self.layout.leaders.contains(self.own);
        let vertex = match self.proposals.room(batch.byte_len(), most) {
            Ok(vertex) if leads && self.cells.admits(vertex) => vertex,
            Ok(_) => return out.refusals.push((batch, Refusal::Unavailable)),
            Err(refusal) => return out.refusals.push((batch, refusal)),
        };
        let asked = self.asked_first(&self.layout.quorums.dependency, self.layout.dependency);
        let (answers, deps) = (NodeSet::EMPTY, DepSet::default());
        let stage = Stage::Asking { footprint: footprint.clone(), asked, answers, deps };
        if let Some(below) = self.proposals.open(batch, stage) {
            out.persist(Record::Reserved { below });
        }
        let _ = self.cell(vertex);
        self.ask(asked, vertex, footprint, out);
    }

    /// All of these, or with `thrifty` a quorum.
    fn asked_first(&self, quorum: &Quorum, all: NodeSet) -> NodeSet {
        if self.options.thrifty { self.peers.quorum(self.own, quorum, self.given_up()) } else { all }
    }

    /// Nodes that are not asked first.
    fn given_up(&self) -> NodeSet {
        self.recovery.suspected().union(self.peers.silent())
    }

    fn ask(&mut self, to: NodeSet, vertex: Vertex, footprint: Footprint, out: &mut Outbox<Self>) {
        if to == self.layout.dependency {
            self.proposals.tells(&self.floor);
        }
        out.send(to, Message::DepRequest { vertex, footprint, floor: self.floor.clone() });
    }

    /// Dependencies are the union of *all* answers of a quorum.
    pub(crate) fn on_dep_reply(
        &mut self,
        from: NodeId,
        vertex: Vertex,
        deps: &DepSet,
        out: &mut Outbox<Self>,
    ) {
        let Some(proposal) = self.proposals.get_mut(vertex) else { return };
        let Stage::Asking { answers, deps: union, .. } = &mut proposal.stage else { return };
        if answers.is_empty() {
            union.union(deps);
        } else {
            tell_added((vertex, from), union, deps, &mut out.events);
        }
        answers.insert(from);
        if !self.layout.quorums.dependency.is_quorum(*answers) {
            return;
        }
        out.events.push(Event::Answered { vertex, by: *answers });
        let deps = std::mem::take(union);
        let value = Value { batch: proposal.batch.clone(), deps };
        self.propose(vertex, value, out);
    }

    /// What it depends on is known: asks for votes.
    fn propose(&mut self, vertex: Vertex, value: Value, out: &mut Outbox<Self>) {
        let asked = self.asked_first(&self.layout.quorums.phase2, self.layout.acceptors);
        let conflicting = !self.floor.covers(value.deps.as_prefix());
        let Some(proposal) = self.proposals.get_mut(vertex) else { return };
        let (deps, votes) = (value.deps.clone(), NodeSet::EMPTY);
        let since = if self.options.thrifty { proposal.age } else { 0 };
        proposal.stage = Stage::Proposing { deps, asked, votes, since };
        out.events.push(Event::Proposed { vertex, conflicting });
        out.send(asked, Message::Phase2a { vertex, ballot: Ballot::initial(self.own), value });
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
        let Some(proposal) = self.proposals.get(vertex) else { return };
        if let Stage::Asking { footprint, .. } = &proposal.stage {
            let footprint = footprint.clone();
            self.ask(NodeSet::only(from), vertex, footprint, out);
        }
    }

    /// A vote for an own vertex in ballot 0, or for a recovery.
    pub(crate) fn on_phase2b(
        &mut self,
        from: NodeId,
        vertex: Vertex,
        ballot: Ballot,
        out: &mut Outbox<Self>,
    ) {
        let own = ballot == Ballot::initial(self.own) && vertex.leader == self.own;
        let (value, asked) = if own {
            let Some(proposal) = self.proposals.get_mut(vertex) else { return };
            let Stage::Proposing { deps, asked, votes, .. } = &mut proposal.stage else { return };
            votes.insert(from);
            if !self.layout.quorums.phase2.is_quorum(*votes) {
                return;
            }
            (Value { batch: proposal.batch.clone(), deps: deps.clone() }, *asked)
        } else {
            let Some(attempt) = self.recovery.attempt(vertex) else { return };
            if !attempt.on_vote(from, ballot, &self.layout.quorums.phase2) {
                return;
            }
            (attempt.value().expect("voted for").clone(), self.layout.acceptors)
        };
        self.announce((vertex, ballot), value, asked, out);
    }

    /// A quorum voted: tell everybody. Acceptors that were asked hold the value with their vote.
    fn announce(
        &mut self,
        (vertex, ballot): (Vertex, Ballot),
        value: Value,
        asked: NodeSet,
        out: &mut Outbox<Self>,
    ) {
        out.send(asked.without(self.own), Message::Commit { vertex, ballot });
        let mute = self.mute().union(self.layout.acceptors.difference(asked)).without(self.own);
        if !mute.is_empty() {
            out.send(mute, Message::Chosen { vertex, value: value.clone() });
        }
        let voted = self.cells.get(vertex).and_then(|cell| cell.vote());
        let voted = voted.is_some_and(|(voted, _)| voted == ballot);
        self.learn(vertex, value, voted, out);
    }

    /// An own vertex is chosen. If it is not with this leader's batch, a recoverer was faster.
    pub(crate) fn settle_own(&mut self, vertex: Vertex, value: &Value, out: &mut Outbox<Self>) {
        if let Some(batch) = self.proposals.settle(vertex, &value.batch) {
            self.resubmit(vertex, batch, out);
        }
    }

    /// What is forgotten is decided.
    pub(crate) fn settle_collected(&mut self, floor: &Prefix, out: &mut Outbox<Self>) {
        for (vertex, batch) in self.proposals.settle_collected(floor) {
            self.resubmit(vertex, batch, out);
        }
    }

    fn resubmit(&mut self, lost: Vertex, batch: Batch, out: &mut Outbox<Self>) {
        out.events.push(Event::Resubmitted { vertex: lost });
        let footprint = batch.footprint();
        self.on_submit(batch, footprint, out);
    }

    /// Repeats what was not answered, at doubling ages, and asks all, then.
    pub(crate) fn repeat_own(&mut self, out: &mut Outbox<Self>) {
        let repeat = self.options.ticks(self.options.repeat_ms);
        let (ballot, given_up) = (Ballot::initial(self.own), self.given_up());
        let Layout { dependency, acceptors, .. } = *self.layout;
        // Whoever is down is not waited for: with `thrifty`, some have not been asked yet.
        let is_short = |asked: NodeSet, missing: NodeSet, all: NodeSet| {
            asked != all && !missing.intersection(given_up).is_empty()
        };
        let (mut late, mut asks) = (NodeSet::EMPTY, Vec::new());
        self.proposals.tick();
        for (vertex, proposal) in self.proposals.iter_mut() {
            let age = proposal.age;
            match &mut proposal.stage {
                Stage::Asking { footprint, asked, answers, .. } => {
                    let missing = asked.difference(*answers);
                    let due = repeats_at(age, repeat);
                    if due || is_short(*asked, missing, dependency) {
                        late = late.union(if due { missing } else { NodeSet::EMPTY });
                        *asked = dependency;
                        asks.push((dependency.difference(*answers), vertex, footprint.clone()));
                    }
                }
                Stage::Proposing { deps, asked, votes, since } => {
                    let missing = asked.difference(*votes);
                    let due = repeats_at(age - *since, repeat);
                    if due || is_short(*asked, missing, acceptors) {
                        late = late.union(if due { missing } else { NodeSet::EMPTY });
                        *asked = acceptors;
                        let value = Value { batch: proposal.batch.clone(), deps: deps.clone() };
                        out.send(acceptors.difference(*votes), Message::Phase2a { vertex, ballot, value });
                    }
                }
                Stage::Outbid { .. } => {}
            }
        }
        self.peers.missed(late);
        for (missing, vertex, footprint) in asks {
            self.ask(missing, vertex, footprint, out);
        }
    }

    /// Somebody promised more for an own vertex: ballot 0 is lost.
    pub(crate) fn on_outbid(&mut self, vertex: Vertex) {
        if let Some(proposal) = self.proposals.get_mut(vertex) {
            let deps = match &mut proposal.stage {
                Stage::Asking { .. } => None,
                Stage::Proposing { deps, .. } => Some(std::mem::take(deps)),
                Stage::Outbid { deps } => deps.take(),
            };
            proposal.stage = Stage::Outbid { deps };
        }
    }

    /// The value that this leader may still propose for an own vertex in a higher
    /// ballot: the one of ballot 0, if its dependencies came from a quorum.
    pub(crate) fn own_value(&self, vertex: Vertex) -> Option<Value> {
        let proposal = self.proposals.get(vertex)?;
        let deps = match &proposal.stage {
            Stage::Asking { .. } => return None,
            Stage::Proposing { deps, .. } => deps.clone(),
            Stage::Outbid { deps } => deps.clone()?,
        };
        Some(Value { batch: proposal.batch.clone(), deps })
    }

    /// After a restart: the numbers that were reserved and never chosen hold others up.
    pub(crate) fn settle_reserved(&mut self, out: &mut Outbox<Self>) {
        let base = self.cells.base(self.own);
        let first = base.max(self.executed.below(self.own));
        for vertex in self.proposals.reserved(first, base) {
            let _ = self.cell(vertex);
            if !self.is_settled(vertex) {
                self.recover(vertex, out);
            }
        }
    }

    /// Tells the dependency nodes how much this leader's requests would cover, unless
    /// a request has done so: an idle leader must not keep them from forgetting.
    pub(crate) fn tell_floor(&mut self, out: &mut Outbox<Self>) {
        if self.layout.leaders.contains(self.own) && self.proposals.owes(&self.floor) {
            out.send(self.layout.dependency, Message::Floor { floor: self.floor.clone() });
        }
    }
}
