use isegoria_session::Options;
use isegoria_transport::WIRE_VERSION;
use isegoria_transport::client_port::{ClientHello, ConnectionOptions};

/// How a client finds out that it is at the right cluster, and how patient it is.
#[derive(Clone, Copy, Debug)]
pub struct ClientOptions {
    /// The cluster that is meant; `None` takes any.
    pub cluster: Option<u64>,
    /// The version of the state machine's conflict relation; `None` takes any.
    pub relation: Option<u64>,
    /// Retries, deadlines and pipelining of a session.
    pub session: Options,
    /// Limits and times of connections.
    pub connection: ConnectionOptions,
    /// Asks for replies that wait at a node at once. One more is added for every
    /// millisecond of the way there, so that replies do not wait for a round trip.
    pub poll_count: usize,
}

impl Default for ClientOptions {
    fn default() -> ClientOptions {
        ClientOptions {
            cluster: None,
            relation: None,
            session: Options::default(),
            connection: ConnectionOptions::default(),
            poll_count: 2,
        }
    }
}

impl ClientOptions {
    pub(crate) fn hello(&self) -> ClientHello {
        ClientHello { wire: WIRE_VERSION, cluster: self.cluster, relation: self.relation }
    }
}
