use crate::NodeId;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A Paxos ballot: ordered by round, then by owner. Only the owner proposes in it, and at most one value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Ballot {
    /// The counter; round 0 of a vertex belongs to the vertex's leader.
    pub round: u32,
    /// The node that may propose in this ballot.
    pub owner: NodeId,
}

impl Ballot {
    /// The ballot in which `owner` may propose without phase 1.
    #[must_use]
    pub fn initial(owner: NodeId) -> Ballot {
        Ballot { round: 0, owner }
    }

    /// The smallest ballot of `owner` above `self`.
    ///
    /// # Panics
    /// If four thousand million rounds are used up, which no run reaches.
    #[must_use]
    pub fn next_for(self, owner: NodeId) -> Ballot {
        let round = if owner > self.owner { self.round } else { self.round.checked_add(1).expect("rounds") };
        Ballot { round, owner }
    }
}

impl fmt::Display for Ballot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.round, self.owner)
    }
}

impl fmt::Debug for Ballot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_ballot_is_higher_and_smallest() {
        let (low, high) = (NodeId::new(0), NodeId::new(2));
        let ballot = Ballot { round: 3, owner: NodeId::new(1) };
        assert_eq!(ballot.next_for(low), Ballot { round: 4, owner: low });
        assert_eq!(ballot.next_for(high), Ballot { round: 3, owner: high });
        assert!(ballot.next_for(ballot.owner) > ballot);
    }
}
