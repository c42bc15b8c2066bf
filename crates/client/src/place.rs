use crate::{ClientOptions, Endpoint};
use isegoria_transport::client_port::{Connection, LocalPort, OpenError, Opened};

/// Where a node is.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    Remote(Endpoint),
    /// In this very process.
    Local(LocalPort),
}

impl Place {
    /// Connects.
    ///
    /// # Errors
    /// If nobody answers there, or a node that is not ours.
    pub(crate) async fn open(&self, options: &ClientOptions) -> Result<(Connection, Opened), OpenError> {
        match self {
            Place::Remote(endpoint) => Connection::open(endpoint, options.hello(), options.connection).await,
            Place::Local(port) => Connection::local(port).await,
        }
    }
}
