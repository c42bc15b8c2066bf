use crate::Value;
use crate::simple::message::{Message, Record};
use crate::simple::node::SimpleNode;
use isegoria_acceptor::{Accepted, Promise};
use isegoria_node::Outbox;
use isegoria_types::{Ballot, NodeId, Vertex};

impl SimpleNode {
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
        out.send_to(recoverer, Message::Phase1b { vertex, ballot, vote });
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

    /// What was proposed in `ballot` is chosen: known here, if this acceptor voted in it.
    pub(crate) fn on_commit(&mut self, from: NodeId, vertex: Vertex, ballot: Ballot, out: &mut Outbox<Self>) {
        let Some(cell) = self.cell(vertex) else { return };
        if cell.chosen().is_some() {
            return;
        }
        match cell.vote() {
            Some((voted, value)) if voted == ballot => {
                let value = value.clone();
                self.learn(vertex, value, true, out);
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
