//! Unanimous BPaxos (protocols.md 3.4): every node is a leader, a dependency node, an
//! acceptor and a replica. A node's answer about dependencies is its vote in ballot 0: one
//! round trip, where the votes agree.
//!
//! | path | leader or recoverer | all nodes | replicas |
//! |---|---|---|---|
//! | fast | `FastPropose` → | records, votes: → `FastVote` with its dependencies | |
//! | | all votes fit together: `Commit` (ballot 0) → | | execute |
//! | slow | they do not, or some are missing: `Phase2a` (ballot 1) with the union → | → `Phase2b` | |
//! | | chosen; `Commit` (ballot 1) → | | execute |
//! | recovery | `Phase1a` (ballot 2 and above) → | → `Phase1b` | |
//! | | [`choose`]; `Phase2a` → | → `Phase2b` | |
//! | decided | | anything → `Chosen` | |
//! | forgotten | | request below its floor → `StaleFloor`; below `W` → `Gced` | |
//!
//! Messages a vertex without thriftiness: 3(n−1), on the slow path 2(n−1) more.
//!
//! Which votes fit together is an option (`fast`). `unanimous`: all are equal. `threshold`,
//! Atlas's optimisation: each dependency of their union is named by so many of them that
//! every phase-1 quorum has one that names it; the union is chosen. `basic`, that of Basic
//! EPaxos: the leader votes first and tells how, and all but one vote the same; then its own
//! durable word decides, while its acceptor is in round 0.
//!
//! Invariants: **Agreement**: what the fast path may have chosen is what every phase-1
//! quorum of votes amounts to, so that a recoverer proposes it. **Visibility**: a forced
//! value has dependencies from a whole phase-1 quorum, which contains a dependency quorum
//! (Q4 of protocols.md 1.6, checked at the start): avoidance of the tension of 1.4.
//!
//! Rounds 0 and 1 of a vertex belong to its leader. Round 1 follows round 0 without phase
//! 1, because the votes of round 0 are promises for it: a node that has voted in round 1 or
//! above never votes in round 0. Persisted before anything that depends on it leaves:
//! reserved numbers, promises, votes, each of which is an entry of the index too, and a
//! leader's own word.
//!
//! Not done: thriftiness, reconfiguration.

mod acceptor;
mod admit;
mod evidence;
mod fast;
mod leader;
mod message;
mod node;
mod options;
mod recovery;

pub use fast::{Fit, Heard, Outlook, choose, outlook};
pub use message::{Message, Record, Timer};
pub use node::UnanimousNode;
pub use options::{Fast, Options};

use isegoria_node::{ConfigError, FastRule, OrderKind, Protocol, RoundTrip};
use isegoria_types::{Conflicts, Layout, NodeId, Quorum};

/// Unanimous BPaxos.
#[derive(Clone, Copy, Debug)]
pub struct UnanimousBpaxos;

impl Protocol for UnanimousBpaxos {
    const NAME: &'static str = "unanimous-bpaxos";
    const ORDER: OrderKind = OrderKind::Graph;
    const HAS_FAST_PATH: bool = true;
    const DELAY_COUNT: u32 = 2;
    type Node = UnanimousNode;
    type Options = Options;

    fn build_with(
        own: NodeId,
        layout: &Layout,
        options: &Options,
        conflicts: &Conflicts,
    ) -> Result<UnanimousNode, ConfigError> {
        options.check(layout)?;
        Ok(UnanimousNode::new(own, layout, (options, conflicts)))
    }

    fn agreed(_: &Layout, options: &Options) -> String {
        let fast = match options.fast {
            Fast::Unanimous => "unanimous",
            Fast::Threshold => "threshold",
            Fast::Basic => "basic",
        };
        format!("fast={fast}")
    }

    /// To the farthest node and back; with `fast=basic` to the farthest but one.
    fn limit(layout: &Layout, options: &Options, at: NodeId, round_trip: RoundTrip<'_>) -> f64 {
        let count = match Fit::new(options.fast, layout) {
            Fit::Leaders { count } => count,
            Fit::Equal | Fit::Named { .. } => layout.node_count,
        };
        Quorum::AtLeast { members: layout.acceptors, count }.nearest(|node| round_trip(at, node))
    }

    fn fast_quorum(layout: &Layout) -> Option<usize> {
        Some(layout.node_count)
    }

    fn fast_rule(layout: &Layout, options: &Options) -> FastRule {
        match Fit::new(options.fast, layout) {
            Fit::Equal => FastRule::AllEqual { voters: layout.acceptors },
            Fit::Named { count } => FastRule::AllNamed { voters: layout.acceptors, count },
            Fit::Leaders { count } => FastRule::Leader { count },
        }
    }
}
