use crate::Watermarks;
use isegoria_types::{NodeId, Prefix};

/// How much a replica holds for others, before it proposes to forget what some of them
/// lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Vertices or slots.
    pub count_max: usize,
    /// Bytes of commands.
    pub bytes_max: usize,
}

impl Default for Retention {
    fn default() -> Retention {
        Retention { count_max: 1 << 16, bytes_max: 128 << 20 }
    }
}

/// Gossip periods between two proposals of one replica, and between the turns of two.
const TURN_PERIODS: u32 = 4;

/// What the replicas have agreed to forget although one of them may lack it.
///
/// A **cut** is agreed by a command in conflict with everything, so that all replicas
/// execute the same cuts in the same order; one that does not contain all earlier ones
/// has no effect. So all that anybody ever forgot of its own accord lies in *one* chain
/// of cuts, and each of them is held, whole and durably, by a majority of the replicas:
/// as long as a majority lives, one of them can give a snapshot that contains whatever
/// any other lacks. A cut that each replica takes by itself is not enough, even if it is
/// held by the same majority for all leaders (ADR 5).
///
/// Invariant: `agreed` only grows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Cuts {
    agreed: Prefix,
    /// Gossip periods since more is held than ought to be.
    crowded_periods: u32,
}

impl Cuts {
    /// The last cut.
    pub(crate) fn agreed(&self) -> &Prefix {
        &self.agreed
    }

    /// Executes a cut; says whether it has an effect.
    pub(crate) fn agree(&mut self, cut: &Prefix) -> bool {
        let grows = cut.covers(&self.agreed) && *cut != self.agreed;
        if grows {
            self.agreed = cut.clone();
        }
        grows
    }

    /// Takes over the cut of a snapshot.
    pub(crate) fn restore(&mut self, agreed: Prefix) {
        if agreed.covers(&self.agreed) {
            self.agreed = agreed;
        }
    }

    /// Looks once a gossip period: the cut to propose, if more is held than ought to be
    /// and a majority has got far enough. Replicas take turns, so that one proposes.
    pub(crate) fn on_gossip(
        &mut self,
        own: NodeId,
        (span, crowded): (usize, bool),
        marks: &Watermarks,
    ) -> Option<Prefix> {
        if !crowded {
            self.crowded_periods = 0;
            return None;
        }
        self.crowded_periods += 1;
        let turns = marks.replica_count() * TURN_PERIODS;
        let turn = TURN_PERIODS * u32::try_from(own.index()).unwrap_or(0) % turns;
        if self.crowded_periods % turns != turn {
            return None;
        }
        let cut = marks.held_by_a_majority(&self.agreed)?;
        let mut gone = self.agreed.clone();
        gone.union(marks.everywhere());
        // It costs a barrier: not for a few values.
        (cut.count() > gone.count() + span as u64 / 4).then_some(cut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use isegoria_types::NodeSet;

    fn marks(announced: [&[u64]; 3]) -> Watermarks {
        let mut marks = Watermarks::new(NodeSet::first(3));
        for (index, below) in announced.into_iter().enumerate() {
            marks.announce(NodeId::new(index), &Prefix::new(below));
        }
        marks
    }

    fn proposed(cuts: &mut Cuts, marks: &Watermarks) -> Option<Prefix> {
        (0..12).find_map(|_| cuts.on_gossip(NodeId::new(1), (8, true), marks))
    }

    #[test]
    fn a_cut_is_what_one_majority_holds_of_all_leaders() {
        let mut cuts = Cuts::default();
        let marks = marks([&[90, 10], &[80, 9], &[0, 40]]);
        assert_eq!(proposed(&mut cuts, &marks), Some(Prefix::new(&[80, 9])));
        assert_eq!(cuts.on_gossip(NodeId::new(1), (8, false), &marks), None);
    }

    /// Trace B29: the first two held the last cut; the last two hold more, but not all of it.
    #[test]
    fn every_cut_contains_the_one_before() {
        let mut cuts = Cuts::default();
        assert!(cuts.agree(&Prefix::new(&[80, 9])));
        assert!(!cuts.agree(&Prefix::new(&[79, 400])), "it lacks a vertex that is forgotten");
        assert_eq!(proposed(&mut cuts, &marks([&[80, 9], &[90, 300], &[79, 400]])), None);
        assert_eq!(
            proposed(&mut cuts, &marks([&[80, 30], &[90, 300], &[79, 12]])),
            Some(Prefix::new(&[80, 30]))
        );
        assert!(cuts.agree(&Prefix::new(&[80, 30])) && !cuts.agree(&Prefix::new(&[80, 30])));
    }
}
