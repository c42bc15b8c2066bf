use isegoria_types::{NodeId, NodeSet};
use rand::Rng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// The shape of a partition: who does not hear whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Two groups that do not hear each other.
    Halves,
    /// As halves, but one group still hears the other.
    OneWay,
    /// One node alone.
    Isolated,
    /// Everybody hears one node only: a leader elsewhere has lost its quorum.
    Star,
    /// One node alone, and the others hear one of them only.
    ConstrainedStar,
    /// A line: each hears its neighbours.
    Line,
    /// A ring: each hears its neighbours.
    Ring,
    /// Two groups that have one node in common.
    Bridge,
}

impl Shape {
    const ALL: [Shape; 8] = [
        Shape::Halves,
        Shape::OneWay,
        Shape::Isolated,
        Shape::Star,
        Shape::ConstrainedStar,
        Shape::Line,
        Shape::Ring,
        Shape::Bridge,
    ];

    /// A shape that cuts something: a ring of three is whole.
    pub(crate) fn draw(node_count: usize, rng: &mut ChaCha8Rng) -> Shape {
        match Shape::ALL[rng.random_range(0..Shape::ALL.len())] {
            Shape::Ring if node_count < 4 => Shape::Line,
            shape => shape,
        }
    }

    /// The name of the situation.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Shape::Halves => "partition: halves",
            Shape::OneWay => "partition: one way",
            Shape::Isolated => "partition: one alone",
            Shape::Star => "partition: star",
            Shape::ConstrainedStar => "partition: constrained star",
            Shape::Line => "partition: line",
            Shape::Ring => "partition: ring",
            Shape::Bridge => "partition: bridge",
        }
    }

    /// For each node, whom its messages do not reach.
    pub(crate) fn unreachable(self, node_count: usize, rng: &mut ChaCha8Rng) -> Vec<NodeSet> {
        let mut line: Vec<NodeId> = (0..node_count).map(NodeId::new).collect();
        line.shuffle(rng);
        let cut = rng.random_range(1..node_count.max(2));
        let hears = |from: usize, to: usize| match self {
            Shape::Halves => (from < cut) == (to < cut),
            Shape::OneWay => from < cut || to >= cut,
            Shape::Isolated => from != 0 && to != 0,
            Shape::Star => from == 0 || to == 0,
            Shape::ConstrainedStar => from != 0 && to != 0 && (from == 1 || to == 1),
            Shape::Line => from.abs_diff(to) == 1,
            Shape::Ring => from.abs_diff(to) == 1 || from.abs_diff(to) == node_count - 1,
            // Behind the node in common there are two groups: the second is not empty.
            Shape::Bridge => {
                let end = cut.min(node_count - 2);
                from == 0 || to == 0 || (from <= end) == (to <= end)
            }
        };
        let mut unreachable = vec![NodeSet::EMPTY; node_count];
        for (from, sender) in line.iter().enumerate() {
            let deaf = line.iter().enumerate().filter(|(to, _)| *to != from && !hears(from, *to));
            unreachable[sender.index()] = deaf.map(|(_, node)| *node).collect();
        }
        unreachable
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    /// The number of ordered pairs that still hear each other.
    fn links(shape: Shape, node_count: usize, seed: u64) -> usize {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let unreachable = shape.unreachable(node_count, &mut rng);
        unreachable.iter().map(|deaf| node_count - 1 - deaf.len()).sum()
    }

    #[test]
    fn every_shape_leaves_what_its_name_says() {
        for seed in 0..50 {
            assert_eq!(links(Shape::Isolated, 5, seed), 4 * 3);
            assert_eq!(links(Shape::Star, 5, seed), 2 * 4);
            assert_eq!(links(Shape::ConstrainedStar, 5, seed), 2 * 3);
            assert_eq!(links(Shape::Line, 5, seed), 2 * 4);
            assert_eq!(links(Shape::Ring, 5, seed), 2 * 5);
            let halves = links(Shape::Halves, 5, seed);
            assert!([12, 8].contains(&halves), "{halves}");
            assert_eq!(links(Shape::OneWay, 5, seed), halves + (20 - halves) / 2);
            // One and three, or two and two, and all of them with the one in common.
            let bridge = links(Shape::Bridge, 5, seed);
            assert!([8 + 6, 8 + 4].contains(&bridge), "{bridge}");
        }
    }

    #[test]
    fn every_shape_cuts_something() {
        for seed in 0..500 {
            for node_count in 3..8 {
                let shape = Shape::draw(node_count, &mut ChaCha8Rng::seed_from_u64(seed));
                assert!(
                    links(shape, node_count, seed) < node_count * (node_count - 1),
                    "{shape:?} of {node_count}"
                );
            }
        }
    }
}
