use super::reply_queue::ReplyQueue;
use super::service::{PortRequest, PortResponse};
use super::{Opened, Question, ReplySender};
use crate::calls::{Calls, Closed};
use crate::codec::{ENVELOPE_BYTES, server_transport};
use crate::{FRAME_BYTES_MAX, Listener, LogLimit, Stream};
use isegoria_types::Request;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_util::task::AbortOnDropHandle;

/// One connection of one client, as long as this server lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// Who takes what clients send. Every method returns without waiting.
pub trait ClientSink: Send + Sync + 'static {
    /// What clients are told when they open a connection.
    fn welcome(&self) -> Opened;
    /// A client is there; its replies go to `replies`.
    fn opened(&self, connection: ConnectionId, replies: ReplySender);
    /// Requests, in the order in which the client sent them.
    fn submit(&self, connection: ConnectionId, requests: Vec<Request>);
    /// Asks for what the node knows of itself, as JSON; it is dropped when the node stops, or knows nothing.
    fn ask(&self, _: Question) -> oneshot::Receiver<String> {
        oneshot::channel().1
    }
    /// The client is gone; its replies would be dropped.
    fn closed(&self, connection: ConnectionId);
}

/// Limits of the client port.
#[derive(Clone, Copy, Debug)]
pub struct ClientServerOptions {
    /// The largest message, bytes.
    pub frame_bytes_max: usize,
    /// The most bytes of replies that may wait for one client.
    pub reply_bytes_max: usize,
    /// How long an ask for replies waits, ms.
    pub poll_ms: u64,
    /// How long a connection may take to open, and to say nothing, ms; longer than `poll_ms`.
    pub idle_ms: u64,
    /// Asks for replies that may wait at once; above it the oldest is answered at once.
    pub poll_count_max: usize,
    /// Connections at once; above it the newest is closed.
    pub connection_count_max: usize,
}

impl Default for ClientServerOptions {
    fn default() -> ClientServerOptions {
        ClientServerOptions {
            frame_bytes_max: FRAME_BYTES_MAX,
            reply_bytes_max: 64 * 1024 * 1024,
            poll_ms: 5_000,
            idle_ms: 30_000,
            poll_count_max: 512,
            connection_count_max: 10_000,
        }
    }
}

/// The listening side of the client port. Dropping it closes the port and all connections.
#[derive(Debug)]
pub struct ClientServer {
    refused_count: Arc<AtomicU64>,
    task: AbortOnDropHandle<()>,
}

struct Shared {
    options: ClientServerOptions,
    sink: Arc<dyn ClientSink>,
    refused_count: Arc<AtomicU64>,
    log_limit: LogLimit,
}

impl ClientServer {
    /// Closes the port and all connections; somebody else may listen there afterwards.
    pub async fn close(self) {
        self.task.abort();
        // It ends as one that was aborted, or has ended.
        let _ = self.task.await;
    }

    /// Serves clients at `listener`; needs a tokio runtime.
    pub fn spawn(
        listener: Listener,
        options: ClientServerOptions,
        sink: Arc<dyn ClientSink>,
    ) -> ClientServer {
        let refused_count = Arc::new(AtomicU64::new(0));
        let shared = Arc::new(Shared {
            options,
            sink,
            refused_count: refused_count.clone(),
            log_limit: LogLimit::default(),
        });
        ClientServer { refused_count, task: AbortOnDropHandle::new(tokio::spawn(accept(listener, shared))) }
    }

    /// Connections that were closed for garbage, silence, greed or a wrong hello.
    #[must_use]
    pub fn refused_count(&self) -> u64 {
        self.refused_count.load(Ordering::Relaxed)
    }
}

async fn accept(mut listener: Listener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    for id in 0.. {
        let stream = listener.accept_beside(&mut connections).await;
        if connections.len() < shared.options.connection_count_max {
            let shared = shared.clone();
            connections.spawn(async move { serve(stream, ConnectionId(id), &shared).await });
        }
    }
}

async fn serve(stream: Stream, id: ConnectionId, shared: &Shared) {
    // Before the hello nobody may make us read more than a hello.
    let transport = server_transport(stream, ENVELOPE_BYTES);
    let mut calls = Calls::new(transport, Duration::from_millis(shared.options.idle_ms));
    let closed = match open(&mut calls, shared).await {
        Ok(()) => Session::new(id, calls, shared).run().await,
        Err(closed) => closed,
    };
    if !closed.is_suspicious() {
        tracing::debug!(connection = id.0, %closed, "client connection closed");
        return;
    }
    shared.refused_count.fetch_add(1, Ordering::Relaxed);
    if let Some(suppressed) = shared.log_limit.permit() {
        tracing::warn!(connection = id.0, suppressed, "client connection closed: {closed}");
    }
}

async fn open(calls: &mut Calls<PortRequest, PortResponse>, shared: &Shared) -> Result<(), Closed> {
    let patience = Duration::from_millis(shared.options.idle_ms);
    let first = tokio::time::timeout(patience, calls.next()).await;
    let call = first.map_err(|_| Closed::Silent)??.request;
    let PortRequest::Open { hello } = call.message else { return Err(Closed::NoHello) };
    let opened = shared.sink.welcome();
    let answer = opened.check(&hello);
    calls.set_bytes_max(shared.options.frame_bytes_max);
    calls.answer(call.id, PortResponse::Open(answer.clone().map(|()| opened))).await?;
    if answer.is_err() {
        calls.close().await;
    }
    Ok(answer?)
}

/// A connection after its hello. The sink hears `closed` however it ends.
struct Session<'a> {
    id: ConnectionId,
    calls: Calls<PortRequest, PortResponse>,
    queue: Arc<ReplyQueue>,
    /// Asks for replies that wait, oldest first.
    polls: VecDeque<Poll>,
    last_call: Instant,
    shared: &'a Shared,
}

struct Poll {
    request_id: u64,
    since: Instant,
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        self.queue.close();
        self.shared.sink.closed(self.id);
    }
}

impl<'a> Session<'a> {
    fn new(id: ConnectionId, calls: Calls<PortRequest, PortResponse>, shared: &'a Shared) -> Session<'a> {
        let (sender, queue) = ReplySender::new(shared.options.reply_bytes_max);
        shared.sink.opened(id, sender);
        Session { id, calls, queue, polls: VecDeque::new(), last_call: Instant::now(), shared }
    }

    async fn run(mut self) -> Closed {
        let queue = self.queue.clone();
        let mut tick = tokio::time::interval(Duration::from_millis(self.shared.options.poll_ms.div_ceil(8)));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let outcome = tokio::select! {
                biased;
                call = self.calls.next() => match call {
                    Ok(call) => self.on_call(call.request.id, call.request.message).await,
                    Err(closed) => Err(closed),
                },
                () = queue.flushed() => Ok(()),
                _ = tick.tick() => self.on_tick().await,
            };
            let outcome = match outcome {
                Ok(()) => self.send_replies().await,
                Err(closed) => Err(closed),
            };
            if let Err(closed) = outcome {
                return closed;
            }
        }
    }

    async fn on_call(&mut self, request_id: u64, message: PortRequest) -> Result<(), Closed> {
        self.last_call = Instant::now();
        match message {
            PortRequest::Submit { requests } => {
                self.shared.sink.submit(self.id, requests);
                self.calls.answer(request_id, PortResponse::Submit(())).await
            }
            PortRequest::Replies {} => {
                self.polls.push_back(Poll { request_id, since: self.last_call });
                if self.polls.len() > self.shared.options.poll_count_max {
                    self.answer_oldest(Vec::new()).await?;
                }
                Ok(())
            }
            PortRequest::Ask { question } => {
                // One at a time: the next call of this client waits, so that asking is bounded, too.
                let text = self.shared.sink.ask(question).await.map_err(|_| Closed::Stopping)?;
                self.calls.answer(request_id, PortResponse::Ask(text)).await
            }
            PortRequest::Open { .. } => Err(Closed::NoHello),
        }
    }

    async fn on_tick(&mut self) -> Result<(), Closed> {
        let options = &self.shared.options;
        if self.polls.is_empty() && self.last_call.elapsed() > Duration::from_millis(options.idle_ms) {
            return Err(Closed::Silent);
        }
        let patience = Duration::from_millis(options.poll_ms);
        while self.polls.front().is_some_and(|poll| poll.since.elapsed() >= patience) {
            self.answer_oldest(Vec::new()).await?;
        }
        Ok(())
    }

    async fn send_replies(&mut self) -> Result<(), Closed> {
        if let Some(bytes) = self.queue.overflow() {
            return Err(Closed::RepliesNotTaken(bytes));
        }
        while !self.polls.is_empty() && !self.queue.is_empty() {
            let taken = self.queue.take(self.shared.options.frame_bytes_max.saturating_sub(ENVELOPE_BYTES));
            if taken.oversize_count > 0 && self.shared.log_limit.permit().is_some() {
                let count = taken.oversize_count;
                tracing::warn!(connection = self.id.0, count, "replies above the frame limit were dropped");
            }
            if !taken.replies.is_empty() {
                self.answer_oldest(taken.replies).await?;
            }
        }
        Ok(())
    }

    async fn answer_oldest(&mut self, replies: Vec<isegoria_types::Reply>) -> Result<(), Closed> {
        match self.polls.pop_front() {
            Some(poll) => self.calls.answer(poll.request_id, PortResponse::Replies(replies)).await,
            None => Ok(()),
        }
    }
}
