use super::fault::Fault;
use super::partition::Pattern;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// How many faults there were, and what came of those that may end in several ways.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Nodes killed; also those that power cuts and flips killed.
    pub kills: usize,
    /// Nodes started again.
    pub restarts: usize,
    /// Processes that stood still for a while.
    pub pauses: usize,
    /// Partitions of all patterns.
    pub partitions: usize,
    /// Partitions that isolated nodes.
    pub isolations: usize,
    /// Partitions that cut one way only.
    pub one_way_cuts: usize,
    /// Partitions into two sides with one node between.
    pub bridges: usize,
    /// Partitions into a ring.
    pub rings: usize,
    /// Power cuts of all nodes.
    pub power_cuts: usize,
    /// Power cuts of one node.
    pub lone_power_cuts: usize,
    /// Disks filled.
    pub disk_fulls: usize,
    /// Disks filled whose node noticed it.
    pub disk_fulls_noticed: usize,
    /// Nodes whose syncs failed, and which ended.
    pub fsync_errors: usize,
    /// What came of flipped bits, by what was hit.
    pub flips: BTreeMap<&'static str, FlipTally>,
}

/// What came of flipped bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FlipTally {
    /// The node started and served as if nothing was.
    pub harmless: usize,
    /// It took the bit for the rest of a write that was cut short, and said so.
    pub torn_tail: usize,
    /// It refused to start, and named the file.
    pub refused: usize,
    /// It took the bit for the rest of a write, and its peers knew that it was more: it ended.
    pub found_out: usize,
}

impl Tally {
    /// A fault has begun, in a cluster of so many nodes.
    pub(crate) fn began(&mut self, fault: &Fault, nodes: usize) {
        self.kills += fault.kill_count(nodes);
        match fault {
            Fault::Kill(_) | Fault::Flip(_) => {}
            Fault::Pause(_) => self.pauses += 1,
            Fault::Partition(partition) => {
                self.partitions += 1;
                *match partition.pattern {
                    Pattern::Isolation => &mut self.isolations,
                    Pattern::OneWay => &mut self.one_way_cuts,
                    Pattern::Bridge => &mut self.bridges,
                    Pattern::Ring => &mut self.rings,
                } += 1;
            }
            Fault::Power(cut) if cut.node.is_none() => self.power_cuts += 1,
            Fault::Power(_) => self.lone_power_cuts += 1,
            Fault::DiskFull(_) => self.disk_fulls += 1,
            Fault::FsyncError(_) => self.fsync_errors += 1,
        }
    }

    /// A fault has ended, in a cluster of so many nodes.
    pub(crate) fn ended(&mut self, fault: &Fault, nodes: usize) {
        let ended_itself = usize::from(matches!(fault, Fault::FsyncError(_)));
        self.restarts += fault.kill_count(nodes) + ended_itself;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "kills {}, restarts {}, pauses {}", self.kills, self.restarts, self.pauses)?;
        if self.partitions > 0 {
            let Tally { isolations, one_way_cuts, bridges, rings, .. } = self;
            writeln!(
                f,
                "partitions {}: {isolations} isolations, {one_way_cuts} one way, {bridges} bridges, {rings} rings",
                self.partitions
            )?;
        }
        if self.power_cuts + self.lone_power_cuts > 0 {
            writeln!(f, "power cuts {} of all, {} of one", self.power_cuts, self.lone_power_cuts)?;
        }
        if self.disk_fulls > 0 {
            writeln!(f, "full disks {}, noticed {}", self.disk_fulls, self.disk_fulls_noticed)?;
        }
        if self.fsync_errors > 0 {
            writeln!(f, "failed syncs {}", self.fsync_errors)?;
        }
        if !self.flips.is_empty() {
            let each = |(file, tally): (&&str, &FlipTally)| {
                let FlipTally { harmless, torn_tail, refused, found_out } = tally;
                format!(
                    "{file} {harmless} harmless, {torn_tail} cut as torn tail, {refused} refused, {found_out} found out by peers"
                )
            };
            let each: Vec<String> = self.flips.iter().map(each).collect();
            writeln!(f, "flipped bits: {}", each.join("; "))?;
        }
        Ok(())
    }
}
