use bytes::Bytes;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use isegoria_storage::Incarnations;
use isegoria_transport::Mismatch;
use isegoria_transport::client_port::{ClientSink, ConnectionId, Opened, Question, ReplySender};
use isegoria_transport::peer::{Hello, PeerSink};
use isegoria_types::{NodeId, Outcome, Refusal, Reply, Request};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, oneshot};

/// What a request takes in memory besides its payload, bytes, about.
const REQUEST_BYTES: usize = 96;

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
        /// When they came.
        at: Instant,
        requests: Vec<Request>,
    },
    Closed {
        connection: ConnectionId,
    },
    Link {
        peer: NodeId,
        /// To the peer and back, as its greeting told; none if it is down.
        round_trip: Option<Duration>,
    },
    /// Someone asks what the loop knows of itself.
    Asked {
        question: Question,
        answer: oneshot::Sender<String>,
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
///
/// Invariant: frames of peers take at most `bytes_max`, requests of clients as much
/// again: neither crowds the other out.
#[derive(Debug)]
pub(crate) struct Inbox {
    queue: Mutex<Queue>,
    arrived: Notify,
    bytes_max: usize,
    /// The session generation, for clients that open a session.
    pub(crate) generation: AtomicU32,
    /// Requests refused here, because too many waited.
    pub(crate) refused_count: AtomicU64,
}

#[derive(Debug, Default)]
struct Queue {
    arrivals: Vec<Arrival>,
    /// Frames of peers that wait, bytes.
    frame_bytes: usize,
    /// Requests of clients that wait, bytes.
    request_bytes: usize,
}

impl Inbox {
    pub(crate) fn new(bytes_max: usize) -> Arc<Inbox> {
        Arc::new(Inbox {
            queue: Mutex::default(),
            arrived: Notify::new(),
            bytes_max,
            generation: AtomicU32::new(0),
            refused_count: AtomicU64::new(0),
        })
    }

    pub(crate) fn push(&self, arrival: Arrival) {
        self.queue.lock().arrivals.push(arrival);
        self.arrived.notify_one();
    }

    /// Takes requests in, or gives them back if too many wait.
    fn push_requests(&self, connection: ConnectionId, requests: Vec<Request>) -> Result<(), Vec<Request>> {
        let bytes: usize = requests.iter().map(|request| request.payload.len() + REQUEST_BYTES).sum();
        let at = Instant::now();
        let mut queue = self.queue.lock();
        if queue.request_bytes + bytes > self.bytes_max {
            return Err(requests);
        }
        queue.request_bytes += bytes;
        queue.arrivals.push(Arrival::Requests { connection, at, requests });
        drop(queue);
        self.arrived.notify_one();
        Ok(())
    }

    /// Takes everything; `into` must be empty and keeps its memory for the next round.
    pub(crate) fn take(&self, into: &mut Vec<Arrival>) {
        let mut queue = self.queue.lock();
        queue.frame_bytes = 0;
        queue.request_bytes = 0;
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
        if queue.frame_bytes + frames.len() > inbox.bytes_max {
            return false;
        }
        queue.frame_bytes += frames.len();
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
    inbox: Arc<Inbox>,
    opened: Opened,
    /// Where refusals go that the loop never hears of.
    senders: Mutex<HashMap<ConnectionId, ReplySender, RandomState>>,
}

impl FromClients {
    pub(crate) fn new(inbox: Arc<Inbox>, opened: Opened) -> FromClients {
        FromClients { inbox, opened, senders: Mutex::default() }
    }

    fn refuse(&self, connection: ConnectionId, requests: &[Request]) {
        self.inbox.refused_count.fetch_add(requests.len() as u64, Ordering::Relaxed);
        let refusal =
            |request: &Request| Reply { request: request.id, outcome: Outcome::Refused(Refusal::Overloaded) };
        if let Some(sender) = self.senders.lock().get(&connection) {
            sender.push(requests.iter().map(refusal));
            sender.flush();
        }
    }
}

impl ClientSink for FromClients {
    fn welcome(&self) -> Opened {
        Opened { generation: self.inbox.generation.load(Ordering::Relaxed), ..self.opened.clone() }
    }

    fn opened(&self, connection: ConnectionId, replies: ReplySender) {
        self.senders.lock().insert(connection, replies.clone());
        self.inbox.push(Arrival::Opened { connection, replies });
    }

    fn submit(&self, connection: ConnectionId, requests: Vec<Request>) {
        if let Err(requests) = self.inbox.push_requests(connection, requests) {
            self.refuse(connection, &requests);
        }
    }

    fn ask(&self, question: Question) -> oneshot::Receiver<String> {
        let (answer, receiver) = oneshot::channel();
        self.inbox.push(Arrival::Asked { question, answer });
        receiver
    }

    fn closed(&self, connection: ConnectionId) {
        self.senders.lock().remove(&connection);
        self.inbox.push(Arrival::Closed { connection });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use isegoria_types::{ClientId, RequestId};

    fn requests(count: u64, bytes: usize) -> Vec<Request> {
        let request = |number| Request {
            id: RequestId { client: ClientId(1), number },
            acked_below: 0,
            generation: 0,
            patience_ms: 1_000,
            payload: Bytes::from(vec![0; bytes]),
        };
        (0..count).map(request).collect()
    }

    #[test]
    fn requests_that_wait_are_bounded_by_their_bytes() {
        let inbox = Inbox::new(10_000);
        let connection = ConnectionId(1);
        assert!(inbox.push_requests(connection, requests(5, 1_000)).is_ok());
        let back = inbox.push_requests(connection, requests(5, 1_000)).unwrap_err();
        assert_eq!(back.len(), 5, "all of a call, or none");
        assert!(inbox.push_requests(connection, requests(10, 0)).is_ok(), "there is room for small ones");
        let peers = FromPeers {
            inbox: Arc::clone(&inbox),
            incarnations: Arc::new(Mutex::new(Incarnations::in_memory(NodeId::new(0), || 1))),
        };
        assert!(peers.deliver(NodeId::new(1), Bytes::from(vec![0; 9_000])), "clients do not crowd peers out");
        assert!(!peers.deliver(NodeId::new(1), Bytes::from(vec![0; 9_000])));
        let mut arrivals = Vec::new();
        inbox.take(&mut arrivals);
        assert_eq!(arrivals.len(), 3);
        assert!(inbox.push_requests(connection, requests(5, 1_000)).is_ok(), "what was taken makes room");
    }
}
