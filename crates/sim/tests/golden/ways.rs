//! The ways of a vertex of Simple BPaxos, message by message.

/// A command that was submitted: until all have executed it.
pub(crate) const ORDINARY: &[&str] =
    &["DepRequest", "DepReply", "Phase2a", "Phase2b", "Commit", "Fetch", "Chosen"];

/// What is proposed is voted on.
pub(crate) const VOTE: &[&str] = &["Phase2a", "Phase2b"];

/// Dependencies are known: it is voted on, and leaders that do not vote hear of it.
pub(crate) const DECIDE: &[&str] = &["Phase2a", "Phase2b", "Chosen"];

/// A recovery, until it has chosen something.
pub(crate) const RECOVER: &[&str] = &["Phase1a", "Phase1b", "Phase2a", "Phase2b"];

/// What is chosen is told to who votes.
pub(crate) const TELL: &[&str] = &["Commit", "Fetch", "Chosen"];
