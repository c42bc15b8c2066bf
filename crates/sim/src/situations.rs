use isegoria_node::{OrderKind, Protocol};
use isegoria_types::{Layout, NodeId, Placement, QuorumSystem, Role};

/// Situations that long runs must reach for every protocol: one that stays at zero is a
/// hole in the generator.
const ALWAYS: [&str; 57] = [
    "crash",
    "power cut",
    "partition: halves",
    "partition: one way",
    "partition: one alone",
    "partition: star",
    "partition: constrained star",
    "partition: line",
    "partition: ring",
    "partition: bridge",
    "slow node",
    "slow disk",
    "pause",
    "wrong suspicion",
    "message lost",
    "message doubled",
    "torn last write cut off",
    "unsynced records lost in a crash",
    "restart from a checkpoint",
    "crash that leaves the cache",
    "restart with more than was synced",
    "bit flipped",
    "synced write lost",
    "write misdirected",
    "damaged disk refused",
    "damaged disk mended",
    "damaged for good",
    "misplaced write cut off",
    "failing reads",
    "start ended by a failing disk",
    "failing sync",
    "process ended by a failed sync",
    "full disk",
    "no space for the next segment",
    "log waits for space",
    "message lost for want of space",
    "request refused for want of space",
    "checkpoint given up",
    "start ended for want of space",
    "clock jumps ahead",
    "clock jumps back",
    "clock too fast",
    "clock too slow",
    "sessions expired",
    "a client's session expired",
    "request of unknown outcome",
    "request asked again",
    "answer from the session table",
    "commits fetched from another replica",
    "cut agreed",
    "snapshot installed",
    "healed without a minority",
    "batch of several commands",
    "two nodes campaigned at one place",
    "scopes compared in pairs",
    "scopes found by an index",
    "scopes beside keys",
];

const IN_A_GRAPH: [&str; 10] = [
    "proposed with conflicts",
    "proposed without conflicts",
    "recovery started",
    "recovery proposed a noop",
    "noop chosen",
    "cycle chosen",
    "component of three leaders chosen",
    "value of an older ballot chosen again",
    "batch submitted again by its leader",
    "snapshot installed with extras kept",
];

const IN_A_LOG: [&str; 5] = [
    "leader elected",
    "leader deposed",
    "noop chosen",
    "value of an older ballot chosen again",
    "ghost skipped",
];

const WITH_A_FAST_PATH: [&str; 3] = ["fast path", "slow path", "chosen by votes of ballot 0"];

/// The names of all situations that a long run must reach.
#[must_use]
pub fn expected_situations<P: Protocol>(options: &P::Options) -> Vec<&'static str> {
    let special: &[&str] = match P::ORDER {
        OrderKind::Graph => &IN_A_GRAPH,
        OrderKind::Log => &IN_A_LOG,
    };
    let fast: &[&str] = if P::HAS_FAST_PATH { &WITH_A_FAST_PATH } else { &[] };
    let apart: &[&str] = if takes_roles_apart::<P>(options) { &["roles apart"] } else { &[] };
    ALWAYS.iter().chain(special).chain(fast).chain(apart).chain(P::RULES).copied().collect()
}

/// Whether the protocol can do with nodes that have one role each.
fn takes_roles_apart<P: Protocol>(options: &P::Options) -> bool {
    let roles: [&[Role]; 3] = [&[Role::Leader, Role::Replica], &[Role::Dependency], &[Role::Acceptor]];
    let placements = roles.map(|roles| Placement { roles: roles.to_vec() });
    let layout = Layout::new(&placements, &QuorumSystem::Majority).expect("every role is held");
    P::build(NodeId::new(0), &layout, options).is_ok()
}
