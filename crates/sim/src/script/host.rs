use isegoria_kv::Kv;
use isegoria_machine::Erased;
use isegoria_node::{Gate, Node, Protocol};
use isegoria_replica::{Beside, ReplicaMessage};
use isegoria_types::{Layout, NodeId};

/// One machine of a script: its disk, and the process on it while it runs.
pub(super) struct Host<P: Protocol> {
    pub(super) disk: Disk<P::Node>,
    pub(super) process: Option<Process<P>>,
}

/// A running node with its gate and what stands beside it.
pub(super) struct Process<P: Protocol> {
    pub(super) node: P::Node,
    pub(super) gate: Gate<P::Node>,
    pub(super) beside: Beside,
    /// Own progress, to be told once the log up to the position is durable.
    pub(super) announcement: Option<(u64, ReplicaMessage)>,
}

/// Records in the order of writing, of which a prefix is durable. A position is a
/// number of records.
pub(super) struct Disk<N: Node> {
    records: Vec<N::Record>,
    durable: usize,
    /// Whether records stay unsynced until the script syncs them.
    pub(super) is_held: bool,
    checkpoint: Option<Checkpoint<N>>,
}

/// What a restart reads before the log.
struct Checkpoint<N: Node> {
    position: usize,
    records: Vec<N::Record>,
    snapshot: Vec<u8>,
}

impl<N: Node> Default for Disk<N> {
    fn default() -> Disk<N> {
        Disk { records: Vec::new(), durable: 0, is_held: false, checkpoint: None }
    }
}

impl<N: Node> Disk<N> {
    pub(super) fn append(&mut self, record: N::Record) -> u64 {
        self.records.push(record);
        self.end()
    }

    /// The position after the last record.
    pub(super) fn end(&self) -> u64 {
        self.records.len() as u64
    }

    pub(super) fn is_durable(&self, position: u64) -> bool {
        position <= self.durable as u64
    }

    /// Makes everything durable; returns what was not before.
    pub(super) fn sync(&mut self) -> &[N::Record] {
        let from = std::mem::replace(&mut self.durable, self.records.len());
        &self.records[from..]
    }

    /// So many of the unsynced records reach the disk all the same; returns them.
    pub(super) fn keep(&mut self, count: usize) -> &[N::Record] {
        let from = self.durable;
        self.durable = (from + count).min(self.records.len());
        &self.records[from..self.durable]
    }

    /// Power is cut: what was not synced is gone. Returns it.
    pub(super) fn crash(&mut self) -> Vec<N::Record> {
        self.records.split_off(self.durable)
    }
}

impl<P: Protocol> Host<P> {
    /// An empty disk, nothing running.
    pub(super) fn new() -> Host<P> {
        Host { disk: Disk::default(), process: None }
    }

    /// Starts a process from what the disk holds.
    pub(super) fn boot(&mut self, own: NodeId, layout: &Layout, options: &P::Options) {
        let mut node = P::build(own, layout, options).expect("options that fit the layout");
        let mut beside = Beside::new(own, layout, P::ORDER, Box::new(Erased::<Kv>::default()));
        let mut tail = 0;
        if let Some(checkpoint) = &self.disk.checkpoint {
            if let Beside::Replica(replica) = &mut beside {
                replica.restore(&mut &checkpoint.snapshot[..]).expect("a snapshot that was written whole");
            }
            checkpoint.records.iter().for_each(|record| node.replay(record.clone()));
            tail = checkpoint.position;
        }
        self.disk.records[tail..].iter().for_each(|record| node.replay(record.clone()));
        let mut gate = Gate::default();
        gate.durable(self.disk.end());
        self.process = Some(Process { node, gate, beside, announcement: None });
    }

    /// Writes a checkpoint of the running process at the end of a durable log; returns
    /// its records.
    pub(super) fn checkpoint(&mut self) -> &[<P::Node as Node>::Record] {
        let process = self.process.as_mut().expect("a checkpoint is taken of a running node");
        assert!(self.disk.is_durable(self.disk.end()), "a checkpoint is taken at a durable position");
        let (mut records, mut snapshot) = (Vec::new(), Vec::new());
        process.node.checkpoint(&mut records);
        if let Some(replica) = process.beside.replica() {
            replica.freeze()(&mut snapshot).expect("writing into memory");
        }
        process.beside.checkpoint_begun();
        process.beside.checkpoint_ended(true);
        let position = self.disk.records.len();
        &self.disk.checkpoint.insert(Checkpoint { position, records, snapshot }).records
    }
}
