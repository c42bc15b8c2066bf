//! Simple BPaxos (protocols.md 3.2): a dependency service says what a vertex depends
//! on, one Paxos instance a vertex decides it. No fast path, so no tension between
//! consensus and dependencies (1.4): the simplest protocol of the family.
//!
//! | path | leader or recoverer | dependency nodes | acceptors | replicas |
//! |---|---|---|---|---|
//! | normal | `DepRequest` → | → `DepReply` | | |
//! | | union of a quorum's answers; `Phase2a` (ballot 0) → | | → `Phase2b` | |
//! | | chosen; `Commit` → | | | execute |
//! | recovery | `Phase1a` → | | → `Phase1b` | |
//! | | value of the highest vote, else the leader's own, else noop; `Phase2a` → | | → `Phase2b` | |
//! | decided | | | anything → `Chosen` | |
//! | forgotten | | request below its floor → `StaleFloor` | below `W` → `Gced` | |
//!
//! Messages a vertex, co-located: 5(n−1); with `thrifty` 4(q−1) + n−1, q the size of the quorums.
//!
//! Invariants: **Agreement**, one value a vertex, by Paxos; **Visibility**, of two
//! chosen conflicting vertices one has the other in its dependencies, because any two
//! dependency quorums share a node that recorded one before the other, and *every*
//! answer of a quorum goes into the union (trace B3).
//!
//! Persisted before anything that depends on it leaves: reserved numbers, recorded
//! vertices, promises, votes, ballots of attempts. That a value is chosen is only
//! noted: the votes prove it.
//!
//! Not done: quorum reads, reconfiguration.

mod acceptor;
mod admit;
mod dependency;
mod evidence;
mod leader;
mod message;
mod node;
mod options;
mod recovery;

pub use message::{Message, Record, Timer};
pub use node::SimpleNode;
pub use options::Options;

use isegoria_node::{ConfigError, OrderKind, Protocol, RoundTrip};
use isegoria_types::{Conflicts, Layout, NodeId, Quorums};

/// Simple BPaxos.
#[derive(Clone, Copy, Debug)]
pub struct SimpleBpaxos;

impl Protocol for SimpleBpaxos {
    const NAME: &'static str = "simple-bpaxos";
    const ORDER: OrderKind = OrderKind::Graph;
    const HAS_FAST_PATH: bool = false;
    const DELAY_COUNT: u32 = 4;
    type Node = SimpleNode;
    type Options = Options;

    fn build_with(
        own: NodeId,
        layout: &Layout,
        options: &Options,
        conflicts: &Conflicts,
    ) -> Result<SimpleNode, ConfigError> {
        options.check()?;
        Ok(SimpleNode::new(own, layout, (options, conflicts)))
    }

    /// To the nearest dependency quorum and back, then to the nearest acceptors and back.
    fn limit(layout: &Layout, _: &Options, at: NodeId, round_trip: RoundTrip<'_>) -> f64 {
        let Quorums { dependency, phase2, .. } = &layout.quorums;
        dependency.nearest(|node| round_trip(at, node)) + phase2.nearest(|node| round_trip(at, node))
    }
}
