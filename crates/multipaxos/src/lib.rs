//! Multi-Paxos, the leader-based baseline (protocols.md 3.10): a fair one, with
//! pre-vote, pipelined slots, leader hints and flexible quorums.
//!
//! | path | leader | acceptors | replicas |
//! |---|---|---|---|
//! | normal | `Phase2a` → | → `Phase2b` | |
//! | | `Chosen` → | (voted in that ballot: learns the value) | executes in slot order |
//! | election | `PreVote` → | → `PreVoteOk` (hears no leader) | |
//! | | `Phase1a` → | → `Phase1b` (votes, piecewise) | |
//! | | what was found, noops into holes, `StartWorking` | | |
//! | silence | `Heartbeat` → (repeats `Chosen`) | → `HeartbeatOk` | catches up by fetching |
//!
//! Messages a slot, co-located: 3(n−1); with `thrifty` 2(q−1) + (n−1) + (n−q), q the size of
//! the phase-2 quorums.
//!
//! Invariants: one value a ballot and slot; a promise never touches a vote; found
//! values are proposed again unchanged, with their origin; clients are served only
//! after `StartWorking` of the own ballot is chosen.
//!
//! Not done: leases and quorum reads (every read is a command), reconfiguration,
//! proxy leaders.

mod admit;
mod election;
mod evidence;
mod leader;
mod learner;
mod learning;
mod message;
mod node;
mod options;
mod phase2;

pub use message::{Content, Entry, Message, Record, Timer, Vote};
pub use node::MultiPaxosNode;
pub use options::Options;

use isegoria_node::{ConfigError, OrderKind, Protocol, RoundTrip};
use isegoria_types::{Conflicts, Layout, NodeId};

/// Multi-Paxos.
#[derive(Clone, Copy, Debug)]
pub struct MultiPaxos;

impl Protocol for MultiPaxos {
    const NAME: &'static str = "multipaxos";
    const ORDER: OrderKind = OrderKind::Log;
    const HAS_FAST_PATH: bool = false;
    const DELAY_COUNT: u32 = 2;
    type Node = MultiPaxosNode;
    type Options = Options;

    /// A log orders everything, whatever conflicts.
    fn build_with(
        own: NodeId,
        layout: &Layout,
        options: &Options,
        _: &Conflicts,
    ) -> Result<MultiPaxosNode, ConfigError> {
        options.check(layout)?;
        Ok(MultiPaxosNode::new(own, layout, options))
    }

    /// To the leader that the options name, from there to its nearest quorum, and back.
    fn limit(layout: &Layout, options: &Options, at: NodeId, round_trip: RoundTrip<'_>) -> f64 {
        let leader = NodeId::new(options.leader - 1);
        let voted = layout.quorums.phase2.nearest(|node| round_trip(leader, node));
        round_trip(at, leader) + voted
    }
}
