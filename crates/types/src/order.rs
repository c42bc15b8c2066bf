use crate::{Ballot, DepSet, NodeId, Vertex};
use serde::{Deserialize, Serialize};

/// Where a chosen batch stands: the replica's executor follows it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Order {
    /// A slot of a totally ordered log.
    Slot {
        /// Position in the log, from 0.
        slot: u64,
        /// The ballot of the leader that first put this entry into a slot.
        origin: Ballot,
        /// Whether this is a `StartWorking` entry, after which entries of lower
        /// origin are applied as noops (protocols.md 3.10, "ghost reappearance").
        start_working: bool,
    },
    /// A vertex of the dependency graph with its chosen dependency set.
    Vertex(Vertex, DepSet),
}

impl Order {
    /// Where this stands, as a vertex: a log uses the column of node 0.
    #[must_use]
    pub fn place(&self) -> Vertex {
        match self {
            Order::Slot { slot, .. } => Vertex::new(NodeId::new(0), *slot),
            Order::Vertex(vertex, _) => *vertex,
        }
    }
}
