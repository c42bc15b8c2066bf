use super::service::{PortRequest, PortResponse};
use super::{ClientHello, ConnectionLost, ConnectionOptions, OpenError, Opened, Question};
use crate::codec::{ENVELOPE_BYTES, caller_transport};
use crate::{Endpoint, dial};
use isegoria_types::{Reply, Request};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tarpc::client::{Channel, Config, RpcError};
use tarpc::context;
use tokio_util::task::AbortOnDropHandle;

/// What a request takes on the wire besides its payload, bytes, at most.
const REQUEST_BYTES: usize = 58;

/// The caller's side of a connection to another process.
#[derive(Clone, Debug)]
pub(super) struct Remote {
    caller: Channel<PortRequest, PortResponse>,
    call_time: Duration,
    submit_bytes_max: usize,
    _dispatch: Arc<AbortOnDropHandle<()>>,
}

impl Remote {
    pub(super) async fn open(
        endpoint: &Endpoint,
        hello: ClientHello,
        options: ConnectionOptions,
    ) -> Result<(Remote, Opened), OpenError> {
        let attempt = Remote::attempt(endpoint, hello, options);
        let open_ms = options.open_ms;
        tokio::time::timeout(Duration::from_millis(open_ms), attempt)
            .await
            .unwrap_or_else(|_| Err(OpenError::Silent { endpoint: endpoint.clone(), open_ms }))
    }

    async fn attempt(
        endpoint: &Endpoint,
        hello: ClientHello,
        options: ConnectionOptions,
    ) -> Result<(Remote, Opened), OpenError> {
        let place = || endpoint.clone();
        let stream = dial(endpoint).await.map_err(|error| OpenError::Dial { endpoint: place(), error })?;
        let client = tarpc::client::new(Config::default(), caller_transport(stream, options.frame_bytes_max));
        let dispatch = client.dispatch;
        // Errors show in the calls; tarpc's own log line could not be limited.
        let dispatch = AbortOnDropHandle::new(tokio::spawn(async { drop(dispatch.await) }));
        let connection = Remote {
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

    pub(super) async fn submit(&self, mut requests: Vec<Request>) -> Result<(), ConnectionLost> {
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

    pub(super) async fn replies(&self) -> Result<Vec<Reply>, ConnectionLost> {
        match self.call(PortRequest::Replies {}).await {
            Ok(PortResponse::Replies(replies)) => Ok(replies),
            _ => Err(ConnectionLost),
        }
    }

    pub(super) async fn ask(&self, question: Question) -> Result<String, ConnectionLost> {
        match self.call(PortRequest::Ask { question }).await {
            Ok(PortResponse::Ask(text)) => Ok(text),
            _ => Err(ConnectionLost),
        }
    }
}
