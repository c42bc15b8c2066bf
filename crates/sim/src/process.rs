use crate::disk::Recovered;
use isegoria_check::Applied;
use isegoria_kv::Kv;
use isegoria_log::{CheckpointReader, Identity};
use isegoria_machine::Erased;
use isegoria_node::{Evidence, Gate, Input, Node, Outbox, Protocol};
use isegoria_replica::{Beside, ReplicaMessage, Retention, restore_process};
use isegoria_types::{BatchBuilder, Conflicts, Layout, NodeId, Prefix, RequestId};
use std::collections::{BTreeMap, VecDeque};

/// A running process: node, gate, what stands beside the node, timers, and the requests
/// that it took from clients.
pub(crate) struct Process<P: Protocol> {
    pub(crate) node: P::Node,
    pub(crate) beside: Beside,
    pub(crate) gate: Gate<P::Node>,
    /// The last setting of each timer: older ones are void.
    pub(crate) timers: BTreeMap<<P::Node as Node>::Timer, Setting>,
    /// Own progress, to be told once the log up to the position is durable.
    pub(crate) announcement: Option<(u64, ReplicaMessage)>,
    /// What the replica told in an earlier life, to be executed again once the log up to the
    /// position is durable.
    pub(crate) told: Option<(u64, Prefix)>,
    /// What records say that are not durable yet, with their ends.
    pub(crate) undurable: VecDeque<(u64, Evidence)>,
    /// What the replica has applied, as the checks see it.
    pub(crate) applied: Applied,
    /// Commands that wait for their batch to leave.
    pub(crate) builder: BatchBuilder,
    /// Requests of clients without an answer, with when they came, µs.
    pub(crate) pending: BTreeMap<RequestId, u64>,
}

/// When a timer was last told to fire.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    pub(crate) setting: u64,
    /// When, by the simulator's clock, µs.
    pub(crate) due_us: u64,
}

impl<P: Protocol> Process<P> {
    /// Starts from what the disk holds.
    pub(crate) fn start(
        own: NodeId,
        (layout, options): (&Layout, &P::Options),
        (retention, conflicts): (Retention, &Conflicts),
        (recovered, identity): (&Recovered, Identity),
    ) -> Process<P> {
        let mut node = P::build_with(own, layout, options, conflicts).expect("options that fit the layout");
        let machine = Box::new(Erased::<Kv>::default());
        let mut beside = Beside::new(own, layout, P::ORDER, machine);
        beside.retain(retention);
        if let Some(checkpoint) = &recovered.checkpoint {
            let reader = CheckpointReader::new(&checkpoint[..], identity).expect("it was verified");
            restore_process(reader, &mut node, &mut beside).expect("a checkpoint of this protocol");
        }
        for record in &recovered.records {
            node.replay(postcard::from_bytes(record).expect("records of this protocol"));
        }
        let mut gate = Gate::default();
        gate.durable(recovered.end);
        Process {
            node,
            beside,
            gate,
            timers: BTreeMap::new(),
            announcement: None,
            told: None,
            undurable: VecDeque::new(),
            applied: recovered.applied.clone(),
            builder: BatchBuilder::default(),
            pending: BTreeMap::new(),
        }
    }

    /// One atomic step; the encoded records go to `append`, which returns the log's end.
    pub(crate) fn step(
        &mut self,
        input: Input<P::Node>,
        out: &mut Outbox<P::Node>,
        mut append: impl FnMut(&[u8]) -> u64,
    ) {
        isegoria_node::step(&mut self.node, input, out);
        let mut bytes = Vec::new();
        for (record, weight) in out.records.drain(..) {
            bytes.clear();
            bytes = postcard::to_extend(&record, bytes).expect("encoding into memory");
            let end = append(&bytes);
            self.gate.wrote(end, weight);
            if let Some(evidence) = P::Node::evidence_of_record(&record) {
                self.undurable.push_back((end, evidence));
            }
        }
        self.node.assert_invariants();
    }

    /// The session generation here, as a client that opens a session is told it.
    pub(crate) fn generation(&self) -> u32 {
        self.beside.replica().map_or(0, isegoria_replica::Replica::generation)
    }
}
