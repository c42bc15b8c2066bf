use isegoria_runtime::Graph;
use std::fmt::Write;

/// Width of a column and height of a row, pixels.
const STEP: (usize, usize) = (120, 34);
/// Width and height of a vertex, pixels.
const BOX: (usize, usize) = (84, 22);

/// The graph as a picture: what others wait for is on the left, each vertex to the right of what it
/// depends on as far as there is no cycle.
#[must_use]
pub fn svg(graph: &Graph) -> String {
    let columns = columns(graph);
    let mut heights = vec![0; columns.iter().max().map_or(0, |last| last + 1)];
    let places: Vec<(usize, usize)> = columns
        .iter()
        .map(|column| {
            heights[*column] += 1;
            (20 + column * STEP.0, 20 + (heights[*column] - 1) * STEP.1)
        })
        .collect();
    let rows = heights.iter().max().copied().unwrap_or(0).max(1);
    let (width, height) = (40 + heights.len().max(2) * STEP.0, 40 + rows * STEP.1);
    let mut picture = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" font-family=\"monospace\" font-size=\"12\">\n"
    );
    // Writing into memory does not fail.
    for (from, to) in &graph.edges {
        let ((x1, y1), (x2, y2)) = (places[*from], places[*to]);
        let (x1, y1, x2, y2) = (x1, y1 + BOX.1 / 2, x2 + BOX.0, y2 + BOX.1 / 2);
        let _ = writeln!(
            picture,
            "<path d=\"M{x1} {y1} C{} {y1} {} {y2} {x2} {y2}\" fill=\"none\" stroke=\"#888\"/>",
            x1.saturating_sub(20),
            x2 + 20
        );
    }
    for (node, (x, y)) in graph.vertices.iter().zip(&places) {
        let dash = if node.is_chosen { "" } else { " stroke-dasharray=\"4 3\"" };
        let _ = writeln!(
            picture,
            "<rect x=\"{x}\" y=\"{y}\" width=\"{}\" height=\"{}\" rx=\"5\" fill=\"#fff\" stroke=\"#333\"{dash}/>\
             <text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            BOX.0,
            BOX.1,
            x + BOX.0 / 2,
            y + 15,
            node.name
        );
    }
    let note = match (graph.vertices.is_empty(), graph.waiting_count, graph.left_out_count) {
        (true, 0, _) => "everything committed is executed".to_owned(),
        (true, waiting, _) => format!("{waiting} committed slots wait for one before them"),
        (false, _, 0) => String::new(),
        (false, _, more) => format!("and {more} more"),
    };
    let _ = writeln!(picture, "<text x=\"20\" y=\"{}\">{note}</text>\n</svg>", height - 8);
    picture
}

/// The column of each vertex: one more than the greatest of what it depends on; an edge back, of a
/// cycle, does not count. Without recursion, for chains are long.
fn columns(graph: &Graph) -> Vec<usize> {
    let count = graph.vertices.len();
    let mut depends = vec![Vec::new(); count];
    for (from, to) in &graph.edges {
        depends[*from].push(*to);
    }
    let (mut columns, mut state) = (vec![0; count], vec![Visit::Not; count]);
    for start in 0..count {
        let mut path = vec![(start, 0)];
        while let Some((vertex, next)) = path.pop() {
            match depends[vertex].get(next) {
                _ if state[vertex] == Visit::Done => {}
                Some(to) => {
                    state[vertex] = Visit::Open;
                    path.push((vertex, next + 1));
                    if state[*to] == Visit::Not {
                        path.push((*to, 0));
                    }
                }
                None => {
                    state[vertex] = Visit::Done;
                    let below =
                        depends[vertex].iter().filter(|to| state[**to] == Visit::Done && **to != vertex);
                    columns[vertex] = below.map(|to| columns[*to] + 1).max().unwrap_or(0);
                }
            }
        }
    }
    columns
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Visit {
    Not,
    Open,
    Done,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dot::dot;
    use isegoria_runtime::GraphVertex;

    fn graph(count: usize, edges: &[(usize, usize)]) -> Graph {
        let node = |number| GraphVertex { name: format!("n1.{number}"), is_chosen: number > 0 };
        Graph {
            vertices: (0..count).map(node).collect(),
            edges: edges.to_vec(),
            left_out_count: 0,
            waiting_count: 1,
        }
    }

    #[test]
    fn what_is_waited_for_is_on_the_left() {
        assert_eq!(columns(&graph(4, &[(1, 0), (2, 1), (3, 0), (3, 2)])), [0, 1, 2, 3]);
        assert_eq!(columns(&graph(3, &[(0, 1), (1, 2), (2, 0)])).len(), 3, "a cycle ends, too");
        let chain: Vec<(usize, usize)> = (1..100_000).map(|number| (number, number - 1)).collect();
        assert_eq!(columns(&graph(100_000, &chain))[99_999], 99_999);
    }

    #[test]
    fn both_pictures_have_every_vertex_and_edge() {
        let graph = graph(3, &[(1, 0), (2, 1)]);
        let (dot, svg) = (dot(&graph), svg(&graph));
        assert_eq!((svg.matches("<rect").count(), svg.matches("<path").count()), (3, 2));
        assert!(
            dot.contains("\"n1.2\" -> \"n1.1\";") && dot.contains("\"n1.0\" [style=\"rounded,dashed\"];"),
            "{dot}"
        );
        assert!(super::svg(&Graph::default()).contains("everything committed is executed"));
    }
}
