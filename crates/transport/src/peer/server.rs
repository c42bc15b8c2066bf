use super::service::{PeerRequest, PeerResponse};
use super::{Delivered, Hello, Identity, Welcome};
use crate::calls::{Calls, Closed};
use crate::codec::{ENVELOPE_BYTES, server_transport};
use crate::{FRAME_BYTES_MAX, Listener, LogLimit, Mismatch, Stream};
use bytes::Bytes;
use isegoria_types::NodeId;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_util::task::AbortOnDropHandle;

/// Who takes what peers deliver. Called in the order of sending of each peer.
pub trait PeerSink: Send + Sync + 'static {
    /// Takes the frames of one call (split them with [`crate::frames`]) in one
    /// step, without waiting. `false` says that the queue is full and all of them were dropped.
    fn deliver(&self, from: NodeId, frames: Bytes) -> bool;

    /// A peer calls that belongs to the cluster, and is no learner: whether it may be what
    /// was met as it before.
    ///
    /// # Errors
    /// If it has lost what it had then.
    fn meet(&self, hello: &Hello) -> Result<(), Mismatch> {
        let _ = hello;
        Ok(())
    }
}

/// Limits of the peer port.
#[derive(Clone, Copy, Debug)]
pub struct PeerServerOptions {
    /// The largest delivery, bytes.
    pub frame_bytes_max: usize,
    /// How long a connection may take for its hello, and be silent after it, ms.
    /// Links ask after their peer more often than that.
    pub idle_ms: u64,
}

impl Default for PeerServerOptions {
    fn default() -> PeerServerOptions {
        PeerServerOptions { frame_bytes_max: FRAME_BYTES_MAX, idle_ms: 10_000 }
    }
}

/// The listening side of the peer port. Dropping it closes the port and all connections.
#[derive(Debug)]
pub struct PeerServer {
    shared: Arc<Counts>,
    task: AbortOnDropHandle<()>,
}

#[derive(Debug, Default)]
struct Counts {
    refused: AtomicU64,
    dropped: AtomicU64,
}

struct Shared {
    identity: Identity,
    options: PeerServerOptions,
    sink: Box<dyn PeerSink>,
    counts: Arc<Counts>,
    log_limit: LogLimit,
    /// The latest start of each peer, and which connection speaks for it.
    peers: Mutex<BTreeMap<NodeId, Speaker>>,
    next_connection: AtomicU64,
}

#[derive(Clone, Copy)]
struct Speaker {
    start: u64,
    connection: u64,
}

impl PeerServer {
    /// Closes the port and all connections; somebody else may listen there afterwards.
    pub async fn close(self) {
        self.task.abort();
        // It ends as one that was aborted, or has ended.
        let _ = self.task.await;
    }

    /// Serves peers at `listener`; needs a tokio runtime.
    pub fn spawn(
        listener: Listener,
        identity: Identity,
        options: PeerServerOptions,
        sink: impl PeerSink,
    ) -> PeerServer {
        let counts = Arc::new(Counts::default());
        let shared = Arc::new(Shared {
            identity,
            options,
            sink: Box::new(sink),
            counts: counts.clone(),
            log_limit: LogLimit::default(),
            peers: Mutex::default(),
            next_connection: AtomicU64::new(1),
        });
        PeerServer { shared: counts, task: AbortOnDropHandle::new(tokio::spawn(accept(listener, shared))) }
    }

    /// Connections that were closed for garbage, silence or a wrong hello.
    #[must_use]
    pub fn refused_count(&self) -> u64 {
        self.shared.refused.load(Ordering::Relaxed)
    }

    /// Calls that the sink dropped because its queue was full.
    #[must_use]
    pub fn dropped_call_count(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }
}

async fn accept(mut listener: Listener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        let stream = listener.accept_beside(&mut connections).await;
        let shared = shared.clone();
        connections.spawn(async move { serve(stream, &shared).await });
    }
}

async fn serve(stream: Stream, shared: &Shared) {
    let connection = Connection {
        id: shared.next_connection.fetch_add(1, Ordering::Relaxed),
        calls: Calls::new(
            // Before the hello nobody may make us read more than a hello.
            server_transport(stream, ENVELOPE_BYTES),
            Duration::from_millis(shared.options.idle_ms),
        ),
        shared,
    };
    let closed = connection.run().await;
    if !closed.is_suspicious() {
        tracing::debug!(node = %shared.identity.node, %closed, "peer connection closed");
        return;
    }
    shared.counts.refused.fetch_add(1, Ordering::Relaxed);
    if let Some(suppressed) = shared.log_limit.permit() {
        tracing::warn!(node = %shared.identity.node, suppressed, "peer connection closed: {closed}");
    }
}

struct Connection<'a> {
    id: u64,
    calls: Calls<PeerRequest, PeerResponse>,
    shared: &'a Shared,
}

impl Connection<'_> {
    async fn run(mut self) -> Closed {
        let idle = Duration::from_millis(self.shared.options.idle_ms);
        let from = match tokio::time::timeout(idle, self.hello()).await {
            Ok(Ok(from)) => from,
            Ok(Err(closed)) => return closed,
            Err(_) => return Closed::Silent,
        };
        let mut silence = tokio::time::interval(idle);
        // After a sleep of our own, late ticks must not all come at once.
        silence.set_missed_tick_behavior(MissedTickBehavior::Delay);
        silence.reset();
        let mut is_silent = true;
        loop {
            tokio::select! {
                biased;
                call = self.calls.next() => {
                    is_silent = false;
                    let outcome = match call {
                        Ok(call) => self.deliver(from, call.request.id, call.request.message).await,
                        Err(closed) => Err(closed),
                    };
                    if let Err(closed) = outcome {
                        return closed;
                    }
                }
                _ = silence.tick() => {
                    if std::mem::replace(&mut is_silent, true) {
                        return Closed::Silent;
                    }
                }
            }
        }
    }

    async fn hello(&mut self) -> Result<NodeId, Closed> {
        let call = self.calls.next().await?.request;
        let PeerRequest::Hello { hello } = call.message else { return Err(Closed::NoHello) };
        let answer = self.shared.admit(self.id, &hello);
        self.calls.set_bytes_max(self.shared.options.frame_bytes_max);
        self.calls.answer(call.id, PeerResponse::Hello(answer.clone())).await?;
        match answer {
            Ok(_) => Ok(hello.from),
            Err(mismatch) => {
                self.calls.close().await;
                Err(mismatch.into())
            }
        }
    }

    async fn deliver(&mut self, from: NodeId, id: u64, request: PeerRequest) -> Result<(), Closed> {
        let PeerRequest::Deliver { frames } = request else { return Err(Closed::NoHello) };
        if !self.shared.speaks_for(from, self.id) {
            return Err(Closed::Replaced);
        }
        let dropped = !frames.is_empty() && !self.shared.sink.deliver(from, frames);
        if dropped {
            self.shared.counts.dropped.fetch_add(1, Ordering::Relaxed);
        }
        self.calls.answer(id, PeerResponse::Deliver(Delivered { dropped })).await
    }
}

impl Shared {
    fn admit(&self, connection: u64, hello: &Hello) -> Result<Welcome, Mismatch> {
        self.identity.check(hello)?;
        // A learner has nothing to have lost, and takes the place of whoever was here before.
        if !hello.learner {
            self.sink.meet(hello)?;
        }
        let mut peers = self.peers.lock();
        let start = hello.incarnation.start;
        let speaker = Speaker { start, connection };
        let latest = peers.entry(hello.from).or_insert(speaker);
        if start < latest.start && !hello.learner {
            return Err(Mismatch::Incarnation { peer: hello.from, ours: latest.start, yours: start });
        }
        *latest = speaker;
        Ok(self.identity.welcome())
    }

    /// An older connection of a peer must not deliver after a newer one did.
    fn speaks_for(&self, from: NodeId, connection: u64) -> bool {
        self.peers.lock().get(&from).is_some_and(|speaker| speaker.connection == connection)
    }
}
