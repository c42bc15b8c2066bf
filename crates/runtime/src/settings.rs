use isegoria_replica::Retention;
use isegoria_storage::Durability;
use isegoria_transport::client_port::LocalPort;
use isegoria_transport::{Distance, Endpoint};
use isegoria_types::{Layout, NodeId};
use std::path::PathBuf;

/// Another node, or this one, as the configuration names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name, such as `n1`.
    pub name: String,
    /// Where its peers reach it.
    pub peer: Endpoint,
    /// Where its clients reach it; a node without a leader role has no client port.
    pub client: Option<Endpoint>,
}

/// Everything a node process needs to know, checked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The cluster's id: nodes of different clusters refuse each other.
    pub cluster: u64,
    /// This node.
    pub own: NodeId,
    /// All nodes, in the order of their ids.
    pub members: Vec<Member>,
    /// How far away each of them is made to seem, in the same order; not at all, if empty.
    pub distances: Vec<Distance>,
    /// Who does what.
    pub layout: Layout,
    /// When a record counts as written.
    pub durability: Durability,
    /// Where the node keeps its log.
    pub data_dir: PathBuf,
    /// Limits and times.
    pub limits: Limits,
    /// Where clients of this very process reach the node.
    pub local: LocalPort,
    /// Only follow the others, from their state, without a vote and without clients: what is
    /// in the data directory is left alone.
    pub learner: bool,
}

/// Limits and times of a node process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most commands of one vertex or slot.
    pub batch_max: usize,
    /// The most bytes of commands of one vertex or slot, before another is begun.
    pub batch_bytes_max: usize,
    /// The longest that a command waits for others, ms.
    pub batch_wait_ms: u64,
    /// The largest payload of one command, bytes.
    pub payload_bytes_max: usize,
    /// The most requests that may wait for their answer at this node.
    pub pending_max: usize,
    /// The most bytes of their payloads.
    pub pending_bytes_max: usize,
    /// The most requests that this node lets in a second; it refuses what comes beyond.
    pub commands_per_s_max: Option<u32>,
    /// The most bytes of peers' messages that may wait for the loop, and as many of clients' requests.
    pub inbox_bytes_max: usize,
    /// How often replicas tell their progress, ms.
    pub gossip_ms: u64,
    /// How much log is written between two checkpoints, bytes.
    pub checkpoint_bytes: u64,
    /// The size of a log segment, bytes.
    pub segment_bytes: u64,
    /// How much is held for nodes that may ask for it, before it is forgotten and they
    /// have to take a snapshot.
    pub retention: Retention,
    /// Sessions idle for one to two of these are dropped, ms.
    pub session_expiry_ms: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            batch_max: 128,
            batch_bytes_max: 1 << 20,
            batch_wait_ms: 2,
            payload_bytes_max: 1 << 20,
            pending_max: 200_000,
            pending_bytes_max: 256 << 20,
            commands_per_s_max: None,
            inbox_bytes_max: 64 << 20,
            gossip_ms: 50,
            checkpoint_bytes: 256 << 20,
            segment_bytes: 64 << 20,
            retention: Retention::default(),
            session_expiry_ms: 3_600_000,
        }
    }
}
