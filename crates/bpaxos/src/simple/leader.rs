use crate::Value;
use crate::simple::message::{Message, Record};
use crate::simple::node::SimpleNode;
use isegoria_node::{Event, Outbox};
use isegoria_proposer::{InFlight, Numbers, repeats_at};
use isegoria_types::{
    Ballot, Batch, DepSet, Footprint, NodeId, NodeSet, Prefix, Refusal, Vertex, VertexMap, WINDOW_MAX,
};

/// The leader's own vertices.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Leader {
    pub(crate) numbers: Numbers,
    /// Own vertices that are not chosen yet.
    pub(crate) proposals: VertexMap<Proposal>,
    /// How many of them there are, and what they take.
    pub(crate) in_flight: InFlight,
    /// The floor that the dependency nodes were last told.
    told_floor: Prefix,
}

/// An own vertex on its way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Proposal {
    pub(crate) batch: Batch,
    pub(crate) footprint: Footprint,
    pub(crate) stage: Stage,
    /// Ticks since it was submitted; what is repeated is repeated at doubling ages.
    pub(crate) age: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Stage {
    /// Asks the dependency nodes.
    Asking { answers: NodeSet, deps: DepSet },
    /// Asks for votes in ballot 0.
    Proposing { deps: DepSet, votes: NodeSet },
    /// Somebody recovers it: wait for what is chosen. The dependencies, if they were
    /// complete, are those of the one value proposed in ballot 0.
    Outbid { deps: Option<DepSet> },
}

impl SimpleNode {
    /// Numbers the batch and asks what it depends on.
    pub(crate) fn on_submit(&mut self, batch: Batch, footprint: Footprint, out: &mut Outbox<Self>) {
        let most = (self.options.in_flight_max, self.options.in_flight_bytes_max);
        if !self.leader.in_flight.has_room(batch.byte_len(), most) {
            out.refusals.push((batch, Refusal::Overloaded));
            return;
        }
        let vertex = Vertex::new(self.own, self.leader.numbers.next());
        if !self.layout.leaders.contains(self.own) || !self.cells.admits(vertex) {
            out.refusals.push((batch, Refusal::Unavailable));
            return;
        }
        if let (_, Some(below)) = self.leader.numbers.take() {
            out.persist(Record::Reserved { below });
        }
        self.leader.in_flight.enter(batch.byte_len());
        let _ = self.cell(vertex);
        let stage = Stage::Asking { answers: NodeSet::EMPTY, deps: DepSet::default() };
        self.leader.proposals.insert(vertex, Proposal { batch, footprint: footprint.clone(), stage, age: 0 });
        self.ask(self.layout.dependency, vertex, footprint, out);
    }

    fn ask(&mut self, to: NodeSet, vertex: Vertex, footprint: Footprint, out: &mut Outbox<Self>) {
        if to == self.layout.dependency {
            self.leader.told_floor = self.floor.clone();
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
        let Some(proposal) = self.leader.proposals.get_mut(vertex) else { return };
        let Stage::Asking { answers, deps: union } = &mut proposal.stage else { return };
        answers.insert(from);
        union.union(deps);
        if !self.layout.quorums.dependency.is_quorum(*answers) {
            return;
        }
        let deps = std::mem::take(union);
        let value = Value { batch: proposal.batch.clone(), deps: deps.clone() };
        let conflicting = !self.floor.covers(deps.as_prefix());
        proposal.stage = Stage::Proposing { deps, votes: NodeSet::EMPTY };
        out.events.push(Event::Proposed { vertex, conflicting });
        let ballot = Ballot::initial(self.own);
        out.send(self.layout.acceptors, Message::Phase2a { vertex, ballot, value });
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
        if matches!(proposal.stage, Stage::Asking { .. }) {
            let footprint = proposal.footprint.clone();
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
        let value = if own {
            let Some(proposal) = self.leader.proposals.get_mut(vertex) else { return };
            let Stage::Proposing { deps, votes } = &mut proposal.stage else { return };
            votes.insert(from);
            if !self.layout.quorums.phase2.is_quorum(*votes) {
                return;
            }
            Value { batch: proposal.batch.clone(), deps: deps.clone() }
        } else {
            let Some(attempt) = self.recovery.attempt(vertex) else { return };
            if !attempt.on_vote(from, ballot, &self.layout.quorums.phase2) {
                return;
            }
            attempt.value().expect("voted for").clone()
        };
        self.announce(vertex, ballot, value, out);
    }

    /// A quorum voted: tell everybody. Acceptors hold the value with their vote.
    fn announce(&mut self, vertex: Vertex, ballot: Ballot, value: Value, out: &mut Outbox<Self>) {
        out.send(self.layout.acceptors.without(self.own), Message::Commit { vertex, ballot });
        let mute = self.mute().without(self.own);
        if !mute.is_empty() {
            out.send(mute, Message::Chosen { vertex, value: value.clone() });
        }
        let voted = self.cells.get(vertex).and_then(|cell| cell.vote());
        let voted = voted.is_some_and(|(voted, _)| voted == ballot);
        self.learn(vertex, value, voted, out);
    }

    /// An own vertex is chosen. If it is not with this leader's batch, a recoverer was
    /// faster: submit the batch again, as a new vertex. Sessions keep it exactly-once.
    pub(crate) fn settle_own(&mut self, vertex: Vertex, value: &Value, out: &mut Outbox<Self>) {
        let Some(proposal) = self.leader.proposals.remove(vertex) else { return };
        self.leader.in_flight.leave(proposal.batch.byte_len());
        if proposal.batch != value.batch {
            out.events.push(Event::Resubmitted { vertex });
            self.on_submit(proposal.batch, proposal.footprint, out);
        }
    }

    /// What is forgotten is decided. An own vertex that this leader has not heard of was
    /// executed by a snapshot, with its batch or as a noop: submitted again, the batch is
    /// executed if it was not, and answered in any case.
    pub(crate) fn settle_collected(&mut self, floor: &Prefix, out: &mut Outbox<Self>) {
        let mut unheard = Vec::new();
        self.leader.proposals.take_prefix(floor, |vertex, proposal| unheard.push((vertex, proposal)));
        for (vertex, proposal) in unheard {
            self.leader.in_flight.leave(proposal.batch.byte_len());
            out.events.push(Event::Resubmitted { vertex });
            self.on_submit(proposal.batch, proposal.footprint, out);
        }
    }

    /// Repeats what was not answered, at doubling ages.
    pub(crate) fn repeat_own(&mut self, out: &mut Outbox<Self>) {
        let repeat = self.options.ticks(self.options.repeat_ms);
        let ballot = Ballot::initial(self.own);
        let mut asks = Vec::new();
        let (mut vertex, end) =
            (Vertex::new(self.own, self.leader.proposals.base(self.own)), self.leader.numbers.next());
        while vertex.number < end {
            if let Some(proposal) = self.leader.proposals.get_mut(vertex) {
                proposal.age += 1;
                let due = repeats_at(proposal.age, repeat);
                match &proposal.stage {
                    Stage::Asking { answers, .. } if due => {
                        let missing = self.layout.dependency.difference(*answers);
                        asks.push((missing, vertex, proposal.footprint.clone()));
                    }
                    Stage::Proposing { deps, votes } if due => {
                        let value = Value { batch: proposal.batch.clone(), deps: deps.clone() };
                        let missing = self.layout.acceptors.difference(*votes);
                        out.send(missing, Message::Phase2a { vertex, ballot, value });
                    }
                    _ => {}
                }
            }
            vertex.number += 1;
        }
        for (missing, vertex, footprint) in asks {
            self.ask(missing, vertex, footprint, out);
        }
    }

    /// Somebody promised more for an own vertex: ballot 0 is lost.
    pub(crate) fn on_outbid(&mut self, vertex: Vertex) {
        if let Some(proposal) = self.leader.proposals.get_mut(vertex) {
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
        let proposal = self.leader.proposals.get(vertex)?;
        let deps = match &proposal.stage {
            Stage::Asking { .. } => return None,
            Stage::Proposing { deps, .. } => deps.clone(),
            Stage::Outbid { deps } => deps.clone()?,
        };
        Some(Value { batch: proposal.batch.clone(), deps })
    }

    /// After a restart: the numbers that were reserved and never chosen hold others up.
    pub(crate) fn settle_reserved(&mut self, out: &mut Outbox<Self>) {
        let first = self.cells.base(self.own).max(self.executed.below(self.own));
        // The last reservation may reach beyond what may be held; it is not used there.
        let end =
            self.leader.numbers.reserved_below().min(self.cells.base(self.own).saturating_add(WINDOW_MAX));
        for number in first..end {
            let vertex = Vertex::new(self.own, number);
            let _ = self.cell(vertex);
            if !self.is_settled(vertex) {
                self.recover(vertex, out);
            }
        }
    }

    /// Tells the dependency nodes how much this leader's requests would cover, unless
    /// a request has done so: an idle leader must not keep them from forgetting.
    pub(crate) fn tell_floor(&mut self, out: &mut Outbox<Self>) {
        if self.layout.leaders.contains(self.own) && self.leader.told_floor != self.floor {
            self.leader.told_floor = self.floor.clone();
            out.send(self.layout.dependency, Message::Floor { floor: self.floor.clone() });
        }
    }
}
