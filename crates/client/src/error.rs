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
    let why = match last {
        // Ports of other kinds may listen and say nothing.
        OpenError::Silent { endpoint, open_ms } => format!(
            "{endpoint} did not answer within {open_ms} ms; is this the client port of a node, and the node neither \
             overloaded nor stopped?"
        ),
        _ => last.to_string(),
    };
    match count {
        1 => why,
        _ => format!("none of {count} addresses could be used; the last one: {why}"),
    }
}
