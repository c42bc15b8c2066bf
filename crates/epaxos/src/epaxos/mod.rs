//! EPaxos*, EPaxos with a recovery that is complete (F. Ryabinin, A. Gotsman, P. Sutra,
//! "Making Democracy Work: Fixing and Simplifying Egalitarian Paxos", arXiv 2511.02743; I. Moraru et
//! al., "There Is More Consensus in Egalitarian Parliaments", SOSP 2013; protocols.md 3.6):
//! every node is a leader, a dependency node, an acceptor and a replica.
//!
//! | path | leader or recoverer | all nodes | replicas |
//! |---|---|---|---|
//! | fast | records; `PreAccept` → | records: → `PreAcceptOk` | |
//! | | n−e with the leader's dependencies: `Commit` (ballot 0) → | | execute |
//! | slow | fewer: `Phase2a` (ballot 1) with the union → | votes: → `Phase2b` | |
//! | | chosen; `Commit` (ballot 1) → | | execute |
//! | recovery | `Phase1a` (ballot 2 and above) → | → `Phase1b` | |
//! | | it may have been chosen at once: `Validate` → | records: → `ValidateOk` with what speaks against it | |
//! | | that is not decided yet: `Waiting` ↔ other recoverers | | |
//! | | the value, or the noop: `Phase2a` → | → `Phase2b` | |
//! | decided | | anything → `Chosen` | |
//! | forgotten | | request below its floor → `StaleFloor`; below `W` → `Gced` | |
//!
//! Quorums of n nodes, of which f may be down: n−f everywhere, and n−e for the fast path, which
//! is there with up to e down; n ≥ max(2e+f−1, 2f+1). The papers' Accept, Recover and their
//! answers are `Phase2a`, `Phase1a`, `Phase2b` and `Phase1b` here.
//!
//! Invariants: **Agreement**: what a leader may have decided at once is proposed, unless
//! something is known that cannot be if it has ([`choose`], [`validated`], [`waited`], each
//! with its rules R, V and W). **Visibility**: a value that a leader may have decided is
//! proposed only once nothing that conflicts can be chosen without it.
//!
//! Rounds 0 and 1 of a vertex belong to its leader: the specification's slow path is in
//! ballot 0, with a flag that tells it from a pre-acceptance; a round of its own does the same.
//! Persisted before anything that depends on it leaves: reserved numbers, what was answered,
//! promises, votes, a leader's own word, and the floor that it carries.
//!
//! What is recorded in the index stays there, noops too, until every leader has said that its
//! requests cover it: rules V3 and W3 draw conclusions from what is *not* there (traces B22,
//! B23, B26). Where a leader is away, values are given up all the same, and what a validation
//! needs to know of them stays (`Past`).
//!
//! Not done: reconfiguration.

mod acceptor;
mod admit;
mod announcements;
mod choose;
mod evidence;
mod instance;
mod leader;
mod message;
mod node;
mod options;
mod past;
mod recovery;

pub use choose::{
    Candidate, Chance, Conflict, Fate, Heard, Outlook, Rule, Verdict, choose, outlook, validated, waited,
};
pub use instance::PreAccepted;
pub use message::{Message, Record, Timer};
pub use node::EpaxosNode;
pub use options::Options;

use isegoria_node::{ConfigError, FastRule, OrderKind, Protocol, RoundTrip};
use isegoria_types::{Conflicts, Layout, NodeId, Quorums};

/// EPaxos*.
#[derive(Clone, Copy, Debug)]
pub struct Epaxos;

impl Protocol for Epaxos {
    const NAME: &'static str = "epaxos";
    const ORDER: OrderKind = OrderKind::Graph;
    const HAS_FAST_PATH: bool = true;
    const DELAY_COUNT: u32 = 2;
    const RULES: &'static [&'static str] = &Rule::NAMES;
    type Node = EpaxosNode;
    type Options = Options;

    fn build_with(
        own: NodeId,
        layout: &Layout,
        options: &Options,
        conflicts: &Conflicts,
    ) -> Result<EpaxosNode, ConfigError> {
        options.check(layout)?;
        Ok(EpaxosNode::new(own, layout, (options, conflicts)))
    }

    fn quorums(layout: &Layout, options: &Options) -> Quorums {
        options.sizes(layout).quorums()
    }

    fn agreed(layout: &Layout, options: &Options) -> String {
        let sizes = options.sizes(layout);
        format!("f={},e={}", sizes.f, sizes.e)
    }

    /// To the farthest of the nearest n−e nodes and back.
    fn limit(layout: &Layout, options: &Options, at: NodeId, round_trip: RoundTrip<'_>) -> f64 {
        options.sizes(layout).fast_quorum().nearest(|node| round_trip(at, node))
    }

    fn fast_quorum(layout: &Layout) -> Option<usize> {
        Some(Options::default().sizes(layout).fast())
    }

    fn fast_rule(layout: &Layout, options: &Options) -> FastRule {
        FastRule::Leader { count: options.sizes(layout).fast() }
    }
}
