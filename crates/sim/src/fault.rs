use crate::image::Rot;
use crate::partition::Shape;
use isegoria_types::{NodeId, NodeSet};
use std::fmt;

/// Something that goes wrong at a moment. Durations in simulated µs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A process dies, and starts again later.
    Crash {
        /// Whose.
        node: NodeId,
        /// The machine dies, too: what was not synced may be gone.
        power_cut: bool,
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
    /// A machine dies, and while it is down something happens to what was durable. Its
    /// process must not start before that is mended.
    Damage {
        /// Whose.
        node: NodeId,
        /// What.
        rot: Rot,
        /// After how long somebody mends it; if not at all, it stays down until everybody
        /// comes back.
        mended_us: Option<u64>,
    },
    /// A process dies, and its next starts fail to read.
    FailingReads {
        /// Whose.
        node: NodeId,
        /// So many starts.
        count: u32,
    },
    /// The next sync of a log fails.
    FailingSync {
        /// Whose.
        node: NodeId,
    },
    /// A disk is full.
    FullDisk {
        /// Whose.
        node: NodeId,
        /// How long.
        for_us: u64,
    },
    /// A clock jumps.
    ClockJump {
        /// Whose.
        node: NodeId,
        /// How far, backwards if negative.
        by_us: i64,
    },
    /// A clock runs too fast or too slow.
    ClockDrift {
        /// Whose.
        node: NodeId,
        /// How long a second of its timers takes, in thousandths of a second.
        rate: u64,
        /// How long.
        for_us: u64,
    },
    /// The next syncs of a log do nothing and say that they did; then the power goes.
    LyingSyncs {
        /// Whose.
        node: NodeId,
        /// How long until then.
        after_us: u64,
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
            Fault::Crash { node, power_cut: false, down_us } => {
                write!(f, "the process of {node} is down for {} ms", ms(down_us))
            }
            Fault::Crash { node, power_cut: true, down_us } => {
                write!(f, "the machine of {node} is down for {} ms", ms(down_us))
            }
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
            Fault::Damage { node, rot, mended_us: Some(after) } => {
                write!(f, "the disk of {node} is damaged ({rot:?}) and mended {} ms later", ms(after))
            }
            Fault::Damage { node, rot, mended_us: None } => {
                write!(f, "the disk of {node} is damaged ({rot:?}) for good")
            }
            Fault::FailingReads { node, count } => {
                write!(f, "{node} is down, and {count} starts cannot read its disk")
            }
            Fault::FailingSync { node } => write!(f, "the next sync of {node} fails"),
            Fault::FullDisk { node, for_us } => write!(f, "the disk of {node} is full for {} ms", ms(for_us)),
            Fault::ClockJump { node, by_us } => write!(f, "the clock of {node} jumps by {} ms", by_us / 1000),
            Fault::ClockDrift { node, rate, for_us } => {
                write!(f, "a second of {node} takes {rate} ms, for {} ms", ms(for_us))
            }
            Fault::LyingSyncs { node, after_us } => {
                write!(f, "the syncs of {node} do nothing, and in {} ms the power goes", ms(after_us))
            }
            Fault::ExpireSessions { node } => write!(f, "{node} orders idle sessions dropped"),
            Fault::Amnesia { node, old_image: false } => write!(f, "{node} loses its disk"),
            Fault::Amnesia { node, old_image: true } => write!(f, "{node} gets an old image of its disk"),
        }
    }
}
