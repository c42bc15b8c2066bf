//! The execution order of dependency graphs: strongly connected components,
//! dependencies first, inside a component by vertex (protocols.md 2.3).
//!
//! **Wait-forest.** A component that cannot be executed waits for *one* dependency
//! that is not executed; so waiting components form a forest ([`forest`]), whose
//! roots are unchosen vertices. Looking at a component that waits for nothing:
//!
//! 1. Take its next dependency that is neither executed nor a member. If there is
//!    none, all it depends on is executed: execute it, look at all that waited for it.
//! 2. If that dependency waits, in the end, for this very component, the way between
//!    them is a cycle: contract it into one component and go on at 1.
//! 3. Otherwise wait for it.
//!
//! A dependency set is a prefix for each leader, looked at from the top down: most
//! vertices of a leader are executed in the order of their numbers, so that when the
//! top is executed the rest mostly is. Executed vertices and members passed on the
//! way are skipped as whole runs the next time, so that neither a large component
//! nor a hole below many executed vertices is walked through again; and contracted
//! components need no list of dependency sets, but the union.
//!
//! Invariant, after every commit: a committed vertex is unexecuted exactly if an
//! unchosen vertex can be reached from it. No recursion: chains are long.
//!
//! Not done here: nothing is executed or stored, no timer runs, and no edge is left
//! out, whether the commands conflict or not (replicas would have to agree on that).
//! A vertex is known by leader and number alone, as in [`isegoria_types::VertexMap`].

mod column;
mod forest;
mod view;

pub use view::Unexecuted;

use column::{Column, Slot};
use forest::Forest;
use isegoria_types::{DepSet, NodeId, NodeSet, Prefix, Vertex};

/// The most unchosen vertices of one leader that are reported and not chosen yet.
/// Further ones are reported, lowest first, as these are chosen.
pub const BLOCKER_COUNT_MAX: usize = 1024;

/// What commits led to, in order. [`GraphOrder::commit`] only appends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The vertices to execute, in this order.
    pub executed: Vec<Vertex>,
    /// Where in `executed` each component ends, ascending.
    pub components: Vec<usize>,
    /// Unchosen vertices that committed ones have begun to wait for.
    pub blockers: Vec<Vertex>,
}

impl Progress {
    /// Forgets everything, keeps the memory.
    pub fn clear(&mut self) {
        self.executed.clear();
        self.components.clear();
        self.blockers.clear();
    }
}

/// Which vertices are chosen and executed, and what the others wait for.
#[derive(Clone, Debug, Default)]
pub struct GraphOrder {
    columns: Vec<Column>,
    forest: Forest,
    executed: Prefix,
    waiting_count: usize,
    component_size_max: usize,
    /// Components to look at; empty between commits.
    woken: Vec<u32>,
}

impl GraphOrder {
    /// The order after exactly the members of `executed`, and `extras`, were executed.
    ///
    /// # Panics
    /// If an extra is [`isegoria_types::WINDOW_MAX`] or more above the prefix of its
    /// leader: whoever reads a snapshot from outside checks it first.
    #[must_use]
    pub fn restore(executed: Prefix, extras: &[Vertex]) -> GraphOrder {
        let mut order = GraphOrder { executed, ..GraphOrder::default() };
        order.columns = order.executed.iter().map(|(_, below)| Column::starting_at(below)).collect();
        for extra in extras {
            order.make_columns(extra.leader.index() + 1);
            assert!(order.admits(*extra), "extra {extra} is too far above {:?}", order.executed);
            if !order.is_executed(*extra) {
                order.mark_executed(*extra);
            }
        }
        order
    }

    /// Learns that `vertex` is chosen with `deps`; appends to `out` what that makes
    /// executable, and the unchosen vertices that are waited for now and were not
    /// reported before. Nothing happens if the vertex is committed already.
    ///
    /// # Panics
    /// If [`GraphOrder::admits`] denies the vertex.
    pub fn commit(&mut self, vertex: Vertex, deps: DepSet, out: &mut Progress) {
        let own = vertex.leader.index();
        self.make_columns(deps.as_prefix().width().max(own + 1));
        assert!(self.admits(vertex), "{vertex} is too far above {:?}", self.executed);
        let cell = match self.columns[own].slot(vertex.number) {
            Slot::Executed => return,
            Slot::Cell(cell) if self.forest.is_waiting(cell) => return,
            Slot::Cell(cell) => Some(cell),
            Slot::Vacant => None,
        };
        let to_report = self.note_demand(vertex, &deps);
        if cell.is_none() && self.is_ready(vertex, &deps) {
            self.mark_executed(vertex);
            self.component_size_max = self.component_size_max.max(1);
            out.executed.push(vertex);
            out.components.push(out.executed.len());
        } else {
            let cell = cell.unwrap_or_else(|| self.make_cell(vertex));
            self.forest.commit(cell, vertex, deps);
            self.waiting_count += 1;
            self.woken.push(cell);
            while let Some(root) = self.woken.pop() {
                self.look_at(root, out);
            }
            self.forest.trim();
        }
        for leader in to_report.iter() {
            self.columns[leader.index()].report(leader, &self.forest, &mut out.blockers);
        }
    }

    /// Whether `vertex` is near enough to the executed prefix to be committed.
    #[must_use]
    pub fn admits(&self, vertex: Vertex) -> bool {
        let column = self.columns.get(vertex.leader.index());
        vertex.number < column.map_or(isegoria_types::WINDOW_MAX, Column::limit)
    }

    /// The contiguous executed prefix of every leader.
    #[must_use]
    pub fn executed(&self) -> &Prefix {
        &self.executed
    }

    /// Whether `vertex` is executed.
    #[must_use]
    pub fn is_executed(&self, vertex: Vertex) -> bool {
        let column = self.columns.get(vertex.leader.index());
        column.is_some_and(|column| matches!(column.slot(vertex.number), Slot::Executed))
    }

    /// Whether `vertex` is committed, executed or not.
    #[must_use]
    pub fn is_committed(&self, vertex: Vertex) -> bool {
        let column = self.columns.get(vertex.leader.index());
        column.is_some_and(|column| match column.slot(vertex.number) {
            Slot::Executed => true,
            Slot::Vacant => false,
            Slot::Cell(cell) => self.forest.is_waiting(cell),
        })
    }

    /// The executed vertices above the prefix, sorted.
    #[must_use]
    pub fn extras(&self) -> Vec<Vertex> {
        let columns = self.columns.iter().enumerate();
        let extras = columns.flat_map(|(index, column)| {
            column.extras().map(move |number| Vertex::new(NodeId::new(index), number))
        });
        extras.collect()
    }

    /// The unchosen vertices that committed ones depend on, sorted; of each leader
    /// the lowest, at least [`BLOCKER_COUNT_MAX`] if there are as many.
    #[must_use]
    pub fn blockers(&self) -> Vec<Vertex> {
        let columns = self.columns.iter().enumerate();
        columns.flat_map(|(index, column)| column.blockers(NodeId::new(index), &self.forest)).collect()
    }

    /// The number of vertices that are committed and not executed.
    #[must_use]
    pub fn waiting_count(&self) -> usize {
        self.waiting_count
    }

    /// The size of the largest component executed so far.
    #[must_use]
    pub fn component_size_max(&self) -> usize {
        self.component_size_max
    }

    fn make_columns(&mut self, count: usize) {
        if self.columns.len() < count {
            self.columns.resize_with(count, Column::default);
        }
    }

    fn make_cell(&mut self, vertex: Vertex) -> u32 {
        let cell = self.forest.add(vertex);
        self.columns[vertex.leader.index()].set_cell(vertex.number, cell);
        cell
    }

    fn mark_executed(&mut self, vertex: Vertex) {
        let column = &mut self.columns[vertex.leader.index()];
        column.execute(vertex.number);
        self.executed.raise(vertex.leader, column.base());
    }

    /// Notes what the newly chosen `vertex` waits for; returns the leaders of which
    /// there may be something to report.
    fn note_demand(&mut self, vertex: Vertex, deps: &DepSet) -> NodeSet {
        let mut leaders = NodeSet::EMPTY;
        if self.columns[vertex.leader.index()].chosen(vertex.number) {
            leaders.insert(vertex.leader);
        }
        for (leader, below) in deps.as_prefix().iter() {
            if self.columns[leader.index()].demand(below) {
                leaders.insert(leader);
            }
        }
        leaders
    }

    /// Whether all that `vertex` depends on is executed: the common case, without a cell.
    fn is_ready(&mut self, vertex: Vertex, deps: &DepSet) -> bool {
        deps.as_prefix().iter().all(|(leader, below)| {
            let column = &mut self.columns[leader.index()];
            let open = column.skip_executed(below);
            let is_own = leader == vertex.leader && open == vertex.number + 1;
            open <= column.base() || (is_own && column.skip_executed(vertex.number) <= column.base())
        })
    }

    /// Looks at a component that waits for nothing: executes it, or finds what it
    /// waits for.
    fn look_at(&mut self, root: u32, out: &mut Progress) {
        while let Some(dependency) = self.open_dependency(root) {
            let cell = match self.columns[dependency.leader.index()].slot(dependency.number) {
                Slot::Cell(cell) => cell,
                Slot::Vacant => self.make_cell(dependency),
                Slot::Executed => unreachable!("{dependency} is executed, yet open"),
            };
            if self.forest.hangs_under(cell, root) {
                self.forest.contract(cell, root);
            } else {
                self.forest.park(root, cell);
                return;
            }
        }
        self.execute(root, out);
    }

    fn execute(&mut self, root: u32, out: &mut Progress) {
        let start = out.executed.len();
        self.forest.remove(root, &mut out.executed, &mut self.woken);
        let members = &mut out.executed[start..];
        members.sort_unstable();
        self.waiting_count -= members.len();
        self.component_size_max = self.component_size_max.max(members.len());
        for index in start..out.executed.len() {
            self.mark_executed(out.executed[index]);
        }
        out.components.push(out.executed.len());
    }

    /// A dependency of the component that is neither executed nor a member.
    fn open_dependency(&mut self, root: u32) -> Option<Vertex> {
        let (deps, first) = self.forest.deps(root);
        let width = deps.as_prefix().width();
        for column in first..width {
            let leader = NodeId::new(column);
            let below = self.forest.deps(root).0.below(leader);
            if let Some(number) = self.open_number(root, leader, below) {
                self.forest.set_column(root, column);
                return Some(Vertex::new(leader, number));
            }
        }
        None
    }

    /// The highest number below `below` whose vertex is neither executed nor a member.
    fn open_number(&mut self, root: u32, leader: NodeId, below: u64) -> Option<u64> {
        let column = &mut self.columns[leader.index()];
        // Far beyond all that can be committed, waiting for the nearest of them is
        // as good as for the furthest, and takes no memory.
        let limit = column.limit();
        let mut at = below.min(limit);
        let mut upper: Option<u32> = None;
        loop {
            at = column.skip_executed(at);
            if at <= column.base() {
                return (below > limit).then_some(limit);
            }
            match column.slot(at - 1) {
                Slot::Cell(cell) if self.forest.find(cell) == root => {
                    at -= self.forest.run(cell).min(at);
                    if let Some(upper) = upper {
                        self.forest.set_run(upper, at);
                    }
                    upper = Some(cell);
                }
                _ => return Some(at - 1),
            }
        }
    }
}
