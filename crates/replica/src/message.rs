use bytes::Bytes;
use isegoria_types::{Batch, NodeSet, Order, Prefix, Reply, RequestId, Vertex};
use serde::{Deserialize, Serialize};

/// What replicas say to each other.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ReplicaMessage {
    /// I have executed all of this, and can do so again after a restart.
    Progress {
        /// The executed prefix.
        executed: Prefix,
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
        /// Whether there is more to fetch.
        more: bool,
    },
}

/// What a replica wishes of its driver.
#[derive(Clone, Debug, Default)]
pub struct ReplicaOutbox {
    /// Answers to requests that entered the cluster at this node.
    pub replies: Vec<Reply>,
    /// Messages to other nodes; never to itself.
    pub sends: Vec<(NodeSet, ReplicaMessage)>,
    /// To be sent to every node, *itself included*, as `Progress`, once everything in
    /// the log so far is durable: it allows others to forget.
    pub announce: Option<Prefix>,
    /// Unchosen vertices that somebody waits for: [`isegoria_node::Input::Blocked`].
    pub blocked: Vec<Vertex>,
    /// [`isegoria_node::Input::Executed`].
    pub executed: Option<Prefix>,
    /// [`isegoria_node::Input::Collect`].
    pub collect: Option<Prefix>,
    /// [`isegoria_node::Input::Learned`].
    pub learned: Vec<(Order, Batch)>,
    /// Every request applied to the state machine, in order, with where it stood and
    /// its output; kept only if asked for: checkers read it.
    pub applied: Option<Vec<(Vertex, RequestId, Bytes)>>,
}

impl ReplicaOutbox {
    /// An outbox that also lists what was applied.
    #[must_use]
    pub fn traced() -> ReplicaOutbox {
        ReplicaOutbox { applied: Some(Vec::new()), ..ReplicaOutbox::default() }
    }
}
