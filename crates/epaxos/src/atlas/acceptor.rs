use crate::Value;
use crate::atlas::choose::{Collected, Heard};
use crate::atlas::message::{Message, Record};
use crate::atlas::node::AtlasNode;
use isegoria_acceptor::{Accepted, Promise};
use isegoria_depservice::Answer;
use isegoria_node::Outbox;
use isegoria_types::{Ballot, Batch, DepSet, NodeId, NodeSet, Prefix, Vertex};

/// A leader's request for dependencies.
pub(crate) struct Request {
    pub(crate) batch: Batch,
    /// What conflicts at the leader.
    pub(crate) deps: DepSet,
    pub(crate) floor: Prefix,
    pub(crate) quorum: NodeSet,
}

impl AtlasNode {
    /// Says what conflicts here beside what the leader knows, and records the vertex before
    /// the answer leaves. Asked again, this node says the same.
    pub(crate) fn on_collect(&mut self, vertex: Vertex, request: Request, out: &mut Outbox<Self>) {
        let leader = vertex.leader;
        let Request { batch, deps, floor, quorum } = request;
        self.index.announce(leader, &floor);
        let Some(instance) = self.instance(vertex) else {
            out.send_to(leader, Message::Gced { floor: self.floor.clone() });
            return;
        };
        if let Some(value) = instance.cell.chosen() {
            let value = value.clone();
            out.send_to(leader, Message::Chosen { vertex, value });
        } else if let Some(promised) = instance.cell.promised() {
            out.send_to(leader, Message::Nack { vertex, ballot: Ballot::initial(leader), promised });
        } else if let Some(Collected { value, quorum: Some(_) }) = &instance.collected {
            let deps = value.deps.clone();
            out.send_to(leader, Message::CollectAck { vertex, deps });
        } else {
            match self.index.compute(vertex, &batch.footprint(), &floor) {
                Answer::StaleFloor(floor) => out.send_to(leader, Message::StaleFloor { vertex, floor }),
                Answer::Deps(mut said) => {
                    said.union(&deps);
                    let value = Value { batch, deps: said.clone() };
                    self.say(vertex, Collected { value, quorum: Some(quorum) }, out);
                    out.send_to(leader, Message::CollectAck { vertex, deps: said });
                }
            }
        }
    }

    /// This node has recorded the vertex, and says so from now on.
    pub(crate) fn say(&mut self, vertex: Vertex, collected: Collected, out: &mut Outbox<Self>) {
        out.persist(Record::Collected { vertex, collected: collected.clone() });
        self.instance(vertex).expect("not forgotten").collected = Some(collected);
    }

    pub(crate) fn on_floor(&mut self, from: NodeId, floor: &Prefix) {
        self.index.announce(from, floor);
    }

    /// Promises, and says what it holds. What it was not asked for by the leader it works out
    /// now, if the recoverer knows the commands.
    pub(crate) fn on_phase1a(
        &mut self,
        (vertex, ballot): (Vertex, Ballot),
        batch: Option<Batch>,
        out: &mut Outbox<Self>,
    ) {
        let recoverer = ballot.owner;
        let Some(instance) = self.instance(vertex) else {
            out.send_to(recoverer, Message::Gced { floor: self.floor.clone() });
            return;
        };
        let is_fresh = match instance.cell.promise(ballot) {
            Promise::Chosen(value) => {
                let value = value.clone();
                out.send_to(recoverer, Message::Chosen { vertex, value });
                return;
            }
            Promise::Rejected { promised } => {
                out.send_to(recoverer, Message::Nack { vertex, ballot, promised });
                return;
            }
            Promise::Granted { .. } => true,
            Promise::Repeated { .. } => false,
        };
        let has_said = instance.collected.is_some();
        // The promise first: an answer to a recoverer without one would pass for an answer to the
        // leader, should the log end between the two (ledger 25).
        if is_fresh {
            out.persist(Record::Promised { vertex, ballot });
            self.on_promised(vertex);
        }
        if let (true, false, Some(batch)) = (is_fresh, has_said, batch) {
            let deps = self.conflicts(vertex, &batch.footprint());
            self.say(vertex, Collected { value: Value { batch, deps }, quorum: None }, out);
        }
        let instance = self.instance(vertex).expect("not forgotten");
        let vote = instance.cell.vote().map(|(ballot, value)| (ballot, value.clone()));
        let heard = Heard { vote, collected: instance.collected.clone() };
        out.send_to(recoverer, Message::Phase1b { vertex, ballot, heard });
    }

    pub(crate) fn on_phase2a(&mut self, at: (Vertex, Ballot), value: Value, out: &mut Outbox<Self>) {
        let (vertex, ballot) = at;
        let proposer = ballot.owner;
        let Some(instance) = self.instance(vertex) else {
            out.send_to(proposer, Message::Gced { floor: self.floor.clone() });
            return;
        };
        match instance.cell.accept(ballot, value) {
            Accepted::Chosen(value) => {
                let value = value.clone();
                out.send_to(proposer, Message::Chosen { vertex, value });
            }
            Accepted::Rejected { promised } => {
                out.send_to(proposer, Message::Nack { vertex, ballot, promised });
            }
            Accepted::Voted => {
                let (_, value) = instance.cell.vote().expect("just voted");
                out.persist(Record::Voted { vertex, ballot, value: value.clone() });
                out.send_to(proposer, Message::Phase2b { vertex, ballot });
                self.on_promised(vertex);
            }
            Accepted::Repeated => out.send_to(proposer, Message::Phase2b { vertex, ballot }),
        }
    }

    /// Chosen in `ballot`: known here, if this node voted in it. In ballot 0 it has the
    /// commands, if it was asked, and `deps` says what they depend on, if not what it said.
    pub(crate) fn on_commit(
        &mut self,
        from: NodeId,
        (vertex, ballot): (Vertex, Ballot),
        deps: Option<DepSet>,
        out: &mut Outbox<Self>,
    ) {
        let Some(instance) = self.instance(vertex) else { return };
        if instance.cell.chosen().is_some() {
            return;
        }
        let known = match (instance.cell.vote(), &instance.collected) {
            (_, Some(said)) if ballot.round == 0 && said.quorum.is_some() => {
                let deps = deps.unwrap_or_else(|| said.value.deps.clone());
                Some(Value { batch: said.value.batch.clone(), deps })
            }
            (Some((voted, value)), _) if voted == ballot => Some(value.clone()),
            _ => None,
        };
        match known {
            Some(value) => self.learn(vertex, value, out),
            None => out.send_to(from, Message::Fetch { vertex }),
        }
    }

    pub(crate) fn on_fetch(&mut self, from: NodeId, vertex: Vertex, out: &mut Outbox<Self>) {
        if let Some(value) = self.chosen(vertex) {
            let value = value.clone();
            out.send_to(from, Message::Chosen { vertex, value });
        }
    }
}
