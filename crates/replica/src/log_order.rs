use isegoria_types::Ballot;
use serde::{Deserialize, Serialize};

/// The in-order log: which slot is executed next, and which entries are void.
///
/// An entry whose origin is below the highest `StartWorking` executed so far is a
/// **ghost**: its leader was deposed, a later one began to work without it, and it was
/// proposed again after that. It is applied as a noop (protocols.md 3.10).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LogOrder {
    next: u64,
    working: Option<Ballot>,
}

impl LogOrder {
    /// The slot that is executed next: all below are executed.
    #[must_use]
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Passes the next slot; says whether its commands are to be applied.
    pub fn pass(&mut self, origin: Ballot, start_working: bool) -> bool {
        self.next += 1;
        let ghost = Some(origin) < self.working;
        if start_working && !ghost {
            self.working = Some(origin);
        }
        !ghost
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use isegoria_types::NodeId;

    /// Trace B18: after `StartWorking(2)` at slot 5, nothing of epoch 1 is applied.
    #[test]
    fn ghosts_are_void() {
        let ballot = |round| Ballot { round, owner: NodeId::new(0) };
        let mut log = LogOrder::default();
        assert!(log.pass(ballot(1), true));
        assert!((1..5).all(|_| log.pass(ballot(1), false)));
        assert!(log.pass(ballot(2), true));
        assert!(!log.pass(ballot(1), false), "a timed-out write came back");
        assert!(log.pass(ballot(2), false));
        assert_eq!(log.next(), 8);
    }
}
