use isegoria_types::NodeId;
use std::time::Duration;

/// Distances that differ by less are the same, as they are in one place: it is not worth
/// while that all of a cluster prefer the same node.
const GRAIN: Duration = Duration::from_millis(4);

/// How far the other nodes are, as the last greetings told.
#[derive(Debug)]
pub(crate) struct Nearness {
    own: NodeId,
    round_trips: Vec<Duration>,
    told: Vec<NodeId>,
}

impl Nearness {
    pub(crate) fn new(own: NodeId, node_count: usize) -> Nearness {
        Nearness { own, round_trips: vec![Duration::MAX; node_count], told: Vec::new() }
    }

    /// A peer has answered after this long. The other nodes, nearest first, if that is news;
    /// those that are equally near in the order of the ring, from this node on.
    pub(crate) fn heard(&mut self, peer: NodeId, round_trip: Duration) -> Option<Vec<NodeId>> {
        self.round_trips[peer.index()] = round_trip;
        let mut others: Vec<NodeId> = self.own.ring(self.round_trips.len()).collect();
        others.sort_by_key(|node| self.round_trips[node.index()].as_millis() / GRAIN.as_millis());
        let is_news = others != self.told;
        self.told.clone_from(&others);
        is_news.then_some(others)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_come_first_and_equals_in_the_order_of_the_ring() {
        let mut nearness = Nearness::new(NodeId::new(1), 4);
        let nodes = |list: [usize; 3]| Some(list.map(NodeId::new).to_vec());
        let ms = Duration::from_millis;
        assert_eq!(
            nearness.heard(NodeId::new(0), ms(9)),
            nodes([0, 2, 3]),
            "of whom nobody has heard is far"
        );
        assert_eq!(nearness.heard(NodeId::new(3), ms(1)), nodes([3, 0, 2]));
        assert_eq!(nearness.heard(NodeId::new(2), ms(2)), nodes([2, 3, 0]), "as near as the other");
        assert_eq!(nearness.heard(NodeId::new(2), ms(3)), None);
    }
}
