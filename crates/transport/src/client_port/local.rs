use super::reply_queue::ReplyQueue;
use super::{ClientSink, ConnectionId, ConnectionLost, Opened, Question, ReplySender};
use isegoria_types::{Reply, Request};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::watch;

/// The most bytes of replies that may wait for one connection.
const REPLY_BYTES_MAX: usize = 64 << 20;

/// Ids of connections within the process; those of the network count from 0.
static NEXT_ID: AtomicU64 = AtomicU64::new(1 << 63);

/// Where clients of this very process reach its node: a client port without bytes.
/// Clones are the same port.
#[derive(Clone)]
pub struct LocalPort {
    state: watch::Sender<State>,
}

#[derive(Clone)]
enum State {
    /// The node does not serve yet, or is about to serve anew.
    Closed,
    Open(Arc<dyn ClientSink>),
    Stopped,
}

impl Default for LocalPort {
    fn default() -> LocalPort {
        LocalPort { state: watch::Sender::new(State::Closed) }
    }
}

impl fmt::Debug for LocalPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &*self.state.borrow() {
            State::Closed => "closed",
            State::Open(_) => "open",
            State::Stopped => "stopped",
        };
        f.debug_tuple("LocalPort").field(&state).finish()
    }
}

impl LocalPort {
    /// Lets clients in. Those that were there lose their connection.
    pub fn open(&self, sink: Arc<dyn ClientSink>) {
        self.state.send_replace(State::Open(sink));
    }

    /// Ends all connections; new ones wait until it is opened again.
    pub fn close(&self) {
        self.state.send_replace(State::Closed);
    }

    /// Ends all connections for good.
    pub fn stop(&self) {
        self.state.send_replace(State::Stopped);
    }
}

/// A connection within the process: requests go to the sink itself, replies come from
/// its queue.
pub(super) struct Local {
    id: ConnectionId,
    sink: Arc<dyn ClientSink>,
    queue: Arc<ReplyQueue>,
    /// Changes when the port is no longer the one that this connection was made to.
    port: watch::Receiver<State>,
}

impl fmt::Debug for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Local").field(&self.id).finish()
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        self.queue.close();
        self.sink.closed(self.id);
    }
}

impl Local {
    /// Waits until the port is open; none if it never will be again.
    pub(super) async fn open(port: &LocalPort) -> Option<(Local, Opened)> {
        let mut port = port.state.subscribe();
        let state = port.wait_for(|state| !matches!(state, State::Closed)).await.ok()?.clone();
        let State::Open(sink) = state else { return None };
        let id = ConnectionId(NEXT_ID.fetch_add(1, Ordering::Relaxed));
        let (sender, queue) = ReplySender::new(REPLY_BYTES_MAX);
        let opened = sink.welcome();
        sink.opened(id, sender);
        Some((Local { id, sink, queue, port }, opened))
    }

    pub(super) fn submit(&self, requests: Vec<Request>) -> Result<(), ConnectionLost> {
        if self.is_lost() {
            return Err(ConnectionLost);
        }
        self.sink.submit(self.id, requests);
        Ok(())
    }

    /// All replies that wait, as soon as there is one.
    pub(super) async fn replies(&self) -> Result<Vec<Reply>, ConnectionLost> {
        let mut port = self.port.clone();
        loop {
            if self.is_lost() {
                return Err(ConnectionLost);
            }
            if !self.queue.is_empty() {
                return Ok(self.queue.take(usize::MAX).replies);
            }
            tokio::select! {
                () = self.queue.flushed() => {}
                _ = port.changed() => {}
            }
        }
    }

    pub(super) async fn ask(&self, question: Question) -> Result<String, ConnectionLost> {
        self.sink.ask(question).await.map_err(|_| ConnectionLost)
    }

    fn is_lost(&self) -> bool {
        self.port.has_changed().unwrap_or(true) || self.queue.overflow().is_some()
    }
}
