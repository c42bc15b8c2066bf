use crate::intake::Intake;
use crate::server::Shared;
use bytes::{Buf, BytesMut};
use isegoria_client::{Client, ClientError, ClientOptions, SubmitError};
use isegoria_kv::redis::{Command, Reply};
use isegoria_kv::{Op, Output};
use isegoria_transport::Stream;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

/// How much is read at once, bytes.
const READ_BYTES: usize = 16 * 1024;

/// One connection of a client.
pub(crate) struct Connection<'a> {
    stream: Stream,
    intake: Intake,
    /// The session of the connection, from its first command on data on.
    client: Option<Client>,
    shared: &'a Shared,
}

impl<'a> Connection<'a> {
    pub(crate) fn new(stream: Stream, id: u64, shared: &'a Shared) -> Connection<'a> {
        let intake = Intake::new(id, shared.options.request_bytes_max);
        Connection { stream, intake, client: None, shared }
    }

    /// Serves it until either side ends it.
    pub(crate) async fn run(mut self) -> io::Result<()> {
        let (mut read, mut written) = (BytesMut::new(), BytesMut::new());
        loop {
            let mut pack = self.intake.next_pack(&mut read);
            if pack.is_empty() {
                if self.read(&mut read).await? == 0 {
                    return Ok(());
                }
                continue;
            }
            let commands = std::mem::take(&mut pack.commands);
            let mut closes = pack.closes;
            let replies = if commands.is_empty() { Ok(Vec::new()) } else { self.submit(commands).await };
            let replies = replies.map_err(|error| {
                closes |= !error.nothing_was_done;
                error.text
            });
            pack.answer(replies, &mut written);
            self.write(&mut written).await?;
            if closes {
                return Ok(());
            }
        }
    }

    /// Reads more; waits for the rest of a request for a while only.
    async fn read(&mut self, read: &mut BytesMut) -> io::Result<usize> {
        read.reserve(READ_BYTES);
        let (within, patience) = (self.intake.is_within(read), self.patience());
        let bytes = self.stream.read_buf(read);
        if within { timeout(patience, bytes).await? } else { bytes.await }
    }

    /// Writes all; waits for a client that takes nothing for a while only.
    async fn write(&mut self, written: &mut BytesMut) -> io::Result<()> {
        while written.has_remaining() {
            if timeout(self.patience(), self.stream.write_buf(written)).await?? == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
        }
        self.stream.flush().await
    }

    fn patience(&self) -> Duration {
        Duration::from_millis(self.shared.options.stalled_ms)
    }

    /// Has commands executed as one.
    async fn submit(&mut self, commands: Vec<Command>) -> Result<Vec<Reply>, Failed> {
        let payload = postcard::to_stdvec(&Op::Redis(commands)).map_err(|error| Failed::before(&error))?;
        let payload = bytes::Bytes::from(payload);
        let client = match &self.client {
            Some(client) => client,
            None => {
                let options = ClientOptions::default();
                let client = Client::attach(&self.shared.port, options).await;
                self.client.insert(client.map_err(|error| Failed::before(&error))?)
            }
        };
        let mut answer = client.call(payload.clone()).await;
        // Nothing was done, and the client has a new session by now.
        if matches!(answer, Err(ClientError::Submit(SubmitError::SessionExpired))) {
            answer = client.call(payload).await;
        }
        match postcard::from_bytes(&answer?) {
            Ok(Output::Redis(replies)) => Ok(replies),
            _ => Err(Failed::after("the answer does not decode; do all nodes run one version?")),
        }
    }
}

/// Why there are no replies.
struct Failed {
    /// What the client is told.
    text: String,
    nothing_was_done: bool,
}

impl Failed {
    fn before(error: &dyn std::fmt::Display) -> Failed {
        Failed { text: format!("ERR {error}"), nothing_was_done: true }
    }

    fn after(text: &str) -> Failed {
        Failed { text: format!("ERR {text}"), nothing_was_done: false }
    }
}

impl From<ClientError> for Failed {
    fn from(error: ClientError) -> Failed {
        let text = format!("ERR {error}");
        // A command whose outcome is unknown may yet be executed, behind later ones of this connection.
        let nothing_was_done =
            !matches!(error, ClientError::Submit(SubmitError::Unknown(_)) | ClientError::Closed);
        Failed { text, nothing_was_done }
    }
}
