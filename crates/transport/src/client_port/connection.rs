use super::local::Local;
use super::remote::Remote;
use super::{ClientHello, LocalPort, Opened, Question};
use crate::{Endpoint, FRAME_BYTES_MAX, Mismatch};
use isegoria_types::{Reply, Request};
use std::io;
use std::sync::Arc;

/// Limits and times of a client's connection.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionOptions {
    /// The largest message, bytes; as on the server.
    pub frame_bytes_max: usize,
    /// How long connecting and opening may take, ms.
    pub open_ms: u64,
    /// How long any other call may take, ms; longer than the server lets `replies` wait.
    pub call_ms: u64,
}

impl Default for ConnectionOptions {
    fn default() -> ConnectionOptions {
        ConnectionOptions { frame_bytes_max: FRAME_BYTES_MAX, open_ms: 3_000, call_ms: 15_000 }
    }
}

/// Why a connection could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Nobody there.
    #[error("cannot connect to {endpoint}: {error}; is the node running, and is this its client port?")]
    Dial {
        /// Where.
        endpoint: Endpoint,
        /// What the system says.
        error: io::Error,
    },
    /// Somebody else there.
    #[error("{endpoint} hung up or answered with something else; is this the client port of a node?")]
    Stranger {
        /// Where.
        endpoint: Endpoint,
    },
    /// Nothing heard.
    #[error(
        "{endpoint} did not answer within {open_ms} ms; is this the client port of a node, and the node neither \
         overloaded nor stopped?"
    )]
    Silent {
        /// Where.
        endpoint: Endpoint,
        /// How long it was waited for.
        open_ms: u64,
    },
    /// A node that is not ours.
    #[error("{endpoint} refused: {mismatch}")]
    Refused {
        /// Where.
        endpoint: Endpoint,
        /// In what we differ.
        mismatch: Mismatch,
    },
    /// The node of this very process is gone.
    #[error("the node of this process has stopped")]
    Stopped,
}

/// The connection ended, or does not answer any more. What was in flight has an
/// unknown outcome; sessions ask again elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the connection was lost")]
pub struct ConnectionLost;

/// The caller's side of one connection to a client port. Clones share it; dropping
/// the last one closes it.
#[derive(Clone, Debug)]
pub struct Connection {
    way: Way,
}

#[derive(Clone, Debug)]
enum Way {
    Remote(Remote),
    Local(Arc<Local>),
}

impl Connection {
    /// Connects and says hello.
    ///
    /// # Errors
    /// If nobody answers there, or a node that is not ours.
    pub async fn open(
        endpoint: &Endpoint,
        hello: ClientHello,
        options: ConnectionOptions,
    ) -> Result<(Connection, Opened), OpenError> {
        let (remote, opened) = Remote::open(endpoint, hello, options).await?;
        Ok((Connection { way: Way::Remote(remote) }, opened))
    }

    /// Connects to the node of this process, once it serves.
    ///
    /// # Errors
    /// If it has stopped.
    pub async fn local(port: &LocalPort) -> Result<(Connection, Opened), OpenError> {
        let (local, opened) = Local::open(port).await.ok_or(OpenError::Stopped)?;
        Ok((Connection { way: Way::Local(Arc::new(local)) }, opened))
    }

    /// Hands requests over. Calls of one task are handed over in order, if each is
    /// polled before the next is made.
    ///
    /// # Errors
    /// If the connection was lost; the requests may have arrived all the same.
    pub async fn submit(&self, requests: Vec<Request>) -> Result<(), ConnectionLost> {
        match &self.way {
            Way::Remote(remote) => remote.submit(requests).await,
            Way::Local(local) => local.submit(requests),
        }
    }

    /// All replies that wait, as soon as there is one; none after some seconds.
    ///
    /// # Errors
    /// If the connection was lost.
    pub async fn replies(&self) -> Result<Vec<Reply>, ConnectionLost> {
        match &self.way {
            Way::Remote(remote) => remote.replies().await,
            Way::Local(local) => local.replies().await,
        }
    }

    /// What the node knows of itself at this moment, as JSON.
    ///
    /// # Errors
    /// If the connection was lost.
    pub async fn ask(&self, question: Question) -> Result<String, ConnectionLost> {
        match &self.way {
            Way::Remote(remote) => remote.ask(question).await,
            Way::Local(local) => local.ask(question).await,
        }
    }
}
