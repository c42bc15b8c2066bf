use isegoria_types::{NodeId, NodeSet, Prefix};
use std::collections::BTreeMap;

/// What every replica has durably executed, as far as it has said so.
///
/// Invariant: [`Watermarks::everywhere`] never shrinks, and holds only what all
/// replicas have announced.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Watermarks {
    replicas: NodeSet,
    executed: BTreeMap<NodeId, Prefix>,
    everywhere: Prefix,
}

impl Watermarks {
    /// Nothing is known of these replicas yet.
    #[must_use]
    pub fn new(replicas: NodeSet) -> Watermarks {
        Watermarks { replicas, executed: BTreeMap::new(), everywhere: Prefix::default() }
    }

    /// A replica announced its executed prefix. Returns what is executed everywhere
    /// if that grew.
    pub fn announce(&mut self, replica: NodeId, executed: &Prefix) -> Option<&Prefix> {
        if !self.replicas.contains(replica) {
            return None;
        }
        self.executed.entry(replica).or_default().union(executed);
        if self.executed.len() < self.replicas.len() {
            return None;
        }
        let mut all = self.executed.values();
        let mut everywhere = all.next()?.clone();
        for prefix in all {
            everywhere.intersect(prefix);
        }
        if self.everywhere.covers(&everywhere) {
            return None;
        }
        self.everywhere.union(&everywhere);
        Some(&self.everywhere)
    }

    /// A replica has lost what it announced: nothing more counts as executed everywhere
    /// before it announces anew.
    pub fn take_back(&mut self, replica: NodeId) {
        self.executed.remove(&replica);
    }

    /// The number of replicas.
    pub(crate) fn replica_count(&self) -> u32 {
        u32::try_from(self.replicas.len()).expect("few replicas")
    }

    /// What the majority of the replicas that is furthest has announced, all of it each,
    /// if that contains `at_least`.
    pub(crate) fn held_by_a_majority(&self, at_least: &Prefix) -> Option<Prefix> {
        let mut able: Vec<&Prefix> = self.executed.values().filter(|held| held.covers(at_least)).collect();
        let majority = self.replicas.len() / 2 + 1;
        able.sort_by_key(|held| std::cmp::Reverse(held.count()));
        let (first, others) = able.get(..majority)?.split_first()?;
        let mut held = (*first).clone();
        others.iter().for_each(|other| held.intersect(other));
        Some(held)
    }

    /// What a replica has announced.
    #[must_use]
    pub fn of(&self, replica: NodeId) -> Option<&Prefix> {
        self.executed.get(&replica)
    }

    /// What every replica has announced.
    #[must_use]
    pub fn everywhere(&self) -> &Prefix {
        &self.everywhere
    }

    /// Takes over a floor from a snapshot.
    pub fn restore(&mut self, everywhere: &Prefix) {
        self.everywhere.union(everywhere);
    }

    /// The replicas that have announced something, with it.
    pub fn iter(&self) -> impl Iterator<Item = (NodeId, &Prefix)> {
        self.executed.iter().map(|(node, prefix)| (*node, prefix))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everywhere_is_the_minimum_and_waits_for_all() {
        let [a, b] = [NodeId::new(0), NodeId::new(1)];
        let mut marks = Watermarks::new(NodeSet::first(2));
        assert_eq!(marks.announce(a, &Prefix::new(&[5, 3])), None);
        assert_eq!(marks.announce(NodeId::new(7), &Prefix::new(&[9, 9])), None);
        assert_eq!(marks.announce(b, &Prefix::new(&[4, 9])), Some(&Prefix::new(&[4, 3])));
        assert_eq!(marks.announce(b, &Prefix::new(&[1, 9])), None, "announcements never go back");
        assert_eq!(marks.announce(b, &Prefix::new(&[6])), Some(&Prefix::new(&[5, 3])));
        marks.take_back(b);
        assert_eq!(marks.announce(a, &Prefix::new(&[9, 9])), None, "the other one has lost it");
        assert_eq!((marks.of(b), marks.everywhere()), (None, &Prefix::new(&[5, 3])));
    }
}
