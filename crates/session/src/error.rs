use isegoria_types::RequestId;

/// Why a request has no output.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// Nothing was done: the command is larger than nodes take.
    #[error("the command has {size} bytes and the limit is {limit}; make it smaller")]
    TooLarge {
        /// Size of the payload, bytes.
        size: u64,
        /// The limit, bytes.
        limit: u64,
    },
    /// Nothing was done: too much is in flight, here or at the nodes.
    #[error("too many requests are in flight; send fewer at once, or try again later")]
    Overloaded,
    /// Nothing was done: no node served before the deadline.
    #[error("no node could take the request before the deadline; is a majority of the cluster up?")]
    Unavailable,
    /// Nothing was done: the disks of the nodes that were asked are full.
    #[error("no node could take the request before the deadline, for their disks are full; free some space")]
    NoSpace,
    /// Whether it was executed is not known: the answer did not come before the deadline.
    #[error(
        "no answer to request {0} before the deadline; it may have been executed, now or later: read before you repeat it; \
         is a majority of the nodes up? `isegoria status` tells"
    )]
    Unknown(RequestId),
    /// Nothing was done: the session was idle for too long.
    #[error("the session expired after a long idle time; open a new one and send the command again")]
    SessionExpired,
    /// Nothing was done: the payload is not a command of the state machine.
    #[error(
        "the payload is not a command of the cluster's state machine; do client and servers have one version?"
    )]
    Undecodable,
}
