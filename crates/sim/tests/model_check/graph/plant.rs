/// A fault put into the driver, to see that the properties can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plant {
    /// None: the model proper.
    None,
    /// Promises are not found again after a restart.
    ForgottenPromises,
    /// Recorded vertices are not found again after a restart.
    ForgottenIndex,
    /// Used numbers are not found again after a restart.
    ForgottenNumbers,
    /// A leader's own word is not found again after a restart.
    ForgottenWord,
    /// Answers leave before what they promise is durable.
    HastyAnswers,
    /// Messages to oneself go through the network.
    QueuedSelf,
    /// A leader does not hear which dependencies are named in ballot 0.
    EmptyAnswers,
    /// A recoverer does not hear what acceptors have voted for.
    DeafRecovery,
    /// A recoverer does not hear what speaks against a value.
    DeafValidation,
    /// One dependency node's answer is taken for a quorum's.
    FirstAnswer,
}
