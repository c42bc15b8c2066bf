use crate::Value;
use crate::atlas::choose::{Heard, Recovered, choose};
use crate::atlas::leader::Stage;
use crate::atlas::message::Message;
use crate::atlas::node::AtlasNode;
use isegoria_node::{Event, Outbox};
use isegoria_proposer::{Progress, Tally};
use isegoria_types::{Ballot, Batch, NodeId, Quorum, Vertex};

/// A recovery that needed a second ballot.
pub(crate) const ASKED_AGAIN: &str = "asked again with the commands";

/// An attempt to get a vertex chosen, in one ballot.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Attempt {
    /// Asking for promises.
    Asking { ballot: Ballot, answers: Tally<Heard> },
    /// Asking for votes.
    Voting(Progress<Value>),
}

impl Attempt {
    fn begin(ballot: Ballot) -> Attempt {
        Attempt::Asking { ballot, answers: Tally::default() }
    }

    fn ballot(&self) -> Ballot {
        match self {
            Attempt::Asking { ballot, .. } => *ballot,
            Attempt::Voting(progress) => progress.ballot(),
        }
    }

    /// The value, with the vote that completes a quorum.
    pub(crate) fn on_vote(&mut self, from: NodeId, voted: Ballot, quorum: &Quorum) -> Option<Value> {
        let Attempt::Voting(progress) = self else { return None };
        progress.on_vote(from, voted, quorum).then(|| progress.value().expect("voted for").clone())
    }
}

impl AtlasNode {
    /// One look at everything between what is executed and what is known.
    pub(crate) fn look_for_stuck(&mut self, out: &mut Outbox<Self>) {
        let open = self.instances.beyond(self.layout.leaders, &self.executed);
        let unsettled: Vec<Vertex> =
            open.filter(|vertex| !self.is_settled(*vertex) && !self.is_under_way(*vertex)).collect();
        for vertex in self.recovery.look(unsettled.into_iter()) {
            self.recover(vertex, out);
        }
    }

    /// Whether this node's own proposal is still on its ordinary way.
    fn is_under_way(&self, vertex: Vertex) -> bool {
        let proposal = self.leader.proposals.get(vertex);
        proposal.is_some_and(|proposal| !matches!(proposal.stage, Stage::Outbid))
    }

    /// Starts over, in the smallest own ballot above everything seen.
    pub(crate) fn recover(&mut self, vertex: Vertex, out: &mut Outbox<Self>) {
        let said = self.instances.get(vertex).and_then(|instance| instance.collected.as_ref());
        let batch = said.map(|said| said.value.batch.clone());
        self.recover_with(vertex, batch, out);
    }

    fn recover_with(&mut self, vertex: Vertex, batch: Option<Batch>, out: &mut Outbox<Self>) {
        self.on_outbid(vertex);
        let promised = self.instances.get(vertex).and_then(|instance| instance.cell.promised());
        // The promise to oneself, in this very step, makes the ballot durable.
        let ballot = self.recovery.begin(vertex, promised, Attempt::begin);
        out.events.push(Event::RecoveryStarted { vertex, ballot });
        out.send(self.layout.nodes(), Message::Phase1a { vertex, ballot, batch });
    }

    pub(crate) fn on_phase1b(
        &mut self,
        from: NodeId,
        (vertex, ballot): (Vertex, Ballot),
        heard: Heard,
        out: &mut Outbox<Self>,
    ) {
        let Some(attempt) = self.recovery.attempt(vertex) else { return };
        let Attempt::Asking { ballot: own, answers } = attempt else { return };
        if *own != ballot || !answers.answer(from, heard) || !answers.is_quorum(&self.quorums.phase1) {
            return;
        }
        let value = match choose(vertex.leader, answers, &self.quorums.dependency) {
            Recovered::Propose(value) => value,
            Recovered::Ask(batch) => {
                out.events.push(Event::Resolved { vertex, by: ASKED_AGAIN });
                return self.recover_with(vertex, Some(batch), out);
            }
        };
        *attempt = Attempt::Voting(Progress::phase2(ballot, value.clone()));
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
        if vertex.leader == self.own {
            self.on_own_nack(vertex, ballot, promised);
        }
        if self.recovery.attempt(vertex).is_some_and(|attempt| attempt.ballot() == ballot) {
            self.recovery.abandon(vertex);
        }
    }
}
