use isegoria_types::{Ballot, NodeId};

/// The highest round that is believed when a peer reports it. Own rounds may go on
/// above it, so that no reported ballot can exhaust the counter.
pub const ROUND_MAX: u32 = 1 << 31;

/// Where a node's own ballots come from: each is above every ballot seen, those of
/// refusals included, so that one node never uses a ballot twice.
///
/// The caller makes a ballot durable before using it and, after a restart, observes
/// the last one that was: a ballot used twice can carry two values (trace B30).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BallotSource {
    own: NodeId,
    reserved: u32,
    highest: Option<Ballot>,
}

impl BallotSource {
    /// Ballots of `own` in rounds above `reserved`. Round 0 of a vertex belongs to its
    /// leader, who skips phase 1 there, so no other ballot may lie in it or below it;
    /// with coordinated recovery the same holds of round 1.
    #[must_use]
    pub fn above_round(own: NodeId, reserved: u32) -> BallotSource {
        BallotSource { own, reserved, highest: None }
    }

    /// Takes note of a ballot, from a refusal, a promise or a record. One above
    /// [`ROUND_MAX`] is ignored: no honest run gets there.
    pub fn observe(&mut self, ballot: Ballot) {
        if ballot.round <= ROUND_MAX {
            self.highest = self.highest.max(Some(ballot));
        }
    }

    /// A ballot of this node above everything observed and issued before.
    ///
    /// # Panics
    /// If this node has itself used up two thousand million rounds.
    #[must_use]
    pub fn issue(&mut self) -> Ballot {
        let lowest = Ballot { round: self.reserved + 1, owner: self.own };
        let ballot = self.highest.map_or(lowest, |highest| highest.next_for(self.own).max(lowest));
        self.highest = Some(ballot);
        ballot
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ballots_rise_above_everything_seen_and_out_of_the_reserved_rounds() {
        for own in 0..3 {
            for reserved in 0..2 {
                let own = NodeId::new(own);
                let mut source = BallotSource::above_round(own, reserved);
                let mut highest = Ballot { round: reserved, owner: NodeId::new(2) };
                for step in 0..200u32 {
                    let seen = Ballot {
                        round: step * 7 % 40,
                        owner: NodeId::new(usize::try_from(step % 3).unwrap()),
                    };
                    source.observe(seen);
                    highest = highest.max(seen);
                    if step % 4 == 0 {
                        let ballot = source.issue();
                        assert!(ballot > highest && ballot.owner == own && ballot.round > reserved);
                        assert!(ballot.round <= highest.round + 1, "no further than needed");
                        highest = ballot;
                    }
                }
            }
        }
    }

    #[test]
    fn an_absurd_ballot_is_ignored() {
        let mut source = BallotSource::above_round(NodeId::new(1), 0);
        source.observe(Ballot { round: u32::MAX, owner: NodeId::new(2) });
        assert_eq!(source.issue(), Ballot { round: 1, owner: NodeId::new(1) });
        source.observe(Ballot { round: ROUND_MAX, owner: NodeId::new(2) });
        assert_eq!(source.issue().round, ROUND_MAX + 1);
        assert_eq!(source.issue().round, ROUND_MAX + 2);
    }
}
