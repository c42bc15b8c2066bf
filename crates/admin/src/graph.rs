use serde::Deserialize;
use std::fmt::Write;

/// The part of the dependency graph that is not executed, as a node says it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Graph {
    /// Vertices, those that are not chosen among them.
    pub vertices: Vec<Node>,
    /// From a vertex to what it depends on: places in `vertices`.
    pub edges: Vec<(usize, usize)>,
    /// Vertices that are left out, because there are too many.
    pub left_out_count: u64,
    /// Committed vertices or slots that are not executed.
    pub waiting_count: u64,
}

/// A vertex.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Node {
    /// Its name, such as `n1.17`.
    pub name: String,
    /// Whether it is chosen: it waits for others then, and others wait for it if not.
    pub is_chosen: bool,
}

/// The graph for Graphviz.
#[must_use]
pub fn dot(graph: &Graph) -> String {
    let mut text = "digraph unexecuted {\n  rankdir=LR;\n  node [shape=box, style=rounded];\n".to_owned();
    // Writing into memory does not fail.
    for node in &graph.vertices {
        let style = if node.is_chosen { "" } else { " [style=\"rounded,dashed\"]" };
        let _ = writeln!(text, "  \"{}\"{style};", node.name);
    }
    for (from, to) in &graph.edges {
        let _ = writeln!(text, "  \"{}\" -> \"{}\";", graph.vertices[*from].name, graph.vertices[*to].name);
    }
    if graph.left_out_count > 0 {
        let _ = writeln!(text, "  \"and {} more\" [shape=plaintext];", graph.left_out_count);
    }
    text + "}\n"
}
