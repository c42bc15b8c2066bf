use crate::sweep::Sweep;
use bytes::Bytes;
use isegoria_types::{Conflicts, Prefix, ScopeIndex, Vertex};
use std::collections::BTreeMap;

/// The scopes of the vertices recorded: per scope, the largest vertex number per leader,
/// as the keyed index holds it per key. Which scopes conflict is found by an index of the
/// relation's own.
///
/// Invariant: a scope has an id exactly while it stands in `slots`, and the same in the index.
pub(crate) struct Scopes {
    conflicts: Conflicts,
    ids: BTreeMap<Bytes, u32>,
    slots: Vec<Option<Slot>>,
    free: Vec<u32>,
    index: Box<dyn ScopeIndex>,
    sweep: Sweep,
}

#[derive(Clone)]
struct Slot {
    scope: Bytes,
    marks: Prefix,
}

impl Scopes {
    pub(crate) fn new(conflicts: Conflicts) -> Scopes {
        let index = conflicts.new_index();
        Scopes {
            conflicts,
            ids: BTreeMap::new(),
            slots: Vec::new(),
            free: Vec::new(),
            index,
            sweep: Sweep::Idle,
        }
    }

    pub(crate) fn conflicts(&self) -> &Conflicts {
        &self.conflicts
    }

    /// The number of scopes held.
    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    /// Adds to `deps` the marks of every scope that conflicts with `scope`. What the index finds
    /// is compared once more: a recovery of EPaxos* takes each edge for a conflict.
    pub(crate) fn gather(&self, scope: &[u8], deps: &mut Prefix) {
        if self.ids.is_empty() {
            return;
        }
        self.index.for_each_conflict(scope, &mut |id| {
            let Some(Some(slot)) = self.slots.get(id as usize) else { return };
            if !deps.covers(&slot.marks) && self.conflicts.scopes_conflict(&slot.scope, scope) {
                deps.union(&slot.marks);
            }
        });
    }

    pub(crate) fn cover(&mut self, scope: &Bytes, vertex: Vertex) {
        self.slot(scope).marks.cover(vertex);
    }

    pub(crate) fn union(&mut self, scope: &Bytes, marks: &Prefix) {
        self.slot(scope).marks.union(marks);
    }

    /// The slot of a scope, which is added if need be.
    fn slot(&mut self, scope: &Bytes) -> &mut Slot {
        let id = match self.ids.get(scope) {
            Some(id) => *id,
            None => self.add(Bytes::copy_from_slice(scope)),
        };
        self.slots[id as usize].as_mut().expect("a scope with an id has a slot")
    }

    fn add(&mut self, scope: Bytes) -> u32 {
        let id = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            u32::try_from(self.slots.len() - 1).expect("fewer than four thousand million scopes")
        });
        self.index.insert(id, &scope);
        self.slots[id as usize] = Some(Slot { scope: scope.clone(), marks: Prefix::default() });
        self.ids.insert(scope, id);
        id
    }

    /// All scopes with their marks, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Bytes, &Prefix)> {
        self.ids.iter().filter_map(|(scope, id)| Some((scope, &self.slots[*id as usize].as_ref()?.marks)))
    }

    /// The dropped floor rose.
    pub(crate) fn restart(&mut self) {
        if !self.ids.is_empty() {
            self.sweep.restart();
        }
    }

    pub(crate) fn is_swept(&self) -> bool {
        self.sweep == Sweep::Idle
    }

    /// Examines up to `budget` slots; returns how many scopes it dropped that `dropped` covers.
    pub(crate) fn advance(&mut self, budget: usize, dropped: &Prefix) -> usize {
        let mut dropped_count = 0;
        for _ in 0..budget {
            let Some(at) = self.sweep.next(self.slots.len()) else { break };
            if self.slots[at].as_ref().is_some_and(|slot| dropped.covers(&slot.marks)) {
                self.remove(at);
                dropped_count += 1;
            }
        }
        dropped_count
    }

    fn remove(&mut self, at: usize) {
        let Some(Slot { scope, .. }) = self.slots[at].take() else { return };
        let id = self.ids.remove(&scope).expect("a slot's scope has an id");
        self.index.forget(id, &scope);
        self.free.push(id);
    }
}

/// The index is made anew: it need not be cloneable.
impl Clone for Scopes {
    fn clone(&self) -> Scopes {
        let mut index = self.conflicts.new_index();
        self.ids.iter().for_each(|(scope, id)| index.insert(*id, scope));
        Scopes {
            conflicts: self.conflicts.clone(),
            ids: self.ids.clone(),
            slots: self.slots.clone(),
            free: self.free.clone(),
            index,
            sweep: self.sweep,
        }
    }
}
