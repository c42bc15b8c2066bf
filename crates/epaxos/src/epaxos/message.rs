use crate::Value;
use crate::epaxos::choose::{Conflict, Heard};
use crate::epaxos::instance::PreAccepted;
use isegoria_types::{Ballot, Batch, DepSet, Prefix, Vertex};
use serde::{Deserialize, Serialize};

/// Every message between nodes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Message {
    /// Leader → all: what does this depend on, beside what I know? (ballot 0)
    PreAccept {
        /// The vertex, owned by the sender.
        vertex: Vertex,
        /// The commands.
        batch: Batch,
        /// What conflicts at the leader, its floor included.
        deps: DepSet,
        /// Executed everywhere, as far as the leader knows.
        floor: Prefix,
    },
    /// Node → leader: recorded.
    PreAcceptOk {
        /// The vertex.
        vertex: Vertex,
        /// The leader's dependencies, and the conflicting vertices recorded here.
        deps: DepSet,
    },
    /// Node → leader: entries below this are dropped, and your dependencies do not cover it.
    StaleFloor {
        /// Echo of the request.
        vertex: Vertex,
        /// What was dropped; all of it is executed everywhere.
        floor: Prefix,
    },
    /// Leader → all, when it rises: its floor.
    Floor {
        /// Executed everywhere, as far as the leader knows.
        floor: Prefix,
        /// The leader's vertices from this number on carry it.
        from: u64,
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
        /// What it holds of the vertex.
        heard: Heard,
    },
    /// Recoverer → those who promised: what speaks against this having been chosen at once?
    Validate {
        /// The vertex.
        vertex: Vertex,
        /// The recoverer's ballot.
        ballot: Ballot,
        /// What the leader may have decided.
        value: Value,
    },
    /// Node → recoverer: recorded, and this speaks against it.
    ValidateOk {
        /// The vertex.
        vertex: Vertex,
        /// The recoverer's ballot.
        ballot: Ballot,
        /// Conflicting vertices that are not among the dependencies, and that do not depend on it.
        conflicts: Vec<Conflict>,
    },
    /// Recoverer → all: its vertex may have been chosen at once, and it waits for others.
    Waiting {
        /// The vertex.
        vertex: Vertex,
        /// How many of those who promised have said what its leader knew.
        unchanged_count: u32,
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
    /// Proposer → all: chosen in this ballot; in ballot 0 what the leader asked.
    Commit {
        /// The vertex.
        vertex: Vertex,
        /// The ballot in which it was chosen.
        ballot: Ballot,
    },
    /// Node → node: the chosen value itself. Answers anything about a decided vertex,
    /// whatever its ballot.
    Chosen {
        /// The vertex.
        vertex: Vertex,
        /// The chosen value.
        value: Value,
    },
    /// Node → node: send the value, if it is chosen.
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
    /// Looks at what is not settled: repeats requests, gives up waiting for the last answers,
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
    /// This leader's requests carry this floor from now on.
    Floor {
        /// Executed everywhere.
        floor: Prefix,
    },
    /// This node recorded a vertex: it has answered its leader, or a recoverer has told it of it.
    Asked {
        /// The vertex.
        vertex: Vertex,
        /// What was asked, and what was said.
        asked: PreAccepted,
    },
    /// This node, the leader, decided that what it asked is chosen: nobody hears of it before.
    FastChosen {
        /// The vertex.
        vertex: Vertex,
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
    /// What the leader asked is the chosen value (lazy).
    ChosenAsked {
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
    Forgotten {
        /// What is forgotten.
        floor: Prefix,
    },
    /// Part of the dependency index (checkpoints only).
    Index(isegoria_depservice::Checkpoint),
    /// Part of what is known of values that were given up: their keys (checkpoints only).
    Past(isegoria_depservice::Checkpoint),
    /// Of these values that were given up, all are noops (checkpoints only).
    PastNoops(Vec<Vertex>),
    /// A snapshot has executed this, so that it is not known here what was chosen (checkpoints only).
    Unheard {
        /// The vertex.
        vertex: Vertex,
        /// What was asked, and what was said.
        asked: PreAccepted,
    },
}
