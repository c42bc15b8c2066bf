use crate::Value;
use isegoria_types::{Ballot, Batch, DepSet, Footprint, Prefix, Vertex};
use serde::{Deserialize, Serialize};

/// Every message between nodes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Message {
    /// Leader → all: vote for this with what it depends on (ballot 0).
    FastPropose {
        /// The vertex, owned by the sender.
        vertex: Vertex,
        /// The commands.
        batch: Batch,
        /// Executed everywhere, as far as the leader knows: part of the dependencies.
        floor: Prefix,
        /// The leader's own vote, with `fast=basic`: part of the dependencies, too.
        base: Option<DepSet>,
    },
    /// Node → leader: voted in ballot 0.
    FastVote {
        /// The vertex.
        vertex: Vertex,
        /// The conflicting vertices recorded here, the request's floor included.
        deps: DepSet,
    },
    /// Node → leader: entries below this are dropped, and your floor is lower.
    StaleFloor {
        /// Echo of the request.
        vertex: Vertex,
        /// What was dropped; all of it is executed everywhere.
        floor: Prefix,
    },
    /// Leader → all, when it has nothing to propose: its floor.
    Floor {
        /// Executed everywhere, as far as the leader knows.
        floor: Prefix,
    },
    /// Recoverer → all: promise.
    Phase1a {
        /// The vertex.
        vertex: Vertex,
        /// The recoverer's ballot, above round 1.
        ballot: Ballot,
    },
    /// Node → recoverer: promised.
    Phase1b {
        /// The vertex.
        vertex: Vertex,
        /// The ballot promised.
        ballot: Ballot,
        /// The highest vote cast so far.
        vote: Option<(Ballot, Value)>,
        /// Whether this node's vote in ballot 0 was the leader's (`fast=basic`).
        unchanged: bool,
    },
    /// Leader (round 1) or recoverer → all: vote.
    Phase2a {
        /// The vertex.
        vertex: Vertex,
        /// The proposer's ballot, above round 0.
        ballot: Ballot,
        /// The value; one a ballot.
        value: Value,
    },
    /// Node → proposer: voted.
    Phase2b {
        /// The vertex.
        vertex: Vertex,
        /// The ballot of the vote.
        ballot: Ballot,
    },
    /// Node → proposer: promised more than your ballot.
    Nack {
        /// The vertex.
        vertex: Vertex,
        /// The ballot that was refused.
        ballot: Ballot,
        /// The ballot promised.
        promised: Ballot,
    },
    /// Proposer → all: chosen in this ballot.
    Commit {
        /// The vertex.
        vertex: Vertex,
        /// The ballot in which it was chosen.
        ballot: Ballot,
        /// The chosen dependencies, where they are not those of every vote.
        deps: Option<DepSet>,
    },
    /// Node → node: the chosen value itself. Answers anything about a decided vertex,
    /// whatever its ballot.
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
    /// Node → proposer: the vertex is among those that every replica has executed.
    Gced {
        /// What is forgotten here.
        floor: Prefix,
    },
}

/// Timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Timer {
    /// Looks at what is not settled: repeats requests, gives up waiting for the last votes,
    /// starts recoveries.
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
    /// This node recorded a vertex and voted for it in ballot 0.
    FastVoted {
        /// The vertex.
        vertex: Vertex,
        /// The commands, and what conflicts with them here.
        value: Value,
        /// Whether that is what the leader had said (`fast=basic`).
        unchanged: bool,
    },
    /// This node, the leader, decided that its vote in ballot 0 is chosen (`fast=basic`):
    /// nobody hears of it before.
    FastChosen {
        /// The vertex.
        vertex: Vertex,
    },
    /// This node recorded a vertex for which it had promised more than ballot 0.
    Recorded {
        /// The vertex.
        vertex: Vertex,
        /// What it touches.
        footprint: Footprint,
    },
    /// This node promised.
    Promised {
        /// The vertex.
        vertex: Vertex,
        /// The ballot.
        ballot: Ballot,
    },
    /// This node voted above round 0.
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
