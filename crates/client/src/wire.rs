use crate::ClientOptions;
use crate::inbox::{Event, Inbox};
use crate::place::Place;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use isegoria_transport::Backoff;
use isegoria_transport::client_port::{Connection, ConnectionLost, OpenError};
use isegoria_types::{NodeId, Request};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::Notify;
use tokio_util::task::AbortOnDropHandle;

/// Asks for replies that wait at one node at most, however far it is.
const POLL_COUNT_MAX: usize = 256;

/// A supervised connection to one node: requests go in here, everything else comes
/// out of the pool's inbox.
#[derive(Debug)]
pub(crate) struct Wire {
    /// Requests issued since the last flush.
    staged: Vec<Request>,
    shared: Arc<Shared>,
    _task: AbortOnDropHandle<()>,
}

/// What a wire needs to know.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    pub(crate) node: NodeId,
    pub(crate) place: Place,
    pub(crate) options: ClientOptions,
}

/// A connection that stands, and how long opening it took, ms.
pub(crate) struct Open {
    pub(crate) connection: Connection,
    pub(crate) round_trip_ms: u128,
}

#[derive(Debug)]
struct Shared {
    route: Route,
    inbox: Arc<Inbox>,
    outgoing: Mutex<Outgoing>,
    flushed: Notify,
}

#[derive(Debug)]
enum Outgoing {
    /// Dialing, or connected: requests wait for the task to take them.
    Queue(Vec<Request>),
    /// The last dial failed: requests are given back at once.
    Shut,
}

impl Wire {
    /// Starts the connection's task, with a connection that stands already, or none.
    pub(crate) fn spawn(route: Route, inbox: Arc<Inbox>, open: Option<Open>) -> Wire {
        let shared = Arc::new(Shared {
            route,
            inbox,
            outgoing: Mutex::new(Outgoing::Queue(Vec::new())),
            flushed: Notify::new(),
        });
        let task = tokio::spawn(run(shared.clone(), open));
        Wire { staged: Vec::new(), shared, _task: AbortOnDropHandle::new(task) }
    }

    /// Adds a request to the next call.
    pub(crate) fn stage(&mut self, request: Request) {
        self.staged.push(request);
    }

    /// Hands the staged requests to the connection.
    pub(crate) fn flush(&mut self) {
        if self.staged.is_empty() {
            return;
        }
        match &mut *self.shared.outgoing.lock() {
            Outgoing::Queue(queue) if queue.is_empty() => std::mem::swap(queue, &mut self.staged),
            Outgoing::Queue(queue) => queue.append(&mut self.staged),
            Outgoing::Shut => self.shared.give_back(std::mem::take(&mut self.staged)),
        }
        self.shared.flushed.notify_one();
    }
}

impl Shared {
    fn give_back(&self, requests: Vec<Request>) {
        if !requests.is_empty() {
            self.inbox.push(Event::Unsent(requests.into_iter().map(|request| request.id).collect()));
        }
    }

    /// Takes what waits, and says what happens to what comes.
    fn replace(&self, outgoing: Outgoing) -> Vec<Request> {
        match std::mem::replace(&mut *self.outgoing.lock(), outgoing) {
            Outgoing::Queue(queue) => queue,
            Outgoing::Shut => Vec::new(),
        }
    }

    fn take(&self) -> Vec<Request> {
        match &mut *self.outgoing.lock() {
            Outgoing::Queue(queue) => {
                let next = Vec::with_capacity(queue.len());
                std::mem::replace(queue, next)
            }
            Outgoing::Shut => Vec::new(),
        }
    }
}

async fn run(shared: Arc<Shared>, mut open: Option<Open>) {
    let mut backoff = Backoff::default();
    loop {
        let opened = match open.take() {
            Some(open) => Ok(open),
            None => dial(&shared.route).await,
        };
        match opened {
            Ok(open) => {
                shared.inbox.push(Event::Up(shared.route.node));
                carry(&shared, open).await;
                // Sessions ask elsewhere what was in flight and what still waited here.
                shared.replace(Outgoing::Shut);
                shared.inbox.push(Event::Down(shared.route.node));
                backoff.reset();
            }
            Err(why) => {
                tracing::debug!(node = %shared.route.node, %why, "no connection");
                shared.give_back(shared.replace(Outgoing::Shut));
            }
        }
        tokio::time::sleep(backoff.next_pause()).await;
        shared.replace(Outgoing::Queue(Vec::new()));
    }
}

async fn dial(route: &Route) -> Result<Open, OpenError> {
    let started = Instant::now();
    let (connection, opened) = route.place.open(&route.options).await?;
    match &route.place {
        Place::Remote(endpoint) if opened.node != route.node => {
            return Err(OpenError::Stranger { endpoint: endpoint.clone() });
        }
        Place::Remote(_) | Place::Local(_) => {}
    }
    Ok(Open { connection, round_trip_ms: started.elapsed().as_millis() })
}

/// Carries requests and replies until the connection is lost.
async fn carry(shared: &Shared, open: Open) {
    let connection = &open.connection;
    let far = usize::try_from(open.round_trip_ms).unwrap_or(POLL_COUNT_MAX);
    let poll_count = shared.route.options.poll_count.max(1).saturating_add(far).min(POLL_COUNT_MAX);
    let mut polls: FuturesUnordered<_> = (0..poll_count).map(|_| connection.replies()).collect();
    let mut submits = FuturesUnordered::new();
    loop {
        tokio::select! {
            biased;
            Some(replies) = polls.next() => {
                let Ok(replies) = replies else { return };
                polls.push(connection.replies());
                if !replies.is_empty() {
                    shared.inbox.push(Event::Replies(shared.route.node, replies));
                }
            }
            Some(outcome) = submits.next() => {
                let outcome: Result<(), ConnectionLost> = outcome;
                if outcome.is_err() {
                    return;
                }
            }
            () = shared.flushed.notified() => {
                let requests = shared.take();
                if !requests.is_empty() {
                    submits.push(connection.submit(requests));
                }
            }
        }
    }
}
