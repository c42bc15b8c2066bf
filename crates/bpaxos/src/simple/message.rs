use crate::Value;
use isegoria_types::{Ballot, DepSet, Footprint, Prefix, Vertex};
use serde::{Deserialize, Serialize};

/// Every message between nodes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Message {
    /// Leader → dependency nodes: what does this conflict with? Record it.
    DepRequest {
        /// The vertex, owned by the sender.
        vertex: Vertex,
        /// What its commands touch; the commands themselves are not needed.
        footprint: Footprint,
        /// Executed everywhere, as far as the leader knows: part of the answer.
        floor: Prefix,
    },
    /// Dependency node → leader: the conflicting vertices recorded here.
    DepReply {
        /// Echo of the request.
        vertex: Vertex,
        /// The answer, the request's floor included.
        deps: DepSet,
    },
    /// Dependency node → leader: entries below this are dropped, and your floor is lower.
    StaleFloor {
        /// Echo of the request.
        vertex: Vertex,
        /// What was dropped; all of it is executed everywhere.
        floor: Prefix,
    },
    /// Leader → dependency nodes, when it has nothing to ask: its floor.
    Floor {
        /// Executed everywhere, as far as the leader knows.
        floor: Prefix,
    },
    /// Recoverer → acceptors: promise.
    Phase1a {
        /// The vertex.
        vertex: Vertex,
        /// The recoverer's ballot, above 0.
        ballot: Ballot,
    },
    /// Acceptor → recoverer: promised.
    Phase1b {
        /// The vertex.
        vertex: Vertex,
        /// The ballot promised.
        ballot: Ballot,
        /// The highest vote cast so far.
        vote: Option<(Ballot, Value)>,
    },
    /// Leader (ballot 0) or recoverer → acceptors: vote.
    Phase2a {
        /// The vertex.
        vertex: Vertex,
        /// The proposer's ballot.
        ballot: Ballot,
        /// The value; one a ballot.
        value: Value,
    },
    /// Acceptor → proposer: voted.
    Phase2b {
        /// The vertex.
        vertex: Vertex,
        /// The ballot of the vote.
        ballot: Ballot,
    },
    /// Acceptor → proposer: promised more than your ballot.
    Nack {
        /// The vertex.
        vertex: Vertex,
        /// The ballot that was refused.
        ballot: Ballot,
        /// The ballot promised.
        promised: Ballot,
    },
    /// Proposer → acceptors: what was proposed in this ballot is chosen; whoever voted
    /// in it holds the value.
    Commit {
        /// The vertex.
        vertex: Vertex,
        /// The ballot in which it was chosen.
        ballot: Ballot,
    },
    /// Node → node: the chosen value itself. Answers anything about a decided vertex,
    /// whatever its ballot, and tells replicas that do not vote.
    Chosen {
        /// The vertex.
        vertex: Vertex,
        /// The chosen value.
        value: Value,
    },
    /// Node → proposer: a `Commit` came without its vote; send the value.
    Fetch {
        /// The vertex.
        vertex: Vertex,
    },
    /// Acceptor → proposer: the vertex is among those that every replica has executed.
    Gced {
        /// What is forgotten here.
        floor: Prefix,
    },
}

/// Timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Timer {
    /// Looks at what is not settled: repeats requests, starts recoveries.
    Tick,
}

/// Everything that is written to the log.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Record {
    /// Numbers below are used up: a restarted leader begins there.
    Reserved {
        /// The first number not reserved.
        below: u64,
    },
    /// This dependency node recorded a vertex.
    Recorded {
        /// The vertex.
        vertex: Vertex,
        /// What it touches.
        footprint: Footprint,
    },
    /// This node asked for promises in a ballot: it must not be used again.
    Attempted {
        /// The vertex.
        vertex: Vertex,
        /// The ballot.
        ballot: Ballot,
    },
    /// This acceptor promised.
    Promised {
        /// The vertex.
        vertex: Vertex,
        /// The ballot.
        ballot: Ballot,
    },
    /// This acceptor voted.
    Voted {
        /// The vertex.
        vertex: Vertex,
        /// The ballot.
        ballot: Ballot,
        /// The value.
        value: Value,
    },
    /// The vote held for the vertex is the chosen value (lazy).
    ChosenVote {
        /// The vertex.
        vertex: Vertex,
    },
    /// A chosen value that this node did not vote for (lazy).
    Decided {
        /// The vertex.
        vertex: Vertex,
        /// The chosen value.
        value: Value,
    },
    /// Everything in here is executed everywhere and forgotten (checkpoints only).
    Collected {
        /// What is forgotten.
        floor: Prefix,
    },
    /// Part of the dependency index (checkpoints only).
    Index(isegoria_depservice::Checkpoint),
}
