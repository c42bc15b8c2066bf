use bytes::Bytes;
use isegoria_client::{Client, ClientError, ClientOptions, LocalPort};
use parking_lot::Mutex;

/// How long an answer is waited for, ms.
const DEADLINE_MS: u64 = 10_000;

/// The sessions of a node's connections: one that was closed leaves its own to the next, because
/// every replica remembers a session for hours.
#[derive(Debug)]
pub(crate) struct Sessions {
    port: LocalPort,
    free: Mutex<Vec<Client>>,
}

impl Sessions {
    pub(crate) fn new(port: LocalPort) -> Sessions {
        Sessions { port, free: Mutex::default() }
    }

    /// A session for one connection; needs the node to serve.
    pub(crate) async fn lease(&self) -> Result<Lease<'_>, ClientError> {
        let free = self.free.lock().pop();
        let client = match free {
            Some(client) => client,
            None => {
                let mut options = ClientOptions::default();
                options.session.deadline_ms = DEADLINE_MS;
                Client::attach(&self.port, options).await?
            }
        };
        Ok(Lease { sessions: self, client: Some(client), is_idle: true })
    }
}

/// A session as long as a connection has it.
pub(crate) struct Lease<'a> {
    sessions: &'a Sessions,
    client: Option<Client>,
    /// Whether the last call has ended with an answer.
    is_idle: bool,
}

impl Lease<'_> {
    pub(crate) async fn call(&mut self, payload: Bytes) -> Result<Bytes, ClientError> {
        let client = self.client.as_ref().ok_or(ClientError::Closed)?;
        self.is_idle = false;
        let answer = client.call(payload).await?;
        self.is_idle = true;
        Ok(answer)
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        // One with a request under way, or whose end is not known, is nobody else's.
        if let Some(client) = self.client.take().filter(|_| self.is_idle) {
            self.sessions.free.lock().push(client);
        }
    }
}
