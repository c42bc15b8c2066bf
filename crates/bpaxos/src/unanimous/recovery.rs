use crate::Value;
use crate::unanimous::fast::{Fit, Heard, choose};
use crate::unanimous::leader::Stage;
use crate::unanimous::message::Message;
use crate::unanimous::node::UnanimousNode;
use isegoria_acceptor::Cell;
use isegoria_node::{Event, Outbox};
use isegoria_proposer::{Choice, Progress, Promised};
use isegoria_types::{Ballot, NodeId, NodeSet, Vertex};

/// An attempt, and who has promised in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Attempt {
    pub(crate) progress: Progress<Value>,
    heard: NodeSet,
    /// Those whose votes in ballot 0 were the leader's.
    unchanged: NodeSet,
}

impl Attempt {
    fn begin(ballot: Ballot) -> Attempt {
        Attempt { progress: Progress::phase1(ballot), heard: NodeSet::EMPTY, unchanged: NodeSet::EMPTY }
    }
}

impl UnanimousNode {
    /// One look at everything between what is executed and what is known.
    pub(crate) fn look_for_stuck(&mut self, out: &mut Outbox<Self>) {
        let open = self.cells.beyond(self.layout.leaders, &self.executed);
        let unsettled: Vec<Vertex> =
            open.filter(|vertex| !self.is_settled(*vertex) && !self.is_under_way(*vertex)).collect();
        for vertex in self.recovery.look(unsettled.into_iter()) {
            self.recover(vertex, out);
        }
    }

    /// Whether this node's own proposal is still on its ordinary way.
    fn is_under_way(&self, vertex: Vertex) -> bool {
        let proposal = self.leader.proposals.get(vertex);
        proposal.is_some_and(|proposal| !matches!(proposal.stage, Stage::Outbid { .. }))
    }

    /// Starts over, in the smallest own ballot above everything seen.
    pub(crate) fn recover(&mut self, vertex: Vertex, out: &mut Outbox<Self>) {
        self.on_outbid(vertex);
        let promised = self.cells.get(vertex).and_then(Cell::promised);
        // The promise to oneself, in this very step, makes the ballot durable.
        let ballot = self.recovery.begin(vertex, promised, Attempt::begin);
        out.events.push(Event::RecoveryStarted { vertex, ballot });
        out.send(self.layout.nodes(), Message::Phase1a { vertex, ballot });
    }

    pub(crate) fn on_phase1b(
        &mut self,
        answer: Heard,
        (vertex, ballot): (Vertex, Ballot),
        out: &mut Outbox<Self>,
    ) {
        let Heard { from, vote, unchanged } = answer;
        let (own, fit): (_, Fit) = (self.own_value(vertex), self.fit);
        let Some(Attempt { progress: attempt, heard, unchanged: same }) = self.recovery.attempt(vertex)
        else {
            return;
        };
        if attempt.ballot() == ballot && heard.insert(from) && unchanged {
            same.insert(from);
        }
        let promised = Promised { ballot, vote };
        let quorum = &self.layout.quorums.phase1;
        let choice = attempt.on_promise_by(from, promised, quorum, |answers| {
            // Both are in the order of nodes.
            let answer = |(from, vote): (NodeId, &Option<(Ballot, Value)>)| Heard {
                from,
                vote: vote.clone(),
                unchanged: same.contains(from),
            };
            choose(fit, vertex.leader, &heard.iter().zip(answers).map(answer).collect::<Vec<_>>())
        });
        let value = match choice {
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
        out.send(self.layout.nodes(), Message::Phase2a { vertex, ballot, value });
    }

    /// A node promised more: give way; the next look that finds it due starts over.
    pub(crate) fn on_nack(&mut self, vertex: Vertex, ballot: Ballot, promised: Ballot) {
        if self.is_settled(vertex) {
            return;
        }
        self.recovery.used(vertex, promised);
        if vertex.leader == self.own && ballot.round <= super::options::RESERVED_ROUND {
            self.on_outbid(vertex);
        }
        if self.recovery.attempt(vertex).is_some_and(|attempt| attempt.progress.ballot() == ballot) {
            self.recovery.abandon(vertex);
        }
    }
}
