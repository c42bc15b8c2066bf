use isegoria_node::Node;

/// One node's disk: records in order, of which a prefix is durable, and the newest
/// checkpoint. A position is the number of records ever appended.
#[derive(Clone, Debug)]
pub(crate) struct Disk<N: Node> {
    records: Vec<N::Record>,
    durable: usize,
    pub(crate) checkpoint: Option<Checkpoint<N>>,
}

/// What a checkpoint holds, with the position from which the log continues it.
#[derive(Clone, Debug)]
pub(crate) struct Checkpoint<N: Node> {
    pub(crate) position: usize,
    pub(crate) records: Vec<N::Record>,
    pub(crate) snapshot: Vec<u8>,
}

impl<N: Node> Default for Disk<N> {
    fn default() -> Disk<N> {
        Disk { records: Vec::new(), durable: 0, checkpoint: None }
    }
}

impl<N: Node> Disk<N> {
    /// Appends a record; returns the position after it.
    pub(crate) fn append(&mut self, record: N::Record) -> u64 {
        self.records.push(record);
        self.end()
    }

    pub(crate) fn end(&self) -> u64 {
        self.records.len() as u64
    }

    pub(crate) fn durable(&self) -> u64 {
        self.durable as u64
    }

    /// Everything up to `position` is on the platter.
    pub(crate) fn sync(&mut self, position: u64) {
        let position = usize::try_from(position).expect("a position of this disk");
        self.durable = self.durable.max(position.min(self.records.len()));
    }

    /// Power is cut: what was not synced is gone.
    pub(crate) fn crash(&mut self) {
        self.records.truncate(self.durable);
    }

    /// What a restart replays after the checkpoint.
    pub(crate) fn tail(&self) -> impl Iterator<Item = &N::Record> {
        let from = self.checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.position);
        self.records[from..].iter()
    }

    pub(crate) fn take_checkpoint(&mut self, records: Vec<N::Record>, snapshot: Vec<u8>) {
        assert_eq!(self.durable, self.records.len(), "a checkpoint is taken at a durable position");
        self.checkpoint = Some(Checkpoint { position: self.records.len(), records, snapshot });
    }
}
