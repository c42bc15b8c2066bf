//! The cells of committed and awaited vertices, joined into components, which form
//! trees of waiting.
//!
//! Every component that waits hangs under exactly one vertex of another, so that
//! waiting components form a forest whose roots wait for nothing: unchosen vertices,
//! and components about to be looked at. A component is known by its *root cell*,
//! the representative in a union-find; the fields of a cell that speak of a component
//! mean something in the root cell only. Cells are flat words and indices, not an
//! enum of boxes: they are the working set of the executor.

use isegoria_types::{DepSet, Vertex};

const NONE: u32 = u32::MAX;
/// A forest without live cells gives back its memory above this many.
const SPARE_CELL_COUNT_MAX: usize = 1 << 12;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Not in use.
    Free,
    /// Not chosen as far as we know; somebody waits for it.
    Unchosen,
    /// Committed, not executed.
    Waiting,
}

#[derive(Clone, Debug)]
struct Cell {
    vertex: Vertex,
    state: State,
    /// Counts the cell's lives, to tell a shortcut to an earlier one.
    stamp: u32,
    /// Union-find: towards the component's root cell, which points at itself.
    parent: u32,
    /// The component's next member, in a ring.
    next_member: u32,
    /// How many vertices of its leader, from this one downwards, are known to be
    /// executed or in the same component.
    run: u32,
    /// Component: what its members depend on.
    deps: DepSet,
    /// Component: of leaders below this index, all dependencies are executed or members.
    column: u8,
    /// Component: number of members.
    size: u32,
    /// Component: the cell it waits for.
    waits_on: u32,
    /// Component: a further ancestor in its tree, valid while the stamps agree.
    shortcut: (u32, u32),
    /// Component: the list of components that wait for a member. Members that were
    /// contracted while in the list stay in it.
    first_waiter: u32,
    last_waiter: u32,
    next_waiter: u32,
    /// Component: number of live entries in that list.
    waiter_count: u32,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Forest {
    cells: Vec<Cell>,
    free: Vec<u32>,
}

impl Forest {
    fn at(&self, cell: u32) -> &Cell {
        &self.cells[cell as usize]
    }

    fn at_mut(&mut self, cell: u32) -> &mut Cell {
        &mut self.cells[cell as usize]
    }

    /// A cell for an unchosen vertex.
    pub(super) fn add(&mut self, vertex: Vertex) -> u32 {
        let index = self.free.pop();
        let (index, stamp) = match index {
            Some(index) => (index, self.at(index).stamp),
            None => (u32::try_from(self.cells.len()).expect("fewer than 2^32 cells"), 0),
        };
        let cell = Cell {
            vertex,
            state: State::Unchosen,
            stamp,
            parent: index,
            next_member: index,
            run: 1,
            deps: DepSet::default(),
            column: 0,
            size: 1,
            waits_on: NONE,
            shortcut: (NONE, 0),
            first_waiter: NONE,
            last_waiter: NONE,
            next_waiter: NONE,
            waiter_count: 0,
        };
        match self.cells.get_mut(index as usize) {
            Some(place) => *place = cell,
            None => self.cells.push(cell),
        }
        index
    }

    /// Turns the unchosen vertex of `cell` into a committed one.
    pub(super) fn commit(&mut self, cell: u32, vertex: Vertex, deps: DepSet) {
        let cell = self.at_mut(cell);
        assert!(cell.state == State::Unchosen, "{vertex} is committed twice");
        (cell.vertex, cell.deps, cell.state) = (vertex, deps, State::Waiting);
    }

    /// Whether the vertex of `cell` is committed.
    pub(super) fn is_waiting(&self, cell: u32) -> bool {
        self.at(cell).state == State::Waiting
    }

    /// The root cell of the component of `cell`.
    pub(super) fn find(&mut self, cell: u32) -> u32 {
        let mut cell = cell;
        loop {
            let parent = self.at(cell).parent;
            if parent == cell {
                return cell;
            }
            let grandparent = self.at(parent).parent;
            self.at_mut(cell).parent = grandparent;
            cell = grandparent;
        }
    }

    /// The same, changing nothing.
    pub(super) fn root(&self, cell: u32) -> u32 {
        let mut cell = cell;
        while self.at(cell).parent != cell {
            cell = self.at(cell).parent;
        }
        cell
    }

    /// The unchosen vertex that the component of `cell` waits for in the end, if that is not too far away.
    pub(super) fn blocker(&self, cell: u32) -> Option<Vertex> {
        const HOPS_MAX: usize = 64;
        let mut root = self.root(cell);
        for _ in 0..HOPS_MAX {
            let top = self.at(root);
            if top.waits_on == NONE {
                return (top.state == State::Unchosen).then_some(top.vertex);
            }
            root = self.root(top.waits_on);
        }
        None
    }

    /// What the component of `root` depends on, and the leader to look at first.
    pub(super) fn deps(&self, root: u32) -> (&DepSet, usize) {
        (&self.at(root).deps, usize::from(self.at(root).column))
    }

    /// Notes that of leaders below `column` nothing is left to wait for.
    pub(super) fn set_column(&mut self, root: u32, column: usize) {
        self.at_mut(root).column = u8::try_from(column).expect("leaders are below 64");
    }

    /// How many vertices from that of `cell` downwards need no look.
    pub(super) fn run(&self, cell: u32) -> u64 {
        u64::from(self.at(cell).run)
    }

    /// Notes that all from the vertex of `cell` down to `lowest` need no look.
    pub(super) fn set_run(&mut self, cell: u32, lowest: u64) {
        let cell = self.at_mut(cell);
        cell.run = u32::try_from(cell.vertex.number + 1 - lowest).unwrap_or(u32::MAX);
    }

    /// Hangs the component of `root` under the vertex of `cell`.
    pub(super) fn park(&mut self, root: u32, cell: u32) {
        let above = self.find(cell);
        let last = self.at(above).last_waiter;
        if last == NONE {
            self.at_mut(above).first_waiter = root;
        } else {
            self.at_mut(last).next_waiter = root;
        }
        let parent = self.at_mut(above);
        parent.last_waiter = root;
        parent.waiter_count += 1;
        let child = self.at_mut(root);
        (child.waits_on, child.shortcut, child.next_waiter) = (cell, (NONE, 0), NONE);
    }

    /// Whether the component of `cell` waits, in the end, for that of `root`, which
    /// itself waits for nothing.
    pub(super) fn hangs_under(&mut self, cell: u32, root: u32) -> bool {
        if self.at(root).waiter_count == 0 {
            return false;
        }
        let mut at = self.find(cell);
        while self.at(at).waits_on != NONE {
            let parent = self.above(at);
            if self.at(parent).waits_on == NONE {
                return parent == root;
            }
            let grandparent = self.above(parent);
            self.at_mut(at).shortcut = (grandparent, self.at(grandparent).stamp);
            at = grandparent;
        }
        at == root
    }

    /// An ancestor of a component that waits. A shortcut can only go stale by its
    /// target being executed: it was the root of the tree then, with nothing above.
    fn above(&mut self, root: u32) -> u32 {
        let Cell { shortcut: (target, stamp), waits_on, .. } = *self.at(root);
        let is_valid = target != NONE && self.at(target).stamp == stamp;
        self.find(if is_valid { target } else { waits_on })
    }

    /// Joins all components on the way from `cell` up to `root` into that of `root`:
    /// they form a cycle, since `root` depends on `cell`.
    pub(super) fn contract(&mut self, cell: u32, root: u32) {
        let mut at = self.find(cell);
        while at != root {
            let above = self.find(self.at(at).waits_on);
            self.absorb(root, at);
            at = above;
        }
    }

    fn absorb(&mut self, root: u32, other: u32) {
        let part = self.at_mut(other);
        part.parent = root;
        part.waits_on = NONE;
        let deps = std::mem::take(&mut part.deps);
        let Cell { size, first_waiter, last_waiter, waiter_count, next_member, .. } = *part;
        let whole = self.at_mut(root);
        whole.deps.union(&deps);
        whole.column = 0;
        whole.size += size;
        // `other` itself waited for a member.
        whole.waiter_count = whole.waiter_count + waiter_count - 1;
        let after = std::mem::replace(&mut whole.next_member, next_member);
        let last = whole.last_waiter;
        if last_waiter != NONE {
            whole.last_waiter = last_waiter;
        }
        self.at_mut(other).next_member = after;
        if last == NONE {
            self.at_mut(root).first_waiter = first_waiter;
        } else {
            self.at_mut(last).next_waiter = first_waiter;
        }
    }

    /// Takes the component of `root` out: appends its members to `members` and the
    /// components that waited for it, which wait for nothing now, to `woken`.
    pub(super) fn remove(&mut self, root: u32, members: &mut Vec<Vertex>, woken: &mut Vec<u32>) {
        let mut waiter = self.at(root).first_waiter;
        while waiter != NONE {
            let cell = self.at_mut(waiter);
            if cell.parent == waiter {
                cell.waits_on = NONE;
                woken.push(waiter);
            }
            waiter = cell.next_waiter;
        }
        let whole = self.at_mut(root);
        whole.deps = DepSet::default();
        members.reserve(whole.size as usize);
        let mut member = root;
        loop {
            let cell = self.at_mut(member);
            assert!(cell.state == State::Waiting, "{} is executed but not committed", cell.vertex);
            members.push(cell.vertex);
            cell.state = State::Free;
            cell.stamp = cell.stamp.wrapping_add(1);
            let next = cell.next_member;
            self.free.push(member);
            member = next;
            if member == root {
                break;
            }
        }
    }

    /// Gives memory back after a backlog.
    pub(super) fn trim(&mut self) {
        if self.free.len() == self.cells.len() && self.cells.len() > SPARE_CELL_COUNT_MAX {
            *self = Forest::default();
        }
    }
}
