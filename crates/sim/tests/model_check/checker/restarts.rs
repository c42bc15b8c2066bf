use super::facts::FactId;
use super::process::{identity, perform};
use super::subject::{Record, Subject};
use super::tables::{Local, LocalId, Tables, TransitionId};
use isegoria_node::{Input, Node, Outbox, Weight, step};
use isegoria_types::NodeId;

pub(crate) type DiskId = u32;

/// The disk of a process that does not crash any more: nobody asks what is on it.
pub(crate) const NO_DISK: DiskId = 0;

/// What is on a disk: the node that the records rebuild up to the last gating one, and
/// the lazy records since, any number of which a crash may lose.
pub(crate) struct Disk<N: Node> {
    own: NodeId,
    sure: N,
    tail: Vec<N::Record>,
}

impl<N: Node> Disk<N> {
    fn append<S: Subject<Node = N>>(&mut self, subject: &S, records: &[(N::Record, Weight)]) {
        for (record, weight) in records {
            self.tail.extend(subject.recall(record.clone()));
            if *weight == Weight::Gating {
                self.tail.drain(..).for_each(|record| self.sure.replay(record));
            }
        }
    }
}

/// A process that came back.
#[derive(Clone, Debug)]
pub(crate) struct Restart {
    pub(crate) local: LocalId,
    pub(crate) disk: DiskId,
    pub(crate) facts: Vec<FactId>,
    /// The assertion that failed on the way.
    pub(crate) broken: Option<String>,
}

/// Disks, crashes and what comes back from them. A disk is known by the node that it
/// rebuilds, not by its records, so that histories which end alike are one.
impl<S: Subject> Tables<S> {
    /// A node on its first start.
    pub(crate) fn boot(&mut self, subject: &S, own: NodeId) -> Restart {
        self.start(subject, own, subject.build(own))
    }

    /// The disk after the first `kept` records of a step.
    pub(crate) fn append(
        &mut self,
        subject: &S,
        disk: DiskId,
        transition: TransitionId,
        kept: usize,
    ) -> DiskId {
        if disk == NO_DISK || kept == 0 {
            return disk;
        }
        let key = (disk, transition, kept);
        if let Some(after) = self.appended.get(&key) {
            return *after;
        }
        let Disk { own, sure, tail } = &self.disks[disk as usize - 1];
        let mut after = Disk { own: *own, sure: sure.clone(), tail: tail.clone() };
        after.append(subject, &self.transitions[transition as usize].records[..kept]);
        let after = self.disk(after);
        self.appended.insert(key, after);
        after
    }

    /// How many lazy records a crash may lose.
    pub(crate) fn loose_count(&self, disk: DiskId) -> usize {
        self.disks[disk as usize - 1].tail.len()
    }

    /// The process that comes back from a disk after a crash that lost the last `lost` records.
    pub(crate) fn restart(&mut self, subject: &S, disk: DiskId, lost: usize) -> Restart {
        if let Some(known) = self.restarts.get(&(disk, lost)) {
            return known.clone();
        }
        let Disk { own, sure, tail } = &self.disks[disk as usize - 1];
        let (own, mut node) = (*own, sure.clone());
        for record in &tail[..tail.len() - lost] {
            node.replay(record.clone());
        }
        let restart = self.start(subject, own, node);
        self.restarts.insert((disk, lost), restart.clone());
        restart
    }

    /// The process that comes back from a checkpoint of `local`.
    pub(crate) fn rebuild(&mut self, subject: &S, local: LocalId) -> Restart {
        if let Some(known) = self.rebuilt.get(&local) {
            return known.clone();
        }
        let Local { own, node, .. } = &self.locals[local as usize];
        let (own, mut records) = (*own, Vec::new());
        node.checkpoint(&mut records);
        let mut fresh = subject.build(own);
        for record in records.into_iter().filter_map(|record: Record<S>| subject.recall(record)) {
            fresh.replay(record);
        }
        let restart = self.start(subject, own, fresh);
        self.rebuilt.insert(local, restart.clone());
        restart
    }

    /// A node with everything on its disk takes `Start`.
    fn start(&mut self, subject: &S, own: NodeId, node: S::Node) -> Restart {
        let act = |node: &mut S::Node, out: &mut Outbox<S::Node>| {
            step(node, Input::Start, out);
            true
        };
        let performed = match perform(subject, own, &node, act) {
            Ok(performed) => performed.expect("a start always acts"),
            Err(broken) => {
                let local = self.local(subject, own, node);
                return Restart { local, disk: NO_DISK, facts: Vec::new(), broken: Some(broken) };
            }
        };
        let facts = self.facts_of(subject, own, &performed, performed.records.len());
        let mut disk = Disk { own, sure: node, tail: Vec::new() };
        disk.append(subject, &performed.records);
        let disk = self.disk(disk);
        Restart { local: self.local(subject, own, performed.node), disk, facts, broken: None }
    }

    /// The number of a disk.
    fn disk(&mut self, disk: Disk<S::Node>) -> DiskId {
        let key = (identity(disk.own, &disk.sure), disk.tail.clone());
        let next = DiskId::try_from(self.disks.len() + 1).expect("few disks");
        *self.disk_ids.entry(key).or_insert_with(|| {
            self.disks.push(disk);
            next
        })
    }
}
