use crate::connection::Connection;
use crate::sessions::Sessions;
use isegoria_client::LocalPort;
use isegoria_transport::{Listener, Stream};
use std::sync::Arc;
use tokio::io::AsyncWriteExt;
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;

/// Limits of the port.
#[derive(Clone, Copy, Debug)]
pub struct RespOptions {
    /// The largest request, bytes: no word of one, and no transaction, is larger.
    pub request_bytes_max: usize,
    /// Connections at once; above it the newest is told so and closed.
    pub connection_count_max: usize,
    /// How long the rest of a request, or a client that takes no replies, is waited for, ms.
    pub stalled_ms: u64,
}

impl Default for RespOptions {
    fn default() -> RespOptions {
        RespOptions { request_bytes_max: 1024 * 1024, connection_count_max: 10_000, stalled_ms: 30_000 }
    }
}

/// The port of a node that speaks the Redis protocol. Dropping it closes the port and all connections.
#[derive(Debug)]
pub struct RespServer {
    _task: AbortOnDropHandle<()>,
}

pub(crate) struct Shared {
    pub(crate) options: RespOptions,
    pub(crate) sessions: Sessions,
}

impl RespServer {
    /// Serves at `listener` what the node behind `port` holds; needs a tokio runtime. What is
    /// asked before the node serves waits for it.
    #[must_use]
    pub fn spawn(listener: Listener, port: LocalPort, options: RespOptions) -> RespServer {
        let shared = Arc::new(Shared { options, sessions: Sessions::new(port) });
        RespServer { _task: AbortOnDropHandle::new(tokio::spawn(accept(listener, shared))) }
    }
}

async fn accept(mut listener: Listener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    for id in 1.. {
        let stream = listener.accept_beside(&mut connections).await;
        if connections.len() >= shared.options.connection_count_max {
            refuse(stream).await;
            continue;
        }
        let shared = shared.clone();
        connections.spawn(async move {
            if let Err(error) = Connection::new(stream, id, &shared).run().await {
                tracing::debug!(connection = id, %error, "redis connection closed");
            }
        });
    }
}

/// Tells a client that it is one too many, if it takes that at once.
async fn refuse(mut stream: Stream) {
    let said = stream.write_all(b"-ERR max number of clients reached\r\n");
    let _ = tokio::time::timeout(std::time::Duration::ZERO, said).await;
}
