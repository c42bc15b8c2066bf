use crate::NodeId;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A configuration's number; 0 until membership can change.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Epoch(pub u32);

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "e{}", self.0)
    }
}

/// A place in the dependency graph, decided by one consensus instance.
///
/// `number` is allocated by `leader` from 0 upwards without gaps and never twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Vertex {
    /// The configuration that decides this vertex.
    pub epoch: Epoch,
    /// The node that allocated it and owns ballot 0.
    pub leader: NodeId,
    /// Position among the leader's vertices, from 0.
    pub number: u64,
}

impl Vertex {
    /// The vertex `number` of `leader` in epoch 0.
    #[must_use]
    pub fn new(leader: NodeId, number: u64) -> Vertex {
        Vertex { epoch: Epoch(0), leader, number }
    }
}

impl fmt::Display for Vertex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.leader, self.number)
    }
}

impl fmt::Debug for Vertex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
