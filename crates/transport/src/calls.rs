use crate::codec::ServerTransport;
use futures::{Sink, SinkExt, Stream as _};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tarpc::server::{BaseChannel, TrackedRequest};
use tarpc::{ChannelError, Response};

type Channel<Req, Resp> = BaseChannel<Req, Resp, ServerTransport<Req, Resp>>;

/// The calls of one connection, in the order of arrival, handled by the task that
/// reads them. Answers are written together, when there is no further call to read.
pub(crate) struct Calls<Req, Resp> {
    channel: Pin<Box<Channel<Req, Resp>>>,
    idle: Duration,
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Closed {
    #[error("the other side hung up")]
    HungUp,
    #[error("it sent bytes that are not of this service: {0}")]
    Garbage(Arc<io::Error>),
    #[error("the connection failed: {0}")]
    Io(Arc<io::Error>),
    #[error("it was silent for too long")]
    Silent,
    #[error("it called before its hello was accepted")]
    NoHello,
    #[error("{0}")]
    Mismatch(#[from] crate::Mismatch),
    #[error("a later connection of the same node replaced it")]
    Replaced,
    #[error("this node is stopping")]
    Stopping,
    #[error("it did not take its replies, and {0} bytes of them were waiting")]
    RepliesNotTaken(usize),
}

impl Closed {
    /// Whether this is worth a line in the log.
    pub(crate) fn is_suspicious(&self) -> bool {
        !matches!(self, Closed::HungUp | Closed::Io(_) | Closed::Replaced | Closed::Stopping)
    }
}

impl From<ChannelError<io::Error>> for Closed {
    fn from(error: ChannelError<io::Error>) -> Closed {
        match error {
            ChannelError::Read(error) if error.kind() == io::ErrorKind::InvalidData => Closed::Garbage(error),
            ChannelError::Read(error)
            | ChannelError::Ready(error)
            | ChannelError::Write(error)
            | ChannelError::Flush(error)
            | ChannelError::Close(error) => Closed::Io(error),
        }
    }
}

impl<Req: DeserializeOwned, Resp: Serialize> Calls<Req, Resp> {
    pub(crate) fn new(transport: ServerTransport<Req, Resp>, idle: Duration) -> Calls<Req, Resp> {
        Calls { channel: Box::pin(BaseChannel::with_defaults(transport)), idle }
    }

    /// Changes the largest message that is read, bytes.
    pub(crate) fn set_bytes_max(&mut self, bytes_max: usize) {
        self.channel.as_mut().get_pin_ref().get_mut().codec_mut().bytes_max = bytes_max;
    }

    /// The next call. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> Result<TrackedRequest<Req>, Closed> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<TrackedRequest<Req>, Closed>> {
        match self.channel.as_mut().poll_next(cx) {
            Poll::Ready(Some(call)) => Poll::Ready(call.map_err(Closed::from)),
            Poll::Ready(None) => Poll::Ready(Err(Closed::HungUp)),
            Poll::Pending => match self.channel.as_mut().poll_flush(cx) {
                Poll::Ready(Err(error)) => Poll::Ready(Err(error.into())),
                _ => Poll::Pending,
            },
        }
    }

    /// Queues the answer to a call. Waits if the caller does not read, but not for ever.
    pub(crate) async fn answer(&mut self, request_id: u64, message: Resp) -> Result<(), Closed> {
        let response = Response { request_id, message: Ok(message) };
        match tokio::time::timeout(self.idle, self.channel.feed(response)).await {
            Ok(outcome) => outcome.map_err(Closed::from),
            Err(_) => Err(Closed::Silent),
        }
    }

    /// Writes the answers that wait and ends the connection.
    pub(crate) async fn close(&mut self) {
        let _ = tokio::time::timeout(self.idle, poll_fn(|cx| self.channel.as_mut().poll_close(cx))).await;
    }
}
