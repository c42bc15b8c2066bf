use crate::Value;
use crate::atlas::choose::{Collected, Heard};
use isegoria_types::{Ballot, Batch, DepSet, NodeSet, Prefix, Vertex};
use serde::{Deserialize, Serialize};

/// Every message between nodes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Message {
    /// Leader → its fast quorum: what does this depend on? (ballot 0)
    Collect {
        /// The vertex, owned by the sender.
        vertex: Vertex,
        /// The commands.
        batch: Batch,
        /// What conflicts at the leader: part of every answer.
        deps: DepSet,
        /// Executed everywhere, as far as the leader knows: part of the dependencies.
        floor: Prefix,
        /// The fast quorum, for good.
        quorum: NodeSet,
    },
    /// Node → leader: recorded.
    CollectAck {
        /// The vertex.
        vertex: Vertex,
        /// The leader's dependencies, and the conflicting vertices recorded here.
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
        /// The commands, if the recoverer knows them: whoever has not answered the leader
        /// records them, and says what they depend on.
        batch: Option<Batch>,
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
    /// Proposer → whoever has the commands: chosen in this ballot.
    Commit {
        /// The vertex.
        vertex: Vertex,
        /// The ballot in which it was chosen.
        ballot: Ballot,
        /// The chosen dependencies, where they are not those of every answer.
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
    /// Node → proposer: a `Commit` came without what it is about; send the value.
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
    /// This node recorded a vertex and said what it depends on: to its leader, if there is a
    /// fast quorum, or to a recoverer.
    Collected {
        /// The vertex.
        vertex: Vertex,
        /// What was said.
        collected: Collected,
    },
    /// This node, the leader, decided that what its fast quorum said is chosen: nobody hears
    /// of it before.
    FastChosen {
        /// The vertex.
        vertex: Vertex,
        /// The union of what was said.
        deps: DepSet,
        /// The fast quorum.
        quorum: NodeSet,
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
    Forgotten {
        /// What is forgotten.
        floor: Prefix,
    },
    /// Part of the dependency index (checkpoints only).
    Index(isegoria_depservice::Checkpoint),
}
