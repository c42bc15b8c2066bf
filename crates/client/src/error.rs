use isegoria_session::SubmitError;
use isegoria_transport::client_port::{ConnectionLost, OpenError};

/// Why a client has no output to give.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The command was not executed, or it is not known whether it was.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// No address to connect to.
    #[error("no address was given; name the client port of at least one node")]
    NoEndpoint,
    /// No node could be reached; this is why the last one could not.
    #[error("{}", unreached(*count, last))]
    Connect {
        /// How many addresses were tried.
        count: usize,
        /// The last failure.
        last: OpenError,
    },
    /// The node was lost while it was asked what it counts.
    #[error(transparent)]
    Lost(#[from] ConnectionLost),
    /// The client's task is gone, with its runtime.
    #[error("the client was shut down; whether the command was executed is not known")]
    Closed,
}

/// Why no node could be reached.
fn unreached(count: usize, last: &OpenError) -> String {
    match count {
        1 => last.to_string(),
        _ => format!("none of {count} addresses could be used; the last one: {last}"),
    }
}
