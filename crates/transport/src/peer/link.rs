use super::link_task;
use super::queue::Queue;
pub use super::queue::SendError;
use super::{Identity, Welcome};
use crate::codec::ENVELOPE_BYTES;
use crate::{Distance, Endpoint, FRAME_BYTES_MAX, Lateness, LatenessSummary, Mismatch};
use bytes::BytesMut;
use isegoria_types::NodeId;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio_util::task::AbortOnDropHandle;

/// Limits and times of a link.
#[derive(Clone, Copy, Debug)]
pub struct LinkOptions {
    /// The largest call, bytes; the same on all nodes.
    pub frame_bytes_max: usize,
    /// The most bytes that wait, and that are in flight; above it new frames are dropped.
    pub queue_bytes_max: usize,
    /// Calls carry about this many bytes at most, unless one frame is larger.
    pub call_bytes_max: usize,
    /// Calls in flight above which frames wait for company.
    pub window_max: usize,
    /// How long they wait at most, ms: over a long way the window alone would
    /// make them wait for a round trip.
    pub linger_ms: u64,
    /// How often an idle link asks whether the peer is there, ms.
    pub heartbeat_ms: u64,
    /// How long the peer may owe an answer before the link is given up, ms.
    pub silence_ms: u64,
    /// How far away the peer is made to seem.
    pub distance: Distance,
}

impl Default for LinkOptions {
    fn default() -> LinkOptions {
        LinkOptions {
            frame_bytes_max: FRAME_BYTES_MAX,
            queue_bytes_max: 16 * 1024 * 1024,
            call_bytes_max: 1024 * 1024,
            window_max: 4,
            linger_ms: 1,
            heartbeat_ms: 500,
            silence_ms: 2_000,
            distance: Distance::default(),
        }
    }
}

/// How a link stands. A change to `Up` or away from it is a hint for the failure detector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// The first attempt goes on.
    Connecting,
    /// The peer welcomed us and answers.
    Up {
        /// What it said.
        welcome: Welcome,
        /// To the peer and back: what the greeting took, and the distance that it is made to seem.
        round_trip: Duration,
    },
    /// There is no connection; attempts go on.
    Down,
    /// The peer refused us; attempts go on, for someone may mend the configuration.
    Refused(Mismatch),
}

impl LinkState {
    /// Whether frames reach the peer.
    #[must_use]
    pub fn is_up(&self) -> bool {
        matches!(self, LinkState::Up { .. })
    }
}

/// Where a link leads.
#[derive(Clone, Debug)]
pub struct Link {
    /// This node.
    pub identity: Identity,
    /// The peer.
    pub to: NodeId,
    /// Its peer port.
    pub endpoint: Endpoint,
    /// Limits and times.
    pub options: LinkOptions,
    /// Where it is noted how late frames leave that a distance holds back.
    pub lateness: Lateness,
}

/// The sending side of one link. Clones share it; dropping the last one ends it.
#[derive(Clone, Debug)]
pub struct LinkHandle {
    shared: Arc<Shared>,
    state: watch::Receiver<LinkState>,
    _task: Arc<AbortOnDropHandle<()>>,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) link: Link,
    pub(super) queue: Queue,
    pub(super) flushed: Notify,
    pub(super) sent_count: AtomicU64,
    pub(super) dropped_count: AtomicU64,
    pub(super) call_count: AtomicU64,
}

impl Link {
    /// Starts the link's task, which dials until it is let go; needs a tokio runtime.
    #[must_use]
    pub fn spawn(self) -> LinkHandle {
        let frame_bytes_max = self.options.frame_bytes_max.saturating_sub(ENVELOPE_BYTES);
        let shared = Arc::new(Shared {
            queue: Queue::new(self.options.queue_bytes_max, frame_bytes_max),
            link: self,
            flushed: Notify::new(),
            sent_count: AtomicU64::new(0),
            dropped_count: AtomicU64::new(0),
            call_count: AtomicU64::new(0),
        });
        let (sender, state) = watch::channel(LinkState::Connecting);
        let task = tokio::spawn(link_task::run(shared.clone(), sender));
        LinkHandle { shared, state, _task: Arc::new(AbortOnDropHandle::new(task)) }
    }
}

impl LinkHandle {
    /// Queues one frame: what `encode` appends to the buffer. It leaves with the
    /// next [`LinkHandle::flush`], at the latest. Nothing is promised: the frame may be lost
    /// with the connection.
    ///
    /// # Errors
    /// If the frame was dropped at once; that is counted, and may be ignored.
    pub fn send(&self, encode: impl FnOnce(&mut BytesMut)) -> Result<(), SendError> {
        let outcome = self.shared.queue.push(encode);
        if outcome.is_err() {
            self.shared.dropped_count.fetch_add(1, Ordering::Relaxed);
        }
        outcome
    }

    /// Wakes the link if there is something to send. Call it once a step, not once a frame.
    pub fn flush(&self) {
        if !self.shared.queue.is_empty() {
            self.shared.flushed.notify_one();
        }
    }

    /// The peer.
    #[must_use]
    pub fn peer(&self) -> NodeId {
        self.shared.link.to
    }

    /// How the link stands, and a way to await changes.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<LinkState> {
        self.state.clone()
    }

    /// Frames that the peer has taken.
    #[must_use]
    pub fn sent_count(&self) -> u64 {
        self.shared.sent_count.load(Ordering::Relaxed)
    }

    /// Frames that were dropped: the queue was full (here or there), the frame was too
    /// large, or the connection was lost before the peer confirmed it.
    #[must_use]
    pub fn dropped_count(&self) -> u64 {
        self.shared.dropped_count.load(Ordering::Relaxed)
    }

    /// How late frames left that the distance holds back, of all links that note it together.
    #[must_use]
    pub fn lateness(&self) -> LatenessSummary {
        self.shared.link.lateness.summary()
    }

    /// Calls that were made, heartbeats included.
    #[must_use]
    pub fn call_count(&self) -> u64 {
        self.shared.call_count.load(Ordering::Relaxed)
    }
}
