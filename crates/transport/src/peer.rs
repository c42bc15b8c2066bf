//! The peer port: opaque frames from node to node.
//!
//! A connection begins with `hello`, in which both sides say who they are; after
//! that `deliver` carries everything that was queued since the last call.

mod link;
mod link_task;
mod queue;
mod server;

pub use link::{Link, LinkHandle, LinkOptions, LinkState, SendError};
pub use server::{PeerServer, PeerServerOptions, PeerSink};

use crate::Mismatch;
use isegoria_types::{Incarnation, NodeId, NodeSet};
use serde::{Deserialize, Serialize};

/// Who a node is, and whom it works with: equal on all nodes but for `node` and `incarnation`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The cluster's id.
    pub cluster: u64,
    /// This node.
    pub node: NodeId,
    /// All nodes of the cluster.
    pub members: NodeSet,
    /// The version of the state machine's conflict relation.
    pub relation: u64,
    /// The version of the bytes, [`crate::WIRE_VERSION`].
    pub wire: u32,
    /// Which start of this node it is, on which data directory.
    pub incarnation: Incarnation,
    /// Where its log ended when it started, bytes: nothing durable is above.
    pub log_end: u64,
    /// Whether it only follows: it promises nothing, so it may have lost what it promised.
    pub learner: bool,
}

/// What a caller says first on the peer port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The caller's wire version; first, so that it can be read in every version.
    pub wire: u32,
    /// The caller's cluster.
    pub cluster: u64,
    /// The caller.
    pub from: NodeId,
    /// Whom it means to talk to.
    pub to: NodeId,
    /// The version of its conflict relation.
    pub relation: u64,
    /// Which start of the caller it is.
    pub incarnation: Incarnation,
    /// Where its log ended when it started, bytes.
    pub log_end: u64,
    /// Whether the caller only follows.
    pub learner: bool,
}

/// The answer to an accepted hello.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// Who is here.
    pub node: NodeId,
    /// Which start of it this is.
    pub incarnation: Incarnation,
    /// Whether it only follows.
    pub learner: bool,
}

/// The answer to a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivered {
    /// Whether the receiver's queue was full, so that all frames of the call were dropped.
    pub dropped: bool,
}

impl Identity {
    /// The hello of this node to the node `to`.
    #[must_use]
    pub fn hello(&self, to: NodeId) -> Hello {
        Hello {
            wire: self.wire,
            cluster: self.cluster,
            from: self.node,
            to,
            relation: self.relation,
            incarnation: self.incarnation,
            log_end: self.log_end,
            learner: self.learner,
        }
    }

    /// The answer of this node to a caller that it lets in.
    #[must_use]
    pub fn welcome(&self) -> Welcome {
        Welcome { node: self.node, incarnation: self.incarnation, learner: self.learner }
    }

    /// Whether the caller belongs here.
    ///
    /// # Errors
    /// The first thing in which the two differ.
    pub fn check(&self, hello: &Hello) -> Result<(), Mismatch> {
        if hello.wire != self.wire {
            return Err(Mismatch::Wire { ours: self.wire, yours: hello.wire });
        }
        if hello.cluster != self.cluster {
            return Err(Mismatch::Cluster { ours: self.cluster, yours: hello.cluster });
        }
        if hello.to != self.node {
            return Err(Mismatch::Node { ours: self.node, yours: hello.to });
        }
        if hello.from == self.node || !self.members.contains(hello.from) {
            return Err(Mismatch::Peer { ours: self.node, yours: hello.from });
        }
        if hello.relation != self.relation {
            return Err(Mismatch::Relation { ours: self.relation, yours: hello.relation });
        }
        Ok(())
    }
}

/// The service as tarpc sees it.
mod service {
    // The generated stub and trait are not used (see the crate's documentation).
    #![allow(dead_code, unreachable_pub)]

    use super::{Delivered, Hello, Welcome};
    use crate::Mismatch;
    use bytes::Bytes;

    #[tarpc::service]
    pub(crate) trait Peer {
        /// Opens the connection; everything else is refused before it.
        async fn hello(hello: Hello) -> Result<Welcome, Mismatch>;
        /// Frames in the order of sending. An empty delivery only asks whether the peer is there.
        async fn deliver(frames: Bytes) -> Delivered;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_difference_is_named_with_both_values() {
        let node = NodeId::new;
        let ours = Identity {
            cluster: 0xaaa,
            node: node(0),
            members: NodeSet::first(3),
            relation: 11,
            wire: 1,
            incarnation: Incarnation { directory: 3, start: 5, nonce: 7 },
            log_end: 0,
            learner: false,
        };
        let good = Identity { node: node(1), ..ours }.hello(node(0));
        assert_eq!(ours.check(&good), Ok(()));
        let cases = [
            (Hello { cluster: 0xbbb, ..good.clone() }, "aaa", "bbb"),
            (Hello { to: node(2), ..good.clone() }, "n1", "n3"),
            (Hello { from: node(0), ..good.clone() }, "n1", "peer n1"),
            (Hello { from: node(3), ..good.clone() }, "n1", "n4"),
            (Hello { wire: 2, ..good.clone() }, "1", "2"),
            (Hello { relation: 12, ..good }, "11", "12"),
        ];
        for (hello, ours_text, yours_text) in cases {
            let sentence = ours.check(&hello).unwrap_err().to_string();
            assert!(sentence.contains(ours_text) && sentence.contains(yours_text), "{sentence}");
        }
    }
}
