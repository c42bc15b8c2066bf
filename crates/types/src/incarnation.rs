use serde::{Deserialize, Serialize};
use std::fmt;

/// Which start of a node a process is, on which data directory: what its peers remember of
/// it, so that one that lost its disk, or was set back, is told from one that did not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Incarnation {
    /// Drawn at random when the data directory was made.
    pub directory: u64,
    /// How often a process started on it, this one included.
    pub start: u64,
    /// Drawn at random by the process: it tells two starts of one number apart.
    pub nonce: u64,
}

impl Incarnation {
    /// Whether a node that was last met as `self` may be `other` now, without having lost
    /// anything that was written when it was met.
    #[must_use]
    pub fn may_become(self, other: Incarnation) -> bool {
        self == other || (self.directory == other.directory && self.start < other.start)
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "start {} of data directory {:x}", self.start, self.directory)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_goes_on_and_never_back() {
        let met = Incarnation { directory: 1, start: 5, nonce: 9 };
        assert!(met.may_become(met), "the same process calls again");
        assert!(met.may_become(Incarnation { start: 6, nonce: 1, ..met }));
        assert!(!met.may_become(Incarnation { nonce: 1, ..met }), "an image of the start before");
        assert!(!met.may_become(Incarnation { start: 4, nonce: 1, ..met }));
        assert!(!met.may_become(Incarnation { directory: 2, start: 7, nonce: 1 }), "an emptied disk");
    }
}
