use crate::{ClientError, ClientOptions, LocalPort, Pool, SessionIndex};
use bytes::Bytes;
use hashbrown::HashMap;
use isegoria_session::SubmitError;
use isegoria_transport::{Backoff, Endpoint};
use isegoria_types::{NodeId, RequestId};
use tokio::sync::{mpsc, oneshot};

/// Calls that wait for the client's task before callers wait.
const CALLS_QUEUED_MAX: usize = 1024;

/// One session with a cluster. Clones share it; concurrent calls are pipelined. The
/// session's task ends with the last clone.
#[derive(Clone, Debug)]
pub struct Client {
    calls: mpsc::Sender<Call>,
    node: NodeId,
}

#[derive(Debug)]
struct Call {
    payload: Bytes,
    answer: oneshot::Sender<Answer>,
}

impl Client {
    /// Connects to the first of `endpoints` that answers and opens a session there.
    /// Needs a tokio runtime, now and later.
    ///
    /// # Errors
    /// If no node answers, or what answers is not the cluster that is meant.
    pub async fn connect(endpoints: &[Endpoint], options: ClientOptions) -> Result<Client, ClientError> {
        Ok(Client::of(Pool::connect(endpoints, options).await?))
    }

    /// Connects to the node of this process, once it serves, and opens a session there.
    /// Needs a tokio runtime, now and later; calls need none.
    ///
    /// # Errors
    /// If the node has stopped.
    pub async fn attach(port: &LocalPort, options: ClientOptions) -> Result<Client, ClientError> {
        Ok(Client::of(Pool::attach(port, options).await?))
    }

    fn of(mut pool: Pool) -> Client {
        let node = pool.opened().node;
        let session = pool.add_session(node);
        let (calls, receiver) = mpsc::channel(CALLS_QUEUED_MAX);
        let driver = Driver { pool, session, waiting: HashMap::new() };
        tokio::spawn(driver.run(receiver));
        Client { calls, node }
    }

    /// The node that answered first; calls go there while it serves.
    #[must_use]
    pub fn node(&self) -> NodeId {
        self.node
    }

    /// Has a command executed, exactly once, and returns the state machine's output.
    /// Dropping the future leaves the outcome unknown.
    ///
    /// # Errors
    /// [`SubmitError::Unknown`] if no answer came before the deadline; otherwise
    /// nothing was done.
    pub async fn call(&self, payload: Bytes) -> Result<Bytes, ClientError> {
        self.call_as(payload).await.1
    }

    /// The same, and which request it was, if it was sent: `isegoria explain` tells what became of it.
    pub async fn call_as(&self, payload: Bytes) -> (Option<RequestId>, Result<Bytes, ClientError>) {
        let (answer, answered) = oneshot::channel();
        if self.calls.send(Call { payload, answer }).await.is_err() {
            return (None, Err(ClientError::Closed));
        }
        match answered.await {
            Ok((request, result)) => (request, result.map_err(ClientError::from)),
            Err(_) => (None, Err(ClientError::Closed)),
        }
    }
}

/// Which request it was, and what came of it.
type Answer = (Option<RequestId>, Result<Bytes, SubmitError>);

/// The task behind a client.
struct Driver {
    pool: Pool,
    session: SessionIndex,
    waiting: HashMap<RequestId, oneshot::Sender<Answer>>,
}

impl Driver {
    async fn run(mut self, mut calls: mpsc::Receiver<Call>) {
        let mut batch = Vec::new();
        loop {
            if self.pool.is_expired(self.session) {
                self.renew().await;
            }
            let room = self.pool.room(self.session);
            tokio::select! {
                count = calls.recv_many(&mut batch, room), if room > 0 => {
                    if count == 0 {
                        return;
                    }
                    batch.drain(..).for_each(|call| self.submit(call));
                    self.pool.flush();
                }
                ends = self.pool.completions() => {
                    for end in ends {
                        if let Some(answer) = self.waiting.remove(&end.request) {
                            let _ = answer.send((Some(end.request), end.result));
                        }
                    }
                }
            }
        }
    }

    fn submit(&mut self, call: Call) {
        match self.pool.submit(self.session, call.payload) {
            Ok(request) => {
                self.waiting.insert(request, call.answer);
            }
            Err(error) => {
                let _ = call.answer.send((None, Err(error)));
            }
        }
    }

    /// All requests of the old session have ended; calls wait until there is a new one.
    async fn renew(&mut self) {
        let mut backoff = Backoff::default();
        while self.pool.renew(self.session).await.is_err() {
            tokio::time::sleep(backoff.next_pause()).await;
        }
    }
}
