use isegoria_types::{Batch, Footprint, Order, Vertex};
use std::collections::BTreeMap;

/// A value that a quorum of durable votes chose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChosenValue {
    /// Where it stands, with its dependencies in a graph.
    pub order: Order,
    /// The commands.
    pub batch: Batch,
    /// What the commands touch together.
    pub footprint: Footprint,
}

impl ChosenValue {
    /// The value, with its footprint computed.
    #[must_use]
    pub fn new(order: Order, batch: Batch) -> ChosenValue {
        let footprint = batch.footprint();
        ChosenValue { order, batch, footprint }
    }
}

/// Everything chosen in a run, by place: what the other checks judge.
#[derive(Clone, Debug, Default)]
pub struct ChosenValues(BTreeMap<Vertex, ChosenValue>);

impl ChosenValues {
    /// What is chosen at a place.
    #[must_use]
    pub fn get(&self, place: Vertex) -> Option<&ChosenValue> {
        self.0.get(&place)
    }

    /// All, in the order of places.
    pub fn iter(&self) -> impl Iterator<Item = (Vertex, &ChosenValue)> {
        self.0.iter().map(|(place, value)| (*place, value))
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing is chosen yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Rare things among what was chosen, by name, with their numbers.
    #[must_use]
    pub fn situations(&self) -> [(&'static str, u64); 2] {
        let (mut noop_count, mut ghost_count, mut started) = (0, 0, None);
        for value in self.0.values() {
            match &value.order {
                Order::Slot { origin, start_working: true, .. } => started = started.max(Some(*origin)),
                Order::Slot { origin, .. } if Some(*origin) < started => ghost_count += 1,
                _ => noop_count += u64::from(value.batch.is_noop()),
            }
        }
        [("noop chosen", noop_count), ("ghost skipped", ghost_count)]
    }

    pub(crate) fn insert(&mut self, value: ChosenValue) {
        self.0.insert(value.order.place(), value);
    }
}
