//! What is committed and not executed, for people to look at.

use super::GraphOrder;
use super::column::Slot;
use isegoria_types::{NodeId, Vertex};

/// A vertex that is not executed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unexecuted {
    /// The vertex.
    pub vertex: Vertex,
    /// Whether it is committed; otherwise others wait for that.
    pub is_committed: bool,
    /// Of each leader the last vertex that its component depends on and that is not executed, but itself:
    /// those before it are meant as well.
    pub depends_on: Vec<Vertex>,
}

impl GraphOrder {
    /// The vertices that others wait for, and those that are committed and not executed: of each leader the
    /// lowest, an equal share of `count_max` each. And how many committed ones are left out.
    #[must_use]
    pub fn unexecuted(&self, count_max: usize) -> (Vec<Unexecuted>, usize) {
        let share = count_max.div_ceil(self.columns.len().max(1));
        let mut shown = Vec::new();
        for (index, column) in self.columns.iter().enumerate() {
            let looked_at = column.cells().take(CELL_COUNT_MAX);
            let (committed, awaited): (Vec<_>, Vec<_>) =
                looked_at.partition(|(_, cell)| self.forest.is_waiting(*cell));
            for (number, cell) in awaited.into_iter().chain(committed).take(share) {
                let vertex = Vertex::new(NodeId::new(index), number);
                let is_committed = self.forest.is_waiting(cell);
                let depends_on = if is_committed { self.depends_on(vertex, cell) } else { Vec::new() };
                shown.push(Unexecuted { vertex, is_committed, depends_on });
            }
        }
        let committed_count = shown.iter().filter(|one| one.is_committed).count();
        (shown, self.waiting_count - committed_count)
    }

    /// The unchosen vertex without which this one cannot be executed; none if it is executed, or not committed,
    /// or very many others stand in between.
    #[must_use]
    pub fn waits_for(&self, vertex: Vertex) -> Option<Vertex> {
        let Slot::Cell(cell) = self.columns.get(vertex.leader.index())?.slot(vertex.number) else {
            return None;
        };
        self.forest.is_waiting(cell).then(|| self.forest.blocker(cell)).flatten()
    }

    fn depends_on(&self, vertex: Vertex, cell: u32) -> Vec<Vertex> {
        let deps = self.forest.deps(self.forest.root(cell)).0.as_prefix();
        let last = |(leader, below): (NodeId, u64)| {
            let column = &self.columns[leader.index()];
            let top = column.limit().min(below);
            let other = |number: &u64| Vertex::new(leader, *number) != vertex;
            let open = |number: &u64| !matches!(column.slot(*number), Slot::Executed);
            let number = (column.base()..top).rev().filter(other).take(LOOK_MAX).find(open)?;
            Some(Vertex::new(leader, number))
        };
        deps.iter().filter_map(last).collect()
    }
}

/// The most vertices of one leader that are looked at.
const CELL_COUNT_MAX: usize = 4096;

/// How many executed vertices are passed in search of one that is not.
const LOOK_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Progress;
    use isegoria_types::DepSet;

    fn vertex(leader: usize, number: u64) -> Vertex {
        Vertex::new(NodeId::new(leader), number)
    }

    fn commit(order: &mut GraphOrder, vertex: Vertex, deps: &[Vertex]) {
        let mut set = DepSet::default();
        deps.iter().for_each(|dependency| set.insert(*dependency));
        order.commit(vertex, set, &mut Progress::default());
    }

    #[test]
    fn who_waits_is_shown_with_what_it_waits_for() {
        let mut order = GraphOrder::default();
        let [a, b, c, d] = [vertex(0, 0), vertex(1, 0), vertex(0, 1), vertex(2, 0)];
        commit(&mut order, c, &[a, b]);
        commit(&mut order, b, &[c, d]);
        let (shown, left_out) = order.unexecuted(100);
        let line = |vertex, is_committed, depends_on: &[Vertex]| Unexecuted {
            vertex,
            is_committed,
            depends_on: depends_on.to_vec(),
        };
        let blocker = order.waits_for(c).expect("it waits");
        assert!([a, d].contains(&blocker), "{blocker}");
        assert_eq!((order.waits_for(a), left_out), (None, 0));
        assert!(shown.contains(&line(blocker, false, &[])), "{shown:?}");
        let waiting: Vec<Vertex> =
            shown.iter().filter(|one| one.is_committed).map(|one| one.vertex).collect();
        assert_eq!(waiting, [c, b]);
        let few = order.unexecuted(1).0;
        assert!(few.iter().any(|one| one.vertex == blocker), "what is awaited comes first: {few:?}");
        commit(&mut order, a, &[]);
        commit(&mut order, d, &[]);
        assert_eq!((order.unexecuted(100), order.waits_for(c)), ((Vec::new(), 0), None));
    }
}
