use super::fault::{Fault, FaultKind, Room};
use isegoria_types::{NodeId, NodeSet};
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

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// When, since the beginning.
    pub(crate) at: Duration,
    pub(crate) edge: Edge,
    pub(crate) fault: Fault,
}

/// All faults of a run, drawn from its seed before it begins.
///
/// Invariants: at most `tolerated` nodes are down at once, or all by one fault that is alone
/// from begin to end, however late the steps are done, if they are done in this order; a node
/// is down by one fault at a time; every fault ends within the duration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) steps: Vec<Step>,
}

impl Plan {
    pub(crate) fn new(kinds: &[FaultKind], shape: Shape, seed: u64) -> Plan {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut steps: Vec<Step> = Vec::new();
        let mut down: Vec<(Duration, NodeSet)> = Vec::new();
        let mut at = pause(&mut rng);
        while at < shape.duration {
            down.retain(|(until, _)| *until > at);
            let held = down.iter().fold(NodeSet::EMPTY, |held, (_, nodes)| held.union(*nodes));
            let room = Room {
                nodes: shape.nodes,
                tolerated: shape.tolerated,
                free: shape.tolerated.saturating_sub(held.len()),
                up: (0..shape.nodes).filter(|node| !held.contains(NodeId::new(*node))).collect(),
            };
            if let (1.., Some(node), Some(kind)) =
                (room.free, room.up.choose(&mut rng), kinds.choose(&mut rng))
            {
                let fault = kind.draw(*node, &room, &mut rng);
                if fault.is_alone() {
                    // It waits until everybody is back, and so does all that comes later.
                    at = down.iter().map(|(until, _)| *until).fold(at, Duration::max);
                    if at == shape.duration {
                        break;
                    }
                }
                let end = (at + fault.length()).min(shape.duration);
                down.push((end, fault.down(shape.nodes)));
                steps.push(Step { at, edge: Edge::Begin, fault: fault.clone() });
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
    use crate::nemesis::partition::Partition;
    use std::collections::BTreeSet;

    const KILL: &[FaultKind] = &[FaultKind::Kill];

    fn shape(nodes: usize, tolerated: usize) -> Shape {
        Shape { nodes, tolerated, duration: Duration::from_secs(300) }
    }

    const ALL: &[FaultKind] = &[
        FaultKind::Kill,
        FaultKind::Pause,
        FaultKind::Partition,
        FaultKind::Power,
        FaultKind::DiskFull,
        FaultKind::FsyncError,
        FaultKind::Flip,
    ];

    /// What a plan leads to.
    #[derive(Default)]
    struct Replay {
        /// The most nodes that are down at once, but for faults that are alone.
        most: usize,
        hit: BTreeSet<NodeId>,
        alone_count: usize,
    }

    /// Does a plan on paper, and checks what it promises.
    fn replay(plan: &Plan, shape: Shape) -> Replay {
        let mut replay = Replay::default();
        let mut under_way: Vec<&Fault> = Vec::new();
        let mut before = Duration::ZERO;
        for Step { at, edge, fault } in &plan.steps {
            assert!(before <= *at && *at <= shape.duration, "in order, and within the duration");
            before = *at;
            match edge {
                Edge::Begin => {
                    let down = fault.down(shape.nodes);
                    let held = |other: &&Fault| other.down(shape.nodes).intersection(down);
                    assert!(under_way.iter().all(|other| held(other).is_empty()), "they were up");
                    under_way.push(fault);
                    replay.hit.extend(down.iter());
                }
                Edge::End => {
                    let place = under_way.iter().position(|other| *other == fault).expect("begun");
                    under_way.remove(place);
                }
            }
            let down =
                under_way.iter().fold(NodeSet::EMPTY, |down, fault| down.union(fault.down(shape.nodes)));
            if under_way.iter().any(|fault| fault.is_alone()) {
                assert_eq!(under_way.len(), 1, "alone");
                replay.alone_count += usize::from(*edge == Edge::Begin);
                assert_enough_are_heard(under_way[0], shape);
            } else {
                replay.most = replay.most.max(down.len());
                assert!(down.len() <= shape.tolerated);
                assert_the_others_hear_one_another(&under_way, down);
            }
        }
        assert!(under_way.is_empty(), "everything is up in the end");
        replay
    }

    fn assert_the_others_hear_one_another(under_way: &[&Fault], down: NodeSet) {
        for fault in under_way {
            let Fault::Partition(partition) = fault else { continue };
            assert!(!partition.cuts.is_empty());
            for (from, to) in &partition.cuts {
                assert_ne!(from, to);
                assert!([from, to].iter().any(|end| down.contains(NodeId::new(**end))), "{partition:?}");
            }
        }
    }

    fn assert_enough_are_heard(fault: &Fault, shape: Shape) {
        let Fault::Partition(Partition { cuts, .. }) = fault else { return };
        for node in 0..shape.nodes {
            let lost =
                |is_end: fn(&(usize, usize)) -> usize| cuts.iter().filter(|way| is_end(way) == node).count();
            let (deaf, mute) = (lost(|way| way.1), lost(|way| way.0));
            assert!(deaf.max(mute) <= shape.tolerated, "{cuts:?}");
        }
    }

    #[test]
    fn as_many_are_down_as_may_be_and_never_more() {
        for seed in 0..50 {
            for (nodes, tolerated) in [(3, 1), (5, 2), (7, 3)] {
                let shape = shape(nodes, tolerated);
                let plan = Plan::new(KILL, shape, seed);
                let replay = replay(&plan, shape);
                assert_eq!((replay.most, replay.alone_count), (tolerated, 0), "seed {seed}");
                assert_eq!(replay.hit.len(), nodes, "every node is hit within five minutes");
                assert!(plan.steps.len() > 100, "seed {seed}: {} steps", plan.steps.len());
            }
        }
    }

    #[test]
    fn every_kind_keeps_the_plans_promises_alone_and_with_all_others() {
        let kinds = ALL.iter().map(std::slice::from_ref).chain([ALL]);
        for (kinds, seed) in kinds.flat_map(|kinds| (0..20).map(move |seed| (kinds, seed))) {
            for (nodes, tolerated) in [(3, 1), (4, 1), (5, 2), (5, 1), (7, 3)] {
                let shape = shape(nodes, tolerated);
                let plan = Plan::new(kinds, shape, seed);
                let replay = replay(&plan, shape);
                let what = format!("{kinds:?}, seed {seed}, {nodes} nodes");
                // Faults of one node that are mostly of all seldom meet.
                assert!(replay.most >= 1 && replay.hit.len() == nodes, "{what}: {}", replay.most);
                assert!(plan.steps.len() > 80, "{what}: {} steps", plan.steps.len());
                let drawn: BTreeSet<FaultKind> = plan.steps.iter().map(|step| step.fault.kind()).collect();
                assert_eq!(drawn, kinds.iter().copied().collect(), "{what}");
            }
        }
    }

    /// The ring needs nodes enough; the cut of all goes into every plan.
    #[test]
    fn some_faults_take_the_whole_cluster_and_are_alone() {
        for (kind, nodes, tolerated, expected) in [
            (FaultKind::Partition, 3, 1, false),
            (FaultKind::Partition, 5, 2, true),
            (FaultKind::Power, 3, 1, true),
        ] {
            let shape = shape(nodes, tolerated);
            let plan = Plan::new(&[FaultKind::Kill, kind], shape, 1);
            assert_eq!(replay(&plan, shape).alone_count > 0, expected, "{kind:?}");
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
        let again = |step: &&Step| matches!(&step.fault, Fault::Kill(kill) if kill.again_after.is_some());
        let count = plan.steps.iter().filter(again).count();
        assert!(0 < count && count < plan.steps.len() / 2, "{count} of {}", plan.steps.len());
    }
}
