use isegoria_client::ClientError;
use isegoria_session::SubmitError as SessionError;
use isegoria_types::RequestId;

/// Why a command has no output.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// Nothing was done: the command is larger than nodes take.
    #[error(
        "the command has {size} bytes and the limit is {limit}; make it smaller, or raise limits.payload_bytes_max"
    )]
    TooLarge {
        /// Size of the encoded command, bytes.
        size: u64,
        /// The limit, bytes.
        limit: u64,
    },
    /// Nothing was done: too much is on its way.
    #[error("too many requests are on their way; send fewer at once, or try again later")]
    Overloaded,
    /// Nothing was done: no node could take it before the deadline, or their disks are full.
    #[error("no node could take the command before the deadline ({0}); is a majority of the cluster up?")]
    Unavailable(String),
    /// Whether it was executed is not known: no answer came before the deadline.
    #[error(
        "no answer to request {0} before the deadline; it may have been executed, now or later: read before you repeat it; \
         is a majority of the nodes up? `isegoria status` tells"
    )]
    Unknown(RequestId),
    /// Nothing was done: the session was idle for too long. There is a new one now.
    #[error("the session expired after a long idle time; send the command again")]
    SessionExpired,
    /// Nothing was done: the command cannot be encoded, or not be decoded again.
    #[error("{0}; do all nodes run one version of the state machine?")]
    Codec(String),
    /// It was executed, and its output cannot be decoded.
    #[error(
        "the command was executed, and its output cannot be decoded: {0}; can serde read what it writes?"
    )]
    Output(String),
    /// Nothing was done: [`crate::Replica::read`] was given a command that writes a key.
    #[error("the command does not only read; submit it")]
    NotARead,
    /// The node has stopped. Whether the command was executed is not known.
    #[error("the node has stopped; whether the command was executed is not known")]
    Closed,
}

impl From<ClientError> for SubmitError {
    fn from(error: ClientError) -> SubmitError {
        let ClientError::Submit(error) = error else { return SubmitError::Closed };
        match error {
            SessionError::TooLarge { size, limit } => SubmitError::TooLarge { size, limit },
            SessionError::Overloaded => SubmitError::Overloaded,
            SessionError::Unknown(request) => SubmitError::Unknown(request),
            SessionError::SessionExpired => SubmitError::SessionExpired,
            SessionError::Undecodable => SubmitError::Codec(error.to_string()),
            other => SubmitError::Unavailable(other.to_string()),
        }
    }
}
