use crate::{ChosenValue, ChosenValues, Violation};
use isegoria_types::{Conflicts, KeyHash, NodeSet, Order, Vertex};
use std::collections::BTreeMap;

/// S2: of two chosen conflicting vertices, at least one has the other in its
/// dependencies. Noops conflict with nothing.
///
/// Only vertices that share a key are compared, those with scopes, and those that conflict
/// with everything.
#[derive(Clone, Debug, Default)]
pub struct Visibility {
    conflicts: Conflicts,
    with_scopes: Vec<Vertex>,
    by_key: BTreeMap<KeyHash, Vec<Vertex>>,
    of_everything: Vec<Vertex>,
    all: Vec<Vertex>,
    pair_count: u64,
    cycle_count: u64,
    wide_count: u64,
}

impl Visibility {
    /// The check for footprints whose scopes conflict by `conflicts`.
    #[must_use]
    pub fn new(conflicts: Conflicts) -> Visibility {
        Visibility { conflicts, ..Visibility::default() }
    }

    /// Pairs of conflicting chosen vertices looked at.
    #[must_use]
    pub fn evaluation_count(&self) -> u64 {
        self.pair_count
    }

    /// Pairs of vertices that have each other in their dependencies: they are executed together.
    #[must_use]
    pub fn cycle_count(&self) -> u64 {
        self.cycle_count
    }

    /// Vertices that are executed together with vertices of two other leaders.
    #[must_use]
    pub fn wide_count(&self) -> u64 {
        self.wide_count
    }

    /// A value was chosen for the first time.
    ///
    /// # Errors
    /// If it and a conflicting one do not see each other.
    pub fn chosen(&mut self, value: &ChosenValue, chosen: &ChosenValues) -> Result<(), Violation> {
        let Order::Vertex(vertex, _) = value.order else { return Ok(()) };
        if value.batch.is_noop() {
            return Ok(());
        }
        let nobody = Vec::new();
        if value.footprint.is_everything() {
            self.count(&self.look(value, &self.all, chosen)?);
            self.of_everything.push(vertex);
        } else {
            let accesses = value.footprint.accesses();
            let mut seen = self.look(value, &self.of_everything, chosen)?;
            for (key, _) in accesses {
                let others = self.by_key.get(key).unwrap_or(&nobody);
                seen.add(&self.look(value, others, chosen)?);
            }
            if !value.footprint.scopes().is_empty() {
                seen.add(&self.look(value, &self.with_scopes, chosen)?);
                self.with_scopes.push(vertex);
            }
            self.count(&seen);
            for (key, _) in accesses {
                let others = self.by_key.entry(*key).or_default();
                if others.last() != Some(&vertex) {
                    others.push(vertex);
                }
            }
        }
        self.all.push(vertex);
        Ok(())
    }

    /// Compares a vertex with others.
    fn look(&self, value: &ChosenValue, others: &[Vertex], chosen: &ChosenValues) -> Result<Seen, Violation> {
        let mut seen = Seen::default();
        let Order::Vertex(vertex, deps) = &value.order else { return Ok(seen) };
        for other in others {
            let Some(ChosenValue { order: Order::Vertex(_, other_deps), footprint, .. }) = chosen.get(*other)
            else {
                continue;
            };
            if !self.conflicts.conflict(&value.footprint, footprint) {
                continue;
            }
            let (sees, seen_by) = (deps.contains(*other), other_deps.contains(*vertex));
            seen.pairs += 1;
            if sees && seen_by {
                seen.cycles += 1;
                if other.leader != vertex.leader {
                    seen.leaders.insert(other.leader);
                }
            }
            if !sees && !seen_by {
                return Err(Violation {
                    check: "visibility",
                    invariant: "S2 conflicting vertices see each other",
                    place: Some(*vertex),
                    what: format!(
                        "{vertex} with {deps:?} and {other} with {other_deps:?} conflict, and neither has the other"
                    ),
                });
            }
        }
        Ok(seen)
    }

    fn count(&mut self, seen: &Seen) {
        self.pair_count += seen.pairs;
        self.cycle_count += seen.cycles;
        self.wide_count += u64::from(seen.leaders.len() >= 2);
    }
}

/// What conflicts with a vertex.
#[derive(Default)]
struct Seen {
    pairs: u64,
    /// How many of the pairs are cycles.
    cycles: u64,
    /// The other leaders of those.
    leaders: NodeSet,
}

impl Seen {
    fn add(&mut self, other: &Seen) {
        self.pairs += other.pairs;
        self.cycles += other.cycles;
        self.leaders = self.leaders.union(other.leaders);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::planted::{command, vertex};
    use isegoria_types::{Batch, DepSet};

    fn choose(
        check: &mut Visibility,
        chosen: &mut ChosenValues,
        order: Order,
        batch: Batch,
    ) -> Result<(), Violation> {
        chosen.insert(ChosenValue::new(order.clone(), batch));
        check.chosen(chosen.get(order.place()).expect("just inserted"), chosen)
    }

    #[test]
    fn vertices_that_do_not_see_each_other_are_found() {
        let (mut check, mut chosen) = (Visibility::default(), ChosenValues::default());
        let (one, two) = (Batch::of(&[command(1, 7)]), Batch::of(&[command(2, 7)]));
        let other_key = Batch::of(&[command(3, 8)]);
        let (a, b, c, d) = (vertex(0, 0), vertex(1, 0), vertex(2, 0), vertex(2, 1));
        let mut sees_a = DepSet::default();
        sees_a.insert(a);
        choose(&mut check, &mut chosen, Order::Vertex(a, DepSet::default()), one).unwrap();
        choose(&mut check, &mut chosen, Order::Vertex(c, DepSet::default()), other_key).unwrap();
        choose(&mut check, &mut chosen, Order::Vertex(d, DepSet::default()), Batch::noop()).unwrap();
        assert_eq!(check.evaluation_count(), 0);
        choose(&mut check, &mut chosen, Order::Vertex(b, sees_a.clone()), two.clone()).unwrap();
        assert_eq!(check.evaluation_count(), 1);
        let found = choose(&mut check, &mut chosen, Order::Vertex(vertex(1, 1), sees_a), two).unwrap_err();
        assert_eq!(found.place, Some(vertex(1, 1)));
    }

    #[test]
    fn what_is_executed_together_is_counted_with_its_leaders() {
        let (mut check, mut chosen) = (Visibility::default(), ChosenValues::default());
        let vertices = [vertex(0, 0), vertex(1, 0), vertex(2, 0)];
        for (number, own) in (1..).zip(vertices) {
            let mut deps = DepSet::default();
            vertices.into_iter().filter(|other| *other != own).for_each(|other| deps.insert(other));
            choose(&mut check, &mut chosen, Order::Vertex(own, deps), Batch::of(&[command(number, 7)]))
                .unwrap();
        }
        assert_eq!((check.evaluation_count(), check.cycle_count(), check.wide_count()), (3, 3, 1));
    }
}
