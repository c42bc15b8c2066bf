use super::service::{PortRequest, PortResponse};
use super::{ClientHello, Opened};
use crate::codec::{ENVELOPE_BYTES, caller_transport};
use crate::{Endpoint, FRAME_BYTES_MAX, Mismatch, dial};
use isegoria_types::{Reply, Request};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tarpc::client::{Channel, Config, RpcError};
use tarpc::context;
use tokio_util::task::AbortOnDropHandle;

/// What a request takes on the wire besides its payload, bytes, at most.
const REQUEST_BYTES: usize = 58;

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
    #[error("{endpoint} did not answer within {open_ms} ms; is the node overloaded or stopped?")]
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
    caller: Channel<PortRequest, PortResponse>,
    call_time: Duration,
    submit_bytes_max: usize,
    _dispatch: Arc<AbortOnDropHandle<()>>,
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
        let attempt = Connection::attempt(endpoint, hello, options);
        let open_ms = options.open_ms;
        tokio::time::timeout(Duration::from_millis(open_ms), attempt)
            .await
            .unwrap_or_else(|_| Err(OpenError::Silent { endpoint: endpoint.clone(), open_ms }))
    }

    async fn attempt(
        endpoint: &Endpoint,
        hello: ClientHello,
        options: ConnectionOptions,
    ) -> Result<(Connection, Opened), OpenError> {
        let place = || endpoint.clone();
        let stream = dial(endpoint).await.map_err(|error| OpenError::Dial { endpoint: place(), error })?;
        let client = tarpc::client::new(Config::default(), caller_transport(stream, options.frame_bytes_max));
        let dispatch = client.dispatch;
        // Errors show in the calls; tarpc's own log line could not be limited.
        let dispatch = AbortOnDropHandle::new(tokio::spawn(async { drop(dispatch.await) }));
        let connection = Connection {
            caller: client.client,
            call_time: Duration::from_millis(options.call_ms),
            submit_bytes_max: options.frame_bytes_max.saturating_sub(ENVELOPE_BYTES),
            _dispatch: Arc::new(dispatch),
        };
        match connection.call(PortRequest::Open { hello }).await {
            Ok(PortResponse::Open(Ok(opened))) => Ok((connection, opened)),
            Ok(PortResponse::Open(Err(mismatch))) => Err(OpenError::Refused { endpoint: place(), mismatch }),
            Ok(_) | Err(_) => Err(OpenError::Stranger { endpoint: place() }),
        }
    }

    async fn call(&self, request: PortRequest) -> Result<PortResponse, RpcError> {
        let mut context = context::current();
        // Ours comes first: tarpc would log its own at every expiry.
        context.deadline = Instant::now() + self.call_time * 2;
        let call = self.caller.call(context, request);
        tokio::time::timeout(self.call_time, call).await.unwrap_or(Err(RpcError::DeadlineExceeded))
    }

    /// Hands requests over. Calls of one task are handed over in order, if each is
    /// polled before the next is made.
    ///
    /// # Errors
    /// If the connection was lost; the requests may have arrived all the same.
    pub async fn submit(&self, mut requests: Vec<Request>) -> Result<(), ConnectionLost> {
        while !requests.is_empty() {
            let rest = requests.split_off(self.fitting(&requests));
            match self.call(PortRequest::Submit { requests }).await {
                Ok(PortResponse::Submit(())) => requests = rest,
                _ => return Err(ConnectionLost),
            }
        }
        Ok(())
    }

    /// How many of the requests one call can carry; at least one.
    fn fitting(&self, requests: &[Request]) -> usize {
        let mut room = self.submit_bytes_max;
        let fits = |request: &&Request| {
            let bytes = request.payload.len() + REQUEST_BYTES;
            let fits = bytes <= room;
            room = room.saturating_sub(bytes);
            fits
        };
        requests.iter().take_while(fits).count().max(1)
    }

    /// All replies that wait, as soon as there is one; none after some seconds.
    ///
    /// # Errors
    /// If the connection was lost.
    pub async fn replies(&self) -> Result<Vec<Reply>, ConnectionLost> {
        match self.call(PortRequest::Replies {}).await {
            Ok(PortResponse::Replies(replies)) => Ok(replies),
            _ => Err(ConnectionLost),
        }
    }

    /// What the node counts and holds at this moment, as JSON.
    ///
    /// # Errors
    /// If the connection was lost.
    pub async fn status(&self) -> Result<String, ConnectionLost> {
        match self.call(PortRequest::Status {}).await {
            Ok(PortResponse::Status(text)) => Ok(text),
            _ => Err(ConnectionLost),
        }
    }
}
