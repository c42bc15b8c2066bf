use crate::list_append::graph::{Dependencies, Edge, Kind};
use crate::list_append::transactions::number;
use crate::list_append::versions::UNSEEN;
use petgraph::algo::kosaraju_scc;
use petgraph::graph::{EdgeReference, NodeIndex};
use petgraph::visit::{EdgeFiltered, EdgeRef};
use std::collections::VecDeque;

/// How many edges a search for a short cycle begins with.
const STARTS_MAX: usize = 64;

/// Transactions each of which comes before the next one, and the last before the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cycle {
    pub(crate) class: Class,
    /// Each with its dependency on the next one.
    pub(crate) links: Vec<(u32, Edge)>,
}

/// The classes of cycles of Adya, *Weak consistency* (1999), the strongest anomaly first;
/// then those in which time takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Class {
    pub(crate) name: &'static str,
    /// Which kinds of dependencies occur.
    kinds: &'static [Kind],
    /// Exactly one dependency is [`Kind::ReadWrite`].
    is_single: bool,
}

use Kind::{ReadWrite as Rw, RealTime as Rt, Way, WriteRead as Wr, WriteWrite as Ww};

const CLASSES: [Class; 8] = [
    Class { name: "G0", kinds: &[Ww, Way], is_single: false },
    Class { name: "G1c", kinds: &[Ww, Wr, Way], is_single: false },
    Class { name: "G-single", kinds: &[Ww, Wr, Rw, Way], is_single: true },
    Class { name: "write skew (G2)", kinds: &[Ww, Wr, Rw, Way], is_single: false },
    Class { name: "G0-realtime", kinds: &[Ww, Rt, Way], is_single: false },
    Class { name: "G1c-realtime", kinds: &[Ww, Wr, Rt, Way], is_single: false },
    Class { name: "G-single-realtime", kinds: &[Ww, Wr, Rw, Rt, Way], is_single: true },
    Class { name: "G2-realtime", kinds: &[Ww, Wr, Rw, Rt, Way], is_single: false },
];

/// A short cycle of the first class that has one. Nodes from `transaction_count` on are
/// no transactions.
pub(crate) fn find(graph: &Dependencies, transaction_count: usize) -> Option<Cycle> {
    let search = Search { graph, transaction_count };
    // One pass for nearly every history: it has no cycle at all.
    if search.components(&CLASSES[7]).is_empty() {
        return None;
    }
    CLASSES.iter().find_map(|class| search.shortest(class).map(|links| Cycle { class: *class, links }))
}

struct Search<'g> {
    graph: &'g Dependencies,
    transaction_count: usize,
}

/// A way through the graph: each edge with the node that it leads to.
type Steps = Vec<(NodeIndex, Edge)>;

/// Not in a component of more than one node.
const ALONE: u32 = u32::MAX;

impl Search<'_> {
    fn is_transaction(&self, node: NodeIndex) -> bool {
        node.index() < self.transaction_count
    }

    /// The strongly connected components of more than one node, in the edges of a class;
    /// the smallest first.
    fn components(&self, class: &Class) -> Vec<Vec<NodeIndex>> {
        let filtered = EdgeFiltered::from_fn(self.graph, |edge| class.kinds.contains(&edge.weight().kind));
        let mut components = kosaraju_scc(&filtered);
        components.retain(|component| component.len() > 1);
        components.sort_by_key(Vec::len);
        components
    }

    fn shortest(&self, class: &Class) -> Option<Vec<(u32, Edge)>> {
        let components = self.components(class);
        let mut members = vec![ALONE; self.graph.node_count()];
        for (number, component) in (0..).zip(&components) {
            component.iter().for_each(|node| members[node.index()] = number);
        }
        let others: Vec<Kind> = class.kinds.iter().copied().filter(|kind| *kind != Rw).collect();
        let is_start = |node: &&NodeIndex| self.is_transaction(**node);
        // A cycle begins with any edge, or with its only read-write dependency.
        let first = components.iter().flatten().filter(is_start).flat_map(|node| {
            let is_first = |edge: &EdgeReference<'_, Edge, u32>| {
                let kind = edge.weight().kind;
                let is_inside = members[edge.target().index()] == members[node.index()];
                is_inside && class.kinds.contains(&kind) && (!class.is_single || kind == Rw)
            };
            self.graph.edges(*node).filter(is_first)
        });
        let kinds = if class.is_single { &others } else { class.kinds };
        let mut best: Option<(NodeIndex, Steps)> = None;
        for edge in first.take(STARTS_MAX) {
            let length = best.as_ref().map_or(usize::MAX, |(_, steps)| steps.len());
            if let Some(rest) = self.way(edge.target(), edge.source(), kinds, &members)
                && rest.len() + 1 < length
            {
                let steps = std::iter::once((edge.target(), *edge.weight())).chain(rest).collect();
                best = Some((edge.source(), steps));
            }
        }
        best.map(|(start, steps)| self.links(start, &steps))
    }

    /// A way with few transactions, within a component.
    fn way(&self, from: NodeIndex, to: NodeIndex, kinds: &[Kind], members: &[u32]) -> Option<Steps> {
        let mut came: Vec<Option<(NodeIndex, Edge)>> = vec![None; self.graph.node_count()];
        let mut queue = VecDeque::from([from]);
        while let Some(node) = queue.pop_front() {
            for edge in self.graph.edges(node) {
                let target = edge.target();
                let is_inside = members[target.index()] == members[from.index()];
                if !is_inside || !kinds.contains(&edge.weight().kind) || came[target.index()].is_some() {
                    continue;
                }
                came[target.index()] = Some((node, *edge.weight()));
                if target == to {
                    return Some(unwind(&came, from, to));
                }
                // What is no transaction costs nothing.
                match self.is_transaction(target) {
                    true => queue.push_back(target),
                    false => queue.push_front(target),
                }
            }
        }
        None
    }

    /// Leaves out the nodes that are no transactions.
    fn links(&self, start: NodeIndex, steps: &Steps) -> Vec<(u32, Edge)> {
        let mut links = Vec::new();
        let (mut from, mut first) = (start, None);
        for (node, edge) in steps {
            let mut link: Edge = first.unwrap_or(*edge);
            if !self.is_transaction(*node) {
                first = Some(link);
                continue;
            }
            if link.element == UNSEEN {
                link.element = edge.element;
            }
            links.push((number(from.index()), link));
            (from, first) = (*node, None);
        }
        links
    }
}

fn unwind(came: &[Option<(NodeIndex, Edge)>], from: NodeIndex, to: NodeIndex) -> Steps {
    let mut steps = Vec::new();
    let mut node = to;
    while let Some((before, edge)) = came[node.index()] {
        steps.push((node, edge));
        node = before;
        if node == from {
            break;
        }
    }
    steps.reverse();
    steps
}
