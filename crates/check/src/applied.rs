use isegoria_types::{Access, Ballot, KeyHash, RequestId, Vertex};
use std::collections::BTreeMap;

/// What one replica has applied, as the checks see it. The driver keeps it beside the
/// replica's checkpoints and takes it back when the replica restarts from one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Where each request was applied.
    pub(crate) requests: BTreeMap<RequestId, Vertex>,
    /// How far it is with each key: the number of times that accesses ceased to
    /// commute with the one before, and the last access.
    pub(crate) keys: BTreeMap<KeyHash, (u64, Access)>,
    /// The highest origin of the `StartWorking` entries passed in a log.
    pub(crate) started: Option<(u64, Ballot)>,
}

impl Applied {
    /// Whether a request was applied.
    #[must_use]
    pub fn contains(&self, request: RequestId) -> bool {
        self.requests.contains_key(&request)
    }
}
