use isegoria_types::{Ballot, NodeId, NodeSet, Vertex};

/// What happened inside a node: one stream feeds checkers, metrics and traces.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// This node became the leader and serves.
    Elected {
        /// The ballot it leads in.
        ballot: Ballot,
    },
    /// This node stopped leading.
    Deposed {
        /// The ballot that deposed it.
        by: Ballot,
    },
    /// The leader of a vertex proposed it.
    Proposed {
        /// The vertex.
        vertex: Vertex,
        /// Whether its dependency set holds more than what every replica has executed.
        conflicting: bool,
    },
    /// Whether the leader of a vertex chose it on the fast path.
    Path {
        /// The vertex.
        vertex: Vertex,
        /// Whether it was one round trip.
        fast: bool,
    },
    /// On whose word the leader of a vertex knows what it depends on.
    Answered {
        /// The vertex.
        vertex: Vertex,
        /// They.
        by: NodeSet,
    },
    /// An answer named more than was known so far.
    Added {
        /// The vertex that was asked about.
        vertex: Vertex,
        /// Who answered.
        by: NodeId,
        /// The last vertex named of each leader of which more was named: those before it are meant as well.
        deps: Vec<Vertex>,
    },
    /// This node tries to get a vertex chosen that is not its own, or was.
    RecoveryStarted {
        /// The vertex.
        vertex: Vertex,
        /// The ballot of the attempt.
        ballot: Ballot,
    },
    /// A recovery found nothing and proposes the noop.
    NoopProposed {
        /// The vertex.
        vertex: Vertex,
    },
    /// A recovery came to a decision that few come to, by a rule that the sheet of its
    /// protocol names.
    Resolved {
        /// The vertex.
        vertex: Vertex,
        /// The rule.
        by: &'static str,
    },
    /// A batch is held back: own vertices have waited too long for their execution.
    HeldBack {
        /// The leader.
        at: NodeId,
    },
    /// Another value than its leader's was chosen; the leader submits its batch again.
    Resubmitted {
        /// The vertex that was lost.
        vertex: Vertex,
    },
    /// A dependency node could not judge a request made with an old floor.
    StaleFloor {
        /// The vertex asked about.
        vertex: Vertex,
    },
}
