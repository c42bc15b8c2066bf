use crate::{Counts, Evidence, FastRule, Input, Outbox};
use isegoria_types::{Conflicts, Layout, NodeId, Quorums};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::hash::{Hash, Hasher};

/// A message that no correct peer sends: rejected at the edge and counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Inadmissible(pub &'static str);

/// A protocol option that is refused, with the cure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError(pub String);

impl std::fmt::Display for ConfigError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConfigError {}

/// One node process: it holds the roles that the layout places there.
///
/// Determinism: equal states and equal inputs give equal states and equal outboxes.
pub trait Node: Clone + Debug + std::marker::Send + Sync + 'static {
    /// Every message between nodes; a closed enum.
    type Msg: Clone + Debug + Eq + Hash + std::marker::Send + Sync + Serialize + DeserializeOwned + 'static;
    /// The few named timers.
    type Timer: Clone + Debug + Eq + Hash + Ord + std::marker::Send + Sync + 'static;
    /// Everything that is written to the log; a closed enum.
    type Record: Clone + Debug + Eq + Hash + std::marker::Send + Sync + Serialize + DeserializeOwned + 'static;

    /// Takes one input. Drivers call [`crate::step`], which adds the messages to oneself.
    fn step(&mut self, input: Input<Self>, out: &mut Outbox<Self>);

    /// Whether a decoded message may reach [`Node::step`], which is entitled to index by what it says.
    ///
    /// # Errors
    /// What is impossible about it: an unknown leader, a vertex far in the future, a
    /// ballot that its sender does not own.
    fn admit(&self, from: NodeId, message: &Self::Msg) -> Result<(), Inadmissible>;

    /// Rebuilds the state from a record, in the order of writing.
    fn replay(&mut self, record: Self::Record);

    /// Records that rebuild the live state; after they are durable, older ones may go.
    fn checkpoint(&self, records: &mut Vec<Self::Record>);

    /// Feeds the whole state to a hasher: for model checking and for running twice.
    fn fingerprint(&self, state: &mut dyn Hasher);

    /// What a record says about ballots and votes. A protocol that says nothing has
    /// votes that nobody counts, and the checks that count them fail for it.
    fn evidence_of_record(_record: &Self::Record) -> Option<Evidence> {
        None
    }

    /// What a message says about ballots and votes.
    fn evidence_of_message(_message: &Self::Msg) -> Option<Evidence> {
        None
    }

    /// How much it holds; told without a walk through it. Nothing, if left out.
    fn counts(&self) -> Counts {
        Counts::default()
    }

    /// Panics if the state contradicts itself.
    fn assert_invariants(&self) {}
}

/// How the replica orders what a protocol commits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OrderKind {
    /// Slots of a log.
    Log,
    /// Vertices of a dependency graph.
    Graph,
}

/// The time from one node to another and back; 0 to oneself.
pub type RoundTrip<'a> = &'a dyn Fn(NodeId, NodeId) -> f64;

/// A protocol, for drivers: its name, its options and how to build its nodes.
pub trait Protocol: 'static {
    /// The name on the command line and in results.
    const NAME: &'static str;
    /// How its commits are ordered.
    const ORDER: OrderKind;
    /// Whether a leader of a vertex can choose it in one round trip.
    const HAS_FAST_PATH: bool;
    /// One-way delays between nodes from submission to answer, without failures.
    const DELAY_COUNT: u32;
    /// The rules by which its recoveries come to decisions, as [`crate::Event::Resolved`] names
    /// them: long runs of the simulator must reach each.
    const RULES: &'static [&'static str] = &[];
    /// The state machine.
    type Node: Node;
    /// What can be set after the colon of the name, and in the configuration file.
    type Options: Clone + Debug + Default + Serialize + DeserializeOwned + std::marker::Send + Sync + 'static;

    /// The node `own` of a cluster whose commands conflict through keys, and through scopes
    /// by `conflicts`.
    ///
    /// # Errors
    /// If the options contradict the layout.
    fn build_with(
        own: NodeId,
        layout: &Layout,
        options: &Self::Options,
        conflicts: &Conflicts,
    ) -> Result<Self::Node, ConfigError>;

    /// The same for state machines whose footprints have no scopes.
    ///
    /// # Errors
    /// If the options contradict the layout.
    fn build(own: NodeId, layout: &Layout, options: &Self::Options) -> Result<Self::Node, ConfigError> {
        Self::build_with(own, layout, options, &Conflicts::default())
    }

    /// The quorums that it forms; those of the layout, if left out.
    fn quorums(layout: &Layout, _options: &Self::Options) -> Quorums {
        layout.quorums.clone()
    }

    /// Those of the options that all nodes must have in common for good, for votes are counted by
    /// them: a part of who the cluster is, so it must not change from one release to the next.
    fn agreed(_layout: &Layout, _options: &Self::Options) -> String {
        String::new()
    }

    /// How many votes the fast path needs, where there is one, with the options left out.
    fn fast_quorum(_layout: &Layout) -> Option<usize> {
        None
    }

    /// How values are chosen in ballot 0 otherwise than by equal votes of a phase-2 quorum,
    /// for whoever counts votes from outside.
    fn fast_rule(_layout: &Layout, _options: &Self::Options) -> FastRule {
        FastRule::None
    }

    /// The least time from the submission at the node `at` to the answer there, without
    /// failures and conflicts and with nothing but distance to overcome: what a measured
    /// latency is compared with. In the unit of `round_trip`.
    fn limit(layout: &Layout, options: &Self::Options, at: NodeId, round_trip: RoundTrip<'_>) -> f64;
}
