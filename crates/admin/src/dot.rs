use isegoria_runtime::Graph;
use std::fmt::Write;

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
