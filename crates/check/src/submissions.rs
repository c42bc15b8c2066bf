use bytes::Bytes;
use isegoria_types::{Footprint, RequestId};
use std::collections::BTreeMap;

/// What clients submitted.
#[derive(Clone, Debug, Default)]
pub struct Submissions(BTreeMap<RequestId, Submission>);

/// One submitted command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submission {
    /// The command as the state machine reads it.
    pub payload: Bytes,
    /// What it touches, as nodes are told.
    pub footprint: Footprint,
    /// The same said by keys, which orders of execution are compared by.
    pub keys: Footprint,
}

impl Submissions {
    /// A client submitted a command, for the first time or again.
    pub fn insert(&mut self, request: RequestId, submission: Submission) {
        self.0.entry(request).or_insert(submission);
    }

    /// What a request is.
    #[must_use]
    pub fn get(&self, request: RequestId) -> Option<&Submission> {
        self.0.get(&request)
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nobody submitted anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
