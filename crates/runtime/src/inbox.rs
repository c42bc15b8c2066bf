use bytes::Bytes;
use isegoria_storage::Incarnations;
use isegoria_transport::Mismatch;
use isegoria_transport::client_port::{ClientSink, ConnectionId, Opened, ReplySender};
use isegoria_transport::peer::{Hello, PeerSink};
use isegoria_types::{NodeId, Request};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::sync::Notify;

/// Something that the tasks around the loop hand in.
#[derive(Debug)]
pub(crate) enum Arrival {
    Frames {
        from: NodeId,
        frames: Bytes,
    },
    Opened {
        connection: ConnectionId,
        replies: ReplySender,
    },
    Requests {
        connection: ConnectionId,
        requests: Vec<Request>,
    },
    Closed {
        connection: ConnectionId,
    },
    Link {
        peer: NodeId,
        up: bool,
    },
    /// A peer knows that this node has lost what it promised.
    Amnesia {
        by: NodeId,
    },
    /// A snapshot for others was written, or could not be.
    Snapshot {
        number: u64,
        bytes: Option<Bytes>,
    },
}

/// What waits for the loop: taken as a whole, so that the lock is paid once a round.
#[derive(Debug)]
pub(crate) struct Inbox {
    queue: Mutex<Queue>,
    arrived: Notify,
    bytes_max: usize,
    /// The session generation, for clients that open a session.
    pub(crate) generation: AtomicU32,
}

#[derive(Debug, Default)]
struct Queue {
    arrivals: Vec<Arrival>,
    byte_count: usize,
}

impl Inbox {
    pub(crate) fn new(bytes_max: usize) -> Arc<Inbox> {
        Arc::new(Inbox {
            queue: Mutex::default(),
            arrived: Notify::new(),
            bytes_max,
            generation: AtomicU32::new(0),
        })
    }

    pub(crate) fn push(&self, arrival: Arrival) {
        self.queue.lock().arrivals.push(arrival);
        self.arrived.notify_one();
    }

    /// Takes everything; `into` must be empty and keeps its memory for the next round.
    pub(crate) fn take(&self, into: &mut Vec<Arrival>) {
        let mut queue = self.queue.lock();
        queue.byte_count = 0;
        std::mem::swap(&mut queue.arrivals, into);
    }

    pub(crate) async fn arrived(&self) {
        self.arrived.notified().await;
    }

    /// Wakes the loop for something that is not an arrival.
    pub(crate) fn wake(&self) {
        self.arrived.notify_one();
    }
}

/// The peer port's side of the inbox.
pub(crate) struct FromPeers {
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) incarnations: Arc<Mutex<Incarnations>>,
}

impl PeerSink for FromPeers {
    fn deliver(&self, from: NodeId, frames: Bytes) -> bool {
        let inbox = &self.inbox;
        let mut queue = inbox.queue.lock();
        if queue.byte_count + frames.len() > inbox.bytes_max {
            return false;
        }
        queue.byte_count += frames.len();
        queue.arrivals.push(Arrival::Frames { from, frames });
        drop(queue);
        inbox.arrived.notify_one();
        true
    }

    fn meet(&self, hello: &Hello) -> Result<(), Mismatch> {
        let Hello { from, incarnation, log_end, .. } = *hello;
        let mut incarnations = self.incarnations.lock();
        if let Some(ours) = incarnations.has_lost(from, incarnation, log_end) {
            return Err(Mismatch::LogLost { peer: from, ours, yours: log_end });
        }
        match incarnations.meet(from, incarnation) {
            Ok(None) => Ok(()),
            Ok(Some(ours)) => Err(Mismatch::Amnesia { peer: from, ours, yours: incarnation }),
            // What cannot be remembered is not let in; the peer calls again.
            Err(error) => {
                tracing::warn!(%from, %error, "a peer is not let in");
                Err(Mismatch::Busy)
            }
        }
    }
}

/// The client port's side of the inbox.
pub(crate) struct FromClients {
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) opened: Opened,
}

impl ClientSink for FromClients {
    fn welcome(&self) -> Opened {
        Opened { generation: self.inbox.generation.load(Ordering::Relaxed), ..self.opened.clone() }
    }

    fn opened(&self, connection: ConnectionId, replies: ReplySender) {
        self.inbox.push(Arrival::Opened { connection, replies });
    }

    fn submit(&self, connection: ConnectionId, requests: Vec<Request>) {
        self.inbox.push(Arrival::Requests { connection, requests });
    }

    fn closed(&self, connection: ConnectionId) {
        self.inbox.push(Arrival::Closed { connection });
    }
}
