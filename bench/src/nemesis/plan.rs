use super::fault::{Fault, FaultKind};
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::time::Duration;

/// What a plan is made for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) nodes: usize,
    /// How many nodes may be down at once.
    pub(crate) tolerated: usize,
    pub(crate) duration: Duration,
}

/// A fault begins or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Edge {
    // First of two at the same time: a node is back before the next one goes.
    End,
    Begin,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// When, since the beginning.
    pub(crate) at: Duration,
    pub(crate) edge: Edge,
    pub(crate) fault: Fault,
}

/// All faults of a run, drawn from its seed before it begins.
///
/// Invariants: at most `tolerated` nodes are down at once, however late the steps are
/// done, if they are done in this order; every fault ends within the duration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) steps: Vec<Step>,
}

impl Plan {
    pub(crate) fn new(kinds: &[FaultKind], shape: Shape, seed: u64) -> Plan {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut steps: Vec<Step> = Vec::new();
        let mut down: Vec<(Duration, usize)> = Vec::new();
        let mut at = pause(&mut rng);
        while at < shape.duration {
            down.retain(|(until, _)| *until > at);
            let up: Vec<usize> =
                (0..shape.nodes).filter(|node| down.iter().all(|(_, other)| other != node)).collect();
            let room = down.len() < shape.tolerated;
            if let (true, Some(node), Some(kind)) = (room, up.choose(&mut rng), kinds.choose(&mut rng)) {
                let fault = kind.draw(*node, &mut rng);
                let end = (at + fault.length()).min(shape.duration);
                down.push((end, *node));
                steps.push(Step { at, edge: Edge::Begin, fault });
                steps.push(Step { at: end, edge: Edge::End, fault });
            }
            at += pause(&mut rng);
        }
        steps.sort_by_key(|step| (step.at, step.edge));
        Plan { steps }
    }
}

/// The time to the next fault: now and then so short that nobody has got over the last one.
fn pause(rng: &mut impl Rng) -> Duration {
    let range_ms = if rng.random_bool(0.3) { 10..200 } else { 300..3000 };
    Duration::from_millis(rng.random_range(range_ms))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const KILL: &[FaultKind] = &[FaultKind::Kill];

    fn shape(nodes: usize, tolerated: usize) -> Shape {
        Shape { nodes, tolerated, duration: Duration::from_secs(300) }
    }

    /// The most nodes that are down at once, and the nodes that were.
    fn replay(plan: &Plan) -> (usize, BTreeSet<usize>) {
        let (mut down, mut most, mut hit) = (BTreeSet::new(), 0, BTreeSet::new());
        let mut before = Duration::ZERO;
        for step in &plan.steps {
            assert!(before <= step.at, "in order");
            before = step.at;
            match step.edge {
                Edge::Begin => assert!(down.insert(step.fault.node()), "it was up"),
                Edge::End => assert!(down.remove(&step.fault.node()), "it was down"),
            }
            most = most.max(down.len());
            hit.insert(step.fault.node());
        }
        assert!(down.is_empty(), "everything is up in the end");
        (most, hit)
    }

    #[test]
    fn as_many_are_down_as_may_be_and_never_more() {
        for seed in 0..50 {
            for (nodes, tolerated) in [(3, 1), (5, 2), (7, 3)] {
                let shape = shape(nodes, tolerated);
                let plan = Plan::new(KILL, shape, seed);
                let (most, hit) = replay(&plan);
                assert_eq!(most, tolerated, "seed {seed}");
                assert_eq!(hit.len(), nodes, "every node is hit within five minutes");
                assert!(plan.steps.iter().all(|step| step.at <= shape.duration));
                assert!(plan.steps.len() > 100, "seed {seed}: {} steps", plan.steps.len());
            }
        }
    }

    #[test]
    fn a_seed_is_a_plan() {
        let plan = |seed| Plan::new(KILL, shape(5, 2), seed);
        assert_eq!(plan(1), plan(1));
        assert_ne!(plan(1), plan(2));
    }

    #[test]
    fn without_kinds_or_room_nothing_happens() {
        assert!(Plan::new(&[], shape(3, 1), 1).steps.is_empty());
        assert!(Plan::new(KILL, shape(2, 0), 1).steps.is_empty());
    }

    #[test]
    fn some_nodes_are_killed_while_they_start() {
        let plan = Plan::new(KILL, shape(3, 1), 1);
        let again = |step: &&Step| matches!(step.fault, Fault::Kill(kill) if kill.again_after.is_some());
        let count = plan.steps.iter().filter(again).count();
        assert!(0 < count && count < plan.steps.len() / 2, "{count} of {}", plan.steps.len());
    }
}
