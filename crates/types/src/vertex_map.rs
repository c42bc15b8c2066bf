use crate::{NodeId, NodeSet, Prefix, Vertex};
use std::collections::VecDeque;

/// The furthest above a leader's base that a map will hold a vertex. Whoever takes
/// vertices from a network checks [`VertexMap::admits`] first.
pub const WINDOW_MAX: u64 = 1 << 20;

/// A map from vertices to values with a moving floor: a ring buffer a leader,
/// indexed by number, so that the hot path hashes nothing.
///
/// Invariant: no vertex below the floor has a value, and none ever gets one again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct VertexMap<T> {
    columns: Vec<Column<T>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Column<T> {
    base: u64,
    cells: VecDeque<Option<T>>,
}

impl<T> Default for VertexMap<T> {
    fn default() -> VertexMap<T> {
        VertexMap { columns: Vec::new() }
    }
}

impl<T> VertexMap<T> {
    fn column(&self, leader: NodeId) -> Option<&Column<T>> {
        self.columns.get(leader.index())
    }

    fn column_mut(&mut self, leader: NodeId) -> &mut Column<T> {
        let index = leader.index();
        if self.columns.len() <= index {
            self.columns.resize_with(index + 1, || Column { base: 0, cells: VecDeque::new() });
        }
        &mut self.columns[index]
    }

    /// The number below which `leader`'s vertices are dropped.
    #[must_use]
    pub fn base(&self, leader: NodeId) -> u64 {
        self.column(leader).map_or(0, |column| column.base)
    }

    /// The number above every vertex of `leader` that has, or had, a value.
    #[must_use]
    pub fn end(&self, leader: NodeId) -> u64 {
        self.column(leader).map_or(0, |column| column.base + column.cells.len() as u64)
    }

    /// Whether `vertex` is below the floor.
    #[must_use]
    pub fn is_dropped(&self, vertex: Vertex) -> bool {
        vertex.number < self.base(vertex.leader)
    }

    /// Whether `vertex` is near enough to the floor to be held.
    #[must_use]
    pub fn admits(&self, vertex: Vertex) -> bool {
        vertex.number < self.base(vertex.leader).saturating_add(WINDOW_MAX)
    }

    /// The value of `vertex`.
    #[must_use]
    pub fn get(&self, vertex: Vertex) -> Option<&T> {
        let column = self.column(vertex.leader)?;
        column.cells.get(usize::try_from(vertex.number.checked_sub(column.base)?).ok()?)?.as_ref()
    }

    /// The value of `vertex`, to change.
    pub fn get_mut(&mut self, vertex: Vertex) -> Option<&mut T> {
        let column = self.columns.get_mut(vertex.leader.index())?;
        column.cells.get_mut(usize::try_from(vertex.number.checked_sub(column.base)?).ok()?)?.as_mut()
    }

    /// The place of `vertex`, made if need be; `None` below the floor.
    ///
    /// # Panics
    /// If the map does not admit the vertex.
    pub fn place(&mut self, vertex: Vertex) -> Option<&mut Option<T>> {
        assert!(self.admits(vertex), "vertex {vertex} is more than {WINDOW_MAX} above the floor");
        let column = self.column_mut(vertex.leader);
        let offset = usize::try_from(vertex.number.checked_sub(column.base)?).expect("within the window");
        if column.cells.len() <= offset {
            column.cells.resize_with(offset + 1, || None);
        }
        Some(&mut column.cells[offset])
    }

    /// Sets the value of `vertex`; ignored below the floor.
    pub fn insert(&mut self, vertex: Vertex, value: T) {
        if let Some(place) = self.place(vertex) {
            *place = Some(value);
        }
    }

    /// Takes the value of `vertex` out.
    pub fn remove(&mut self, vertex: Vertex) -> Option<T> {
        let column = self.columns.get_mut(vertex.leader.index())?;
        column.cells.get_mut(usize::try_from(vertex.number.checked_sub(column.base)?).ok()?)?.take()
    }

    /// Raises the floor: drops every vertex in `prefix`.
    pub fn drop_prefix(&mut self, prefix: &Prefix) {
        self.take_prefix(prefix, |_, _| {});
    }

    /// Raises the floor, and hands over what it drops, by leader, then by number.
    pub fn take_prefix(&mut self, prefix: &Prefix, mut taken: impl FnMut(Vertex, T)) {
        for (leader, below) in prefix.iter() {
            let column = self.column_mut(leader);
            while column.base < below
                && let Some(cell) = column.cells.pop_front()
            {
                if let Some(value) = cell {
                    taken(Vertex::new(leader, column.base), value);
                }
                column.base += 1;
            }
            column.base = column.base.max(below);
        }
    }

    /// The floor: all vertices that were dropped.
    #[must_use]
    pub fn floor(&self) -> Prefix {
        Prefix::new(&self.columns.iter().map(|column| column.base).collect::<Vec<_>>())
    }

    /// The vertices of these leaders from what is dropped or `executed` to the last that has a
    /// place, holes included: what may still need something.
    pub fn beyond(&self, leaders: NodeSet, executed: &Prefix) -> impl Iterator<Item = Vertex> {
        leaders.iter().flat_map(move |leader| {
            let first = executed.below(leader).max(self.base(leader));
            (first..self.end(leader)).map(move |number| Vertex::new(leader, number))
        })
    }

    /// The vertices with a value, by leader, then by number.
    pub fn iter(&self) -> impl Iterator<Item = (Vertex, &T)> {
        self.columns.iter().enumerate().flat_map(|(index, column)| {
            (column.base..).zip(&column.cells).filter_map(move |(number, cell)| {
                cell.as_ref().map(|value| (Vertex::new(NodeId::new(index), number), value))
            })
        })
    }

    /// As [`VertexMap::iter`], to change the values.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (Vertex, &mut T)> {
        self.columns.iter_mut().enumerate().flat_map(|(index, column)| {
            (column.base..).zip(&mut column.cells).filter_map(move |(number, cell)| {
                cell.as_mut().map(|value| (Vertex::new(NodeId::new(index), number), value))
            })
        })
    }

    /// The number of vertices between the floor and the ends, with a value or without.
    #[must_use]
    pub fn span(&self) -> usize {
        self.columns.iter().map(|column| column.cells.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        /// Fast against dumb: ring buffers against an ordered map.
        #[test]
        fn behaves_like_an_ordered_map(steps in prop::collection::vec((0..4u8, 0..3usize, 0..20u64), 0..200)) {
            let mut fast = VertexMap::default();
            let mut dumb: BTreeMap<Vertex, u64> = BTreeMap::new();
            let mut floor = Prefix::default();
            for (time, (action, leader, number)) in steps.into_iter().enumerate() {
                let vertex = Vertex::new(NodeId::new(leader), number);
                match action {
                    0 | 1 if !floor.contains(vertex) => {
                        fast.insert(vertex, time as u64);
                        dumb.insert(vertex, time as u64);
                    }
                    2 => prop_assert_eq!(fast.remove(vertex), dumb.remove(&vertex)),
                    3 => {
                        floor.raise(vertex.leader, number);
                        let mut taken = Vec::new();
                        fast.take_prefix(&floor, |vertex, value| taken.push((vertex, value)));
                        let expected: Vec<_> =
                            dumb.iter().map(|(v, value)| (*v, *value)).filter(|(v, _)| floor.contains(*v)).collect();
                        prop_assert_eq!(taken, expected);
                        dumb.retain(|vertex, _| !floor.contains(*vertex));
                    }
                    _ => fast.insert(vertex, 0),
                }
                prop_assert_eq!(fast.get(vertex), dumb.get(&vertex));
                prop_assert!(fast.iter().eq(dumb.iter().map(|(vertex, value)| (*vertex, value))));
                prop_assert_eq!(fast.floor(), floor.clone());
            }
        }
    }

    #[test]
    fn a_vertex_far_above_the_floor_is_not_admitted() {
        let map: VertexMap<()> = VertexMap::default();
        assert!(!map.admits(Vertex::new(NodeId::new(0), WINDOW_MAX)));
        assert!(map.admits(Vertex::new(NodeId::new(0), WINDOW_MAX - 1)));
    }
}
