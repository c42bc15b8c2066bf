use isegoria_types::{Ballot, Batch};
use serde::{Deserialize, Serialize};

/// What a slot holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Entry {
    /// The ballot of the leader that first put this entry into a slot; kept when it is
    /// proposed again (3.10, "ghost reappearance").
    pub origin: Ballot,
    /// What it says.
    pub content: Content,
}

/// What an entry says.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Content {
    /// Commands; the noop fills holes.
    Batch(Batch),
    /// Everything of lower origin that stands later is void.
    StartWorking,
}

/// A vote as it is reported to a candidate.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Vote {
    /// The slot voted on.
    pub slot: u64,
    /// The ballot of the vote.
    pub ballot: Ballot,
    /// The value.
    pub entry: Entry,
}

/// Every message between nodes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Message {
    /// Prospect → acceptors: would you promise? Changes nothing, so that a node that
    /// only lost messages cannot depose a leader whom the others hear (as Raft's pre-vote).
    PreVote {
        /// The ballot that the prospect would use.
        ballot: Ballot,
        /// The first slot that it does not know to be chosen.
        from_slot: u64,
    },
    /// Acceptor → prospect: I hear no leader either.
    PreVoteOk {
        /// Echo of the request.
        ballot: Ballot,
    },
    /// Candidate → acceptors: promise `ballot` and report your votes from a slot on.
    Phase1a {
        /// The candidate's ballot.
        ballot: Ballot,
        /// The first slot that the candidate does not know to be chosen.
        from_slot: u64,
    },
    /// Acceptor → candidate: promised; these are the votes.
    Phase1b {
        /// The ballot promised.
        ballot: Ballot,
        /// Echo of the request.
        from_slot: u64,
        /// Votes at or above `from_slot`, in order of slots.
        votes: Vec<Vote>,
        /// Where to ask on, if the votes did not fit into one message.
        next_slot: Option<u64>,
        /// The first slot that is kept here: all below are chosen.
        base: u64,
    },
    /// Leader → acceptors: vote for `entry` in `slot`.
    Phase2a {
        /// The leader's ballot.
        ballot: Ballot,
        /// The slot.
        slot: u64,
        /// The value; one a ballot and slot.
        entry: Entry,
    },
    /// Acceptor → leader: voted.
    Phase2b {
        /// The ballot of the vote.
        ballot: Ballot,
        /// The slot.
        slot: u64,
    },
    /// Leader → all: in every slot below, what was proposed in `ballot` is chosen; so
    /// whoever voted in `ballot` there holds the chosen value.
    Chosen {
        /// The leader's ballot.
        ballot: Ballot,
        /// The first slot that this says nothing about.
        below: u64,
    },
    /// Leader → replicas that do not vote: the value of a slot.
    Decided {
        /// The slot.
        slot: u64,
        /// The chosen value.
        entry: Entry,
    },
    /// Leader → all: still here. Repeats `Chosen`, in case it was lost.
    Heartbeat {
        /// The leader's ballot.
        ballot: Ballot,
        /// As in `Chosen`.
        below: u64,
    },
    /// Node → leader: heard you.
    HeartbeatOk {
        /// The ballot heard.
        ballot: Ballot,
    },
    /// Acceptor → proposer: promised more than your ballot.
    Nack {
        /// The ballot that was refused.
        ballot: Ballot,
        /// The ballot promised.
        promised: Ballot,
    },
}

/// Timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Timer {
    /// A follower that heard no leader since the last one campaigns; a leader that no
    /// quorum answered steps down.
    Election,
    /// The leader speaks and repeats what was not answered.
    Heartbeat,
}

/// Everything that is written to the log.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Record {
    /// This acceptor promised a ballot.
    Promised(Ballot),
    /// This acceptor voted.
    Voted(Vote),
    /// This node asked for promises in a ballot: it must not be used again.
    Campaigned(Ballot),
    /// The votes held for these slots are the chosen values (lazy).
    ChosenVotes {
        /// The first slot.
        from_slot: u64,
        /// The slot after the last.
        below: u64,
    },
    /// A chosen value that this node did not vote for (lazy).
    Decided {
        /// The slot.
        slot: u64,
        /// The chosen value.
        entry: Entry,
    },
    /// All slots below are executed everywhere and forgotten (checkpoints only).
    Collected {
        /// The first slot that is kept.
        below: u64,
    },
}
