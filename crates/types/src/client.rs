use crate::{NodeId, RequestId};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// What a client sends: a request of its session. The footprint never crosses the
/// client port; the entry node computes it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Request {
    /// The session and the request's position in it.
    pub id: RequestId,
    /// The client has the answers to all its requests below this number.
    pub acked_below: u64,
    /// The session generation in which the session was opened.
    pub generation: u32,
    /// How long the client still waits, ms from when the request is sent: relative, so
    /// that clocks need not agree. Later nobody wants the answer.
    pub patience_ms: u64,
    /// The encoded command of the state machine.
    pub payload: Bytes,
}

/// What a client gets for a request, once it was executed or refused.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Reply {
    /// The request that is answered.
    pub request: RequestId,
    /// How it went.
    pub outcome: Outcome,
}

/// How a request went.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Outcome {
    /// Executed exactly once; the state machine's encoded output.
    Done(Bytes),
    /// Executed earlier, and the client had said that it has the answer.
    AlreadyAcknowledged,
    /// Not accepted by this node.
    Refused(Refusal),
}

/// Why a node did not take a request. Only `SessionExpired` is an outcome that all
/// replicas agree on; the others say that *this* node did nothing with it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    /// Send it to the leader instead, if it is known.
    #[error("this node is not the leader")]
    NotLeader {
        /// Who leads, as far as the node knows.
        leader: Option<NodeId>,
    },
    /// Too much is in flight here; try again later or elsewhere.
    #[error("the node has too many requests in flight; retry after a pause or at another node")]
    Overloaded,
    /// The node cannot take requests now (starting, or stopping).
    #[error("the node is not serving; retry at another node")]
    Unavailable,
    /// The disk of the node is full: what it has taken goes on, and nothing new is taken.
    #[error("the disk of the node is full; free some space there, or ask another node")]
    NoSpace,
    /// The command is larger than the node takes.
    #[error("the command has {size} bytes and the limit is {limit}; make it smaller")]
    TooLarge {
        /// Size of the payload, bytes.
        size: u64,
        /// The node's limit, bytes.
        limit: u64,
    },
    /// The payload is not a command of this state machine.
    #[error("the payload is not a command of this state machine; do client and servers have one version?")]
    Undecodable,
    /// The session was idle for too long and is gone; open a new one.
    #[error("the session expired after a long idle time; open a new session")]
    SessionExpired,
}
