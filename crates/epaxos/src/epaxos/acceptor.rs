use crate::Value;
use crate::epaxos::choose::{Conflict, Heard};
use crate::epaxos::instance::PreAccepted;
use crate::epaxos::message::{Message, Record};
use crate::epaxos::node::EpaxosNode;
use isegoria_acceptor::{Accepted, Promise};
use isegoria_depservice::Answer;
use isegoria_node::Outbox;
use isegoria_types::{Ballot, Batch, DepSet, Footprint, NodeId, Prefix, Vertex};

impl EpaxosNode {
    /// Says what conflicts here beside what the leader knows, and records the vertex before
    /// the answer leaves. Asked again, this node says the same.
    pub(crate) fn on_pre_accept(
        &mut self,
        vertex: Vertex,
        (batch, initial): (Batch, DepSet),
        floor: &Prefix,
        out: &mut Outbox<Self>,
    ) {
        let leader = vertex.leader;
        self.announcements.hear(leader, floor, vertex.number);
        let Some(instance) = self.instance(vertex) else {
            out.send_to(leader, Message::Gced { floor: self.floor.clone() });
            return;
        };
        if let Some(value) = instance.cell.chosen() {
            let value = value.clone();
            out.send_to(leader, Message::Chosen { vertex, value });
        } else if let Some(promised) = instance.cell.promised() {
            out.send_to(leader, Message::Nack { vertex, ballot: Ballot::initial(leader), promised });
        } else if let Some(PreAccepted { deps: Some(deps), .. }) = &instance.asked {
            let deps = deps.clone();
            out.send_to(leader, Message::PreAcceptOk { vertex, deps });
        } else {
            match self.index.compute(vertex, &batch.footprint(), initial.as_prefix()) {
                Answer::StaleFloor(floor) => out.send_to(leader, Message::StaleFloor { vertex, floor }),
                Answer::Deps(deps) => {
                    self.note_asked(vertex, PreAccepted { batch, initial, deps: Some(deps.clone()) }, out);
                    out.send_to(leader, Message::PreAcceptOk { vertex, deps });
                }
            }
        }
    }

    /// This node has recorded the vertex, and says so from now on.
    pub(crate) fn note_asked(&mut self, vertex: Vertex, asked: PreAccepted, out: &mut Outbox<Self>) {
        out.persist(Record::Asked { vertex, asked: asked.clone() });
        self.instance(vertex).expect("not forgotten").asked = Some(asked);
    }

    pub(crate) fn on_phase1a(&mut self, vertex: Vertex, ballot: Ballot, out: &mut Outbox<Self>) {
        let recoverer = ballot.owner;
        let Some(instance) = self.instance(vertex) else {
            out.send_to(recoverer, Message::Gced { floor: self.floor.clone() });
            return;
        };
        let (is_fresh, vote) = match instance.cell.promise(ballot) {
            Promise::Chosen(value) => {
                let value = value.clone();
                out.send_to(recoverer, Message::Chosen { vertex, value });
                return;
            }
            Promise::Rejected { promised } => {
                out.send_to(recoverer, Message::Nack { vertex, ballot, promised });
                return;
            }
            Promise::Granted { vote } => (true, vote),
            Promise::Repeated { vote } => (false, vote),
        };
        let vote = vote.map(|(ballot, value)| (ballot, value.clone()));
        let heard = Heard { vote, asked: instance.asked.clone() };
        if is_fresh {
            out.persist(Record::Promised { vertex, ballot });
            self.on_promised(vertex);
        }
        out.send_to(recoverer, Message::Phase1b { vertex, ballot, heard });
    }

    /// Records what the leader may have decided, and says what speaks against it. A node that
    /// has voted since says nothing: its request comes late (trace B24).
    pub(crate) fn on_validate(&mut self, at: (Vertex, Ballot), value: Value, out: &mut Outbox<Self>) {
        let (vertex, ballot) = at;
        let recoverer = ballot.owner;
        let dropped = self.index.dropped().clone();
        let Some(instance) = self.instance(vertex) else {
            out.send_to(recoverer, Message::Gced { floor: self.floor.clone() });
            return;
        };
        if let Some(value) = instance.cell.chosen() {
            let value = value.clone();
            out.send_to(recoverer, Message::Chosen { vertex, value });
            return;
        }
        if let Some(promised) = instance.cell.promised().filter(|promised| *promised > ballot) {
            out.send_to(recoverer, Message::Nack { vertex, ballot, promised });
            return;
        }
        if instance.cell.promised() != Some(ballot) || instance.cell.vote().is_some() {
            return;
        }
        if !value.deps.as_prefix().covers(&dropped) {
            out.send_to(recoverer, Message::StaleFloor { vertex, floor: dropped });
            return;
        }
        let footprint = value.batch.footprint();
        if instance.asked.is_none() {
            self.index.record(vertex, &footprint);
            let asked = PreAccepted { batch: value.batch, initial: value.deps.clone(), deps: None };
            self.note_asked(vertex, asked, out);
        }
        let conflicts = self.against(vertex, &footprint, &value.deps);
        out.send_to(recoverer, Message::ValidateOk { vertex, ballot, conflicts });
    }

    /// What is recorded here and conflicts, is not among `deps`, and does not depend on the
    /// vertex: the set I of protocols.md 3.6.6.
    fn against(&self, vertex: Vertex, footprint: &Footprint, deps: &DepSet) -> Vec<Conflict> {
        let Answer::Deps(seen) = self.index.deps(footprint, deps.as_prefix()) else {
            unreachable!("{vertex}: its dependencies cover what is dropped")
        };
        let beyond = self.layout.leaders.iter().flat_map(|leader| {
            let held = deps.below(leader).max(self.instances.base(leader));
            (held..seen.below(leader)).map(move |number| Vertex::new(leader, number))
        });
        let others = beyond.filter(|other| *other != vertex);
        let conflict = |other: Vertex| {
            let (batch, committed) = self.instances.get(other)?.without(vertex)?;
            let conflicts = self.index.conflict(&batch.footprint(), footprint);
            conflicts.then_some(Conflict { vertex: other, committed })
        };
        let held = others.filter_map(conflict);
        let mut conflicts = self.past.against(vertex, footprint, deps);
        conflicts.extend(held);
        // One that is committed settles it, whatever the others are.
        if let Some(committed) = conflicts.iter().find(|conflict| conflict.committed) {
            return vec![*committed];
        }
        conflicts
    }

    pub(crate) fn on_phase2a(&mut self, at: (Vertex, Ballot), value: Value, out: &mut Outbox<Self>) {
        let (vertex, ballot) = at;
        let proposer = ballot.owner;
        let Some(instance) = self.instance(vertex) else {
            out.send_to(proposer, Message::Gced { floor: self.floor.clone() });
            return;
        };
        let is_known = instance.asked.is_some();
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
                let value = value.clone();
                if !is_known {
                    self.record(vertex, &value.batch);
                }
                out.persist(Record::Voted { vertex, ballot, value });
                out.send_to(proposer, Message::Phase2b { vertex, ballot });
                self.on_promised(vertex);
            }
            Accepted::Repeated => out.send_to(proposer, Message::Phase2b { vertex, ballot }),
        }
    }

    /// Chosen in `ballot`: known here, if this node voted in it; in ballot 0, if it has heard
    /// what the leader asked.
    pub(crate) fn on_commit(
        &mut self,
        from: NodeId,
        (vertex, ballot): (Vertex, Ballot),
        out: &mut Outbox<Self>,
    ) {
        let Some(instance) = self.instance(vertex) else { return };
        if instance.cell.chosen().is_some() {
            return;
        }
        let known = match (instance.cell.vote(), &instance.asked) {
            (_, Some(asked)) if ballot.round == 0 => Some(asked.value()),
            (Some((voted, value)), _) if voted == ballot => Some(value.clone()),
            _ => None,
        };
        match known {
            Some(value) => self.learn(vertex, value, out),
            None => out.send_to(from, Message::Fetch { vertex }),
        }
    }

    pub(crate) fn on_fetch(&mut self, from: NodeId, vertex: Vertex, out: &mut Outbox<Self>) {
        let given_up = self.past.is_noop(vertex).then(Value::noop);
        if let Some(value) = self.chosen(vertex).cloned().or(given_up) {
            out.send_to(from, Message::Chosen { vertex, value });
        }
    }
}
