use isegoria_types::{NodeId, NodeSet, Quorum};

/// The other nodes as a proposer sees them: who is near, and who was waited for in vain. It
/// decides whom to ask first, and for whom not to wait: a node of which nothing is heard and that
/// nobody suspects costs one wait and not one a command.
///
/// Safety never depends on it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Peers {
    /// The others, nearest first as far as is known.
    nearest: Vec<NodeId>,
    silent: NodeSet,
}

impl Peers {
    /// Until it is said who is near, the next ones in the ring are: then each node is asked by
    /// as many others as any other.
    #[must_use]
    pub fn new(own: NodeId, node_count: usize) -> Peers {
        Peers { nearest: own.ring(node_count).collect(), silent: NodeSet::EMPTY }
    }

    /// A hint: whom it leaves out comes last, in the order that was.
    pub fn on_nearest(&mut self, others: &[NodeId]) {
        let place = |node: &NodeId| others.iter().position(|other| other == node).unwrap_or(others.len());
        self.nearest.sort_by_key(place);
    }

    /// A node answers, or is up as far as one can see.
    pub fn heard(&mut self, node: NodeId) {
        self.silent = self.silent.without(node);
    }

    /// These were waited for in vain.
    pub fn missed(&mut self, nodes: NodeSet) {
        self.silent = self.silent.union(nodes);
    }

    /// Who was waited for in vain since it was last heard.
    #[must_use]
    pub fn silent(&self) -> NodeSet {
        self.silent
    }

    /// The nearest nodes that are a quorum, after this one; those that are not waited for come
    /// last. All that may belong to it, if they are none.
    #[must_use]
    pub fn quorum(&self, own: NodeId, quorum: &Quorum, given_up: NodeSet) -> NodeSet {
        let is_late = |node: &NodeId| given_up.contains(*node);
        let first = self.nearest.iter().copied().filter(|node| !is_late(node));
        let late = self.nearest.iter().copied().filter(is_late);
        let members = quorum.members();
        let mut asked = NodeSet::EMPTY;
        for node in std::iter::once(own).chain(first).chain(late) {
            if quorum.is_quorum(asked) {
                break;
            }
            if members.contains(node) {
                asked.insert(node);
            }
        }
        asked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(indices: &[usize]) -> NodeSet {
        indices.iter().copied().map(NodeId::new).collect()
    }

    #[test]
    fn the_nearest_come_first_and_those_given_up_last() {
        let own = NodeId::new(1);
        let mut peers = Peers::new(own, 5);
        let three = Quorum::AtLeast { members: NodeSet::first(5), count: 3 };
        assert_eq!(peers.quorum(own, &three, NodeSet::EMPTY), nodes(&[1, 2, 3]), "the ring");
        peers.on_nearest(&[NodeId::new(4), NodeId::new(0)]);
        assert_eq!(peers.quorum(own, &three, NodeSet::EMPTY), nodes(&[1, 4, 0]));
        assert_eq!(peers.quorum(own, &three, nodes(&[0])), nodes(&[1, 4, 2]));
        assert_eq!(peers.quorum(own, &three, nodes(&[0, 2, 3])), nodes(&[1, 4, 0]), "there are no others");
    }

    #[test]
    fn only_members_are_asked() {
        let own = NodeId::new(0);
        let peers = Peers::new(own, 5);
        let apart = Quorum::AtLeast { members: nodes(&[2, 3, 4]), count: 2 };
        assert_eq!(peers.quorum(own, &apart, NodeSet::EMPTY), nodes(&[2, 3]));
        let none = Quorum::AtLeast { members: nodes(&[2]), count: 2 };
        assert_eq!(peers.quorum(own, &none, NodeSet::EMPTY), nodes(&[2]));
    }

    #[test]
    fn who_is_heard_is_not_silent() {
        let mut peers = Peers::new(NodeId::new(0), 3);
        peers.missed(nodes(&[1, 2]));
        peers.heard(NodeId::new(2));
        assert_eq!(peers.silent(), nodes(&[1]));
    }
}
