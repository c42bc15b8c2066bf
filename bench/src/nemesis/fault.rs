use super::board::Board;
use super::disk_full::DiskFull;
use super::finding::Trouble;
use super::flip::Flip;
use super::fsync_error::FsyncError;
use super::kill::Kill;
use super::partition::{Partition, Pattern};
use super::pause::Pause;
use super::power::PowerCut;
use super::stage::Stage;
use isegoria_types::{NodeId, NodeSet};
use parking_lot::Mutex;
use rand::Rng;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// What can be done to a cluster, by the name on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FaultKind {
    /// A node is killed and started again later.
    Kill,
    /// A node's process stands still for a while.
    Pause,
    /// Links between nodes are cut for a while.
    Partition,
    /// Nodes lose what they have not synced.
    Power,
    /// A node's disk is full for a while.
    DiskFull,
    /// A node's syncs fail.
    FsyncError,
    /// A bit of a node's data flips.
    Flip,
}

impl FaultKind {
    const ALL: [(&'static str, FaultKind); 7] = [
        ("kill", FaultKind::Kill),
        ("pause", FaultKind::Pause),
        ("partition", FaultKind::Partition),
        ("power", FaultKind::Power),
        ("disk-full", FaultKind::DiskFull),
        ("fsync-error", FaultKind::FsyncError),
        ("flip", FaultKind::Flip),
    ];

    /// Whether it is about what is on disk: then logs are cut into small pieces.
    pub(crate) fn wants_small_disks(self) -> bool {
        !matches!(self, FaultKind::Kill | FaultKind::Pause | FaultKind::Partition)
    }

    /// A fault of this kind at `node`, and perhaps at more, with everything that is left to
    /// chance drawn.
    pub(crate) fn draw(self, node: usize, room: &Room, rng: &mut impl Rng) -> Fault {
        match self {
            FaultKind::Kill => Fault::Kill(Kill::draw(node, rng)),
            FaultKind::Pause => Fault::Pause(Pause::draw(node, rng)),
            FaultKind::Partition => Fault::Partition(Partition::draw(node, room, rng)),
            FaultKind::Power => Fault::Power(PowerCut::draw(node, rng)),
            FaultKind::DiskFull => Fault::DiskFull(DiskFull::draw(node, rng)),
            FaultKind::FsyncError => Fault::FsyncError(FsyncError::draw(node, rng)),
            FaultKind::Flip => Fault::Flip(Flip::draw(node, rng)),
        }
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = FaultKind::ALL.iter().find(|(_, kind)| kind == self).map(|(name, _)| *name);
        f.write_str(name.unwrap_or_default())
    }
}

/// The kinds of faults of a run; none for a run without faults.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FaultKinds(Vec<FaultKind>);

impl FaultKinds {
    /// The kinds, without repetition.
    #[must_use]
    pub fn kinds(&self) -> &[FaultKind] {
        &self.0
    }
}

impl FromStr for FaultKinds {
    type Err = String;

    fn from_str(text: &str) -> Result<FaultKinds, String> {
        match text {
            "none" => return Ok(FaultKinds::default()),
            "all" => return Ok(FaultKinds(FaultKind::ALL.map(|(_, kind)| kind).to_vec())),
            _ => {}
        }
        let mut kinds = Vec::new();
        for name in text.split(',') {
            let Some((_, kind)) = FaultKind::ALL.iter().find(|(known, _)| *known == name) else {
                let names = FaultKind::ALL.map(|(name, _)| name).join(", ");
                return Err(format!(
                    "unknown fault `{name}`; choose from {names}, separated by commas, or all, or none"
                ));
            };
            kinds.push(*kind);
        }
        kinds.sort_unstable();
        kinds.dedup();
        Ok(FaultKinds(kinds))
    }
}

impl fmt::Display for FaultKinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(if names.is_empty() { "none" } else { "" })?;
        f.write_str(&names.join(","))
    }
}

/// What a fault that begins now may touch.
#[derive(Clone, Debug)]
pub(crate) struct Room {
    pub(crate) nodes: usize,
    /// How many nodes may be down at once.
    pub(crate) tolerated: usize,
    /// How many more may be down now.
    pub(crate) free: usize,
    /// Who is up.
    pub(crate) up: Vec<usize>,
}

impl Room {
    /// How far everybody must hear to both sides, if all stand in a circle, to hear as many
    /// as any quorum needs; nothing, if that is everybody.
    pub(crate) fn ring_reach(&self) -> Option<usize> {
        let reach = self.nodes.saturating_sub(self.tolerated + 1).div_ceil(2);
        (2 * reach + 1 < self.nodes).then_some(reach)
    }
}

/// One fault, ready to be done. Those that it takes away count as down from begin to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Kill(Kill),
    Pause(Pause),
    Partition(Partition),
    Power(PowerCut),
    DiskFull(DiskFull),
    FsyncError(FsyncError),
    Flip(Flip),
}

impl Fault {
    pub(crate) fn kind(&self) -> FaultKind {
        match self {
            Fault::Kill(_) => FaultKind::Kill,
            Fault::Pause(_) => FaultKind::Pause,
            Fault::Partition(_) => FaultKind::Partition,
            Fault::Power(_) => FaultKind::Power,
            Fault::DiskFull(_) => FaultKind::DiskFull,
            Fault::FsyncError(_) => FaultKind::FsyncError,
            Fault::Flip(_) => FaultKind::Flip,
        }
    }

    /// Who counts as down, of so many nodes: all, if it has to be alone.
    pub(crate) fn down(&self, nodes: usize) -> NodeSet {
        let one = |node: usize| NodeSet::only(NodeId::new(node));
        match self {
            Fault::Partition(partition) => partition.down,
            Fault::Power(cut) => cut.node.map_or(NodeSet::first(nodes), one),
            Fault::Kill(kill) => one(kill.node),
            Fault::Pause(pause) => one(pause.node),
            Fault::DiskFull(full) => one(full.node),
            Fault::FsyncError(error) => one(error.node),
            Fault::Flip(flip) => one(flip.node),
        }
    }

    /// Whether it takes the whole cluster, more than the quorums bear: nothing else is under
    /// way meanwhile.
    pub(crate) fn is_alone(&self) -> bool {
        match self {
            Fault::Partition(partition) => partition.pattern == Pattern::Ring,
            Fault::Power(cut) => cut.node.is_none(),
            _ => false,
        }
    }

    /// How long it lasts.
    pub(crate) fn length(&self) -> Duration {
        match self {
            Fault::Kill(kill) => kill.down,
            Fault::Pause(pause) => pause.length,
            Fault::Partition(partition) => partition.length,
            Fault::Power(cut) => cut.down,
            Fault::DiskFull(full) => full.length,
            Fault::FsyncError(error) => error.down,
            Fault::Flip(flip) => flip.down,
        }
    }

    /// How many kills it takes part in, each with a start that follows.
    pub(crate) fn kill_count(&self, nodes: usize) -> usize {
        match self {
            Fault::Kill(kill) => 1 + usize::from(kill.again_after.is_some()),
            Fault::Power(cut) => cut.node.map_or(nodes, |_| 1),
            Fault::Flip(_) => 1,
            Fault::Pause(_) | Fault::Partition(_) | Fault::DiskFull(_) | Fault::FsyncError(_) => 0,
        }
    }

    pub(crate) async fn begin(&self, stage: &mut Stage, board: &Mutex<Board>) -> Result<(), Trouble> {
        match self {
            Fault::Kill(kill) => {
                kill.begin(&mut stage.cluster).await;
                Ok(())
            }
            Fault::Pause(pause) => {
                pause.begin(&stage.cluster);
                Ok(())
            }
            Fault::Partition(partition) => partition.begin(stage).await,
            Fault::Power(cut) => cut.begin(stage).await,
            Fault::DiskFull(full) => full.begin(stage),
            Fault::FsyncError(error) => error.begin(stage).await,
            Fault::Flip(flip) => {
                flip.begin(&mut stage.cluster).await;
                Ok(())
            }
        }?;
        board.lock().tally.began(self, stage.cluster.nodes().len());
        Ok(())
    }

    /// Undoes it, and waits until its nodes serve again.
    pub(crate) async fn end(&self, stage: &mut Stage, board: &Mutex<Board>) -> Result<(), Trouble> {
        match self {
            Fault::Kill(kill) => kill.end(&mut stage.cluster).await.map_err(Trouble::from),
            Fault::Pause(pause) => {
                pause.end(&stage.cluster);
                Ok(())
            }
            Fault::Partition(partition) => partition.end(stage).await,
            Fault::Power(cut) => cut.end(stage).await,
            Fault::DiskFull(full) => full.end(stage, board).await,
            Fault::FsyncError(error) => error.end(&mut stage.cluster).await,
            Fault::Flip(flip) => flip.end(stage, board).await,
        }?;
        board.lock().tally.ended(self, stage.cluster.nodes().len());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_names_are_faults() {
        for (text, expected) in [
            ("kill", "kill"),
            ("none", "none"),
            ("kill,kill", "kill"),
            ("pause,kill", "kill,pause"),
            ("flip,power,partition", "partition,power,flip"),
            ("all", "kill,pause,partition,power,disk-full,fsync-error,flip"),
        ] {
            assert_eq!(text.parse::<FaultKinds>().unwrap().to_string(), expected);
        }
        for text in ["", "freeze", "kill,freeze", "kill,none", "Kill", "all,kill", "disk_full"] {
            let sentence = text.parse::<FaultKinds>().unwrap_err();
            assert!(sentence.contains("unknown fault") && sentence.contains("kill"), "{sentence}");
        }
    }

    #[test]
    fn a_ring_needs_enough_nodes() {
        let reach = |nodes, tolerated| Room { nodes, tolerated, free: 1, up: Vec::new() }.ring_reach();
        assert_eq!([reach(3, 1), reach(4, 1), reach(5, 2), reach(7, 3)], [None, Some(1), Some(1), Some(2)]);
        assert_eq!([reach(5, 1), reach(1, 0)], [None, None]);
    }
}
