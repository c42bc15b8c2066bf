use super::Graph;
use super::judge::{
    AGREEMENT, BOTH_EXECUTED, CYCLE_EXECUTED, NONTRIVIALITY, NOOP_CHOSEN, ONE_ORDER, VISIBILITY, judge_graph,
};
use super::plant::Plant;
use crate::checker::{Evidence, Fading, Limit, Named, Subject, Ticket, Verdict};
use crate::commands::Touch;
use crate::order::Chosen;
use isegoria_bpaxos::Value;
use isegoria_bpaxos::simple::{Message, Record, SimpleBpaxos, SimpleNode};
use isegoria_node::Outbox;
use isegoria_types::{Batch, DepSet, NodeId, NodeSet, Order, Vertex};
use std::collections::BTreeSet;

/// The dependency service of Simple BPaxos under abstract consensus: the first of two
/// things decides a vertex, at once and for ever: its leader's proposal leaves the
/// leader, or somebody else gets the noop chosen.
pub(super) struct Dependencies(Graph<SimpleBpaxos>);

/// A chosen value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Outcome {
    vertex: Vertex,
    value: Value,
}

impl Dependencies {
    pub(super) fn new(commands: &[(usize, Touch)]) -> Dependencies {
        Dependencies(Graph::new(commands))
    }

    /// One crash-restart of one of these nodes.
    pub(super) fn crash_of(self, nodes: &[usize], situations: &[Named]) -> Dependencies {
        Dependencies(self.0.crash_of(nodes).reaching(situations))
    }

    pub(super) fn planted(self, plant: Plant) -> Dependencies {
        Dependencies(self.0.planted(plant))
    }
}

impl Subject for Dependencies {
    type Node = SimpleNode;
    type Ghost = Outcome;
    /// Nodes are judged by what they propose, not by what they hold.
    type Summary = ();

    fn invariants(&self) -> Vec<Named> {
        vec![AGREEMENT, NONTRIVIALITY, VISIBILITY, ONE_ORDER]
    }

    fn situations(&self) -> Vec<Named> {
        let mut situations = vec![NOOP_CHOSEN, BOTH_EXECUTED, CYCLE_EXECUTED];
        situations.extend_from_slice(&self.0.situations);
        situations
    }

    fn tickets(&self) -> &[Ticket] {
        self.0.tickets()
    }

    fn limits(&self) -> &[Limit] {
        self.0.limits()
    }

    fn crashers(&self) -> NodeSet {
        self.0.crashers()
    }

    fn build(&self, own: NodeId) -> SimpleNode {
        self.0.build(own)
    }

    fn play(&self, ticket: usize, node: &mut SimpleNode, out: &mut Outbox<SimpleNode>) -> bool {
        self.0.play(ticket, node, out)
    }

    fn carries(&self, _: NodeId, _: NodeId, message: &Message) -> bool {
        matches!(message, Message::DepRequest { .. } | Message::DepReply { .. } | Message::StaleFloor { .. })
    }

    fn told(&self, _: &Order) -> NodeSet {
        NodeSet::EMPTY
    }

    fn is_evidence(&self, message: &Message) -> bool {
        matches!(message, Message::DepRequest { .. })
    }

    fn ghost_of_record(&self, _: NodeId, _: &Record) -> Option<Outcome> {
        None
    }

    fn ghost_of_message(&self, message: &Message) -> Option<Outcome> {
        let Message::Phase2a { vertex, value, .. } = message else { return None };
        Some(Outcome { vertex: *vertex, value: value.clone() })
    }

    fn possible_after(&self, message: &Message) -> Option<Outcome> {
        let Message::DepRequest { vertex, .. } = message else { return None };
        Some(Outcome { vertex: *vertex, value: Value::noop() })
    }

    fn excludes(&self, earlier: &Outcome, later: &Outcome) -> bool {
        earlier.vertex == later.vertex
    }

    fn is_claim(&self, _: &Message) -> bool {
        false
    }

    fn fades(&self) -> bool {
        self.0.fades()
    }

    fn fading(&self, message: &Message) -> Fading {
        self.0.fading(message)
    }

    fn is_settled(&self, (): &(), _: &Message) -> bool {
        false
    }

    fn keeps_word(&self, (): &(), (): &()) -> bool {
        true
    }

    fn summarise(&self, _: &SimpleNode) {}

    fn judge(&self, evidence: &Evidence<'_, Dependencies>) -> Verdict {
        let mut verdict = Verdict::default();
        let (noop, nothing) = (Batch::noop(), DepSet::default());
        let mut values: Vec<Chosen<'_>> = evidence
            .ghosts
            .iter()
            .map(|Outcome { vertex, value }| (*vertex, &value.batch, &value.deps))
            .collect();
        verdict.chosen_count = u8::try_from(values.len()).expect("a few");
        let known: BTreeSet<Vertex> = values.iter().map(|(vertex, ..)| *vertex).collect();
        verdict.require(AGREEMENT, known.len() == values.len());
        let submitted = |batch: &Batch| self.0.submissions.iter().any(|(_, submitted, _)| submitted == batch);
        verdict
            .require(NONTRIVIALITY, values.iter().all(|(_, batch, _)| batch.is_noop() || submitted(batch)));
        verdict.note(NOOP_CHOSEN, values.iter().any(|(_, batch, _)| batch.is_noop()));
        // Numbers that a leader has skipped by a restart: it settles them as noops.
        let taken: BTreeSet<Vertex> = evidence
            .messages
            .iter()
            .filter_map(|message| match message {
                Message::DepRequest { vertex, .. } => Some(*vertex),
                _ => None,
            })
            .collect();
        let named: BTreeSet<Vertex> = values
            .iter()
            .flat_map(|(_, _, deps)| deps.as_prefix().iter())
            .flat_map(|(leader, below)| (0..below).map(move |number| Vertex::new(leader, number)))
            .collect();
        values.extend(named.difference(&taken).map(|skipped| (*skipped, &noop, &nothing)));
        judge_graph(&values, &mut verdict);
        verdict
    }

    fn recall(&self, record: Record) -> Option<Record> {
        self.0.recall(record)
    }

    fn waits_for_disk(&self) -> bool {
        self.0.waits_for_disk()
    }
}
