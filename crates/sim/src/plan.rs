use crate::config::SimConfig;
use crate::fault::Fault;
use crate::image::Rot;
use crate::network::{Habits, chance};
use crate::partition::Shape;
use crate::scoped::Kind;
use isegoria_replica::Retention;
use isegoria_types::{Layout, NodeId, NodeSet, Placement, QuorumSystem, Quorums, Role};
use rand::Rng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// Every run has at least this many faults.
pub const FAULT_COUNT_MIN: usize = 10;
/// Drawn are at least this many: a crash of what is down is none.
const FAULT_DRAW_MIN: usize = 20;
/// Longer than any run takes to answer, ms.
pub(crate) const PATIENT_MS: u64 = 45_000;
/// A flapping link: the same partition this often,
const FLAP_COUNT: u64 = 5;
/// each time after so long, µs.
const FLAP_US: u64 = 200_000;

/// Everything that a seed decides before the run begins.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) layout: Layout,
    pub(crate) workload: Workload,
    pub(crate) habits: Habits,
    /// Faults with their times, µs.
    pub(crate) faults: Vec<(u64, Fault)>,
    /// Nodes that stay away for a while when everything else heals: a quorum of each kind is left.
    pub(crate) away: NodeSet,
    /// How long a second of each node's timers takes, in thousandths of a second.
    pub(crate) clock_rates: Vec<u64>,
    /// The probability of a checkpoint at a gossip period.
    pub(crate) checkpoint: f64,
    /// The size of log segments, bytes.
    pub(crate) segment_bytes: u64,
    /// How much replicas hold for each other.
    pub(crate) retention: Retention,
    /// How commands name scopes in the place of keys, if they do.
    pub(crate) scoped: Option<Kind>,
}

/// What the clients do.
#[derive(Clone, Debug)]
pub(crate) struct Workload {
    pub(crate) client_count: usize,
    /// Requests of each client.
    pub(crate) request_count: u64,
    /// Requests that a client has under way at once.
    pub(crate) in_flight_max: usize,
    /// Pause between requests, µs.
    pub(crate) think_us: u64,
    pub(crate) key_count: u64,
    /// What the first key is used for; the others follow in turn.
    pub(crate) first_use: u64,
    /// The probability of the one hot key.
    pub(crate) hot: f64,
    /// After this long a client gives a request up, ms; the first one is patient.
    pub(crate) deadline_ms: u64,
    /// The most commands in a batch.
    pub(crate) batch_max: usize,
}

impl Plan {
    /// `quorums`: those that the protocol forms in a layout, if it can do with it. In the place
    /// of one that it cannot comes a majority of three or five nodes with all roles.
    pub(crate) fn draw(
        config: &SimConfig,
        quorums: impl Fn(&Layout) -> Option<Quorums>,
        rng: &mut ChaCha8Rng,
    ) -> Plan {
        let mut layout = layout(config, rng);
        if config.node_count.is_none() && quorums(&layout).is_none() {
            let count = if layout.node_count < 6 { 3 } else { 5 };
            layout = Layout::co_located(count, &QuorumSystem::Majority).expect("a legal layout");
        }
        layout.quorums = quorums(&layout).unwrap_or(layout.quorums);
        let limits = &config.faults;
        let used =
            |rng: &mut ChaCha8Rng, limit: f64| if rng.random() { rng.random_range(0.0..=limit) } else { 0.0 };
        let habits = Habits {
            loss: used(rng, limits.loss),
            duplication: used(rng, limits.duplication),
            lateness: used(rng, limits.lateness),
            delay_us: if rng.random() { 100..3_000 } else { 5_000..60_000 },
        };
        let faults = faults(config, &layout, rng);
        let skewed = chance(rng, 0.3);
        Plan {
            workload: Workload::draw(config, rng),
            habits,
            faults,
            away: away(&layout, rng),
            clock_rates: (0..layout.node_count)
                .map(|_| if skewed { rng.random_range(500..2_000) } else { 1_000 })
                .collect(),
            checkpoint: used(rng, 0.1),
            segment_bytes: 1 << rng.random_range(13..18),
            retention: retention(rng),
            scoped: Some(Kind::ALL[rng.random_range(0..3)]).filter(|_| chance(rng, 0.25)),
            layout,
        }
    }
}

impl Workload {
    fn draw(config: &SimConfig, rng: &mut ChaCha8Rng) -> Workload {
        let client_count = rng.random_range(4..13);
        let request_count = config.command_count.div_ceil(client_count as u64);
        let in_flight_max = if rng.random() { 1 } else { rng.random_range(2..9) };
        // They are busy for most of the chaos, and go on behind it.
        let think_us = 1 + config.chaos_ms * 1_000 * in_flight_max as u64 / request_count;
        Workload {
            client_count,
            request_count,
            in_flight_max,
            think_us,
            key_count: rng.random_range(1..9),
            first_use: rng.random_range(0..3),
            hot: [0.0, 0.0, 0.5, 0.95][rng.random_range(0..4)],
            deadline_ms: if chance(rng, 0.3) { rng.random_range(500..5_000) } else { PATIENT_MS },
            batch_max: [1, 1, 4, 32][rng.random_range(0..4)],
        }
    }
}

/// Half of the runs forget early what somebody lacks.
fn retention(rng: &mut ChaCha8Rng) -> Retention {
    if rng.random() {
        return Retention::default();
    }
    Retention { count_max: rng.random_range(4..64), bytes_max: 1 << rng.random_range(10..20) }
}

fn layout(config: &SimConfig, rng: &mut ChaCha8Rng) -> Layout {
    let majority = |count| (count, QuorumSystem::Majority);
    let (count, system) = match (config.node_count, rng.random_range(0..100)) {
        (Some(count), _) => (count, config.quorum.clone().unwrap_or_default()),
        (None, 0..50) => majority(3),
        (None, 50..70) => majority(5),
        (None, 70..73) => (4, QuorumSystem::TieBreaker { node: "n1".into() }),
        (None, 73..76) => (4, QuorumSystem::MajorityWithout { node: "n4".into() }),
        (None, 76..79) => (4, QuorumSystem::Counts { phase1: 3, phase2: 2, dependency: None }),
        (None, 79..82) => (6, QuorumSystem::Grid { rows: 2, columns: 3, dependency: Default::default() }),
        (None, _) => return apart(rng),
    };
    Layout::co_located(count, &system).expect("a legal layout")
}

/// Leaders with replicas, dependency nodes and acceptors on nodes of their own; now and
/// then one replica more.
fn apart(rng: &mut ChaCha8Rng) -> Layout {
    let kinds: [(usize, &[Role]); 4] = [
        (rng.random_range(2..4), &[Role::Leader, Role::Replica]),
        (3, &[Role::Dependency]),
        (3, &[Role::Acceptor]),
        (rng.random_range(0..2), &[Role::Replica]),
    ];
    let placement = |roles: &[Role]| Placement { roles: roles.to_vec() };
    let placements: Vec<Placement> =
        kinds.iter().flat_map(|(count, roles)| std::iter::repeat_n(placement(roles), *count)).collect();
    Layout::new(&placements, &QuorumSystem::Majority).expect("a legal layout")
}

/// Nodes without which every quorum, a leader and a majority of the replicas are still there: the
/// majority may have agreed to forget what the others lack.
fn away(layout: &Layout, rng: &mut ChaCha8Rng) -> NodeSet {
    let mut away = NodeSet::EMPTY;
    if rng.random() {
        return away;
    }
    let mut nodes: Vec<NodeId> = layout.nodes().iter().collect();
    nodes.shuffle(rng);
    for node in nodes {
        let left = layout.nodes().difference(away).without(node);
        let quorums = &layout.quorums;
        let quorate = [&quorums.phase1, &quorums.phase2, &quorums.dependency]
            .iter()
            .all(|quorum| quorum.is_quorum(left));
        let replicas = left.intersection(layout.replicas).len();
        if quorate && !left.intersection(layout.leaders).is_empty() && 2 * replicas > layout.replicas.len() {
            away.insert(node);
        }
    }
    away
}

fn faults(config: &SimConfig, layout: &Layout, rng: &mut ChaCha8Rng) -> Vec<(u64, Fault)> {
    let limits = &config.faults;
    let mut faults = Vec::new();
    let kinds: [(usize, Draw); 18] = [
        (limits.crash_count, crash),
        (limits.power_cut_count, power_cut),
        (limits.partition_count, partition),
        (limits.slow_node_count, |_, node, rng| Fault::SlowNode {
            node,
            for_us: rng.random_range(100_000..2_000_000),
        }),
        (limits.slow_disk_count, |_, node, rng| Fault::SlowDisk {
            node,
            for_us: rng.random_range(100_000..3_000_000),
        }),
        (limits.pause_count, |_, node, rng| Fault::Pause {
            node,
            for_us: rng.random_range(50_000..2_000_000),
        }),
        (limits.suspicion_count, suspicion),
        (limits.damage_count, |_, node, rng| damage(node, Rot::Flip, rng)),
        (limits.lost_write_count, |_, node, rng| damage(node, Rot::Lost, rng)),
        (limits.misdirected_write_count, |_, node, rng| damage(node, Rot::Misdirected, rng)),
        (limits.failing_read_count, |_, node, rng| Fault::FailingReads {
            node,
            count: rng.random_range(1..4),
        }),
        (limits.failing_sync_count, |_, node, _| Fault::FailingSync { node }),
        (limits.full_disk_count, |_, node, rng| Fault::FullDisk {
            node,
            for_us: rng.random_range(200_000..3_000_000),
        }),
        (limits.clock_jump_count, |_, node, rng| Fault::ClockJump {
            node,
            by_us: rng.random_range(-2_000_000..10_000_000),
        }),
        (limits.clock_drift_count, |_, node, rng| Fault::ClockDrift {
            node,
            rate: if rng.random() { rng.random_range(50..500) } else { rng.random_range(2_000..20_000) },
            for_us: rng.random_range(100_000..2_000_000),
        }),
        (limits.expiry_count, |layout, node, rng| Fault::ExpireSessions {
            node: if layout.leaders.contains(node) { node } else { any(layout.leaders, rng) },
        }),
        (limits.amnesia_count, |_, node, rng| Fault::Amnesia { node, old_image: rng.random() }),
        (limits.lying_sync_count, |_, node, rng| Fault::LyingSyncs {
            node,
            after_us: rng.random_range(10_000..500_000),
        }),
    ];
    let usable: Vec<Draw> = kinds.iter().filter(|(limit, _)| *limit > 0).map(|(_, draw)| *draw).collect();
    for (limit, draw) in kinds {
        let count = if limit > 0 && rng.random() { rng.random_range(0..=limit) } else { 0 };
        for _ in 0..count {
            push(&mut faults, draw, (config, layout), rng);
        }
    }
    while faults.len() < FAULT_DRAW_MIN && !usable.is_empty() {
        let draw = usable[rng.random_range(0..usable.len())];
        push(&mut faults, draw, (config, layout), rng);
    }
    faults
}

type Draw = fn(&Layout, NodeId, &mut ChaCha8Rng) -> Fault;

fn push(
    faults: &mut Vec<(u64, Fault)>,
    draw: Draw,
    (config, layout): (&SimConfig, &Layout),
    rng: &mut ChaCha8Rng,
) {
    let at = rng.random_range(0..config.chaos_ms * 1_000 - FLAP_COUNT * FLAP_US);
    let node = any(layout.nodes(), rng);
    let fault = draw(layout, node, rng);
    let Fault::Partition { shape, unreachable, .. } = &fault else {
        faults.push((at, fault));
        return;
    };
    if !chance(rng, 0.15) {
        faults.push((at, fault));
        return;
    }
    for flap in 0..FLAP_COUNT {
        let for_us = rng.random_range(FLAP_US / 4..FLAP_US * 3 / 4);
        let again = Fault::Partition { shape: *shape, unreachable: unreachable.clone(), for_us };
        faults.push((at + flap * FLAP_US, again));
    }
}

fn any(nodes: NodeSet, rng: &mut ChaCha8Rng) -> NodeId {
    nodes.iter().nth(rng.random_range(0..nodes.len())).expect("an index below the length")
}

fn crash(_: &Layout, node: NodeId, rng: &mut ChaCha8Rng) -> Fault {
    Fault::Crash { node, power_cut: rng.random(), down_us: rng.random_range(5_000..1_500_000) }
}

/// A disk that nobody mends keeps its node down: the plan allows that of those that are away.
fn damage(node: NodeId, rot: Rot, rng: &mut ChaCha8Rng) -> Fault {
    Fault::Damage { node, rot, mended_us: chance(rng, 0.7).then(|| rng.random_range(5_000..500_000)) }
}

fn power_cut(_: &Layout, _: NodeId, rng: &mut ChaCha8Rng) -> Fault {
    Fault::PowerCut { down_us: rng.random_range(5_000..500_000) }
}

fn partition(layout: &Layout, _: NodeId, rng: &mut ChaCha8Rng) -> Fault {
    let shape = Shape::draw(layout.node_count, rng);
    let unreachable = shape.unreachable(layout.node_count, rng);
    Fault::Partition { shape, unreachable, for_us: rng.random_range(100_000..2_500_000) }
}

fn suspicion(layout: &Layout, node: NodeId, rng: &mut ChaCha8Rng) -> Fault {
    Fault::Suspicion {
        node,
        about: any(layout.nodes().without(node), rng),
        for_us: rng.random_range(50_000..1_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn every_plan_has_commands_and_faults_enough_and_leaves_quorums() {
        let config = SimConfig::default();
        let mut apart_count = 0;
        for seed in 0..500 {
            let plan = Plan::draw(
                &config,
                |layout| Some(layout.quorums.clone()),
                &mut ChaCha8Rng::seed_from_u64(seed),
            );
            let workload = &plan.workload;
            assert!(workload.client_count as u64 * workload.request_count >= 500, "seed {seed}");
            assert!(plan.faults.len() >= FAULT_COUNT_MIN, "seed {seed}: {:?}", plan.faults);
            let left = plan.layout.nodes().difference(plan.away);
            assert!(plan.layout.quorums.phase1.is_quorum(left) && plan.layout.quorums.phase2.is_quorum(left));
            assert!(plan.layout.quorums.dependency.is_quorum(left));
            apart_count += usize::from(plan.layout.leaders != plan.layout.acceptors);
        }
        assert!(apart_count > 50);
    }
}
