//! Atlas (V. Enes et al., "State-Machine Replication for Planet-Scale Systems", EuroSys
//! 2020; protocols.md 3.7): every node is a leader, a dependency node, an acceptor and a
//! replica. A leader collects dependencies from a fast quorum of its choice, and decides
//! alone whether their union is chosen.
//!
//! | path | leader or recoverer | fast quorum | all nodes | replicas |
//! |---|---|---|---|---|
//! | fast | records; `Collect` → | records: → `CollectAck` | | |
//! | | each dependency is named by f: `Commit` (ballot 0) → | | | execute |
//! | slow | some are not: `Phase2a` (ballot 1) with the union → | | votes: → `Phase2b` | |
//! | | chosen; `Commit` (ballot 1) → | | | execute |
//! | recovery | `Phase1a` (ballot 2 and above) → | | → `Phase1b` | |
//! | | [`choose`]; `Phase2a` → | | → `Phase2b` | |
//! | decided | | | anything → `Chosen` | |
//! | forgotten | | | request below its floor → `StaleFloor`; below `W` → `Gced` | |
//!
//! Quorums of n nodes, of which f may be down: fast ⌊n/2⌋+f with the leader in it, phase 1
//! n−f, phase 2 f+1. With f = 1 the fast quorum is a majority, and the fast path never lost.
//! The paper's MCollect, MRec, MConsensus and MCommit are `Collect`, `Phase1a`, `Phase2a` and
//! `Commit` here.
//!
//! Invariants: **Agreement**: what a leader may have decided is the union of what those
//! members of its fast quorum say that promise without it: at most f−1 others are missing,
//! and each dependency has f who name it. A leader that promises has not decided and never
//! will. **Visibility**: every value has the answers of a majority in it, the leader's own
//! among them, or those of a dependency quorum.
//!
//! Rounds 0 and 1 of a vertex belong to its leader. Persisted before anything that depends on
//! it leaves: reserved numbers, what was answered, promises, votes, and a leader's own word.
//!
//! Departures from the paper: a payload travels with the commit to those who are not asked;
//! a leader that waits in vain for its fast quorum asks the others, and takes the slow path
//! with the answers of a majority, in its own ballot.
//!
//! Not done: reconfiguration.

mod acceptor;
mod admit;
mod choose;
mod evidence;
mod leader;
mod message;
mod node;
mod options;
mod recovery;

pub use choose::{Collected, Heard, Outlook, Recovered, choose, outlook};
pub use message::{Message, Record, Timer};
pub use node::AtlasNode;
pub use options::Options;

use isegoria_node::{ConfigError, FastRule, OrderKind, Protocol, RoundTrip};
use isegoria_types::{Conflicts, Layout, NodeId, Quorums};

/// Atlas.
#[derive(Clone, Copy, Debug)]
pub struct Atlas;

impl Protocol for Atlas {
    const NAME: &'static str = "atlas";
    const ORDER: OrderKind = OrderKind::Graph;
    const HAS_FAST_PATH: bool = true;
    const DELAY_COUNT: u32 = 2;
    const RULES: &'static [&'static str] =
        &[recovery::ASKED_AGAIN, "union of different votes of ballot 0 chosen"];
    type Node = AtlasNode;
    type Options = Options;

    fn build_with(
        own: NodeId,
        layout: &Layout,
        options: &Options,
        conflicts: &Conflicts,
    ) -> Result<AtlasNode, ConfigError> {
        options.check(layout)?;
        Ok(AtlasNode::new(own, layout, (options, conflicts)))
    }

    fn quorums(layout: &Layout, options: &Options) -> Quorums {
        options.quorums(layout)
    }

    fn agreed(layout: &Layout, options: &Options) -> String {
        format!("f={}", options.f(layout))
    }

    /// To the farthest of the nearest fast quorum and back.
    fn limit(layout: &Layout, options: &Options, at: NodeId, round_trip: RoundTrip<'_>) -> f64 {
        options.fast_quorum(layout).nearest(|node| round_trip(at, node))
    }

    fn fast_quorum(layout: &Layout) -> Option<usize> {
        Some(Options::default().fast_size(layout))
    }

    fn fast_rule(layout: &Layout, options: &Options) -> FastRule {
        FastRule::LeaderNamed { size: options.fast_size(layout), count: options.named_by(layout) }
    }
}
