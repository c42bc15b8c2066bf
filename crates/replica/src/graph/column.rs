//! One leader's vertices from the first unexecuted one upwards: a ring buffer
//! indexed by number.
//!
//! Invariant: everything below `base` is executed and `base` is not; every unchosen
//! vertex below `reported` was reported as a blocker, and `outstanding` counts them.

use super::BLOCKER_COUNT_MAX;
use super::forest::Forest;
use isegoria_types::{NodeId, Vertex, WINDOW_MAX};
use std::collections::VecDeque;

/// A slot of the ring in one word: a cell's index, or a vertex that has none.
const VACANT: u32 = u32::MAX;
const EXECUTED: u32 = 1 << 31;
const RUN_MAX: u32 = EXECUTED - 2;
/// An empty ring gives back its memory above this capacity, slots.
const SPARE_SLOT_COUNT_MAX: usize = 1 << 12;

/// What is known of a vertex.
pub(super) enum Slot {
    /// Unchosen, and nobody waits for it.
    Vacant,
    /// Executed.
    Executed,
    /// Committed, or waited for: the details are in the forest.
    Cell(u32),
}

#[derive(Clone, Debug, Default)]
pub(super) struct Column {
    base: u64,
    slots: VecDeque<u32>,
    /// The number below which committed vertices have named this leader's vertices.
    demanded: u64,
    reported: u64,
    outstanding: usize,
}

impl Column {
    /// A column whose vertices below `base` are executed.
    pub(super) fn starting_at(base: u64) -> Column {
        Column { base, ..Column::default() }
    }

    /// The number below which everything is executed; that number itself is not.
    pub(super) fn base(&self) -> u64 {
        self.base
    }

    /// The number from which vertices are too far away to be held.
    pub(super) fn limit(&self) -> u64 {
        self.base.saturating_add(WINDOW_MAX)
    }

    fn offset(&self, number: u64) -> Option<usize> {
        usize::try_from(number.checked_sub(self.base)?).ok()
    }

    fn word(&self, number: u64) -> u32 {
        self.offset(number).and_then(|offset| self.slots.get(offset)).copied().unwrap_or(VACANT)
    }

    pub(super) fn slot(&self, number: u64) -> Slot {
        if number < self.base {
            return Slot::Executed;
        }
        match self.word(number) {
            VACANT => Slot::Vacant,
            word if word & EXECUTED != 0 => Slot::Executed,
            cell => Slot::Cell(cell),
        }
    }

    fn set_word(&mut self, number: u64, word: u32) {
        let offset = self.offset(number).expect("a slot at or above the base");
        if self.slots.len() <= offset {
            self.slots.resize(offset + 1, VACANT);
        }
        self.slots[offset] = word;
    }

    /// The cells above the base, by number.
    pub(super) fn cells(&self) -> impl Iterator<Item = (u64, u32)> {
        let slots = (self.base..).zip(&self.slots);
        slots.filter(|(_, word)| **word & EXECUTED == 0).map(|(number, word)| (number, *word))
    }

    /// Gives the unexecuted vertex `number` a cell.
    pub(super) fn set_cell(&mut self, number: u64, cell: u32) {
        assert!(cell < EXECUTED, "cell index {cell} out of range");
        self.set_word(number, cell);
    }

    /// Marks `number` executed and moves the base over everything executed.
    pub(super) fn execute(&mut self, number: u64) {
        if number != self.base {
            let run = number.checked_sub(1).map_or(0, |below| self.run(self.word(below)));
            self.set_word(number, EXECUTED | (run + 1).min(RUN_MAX));
            return;
        }
        self.slots.pop_front();
        self.base += 1;
        while self.slots.front().is_some_and(|word| self.run(*word) > 0) {
            self.slots.pop_front();
            self.base += 1;
        }
        if self.slots.is_empty() && self.slots.capacity() > SPARE_SLOT_COUNT_MAX {
            self.slots = VecDeque::new();
        }
    }

    /// For an executed slot, how many vertices from it downwards are known to be
    /// executed; 0 for any other.
    fn run(&self, word: u32) -> u32 {
        if word == VACANT || word & EXECUTED == 0 { 0 } else { word & !EXECUTED }
    }

    /// The smallest `x` for which all of `x..below` is executed, or the base if that
    /// is above. Runs grow on the way, so that a hole under many executed vertices
    /// is not searched for again and again.
    pub(super) fn skip_executed(&mut self, below: u64) -> u64 {
        let mut below = below;
        let mut upper: Option<u64> = None;
        while below > self.base {
            let number = below - 1;
            let run = self.run(self.word(number));
            if run == 0 {
                return below;
            }
            below -= u64::from(run);
            if let Some(upper) = upper {
                let longer = u32::try_from(upper + 1 - below).unwrap_or(RUN_MAX).min(RUN_MAX);
                self.set_word(upper, EXECUTED | longer);
            }
            upper = Some(number);
        }
        self.base
    }

    /// Notes that all vertices below `below` are waited for; says whether that is news.
    pub(super) fn demand(&mut self, below: u64) -> bool {
        let news = below > self.demanded;
        self.demanded = self.demanded.max(below);
        news
    }

    /// Notes that the so far unchosen `number` is chosen; says whether that leaves
    /// room to report others.
    pub(super) fn chosen(&mut self, number: u64) -> bool {
        let was_reported = number < self.reported;
        self.outstanding -= usize::from(was_reported);
        was_reported && self.reported < self.demanded
    }

    /// Reports the unchosen vertices that are waited for, lowest first, until
    /// [`BLOCKER_COUNT_MAX`] are outstanding.
    pub(super) fn report(&mut self, leader: NodeId, forest: &Forest, blockers: &mut Vec<Vertex>) {
        self.reported = self.reported.max(self.base.min(self.demanded));
        while self.reported < self.demanded && self.outstanding < BLOCKER_COUNT_MAX {
            if self.is_unchosen(self.reported, forest) {
                blockers.push(Vertex::new(leader, self.reported));
                self.outstanding += 1;
            }
            self.reported += 1;
        }
    }

    /// The reported vertices that are still unchosen.
    pub(super) fn blockers(&self, leader: NodeId, forest: &Forest) -> impl Iterator<Item = Vertex> {
        let open = (self.base..self.reported).filter(|number| self.is_unchosen(*number, forest));
        open.map(move |number| Vertex::new(leader, number))
    }

    fn is_unchosen(&self, number: u64, forest: &Forest) -> bool {
        match self.slot(number) {
            Slot::Vacant => true,
            Slot::Executed => false,
            Slot::Cell(cell) => !forest.is_waiting(cell),
        }
    }

    /// The executed numbers above the base.
    pub(super) fn extras(&self) -> impl Iterator<Item = u64> {
        let slots = (self.base..).zip(&self.slots);
        slots.filter(|(_, word)| self.run(**word) > 0).map(|(number, _)| number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        /// Fast against dumb: runs in a ring against a set of numbers.
        #[test]
        fn executed_runs_are_those_of_a_set(steps in prop::collection::vec((0..40u64, 0..45u64), 0..60)) {
            let mut column = Column::default();
            let mut executed = BTreeSet::new();
            for (number, probe) in steps {
                if executed.insert(number) {
                    column.execute(number);
                }
                let base = (0..).find(|number| !executed.contains(number)).expect("endless");
                prop_assert_eq!(column.base(), base);
                prop_assert!(column.extras().eq(executed.range(base..).copied()));
                let end = (base..=probe.max(base)).rev().find(|x| *x == base || !executed.contains(&(x - 1)));
                prop_assert_eq!(column.skip_executed(probe), end.expect("the base at least"));
            }
        }
    }
}
