use isegoria_types::{NodeId, Reply, RequestId};
use parking_lot::Mutex;
use tokio::sync::Notify;

/// What the connections of a pool have to say to it.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    events: Mutex<Vec<Event>>,
    arrived: Notify,
}

#[derive(Debug)]
pub(crate) enum Event {
    /// Answers from a node.
    Replies(NodeId, Vec<Reply>),
    /// The connection stands.
    Up(NodeId),
    /// The connection is lost, with everything in flight.
    Down(NodeId),
    /// There is no connection: these were not sent.
    Unsent(Vec<RequestId>),
}

impl Inbox {
    pub(crate) fn push(&self, event: Event) {
        self.events.lock().push(event);
        self.arrived.notify_one();
    }

    /// Swaps the events that arrived with the (empty) `events`.
    pub(crate) fn take(&self, events: &mut Vec<Event>) {
        std::mem::swap(&mut *self.events.lock(), events);
    }

    pub(crate) async fn arrived(&self) {
        self.arrived.notified().await;
    }
}
