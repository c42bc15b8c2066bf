use serde::{Deserialize, Serialize};

/// The part of the dependency graph that a node has not executed, for people to look at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Graph {
    /// Vertices, those that are not chosen among them.
    pub vertices: Vec<GraphVertex>,
    /// From a vertex to what it depends on: places in `vertices`.
    pub edges: Vec<(usize, usize)>,
    /// Vertices that are left out, because there are too many.
    pub left_out_count: usize,
    /// Committed vertices or slots that are not executed: of slots there is no graph.
    pub waiting_count: usize,
}

/// A vertex of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GraphVertex {
    /// The name of its leader and its number, such as `n1.17`.
    pub name: String,
    /// Whether it is chosen: it waits for others then, and others wait for it if not.
    pub is_chosen: bool,
}

impl Graph {
    /// For whoever asks.
    pub(crate) fn to_json(&self) -> String {
        serde_json::to_string(self).expect("names and numbers are JSON")
    }
}
