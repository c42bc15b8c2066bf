use isegoria_types::{Incarnation, NodeId};
use serde::{Deserialize, Serialize};

/// Why two processes that met do not belong together. The sentence names both
/// values; "ours" is the side that refuses, "yours" the side that called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum Mismatch {
    /// Two clusters.
    #[error(
        "this node is of cluster {ours:x} and the caller of cluster {yours:x}; use the same configuration on both: the \
         addresses, the cluster's name, the protocol, the nodes and their roles, and the quorums"
    )]
    Cluster {
        /// The cluster of the side that refuses.
        ours: u64,
        /// The cluster that the caller named.
        yours: u64,
    },
    /// The address belongs to another node.
    #[error("this is node {ours} and the caller wants {yours}; check the peer addresses")]
    Node {
        /// Who is here.
        ours: NodeId,
        /// Who was meant.
        yours: NodeId,
    },
    /// The caller is no member, or claims to be this very node.
    #[error("node {ours} has no peer {yours}; check the node list and the node's own name")]
    Peer {
        /// Who is here.
        ours: NodeId,
        /// Who the caller says that it is.
        yours: NodeId,
    },
    /// Two versions of the bytes.
    #[error("this node speaks wire version {ours} and the caller {yours}; run the same release on both")]
    Wire {
        /// The version of the side that refuses.
        ours: u32,
        /// The caller's version.
        yours: u32,
    },
    /// Two conflict relations: their footprints do not mean the same.
    #[error(
        "this node has conflict relation {ours} and the caller {yours}; run the same state machine on both"
    )]
    Relation {
        /// The version of the side that refuses.
        ours: u64,
        /// The caller's version.
        yours: u64,
    },
    /// A node that has forgotten what it promised: its data directory is new, or was set back.
    #[error(
        "node {peer} was here as {ours} and now calls as {yours}: it has lost what it promised and must not take part"
    )]
    Amnesia {
        /// The node.
        peer: NodeId,
        /// As what it was met.
        ours: Incarnation,
        /// As what it calls.
        yours: Incarnation,
    },
    /// A node whose log is shorter than what it once said was durable: its data directory was
    /// set back, or its disk lost what it had called written.
    #[error(
        "node {peer} said that its log was durable up to {ours} and now calls with one that ends at {yours}: it has lost what it promised and must not take part"
    )]
    LogLost {
        /// The node.
        peer: NodeId,
        /// What it once said, bytes.
        ours: u64,
        /// What it has, bytes.
        yours: u64,
    },
    /// The callee cannot write down whom it meets.
    #[error(
        "the node cannot let anybody in now: its disk does not take what it must remember; free some space"
    )]
    Busy,
    /// A process that was replaced by a later start of the same node.
    #[error(
        "node {peer} was here with incarnation {ours} and now calls with {yours}; stop the older process or give it its own disk"
    )]
    Incarnation {
        /// The node.
        peer: NodeId,
        /// The latest incarnation seen.
        ours: u64,
        /// The one that called.
        yours: u64,
    },
}
