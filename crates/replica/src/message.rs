use bytes::Bytes;
use isegoria_machine::Frozen;
use isegoria_types::{Batch, Command, NodeId, NodeSet, Order, Prefix, Reply, RequestId, Vertex};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What replicas say to each other.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ReplicaMessage {
    /// I have executed all of this, and can do so again after a restart.
    Progress {
        /// The executed prefix.
        executed: Prefix,
        /// The last cut that I executed.
        cut: Prefix,
    },
    /// Send me what you have executed beyond this.
    Fetch {
        /// What the asker has.
        have: Prefix,
    },
    /// Chosen batches, in answer to a `Fetch`.
    Commits {
        /// The batches with their orders.
        commits: Vec<(Order, Batch)>,
        /// What the asker has once it has taken these.
        have: Prefix,
        /// What else there is.
        rest: Rest,
    },
    /// You have forgotten what I lack: send me a snapshot.
    TakeSnapshot {
        /// One of yours that was of no use: not that again.
        useless: Option<u64>,
    },
    /// A snapshot is being written for you: ask again.
    Preparing,
    /// Send me the next piece.
    NextPiece {
        /// Of which snapshot.
        snapshot: u64,
        /// Where it begins, bytes.
        offset: u64,
    },
    /// A piece of a snapshot.
    Piece {
        /// Of which snapshot of the sender.
        snapshot: u64,
        /// Where it begins, bytes.
        offset: u64,
        /// The whole snapshot's size, bytes.
        size: u64,
        /// The piece.
        bytes: Bytes,
    },
    /// That snapshot is kept no longer: begin anew.
    Withdrawn {
        /// Which.
        snapshot: u64,
    },
    /// I have lost what I announced: a learner, to be counted as one that is away.
    Follow,
    /// What you announced is taken back here.
    Following,
}

/// What there is beyond an answer to a `Fetch`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Rest {
    /// Nothing.
    Nothing,
    /// Values that are forgotten here: only a snapshot has what they did.
    Forgotten,
    /// More of the same: fetch again.
    More,
}

/// A replica has become another's snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// Whose.
    pub from: NodeId,
    /// Which of its snapshots.
    pub snapshot: u64,
    /// What this replica had executed and the snapshot had not: executed again.
    pub kept: Vec<Vertex>,
}

/// What a replica wishes of its driver.
#[derive(Default)]
pub struct ReplicaOutbox {
    /// Answers to requests that entered the cluster at this node.
    pub replies: Vec<Reply>,
    /// Messages to other nodes; never to itself.
    pub sends: Vec<(NodeSet, ReplicaMessage)>,
    /// A `Progress` to be sent to every node, *itself included*, once everything in the
    /// log so far is durable: it allows others to forget.
    pub announce: Option<ReplicaMessage>,
    /// Unchosen vertices that somebody waits for: [`isegoria_node::Input::Blocked`].
    pub blocked: Vec<Vertex>,
    /// [`isegoria_node::Input::Executed`].
    pub executed: Option<Prefix>,
    /// [`isegoria_node::Input::Collect`].
    pub collect: Option<Prefix>,
    /// [`isegoria_node::Input::Cut`].
    pub cut: Option<Prefix>,
    /// [`isegoria_node::Input::Learned`].
    pub learned: Vec<(Order, Batch)>,
    /// A command of the replicas' own, to be submitted here, in conflict with everything.
    pub propose: Option<Command>,
    /// A snapshot for others: to be written beside running work, and handed back by
    /// [`crate::Beside::on_written`] with its number.
    pub write: Option<(u64, Frozen)>,
    /// This replica is another's snapshot now.
    pub installed: Option<Installed>,
    /// A cut was executed that had an effect.
    pub cut_agreed: bool,
    /// Every request applied to the state machine, in order, with where it stood and
    /// its output; kept only if asked for: checkers read it.
    pub applied: Option<Vec<(Vertex, RequestId, Bytes)>>,
    /// The components of more than one vertex that were executed; kept only if asked for.
    pub components: Option<Vec<Vec<Vertex>>>,
}

impl ReplicaOutbox {
    /// An outbox that also lists what was applied.
    #[must_use]
    pub fn traced() -> ReplicaOutbox {
        ReplicaOutbox { applied: Some(Vec::new()), ..ReplicaOutbox::default() }
    }
}

impl fmt::Debug for ReplicaOutbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplicaOutbox")
            .field("replies", &self.replies)
            .field("sends", &self.sends)
            .field("announce", &self.announce)
            .finish_non_exhaustive()
    }
}
