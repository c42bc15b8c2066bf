use crate::Value;
use crate::unanimous::message::{Message, Record};
use crate::unanimous::node::UnanimousNode;
use isegoria_acceptor::{Accepted, Promise};
use isegoria_depservice::Answer;
use isegoria_node::Outbox;
use isegoria_types::{Ballot, Batch, DepSet, NodeId, Prefix, Vertex};

impl UnanimousNode {
    /// Votes in ballot 0 for the batch with what conflicts here, and records the vertex
    /// before the vote leaves. The vote is the memory of the answer: asked again, this node
    /// says the same.
    pub(crate) fn on_fast_propose(
        &mut self,
        vertex: Vertex,
        batch: Batch,
        (floor, base): (&Prefix, Option<&DepSet>),
        out: &mut Outbox<Self>,
    ) {
        let (leader, ballot) = (vertex.leader, Ballot::initial(vertex.leader));
        self.index.announce(leader, floor);
        let Some(cell) = self.cell(vertex) else {
            out.send_to(leader, Message::Gced { floor: self.floor.clone() });
            return;
        };
        if let Some(value) = cell.chosen() {
            let value = value.clone();
            out.send_to(leader, Message::Chosen { vertex, value });
            return;
        }
        if let Some((voted, value)) = cell.vote()
            && voted == ballot
            && cell.promised() == Some(ballot)
        {
            let deps = value.deps.clone();
            out.send_to(leader, Message::FastVote { vertex, deps });
            return;
        }
        let promised = cell.promised();
        let footprint = batch.footprint();
        match self.index.compute(vertex, &footprint, floor) {
            Answer::StaleFloor(floor) => out.send_to(leader, Message::StaleFloor { vertex, floor }),
            // Recorded all the same: a recoverer may propose this batch.
            Answer::Deps(_) if promised.is_some() => {
                out.persist(Record::Recorded { vertex, footprint });
                let promised = promised.expect("just seen");
                out.send_to(leader, Message::Nack { vertex, ballot, promised });
            }
            Answer::Deps(mut deps) => {
                base.into_iter().for_each(|base| deps.union(base));
                let unchanged = base == Some(&deps);
                if unchanged {
                    self.unchanged.insert(vertex, ());
                }
                let value = Value { batch, deps: deps.clone() };
                let cell = self.cell(vertex).expect("not forgotten");
                let accepted = cell.accept(ballot, value.clone());
                assert!(accepted == Accepted::Voted, "{vertex}: a fresh cell refused ballot 0: {accepted:?}");
                out.persist(Record::FastVoted { vertex, value, unchanged });
                out.send_to(leader, Message::FastVote { vertex, deps });
            }
        }
    }

    pub(crate) fn on_floor(&mut self, from: NodeId, floor: &Prefix) {
        self.index.announce(from, floor);
    }

    pub(crate) fn on_phase1a(&mut self, vertex: Vertex, ballot: Ballot, out: &mut Outbox<Self>) {
        let recoverer = ballot.owner;
        let Some(cell) = self.cell(vertex) else {
            out.send_to(recoverer, Message::Gced { floor: self.floor.clone() });
            return;
        };
        let (fresh, vote) = match cell.promise(ballot) {
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
        if fresh {
            out.persist(Record::Promised { vertex, ballot });
        }
        let unchanged = self.unchanged.get(vertex).is_some();
        out.send_to(recoverer, Message::Phase1b { vertex, ballot, vote, unchanged });
    }

    pub(crate) fn on_phase2a(&mut self, at: (Vertex, Ballot), value: Value, out: &mut Outbox<Self>) {
        let (vertex, ballot) = at;
        let proposer = ballot.owner;
        let Some(cell) = self.cell(vertex) else {
            out.send_to(proposer, Message::Gced { floor: self.floor.clone() });
            return;
        };
        match cell.accept(ballot, value) {
            Accepted::Chosen(value) => {
                let value = value.clone();
                out.send_to(proposer, Message::Chosen { vertex, value });
            }
            Accepted::Rejected { promised } => {
                out.send_to(proposer, Message::Nack { vertex, ballot, promised });
            }
            Accepted::Voted => {
                let (_, value) = cell.vote().expect("just voted");
                out.persist(Record::Voted { vertex, ballot, value: value.clone() });
                out.send_to(proposer, Message::Phase2b { vertex, ballot });
            }
            Accepted::Repeated => out.send_to(proposer, Message::Phase2b { vertex, ballot }),
        }
    }

    /// Chosen in `ballot`: known here, if this node voted in it. In ballot 0 its vote may
    /// have had fewer dependencies than were chosen, and `deps` says which.
    pub(crate) fn on_commit(
        &mut self,
        from: NodeId,
        (vertex, ballot): (Vertex, Ballot),
        deps: Option<DepSet>,
        out: &mut Outbox<Self>,
    ) {
        let Some(cell) = self.cell(vertex) else { return };
        if cell.chosen().is_some() {
            return;
        }
        match cell.vote() {
            Some((voted, value)) if voted == ballot => {
                let deps = deps.unwrap_or_else(|| value.deps.clone());
                let value = Value { batch: value.batch.clone(), deps };
                self.learn(vertex, value, out);
            }
            _ => out.send_to(from, Message::Fetch { vertex }),
        }
    }

    pub(crate) fn on_fetch(&mut self, from: NodeId, vertex: Vertex, out: &mut Outbox<Self>) {
        if let Some(value) = self.chosen(vertex) {
            let value = value.clone();
            out.send_to(from, Message::Chosen { vertex, value });
        }
    }
}
