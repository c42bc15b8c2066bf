//! The client port: requests in, replies out, on one connection.
//!
//! A connection begins with `open`. Requests come many at a time in `submit`, which
//! only says that they arrived. Replies leave in answers to `replies`, which waits
//! until there is one: whatever is queued then goes in one answer. So one call
//! serves many requests, and no call waits for a command. `ask` is answered by what the node
//! knows of itself, also while it is overloaded: it asks nobody.
//!
//! Clients within the process of the node use [`LocalPort`]: the same requests and
//! replies without bytes.

mod connection;
mod local;
mod remote;
mod reply_queue;
mod server;

pub use connection::{Connection, ConnectionLost, ConnectionOptions, OpenError};
pub use local::LocalPort;
pub use reply_queue::ReplySender;
pub use server::{ClientServer, ClientServerOptions, ClientSink, ConnectionId};

use crate::Mismatch;
use isegoria_types::{NodeId, RequestId};
use serde::{Deserialize, Serialize};

/// What a caller says first on the client port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientHello {
    /// The caller's wire version; first, so that it can be read in every version.
    pub wire: u32,
    /// The cluster that it means, if it minds.
    pub cluster: Option<u64>,
    /// The version of its conflict relation, if it minds.
    pub relation: Option<u64>,
}

/// The answer to an accepted hello: what a client must know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// The cluster.
    pub cluster: u64,
    /// The node behind this port.
    pub node: NodeId,
    /// The version of the conflict relation here.
    pub relation: u64,
    /// The session generation to open sessions in.
    pub generation: u32,
    /// The largest payload that is taken, bytes.
    pub payload_bytes_max: u64,
    /// Every node with a client port, this one too.
    pub peers: Vec<PeerAddress>,
}

/// Where clients reach a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerAddress {
    /// The node.
    pub node: NodeId,
    /// Its name in the configuration.
    pub name: String,
    /// Its client port; text, because a client may not know every kind of address.
    pub client: String,
}

/// What a node is asked about itself; the answer is JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Question {
    /// What it counts and holds.
    Status,
    /// The part of the dependency graph that it has not executed.
    Graph,
    /// What became of a request that entered at this node; `null` if it is not remembered.
    Explain(RequestId),
}

impl Opened {
    /// Whether the caller belongs here.
    ///
    /// # Errors
    /// The first thing in which the two differ.
    pub fn check(&self, hello: &ClientHello) -> Result<(), Mismatch> {
        let wire = crate::WIRE_VERSION;
        if hello.wire != wire {
            return Err(Mismatch::Wire { ours: wire, yours: hello.wire });
        }
        if let Some(yours) = hello.cluster.filter(|cluster| *cluster != self.cluster) {
            return Err(Mismatch::Cluster { ours: self.cluster, yours });
        }
        if let Some(yours) = hello.relation.filter(|relation| *relation != self.relation) {
            return Err(Mismatch::Relation { ours: self.relation, yours });
        }
        Ok(())
    }
}

/// The service as tarpc sees it.
mod service {
    // The generated stub and trait are not used (see the crate's documentation).
    #![allow(dead_code, unreachable_pub)]

    use super::{ClientHello, Opened, Question};
    use crate::Mismatch;
    use isegoria_types::{Reply, Request};

    #[tarpc::service]
    pub(crate) trait Port {
        /// Opens the connection; everything else is refused before it.
        async fn open(hello: ClientHello) -> Result<Opened, Mismatch>;
        /// Takes requests, in this order. Whether they are done is said in replies.
        async fn submit(requests: Vec<Request>);
        /// All replies that wait, as soon as there is one; none after some seconds.
        async fn replies() -> Vec<Reply>;
        /// What the node knows of itself, as JSON.
        async fn ask(question: Question) -> String;
    }
}
