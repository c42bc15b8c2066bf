use isegoria_types::{NodeId, NodeSet};

/// The nodes that a session may ask, and the one that it asks now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Targets {
    nodes: NodeSet,
    current: NodeId,
}

impl Targets {
    /// Asks `current` first, then the others of `nodes` in turn.
    #[must_use]
    pub fn new(current: NodeId, nodes: NodeSet) -> Targets {
        let mut nodes = nodes;
        nodes.insert(current);
        Targets { nodes, current }
    }

    /// Whom to ask now.
    #[must_use]
    pub fn current(&self) -> NodeId {
        self.current
    }

    /// All nodes that may be asked.
    #[must_use]
    pub fn nodes(&self) -> NodeSet {
        self.nodes
    }

    /// Asks `node` from now on, if it may be asked; says so.
    pub fn choose(&mut self, node: NodeId) -> bool {
        let known = self.nodes.contains(node);
        if known {
            self.current = node;
        }
        known
    }

    /// Turns away from `node`, if it is the one that is asked now.
    pub fn leave(&mut self, node: NodeId) {
        if self.current == node {
            let after = self.nodes.iter().find(|other| *other > node);
            self.current = after.or_else(|| self.nodes.iter().next()).unwrap_or(node);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_asked_in_turn() {
        let node = NodeId::new;
        let mut targets = Targets::new(node(1), [0, 1, 3].into_iter().map(node).collect());
        let mut asked = Vec::new();
        for _ in 0..4 {
            asked.push(targets.current().index());
            targets.leave(targets.current());
        }
        assert_eq!(asked, [1, 3, 0, 1]);
        targets.leave(node(0));
        assert_eq!(targets.current(), node(3));
        assert!(!targets.choose(node(2)) && targets.choose(node(0)));
        assert_eq!(targets.current(), node(0));
    }
}
