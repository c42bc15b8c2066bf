use crate::Value;
use crate::simple::message::{Message, Record};
use crate::simple::node::SimpleNode;
use isegoria_acceptor::Cell;
use isegoria_node::{Event, Outbox};
use isegoria_proposer::{Choice, Progress, Promised};
use isegoria_types::{Ballot, NodeId, Vertex};

impl SimpleNode {
    /// One look at everything between what is executed and what is known.
    pub(crate) fn look_for_stuck(&mut self, out: &mut Outbox<Self>) {
        if !self.layout.leaders.contains(self.own) {
            return;
        }
        let open = self.cells.beyond(self.layout.leaders, &self.executed);
        let unsettled: Vec<Vertex> =
            open.filter(|vertex| !self.is_settled(*vertex) && !self.is_under_way(*vertex)).collect();
        for vertex in self.recovery.look(unsettled.into_iter()) {
            self.recover(vertex, out);
        }
    }

    /// Whether this node's own proposal is still on its ordinary way.
    fn is_under_way(&self, vertex: Vertex) -> bool {
        use crate::simple::leader::Stage;
        let proposal = self.proposals.get(vertex);
        proposal.is_some_and(|proposal| !matches!(proposal.stage, Stage::Outbid { .. }))
    }

    /// Starts over, in the smallest own ballot above everything seen.
    pub(crate) fn recover(&mut self, vertex: Vertex, out: &mut Outbox<Self>) {
        self.on_outbid(vertex);
        let promised = self.cells.get(vertex).and_then(Cell::promised);
        let ballot = self.recovery.begin(vertex, promised, Progress::phase1);
        if !self.layout.acceptors.contains(self.own) {
            out.persist(Record::Attempted { vertex, ballot });
        }
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
        let Some(attempt) = self.recovery.attempt(vertex) else { return };
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
        if self.recovery.attempt(vertex).is_some_and(|attempt| attempt.ballot() == ballot) {
            self.recovery.abandon(vertex);
        }
    }
}
