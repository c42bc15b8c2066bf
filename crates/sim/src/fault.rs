use crate::partition::Shape;
use isegoria_types::{NodeId, NodeSet};
use std::fmt;

/// Something that goes wrong at a moment. Durations in simulated µs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A process dies, with what was not synced, and starts again later.
    Crash {
        /// Whose.
        node: NodeId,
        /// How long it is down.
        down_us: u64,
    },
    /// All processes die at once.
    PowerCut {
        /// How long the first is down; the others follow at random.
        down_us: u64,
    },
    /// Nodes do not hear each other.
    Partition {
        /// What it looks like.
        shape: Shape,
        /// By sender: whom its messages do not reach.
        unreachable: Vec<NodeSet>,
        /// How long.
        for_us: u64,
    },
    /// Everything to and from a node takes longer.
    SlowNode {
        /// Which.
        node: NodeId,
        /// How long.
        for_us: u64,
    },
    /// Syncs take longer.
    SlowDisk {
        /// Whose.
        node: NodeId,
        /// How long.
        for_us: u64,
    },
    /// A process does nothing, and then goes on with what has come.
    Pause {
        /// Which.
        node: NodeId,
        /// How long.
        for_us: u64,
    },
    /// A failure detector errs.
    Suspicion {
        /// Whose.
        node: NodeId,
        /// About whom.
        about: NodeId,
        /// How long.
        for_us: u64,
    },
    /// A process dies, and while it is down a bit flips where its log is.
    Damage {
        /// Whose.
        node: NodeId,
    },
    /// A node orders idle sessions dropped.
    ExpireSessions {
        /// Which.
        node: NodeId,
    },
    /// A process dies, and comes back with an empty disk or an old image of it.
    Amnesia {
        /// Whose.
        node: NodeId,
        /// An old image instead of nothing.
        old_image: bool,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |us: &u64| us / 1000;
        match self {
            Fault::Crash { node, down_us } => write!(f, "{node} crashes for {} ms", ms(down_us)),
            Fault::PowerCut { down_us } => write!(f, "the power is cut for {} ms", ms(down_us)),
            Fault::Partition { shape, unreachable, for_us } => {
                write!(f, "a partition ({shape:?}) for {} ms: {unreachable:?}", ms(for_us))
            }
            Fault::SlowNode { node, for_us } => write!(f, "{node} is slow for {} ms", ms(for_us)),
            Fault::SlowDisk { node, for_us } => write!(f, "the disk of {node} is slow for {} ms", ms(for_us)),
            Fault::Pause { node, for_us } => write!(f, "{node} pauses for {} ms", ms(for_us)),
            Fault::Suspicion { node, about, for_us } => {
                write!(f, "{node} wrongly suspects {about} for {} ms", ms(for_us))
            }
            Fault::Damage { node } => write!(f, "a bit flips on the disk of {node}, which is down"),
            Fault::ExpireSessions { node } => write!(f, "{node} orders idle sessions dropped"),
            Fault::Amnesia { node, old_image: false } => write!(f, "{node} loses its disk"),
            Fault::Amnesia { node, old_image: true } => write!(f, "{node} gets an old image of its disk"),
        }
    }
}
