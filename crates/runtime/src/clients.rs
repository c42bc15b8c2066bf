use foldhash::fast::RandomState;
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use isegoria_transport::client_port::{ConnectionId, ReplySender};
use isegoria_types::{Reply, RequestId};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// A request that is asked again at this node after this long is submitted again: what
/// was submitted first may have been lost. Sessions keep it exactly-once.
const RESUBMIT: Duration = Duration::from_secs(1);

/// Who waits for which answer at this node, and how many batches are on their way.
#[derive(Debug)]
pub(crate) struct Clients {
    connections: HashMap<ConnectionId, Outgoing, RandomState>,
    pending: HashMap<RequestId, Pending, RandomState>,
    /// Connections with replies that were not handed over yet.
    dirty: Vec<ConnectionId>,
    /// Unanswered commands of each batch under way, oldest first.
    batches: VecDeque<usize>,
    /// Unanswered commands of the batch that is still open.
    open_count: usize,
    first_batch: u64,
    in_flight_count: usize,
    pending_max: usize,
    /// What the payloads of `pending` take, bytes.
    pending_bytes: usize,
    pending_bytes_max: usize,
}

#[derive(Debug)]
struct Outgoing {
    sender: ReplySender,
    replies: Vec<Reply>,
}

#[derive(Debug)]
struct Pending {
    connection: ConnectionId,
    /// When it was submitted last.
    since: Instant,
    /// When it came first.
    first: Instant,
    /// The batch it goes with.
    batch: u64,
    /// The size of its payload, bytes.
    size: usize,
}

/// What to do with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Intake {
    Submit,
    /// Once more: what was submitted first may have been lost.
    SubmitAgain,
    /// It is on its way already.
    Wait,
    /// Too many are.
    Overloaded,
}

impl Clients {
    pub(crate) fn new(pending_max: usize, pending_bytes_max: usize) -> Clients {
        Clients {
            connections: HashMap::default(),
            pending: HashMap::default(),
            dirty: Vec::new(),
            batches: VecDeque::new(),
            open_count: 0,
            first_batch: 0,
            in_flight_count: 0,
            pending_max,
            pending_bytes: 0,
            pending_bytes_max,
        }
    }

    pub(crate) fn opened(&mut self, connection: ConnectionId, sender: ReplySender) {
        self.connections.insert(connection, Outgoing { sender, replies: Vec::new() });
    }

    /// The client is gone; what it asked for goes on without a listener.
    pub(crate) fn closed(&mut self, connection: ConnectionId) {
        self.connections.remove(&connection);
    }

    /// Whether the request is on its way already.
    pub(crate) fn holds(&self, request: RequestId) -> bool {
        self.pending.contains_key(&request)
    }

    /// Notes down who asks for a request with a payload of `size` bytes, if there is room.
    pub(crate) fn intake(
        &mut self,
        connection: ConnectionId,
        (request, size): (RequestId, usize),
        now: Instant,
    ) -> Intake {
        let room =
            self.pending.len() < self.pending_max && self.pending_bytes + size <= self.pending_bytes_max;
        let batch = self.first_batch + self.batches.len() as u64;
        match self.pending.entry(request) {
            Entry::Occupied(mut held) => {
                let pending = held.get_mut();
                pending.connection = connection;
                if now < pending.since + RESUBMIT {
                    return Intake::Wait;
                }
                pending.since = now;
                Intake::SubmitAgain
            }
            Entry::Vacant(_) if !room => Intake::Overloaded,
            Entry::Vacant(place) => {
                place.insert(Pending { connection, since: now, first: now, batch, size });
                self.pending_bytes += size;
                self.open_count += 1;
                Intake::Submit
            }
        }
    }

    /// The open batch leaves; its number.
    pub(crate) fn departs(&mut self) -> u64 {
        let number = self.first_batch + self.batches.len() as u64;
        let count = std::mem::take(&mut self.open_count);
        self.batches.push_back(count);
        self.in_flight_count += usize::from(count > 0);
        self.trim();
        number
    }

    /// The batch of a request whose answer is waited for, and since when.
    pub(crate) fn waiting(&self, request: RequestId) -> Option<(u64, Instant)> {
        self.pending.get(&request).map(|pending| (pending.batch, pending.first))
    }

    /// Batches with an unanswered command.
    pub(crate) fn in_flight_count(&self) -> usize {
        self.in_flight_count
    }

    /// An answer; dropped if nobody waits for it. The batch of the request, and since when it was waited for.
    pub(crate) fn reply(&mut self, reply: Reply) -> Option<(u64, Instant)> {
        let pending = self.pending.remove(&reply.request)?;
        self.pending_bytes -= pending.size;
        self.arrived(pending.batch);
        self.tell(pending.connection, reply);
        Some((pending.batch, pending.first))
    }

    /// A refusal before the request was noted down.
    pub(crate) fn tell(&mut self, connection: ConnectionId, reply: Reply) {
        if let Some(outgoing) = self.connections.get_mut(&connection) {
            if outgoing.replies.is_empty() {
                self.dirty.push(connection);
            }
            outgoing.replies.push(reply);
        }
    }

    fn arrived(&mut self, batch: u64) {
        let Some(offset) = batch.checked_sub(self.first_batch) else { return };
        let offset = usize::try_from(offset).expect("as many batches as memory holds");
        match self.batches.get_mut(offset) {
            Some(count) => {
                *count -= 1;
                self.in_flight_count -= usize::from(*count == 0);
            }
            None => self.open_count -= 1,
        }
        self.trim();
    }

    fn trim(&mut self) {
        while self.batches.front() == Some(&0) {
            self.batches.pop_front();
            self.first_batch += 1;
        }
    }

    /// Forgets requests that were never answered, so that the table stays bounded by
    /// what is really under way: their clients ask elsewhere.
    pub(crate) fn forget_older(&mut self, than: Instant) {
        let old: Vec<RequestId> = self
            .pending
            .iter()
            .filter(|(_, pending)| pending.since < than)
            .map(|(request, _)| *request)
            .collect();
        for request in old {
            // Without an answer: it may yet be executed, and "not done" would be a lie.
            if let Some(pending) = self.pending.remove(&request) {
                self.pending_bytes -= pending.size;
                self.arrived(pending.batch);
            }
        }
    }

    /// Hands the replies of this round to their connections.
    pub(crate) fn flush(&mut self) {
        for connection in self.dirty.drain(..) {
            if let Some(outgoing) = self.connections.get_mut(&connection) {
                outgoing.sender.push(outgoing.replies.drain(..));
                outgoing.sender.flush();
            }
        }
    }

    pub(crate) fn pending_count(&self) -> usize {
        self.pending.len()
    }
}
