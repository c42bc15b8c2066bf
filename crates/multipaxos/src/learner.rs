use crate::message::{Content, Entry};
use isegoria_acceptor::LogAcceptor;
use isegoria_types::{Batch, Order};
use std::collections::{BTreeMap, BTreeSet};

/// Which slots are chosen, as far as this node knows, and the values that its
/// acceptor does not hold.
///
/// Invariant: `below` is the first slot not known to be chosen; `above` holds only
/// higher ones.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Learner {
    /// Everything below is executed everywhere and forgotten.
    base: u64,
    below: u64,
    above: BTreeSet<u64>,
    /// Chosen values for which the acceptor has no vote, or a vote for another value.
    decided: BTreeMap<u64, Entry>,
}

impl Learner {
    /// The first slot that is not forgotten.
    pub(crate) fn base(&self) -> u64 {
        self.base
    }

    /// The first slot not known to be chosen.
    pub(crate) fn below(&self) -> u64 {
        self.below
    }

    pub(crate) fn is_chosen(&self, slot: u64) -> bool {
        slot < self.below || self.above.contains(&slot)
    }

    /// Marks a slot; says whether that was news.
    pub(crate) fn mark(&mut self, slot: u64) -> bool {
        if self.is_chosen(slot) {
            return false;
        }
        self.above.insert(slot);
        while self.above.remove(&self.below) {
            self.below += 1;
        }
        true
    }

    /// Keeps a chosen value that no vote of this node carries.
    pub(crate) fn keep(&mut self, slot: u64, entry: Entry) {
        self.decided.insert(slot, entry);
    }

    /// Forgets everything below `slot`, all of it chosen.
    pub(crate) fn drop_below(&mut self, slot: u64) {
        self.decided = self.decided.split_off(&slot);
        self.above = self.above.split_off(&slot);
        self.base = self.base.max(slot);
        self.below = self.below.max(slot);
        while self.above.remove(&self.below) {
            self.below += 1;
        }
    }

    /// How many values are kept.
    pub(crate) fn decided_count(&self) -> usize {
        self.decided.len()
    }

    /// The values kept, in order of slots.
    pub(crate) fn decided(&self) -> impl Iterator<Item = (u64, &Entry)> {
        self.decided.iter().map(|(slot, entry)| (*slot, entry))
    }

    /// The value of a chosen slot, if it is still held.
    pub(crate) fn value<'a>(
        &'a self,
        slot: u64,
        acceptor: Option<&'a LogAcceptor<Entry>>,
    ) -> Option<&'a Entry> {
        self.decided.get(&slot).or_else(|| acceptor?.vote(slot).map(|(_, entry)| entry))
    }

    /// The runs of chosen slots that are not forgotten, each as first slot and slot after the last.
    pub(crate) fn runs(&self) -> Vec<(u64, u64)> {
        let mut runs = Vec::new();
        if self.base < self.below {
            runs.push((self.base, self.below));
        }
        for slot in &self.above {
            match runs.last_mut() {
                Some((_, end)) if end == slot => *end += 1,
                _ => runs.push((*slot, slot + 1)),
            }
        }
        runs
    }
}

/// How an entry is handed to the replica.
pub(crate) fn commit(slot: u64, entry: &Entry) -> (Order, Batch) {
    let (start_working, batch) = match &entry.content {
        Content::Batch(batch) => (false, batch.clone()),
        Content::StartWorking => (true, Batch::noop()),
    };
    (Order::Slot { slot, origin: entry.origin, start_working }, batch)
}

/// The entry that another replica executed.
pub(crate) fn uncommit(order: &Order, batch: Batch) -> Option<(u64, Entry)> {
    let Order::Slot { slot, origin, start_working } = order else { return None };
    let content = if *start_working { Content::StartWorking } else { Content::Batch(batch) };
    Some((*slot, Entry { origin: *origin, content }))
}
