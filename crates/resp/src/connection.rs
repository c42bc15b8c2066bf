use crate::intake::Intake;
use crate::pack::Pack;
use crate::server::Shared;
use crate::sessions::Lease;
use bytes::{Buf, Bytes, BytesMut};
use isegoria_client::{ClientError, SubmitError};
use isegoria_kv::redis::{Command, Reply};
use isegoria_kv::{Op, Output};
use isegoria_transport::Stream;
use std::io;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::io::{poll_read_buf, poll_write_buf};

/// How much is read at once, bytes.
const READ_BYTES: usize = 16 * 1024;
/// What is read beforehand while a client does not take its answers, bytes: some send all before they look.
const READ_AHEAD_BYTES: usize = 4 << 20;
/// A buffer that grew beyond this is given back when it is empty, bytes.
const SPARE_BYTES: usize = 64 * 1024;
/// An answer of this size is acknowledged soon, bytes: until then every replica keeps it.
const LARGE_ANSWER_BYTES: usize = 64 * 1024;
/// How soon.
const ACKNOWLEDGE_AFTER: Duration = Duration::from_millis(100);

/// One connection of a client.
pub(crate) struct Connection<'a> {
    stream: Stream,
    intake: Intake,
    /// What came and is not taken in yet.
    read: BytesMut,
    written: BytesMut,
    /// When the request began that is not all there.
    begun: Option<Instant>,
    /// The session of the connection, from its first command on data on.
    session: Option<Lease<'a>>,
    /// Whether the replicas keep a large answer for it.
    owes: bool,
    /// Whether the client sends no more.
    ended: bool,
    shared: &'a Shared,
}

impl<'a> Connection<'a> {
    pub(crate) fn new(stream: Stream, id: u64, shared: &'a Shared) -> Connection<'a> {
        let intake = Intake::new(id, shared.options.request_bytes_max);
        let (read, written) = (BytesMut::new(), BytesMut::new());
        Connection {
            stream,
            intake,
            read,
            written,
            begun: None,
            session: None,
            owes: false,
            ended: false,
            shared,
        }
    }

    /// Serves it until either side ends it.
    pub(crate) async fn run(mut self) -> io::Result<()> {
        loop {
            let pack = self.intake.next_pack(&mut self.read);
            if pack.is_empty() {
                if self.read().await? == 0 {
                    return Ok(());
                }
                continue;
            }
            self.begun = None;
            if self.serve(pack).await? == After::Close {
                return Ok(());
            }
        }
    }

    /// Reads more; waits for the rest of a request for a while only.
    async fn read(&mut self) -> io::Result<usize> {
        if self.ended {
            return Ok(0);
        }
        spare(&mut self.read);
        self.read.reserve(READ_BYTES);
        if self.owes {
            // Whoever asks again soon acknowledges by that.
            match timeout(ACKNOWLEDGE_AFTER, self.stream.read_buf(&mut self.read)).await {
                Ok(count) => return count,
                Err(_) => self.acknowledge().await,
            }
        }
        if !self.intake.is_within(&self.read) {
            return self.stream.read_buf(&mut self.read).await;
        }
        let begun = *self.begun.get_or_insert_with(Instant::now);
        timeout_at(begun + self.patience(), self.stream.read_buf(&mut self.read)).await?
    }

    /// Has everything done, and answers as it is done.
    async fn serve(&mut self, mut pack: Pack) -> io::Result<After> {
        let mut commands = std::mem::take(&mut pack.commands);
        // What had no room in one answer goes with the next request.
        while !commands.is_empty() {
            match self.submit(&mut commands, pack.is_transaction).await {
                Ok(replies) => pack.answer(replies, None, &mut self.written),
                Err(failed) => {
                    pack.closes |= !failed.nothing_was_done;
                    pack.answer(Vec::new(), Some(&failed.text), &mut self.written);
                    commands.clear();
                }
            }
            self.write().await?;
        }
        pack.answer(Vec::new(), None, &mut self.written);
        self.write().await?;
        Ok(if pack.closes { After::Close } else { After::GoOn })
    }

    /// Writes all; waits for a client that takes nothing for a while only, and reads meanwhile.
    async fn write(&mut self) -> io::Result<()> {
        let patience = self.patience();
        while self.written.has_remaining() {
            let (stream, written, read) = (&mut self.stream, &mut self.written, &mut self.read);
            // What it has sent is answered, even if it sends no more.
            let ended = &mut self.ended;
            let progress = std::future::poll_fn(|context| {
                if let Poll::Ready(wrote) = poll_write_buf(Pin::new(stream), context, written) {
                    return Poll::Ready(wrote.and_then(|count| match count {
                        0 => Err(io::ErrorKind::WriteZero.into()),
                        _ => Ok(()),
                    }));
                }
                if *ended || read.len() >= READ_AHEAD_BYTES {
                    return Poll::Pending;
                }
                read.reserve(READ_BYTES);
                match poll_read_buf(Pin::new(stream), context, read) {
                    Poll::Ready(Ok(0)) => {
                        *ended = true;
                        Poll::Pending
                    }
                    Poll::Ready(Ok(_)) => Poll::Ready(Ok(())),
                    Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                    Poll::Pending => Poll::Pending,
                }
            });
            timeout(patience, progress).await??;
        }
        spare(&mut self.written);
        Ok(())
    }

    fn patience(&self) -> Duration {
        Duration::from_millis(self.shared.options.stalled_ms)
    }

    /// Has commands executed as one, takes out those that were, and returns their replies: at least one.
    async fn submit(
        &mut self,
        commands: &mut Vec<Command>,
        is_transaction: bool,
    ) -> Result<Vec<Reply>, Failed> {
        let whole = std::mem::take(commands);
        let op = if is_transaction { Op::Transaction(whole) } else { Op::Pipeline(whole) };
        let payload = postcard::to_stdvec(&op).map_err(|error| Failed::before(&error))?;
        if let Op::Transaction(whole) | Op::Pipeline(whole) = op {
            *commands = whole;
        }
        let answer = self.call(payload.into()).await?;
        let replies = match postcard::from_bytes(&answer) {
            Ok(Output::Redis(replies)) if (1..=commands.len()).contains(&replies.len()) => replies,
            _ => return Err(Failed::after("the answer makes no sense; do all nodes run one version?")),
        };
        commands.drain(..replies.len());
        self.owes = answer.len() > LARGE_ANSWER_BYTES;
        Ok(replies)
    }

    /// Says that the last answer has come, as the next request of the session would.
    async fn acknowledge(&mut self) {
        self.owes = false;
        if let Ok(payload) = postcard::to_stdvec(&Op::Pipeline(Vec::new())) {
            // If this is lost, the next one says it.
            let _ = self.call(payload.into()).await;
        }
    }

    async fn call(&mut self, payload: Bytes) -> Result<Bytes, Failed> {
        let session = match &mut self.session {
            Some(session) => session,
            None => {
                let lease = self.shared.sessions.lease().await;
                self.session.insert(lease.map_err(|error| Failed::before(&error))?)
            }
        };
        let answer = match session.call(payload.clone()).await {
            // Nothing was done, and there is a new session by now.
            Err(ClientError::Submit(SubmitError::SessionExpired)) => session.call(payload).await,
            answer => answer,
        };
        Ok(answer?)
    }
}

/// What becomes of the connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum After {
    GoOn,
    Close,
}

/// Gives back what an empty buffer has taken.
fn spare(buffer: &mut BytesMut) {
    if buffer.is_empty() && buffer.capacity() > SPARE_BYTES {
        *buffer = BytesMut::new();
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
