use crate::Answer;
use isegoria_types::{Conflicts, DepSet, Footprint, NodeId, NodeSet, Prefix, Vertex};

/// The reference that fast indexes are tested against: a list of all vertices ever
/// recorded, compared pair by pair. It forgets nothing and is never used otherwise.
#[derive(Clone, Debug)]
pub struct NaiveIndex {
    leaders: NodeSet,
    conflicts: Conflicts,
    recorded: Vec<(Vertex, Footprint)>,
    announced: Vec<(NodeId, Prefix)>,
    dropped: Prefix,
}

impl NaiveIndex {
    /// An empty index in a cluster with these leaders; see [`crate::KeyedIndex::new`].
    #[must_use]
    pub fn new(leaders: NodeSet, conflicts: &Conflicts) -> NaiveIndex {
        let conflicts = conflicts.clone();
        NaiveIndex {
            leaders,
            conflicts,
            recorded: Vec::new(),
            announced: Vec::new(),
            dropped: Prefix::default(),
        }
    }

    /// As [`crate::KeyedIndex::deps`].
    #[must_use]
    pub fn deps(&self, footprint: &Footprint, sender_floor: &Prefix) -> Answer {
        if !sender_floor.covers(&self.dropped) {
            return Answer::StaleFloor(self.dropped.clone());
        }
        let mut deps = DepSet::from_prefix(sender_floor.clone());
        for (vertex, other) in &self.recorded {
            if self.conflicts.conflict(footprint, other) {
                deps.insert(*vertex);
            }
        }
        Answer::Deps(deps)
    }

    /// As [`crate::KeyedIndex::compute`].
    pub fn compute(&mut self, vertex: Vertex, footprint: &Footprint, sender_floor: &Prefix) -> Answer {
        let answer = self.deps(footprint, sender_floor);
        if let Answer::Deps(_) = answer {
            self.record(vertex, footprint);
        }
        answer
    }

    /// As [`crate::KeyedIndex::record`].
    pub fn record(&mut self, vertex: Vertex, footprint: &Footprint) {
        self.recorded.push((vertex, footprint.clone()));
    }

    /// As [`crate::KeyedIndex::announce`].
    pub fn announce(&mut self, leader: NodeId, floor: &Prefix) {
        self.announced.push((leader, floor.clone()));
    }

    /// As [`crate::KeyedIndex::drop_floor`].
    #[must_use]
    pub fn drop_floor(&self) -> Prefix {
        let mut minimum = Prefix::default();
        let highest = |leader: NodeId, column: NodeId| {
            let own = self.announced.iter().filter(|(from, _)| *from == leader);
            own.map(|(_, floor)| floor.below(column)).max().unwrap_or(0)
        };
        for column in NodeSet::first(isegoria_types::NODE_COUNT_MAX).iter() {
            let lowest = self.leaders.iter().map(|leader| highest(leader, column)).min();
            minimum.raise(column, lowest.unwrap_or(0));
        }
        minimum
    }

    /// As [`crate::KeyedIndex::collect`], except that only the refusals change:
    /// what is below the floor is kept, and covered by the floor of every request.
    pub fn collect(&mut self) {
        let floor = self.drop_floor();
        self.dropped.union(&floor);
    }
}
