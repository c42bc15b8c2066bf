/// Finds, among the scopes of commands on their way, those that conflict with one: an
/// interval tree, a grid, whatever suits the scopes.
///
/// It only finds and forgets. Which command holds which scope, what each has to wait for,
/// and when a scope may be forgotten is the business of whoever holds the index.
pub trait ConflictIndex<S>: Send + Sync {
    /// Adds `scope` as `id`, which is not in the index. It may have been, with another scope.
    fn insert(&mut self, id: u32, scope: &S);

    /// Takes out what was added as `id` with this `scope`.
    fn forget(&mut self, id: u32, scope: &S);

    /// Calls `found` with the id of every scope in the index that conflicts with `scope`, in
    /// any order. One too many costs time; one too few lets replicas differ. Whether two scopes
    /// conflict is what an index finds that holds the one and is asked for the other.
    fn for_each_conflict(&self, scope: &S, found: &mut dyn FnMut(u32));
}

/// The index for a relation of which nothing is known but how to compare two scopes: it
/// compares with all of them.
#[derive(Clone, Debug)]
pub struct PairwiseIndex<S> {
    conflict: fn(&S, &S) -> bool,
    scopes: Vec<(u32, S)>,
    /// Where each id stands in `scopes`, if it does.
    places: Vec<Option<usize>>,
}

impl<S> PairwiseIndex<S> {
    /// An empty index of a symmetric relation.
    #[must_use]
    pub fn new(conflict: fn(&S, &S) -> bool) -> PairwiseIndex<S> {
        PairwiseIndex { conflict, scopes: Vec::new(), places: Vec::new() }
    }
}

impl<S: Clone + Send + Sync> ConflictIndex<S> for PairwiseIndex<S> {
    fn insert(&mut self, id: u32, scope: &S) {
        let at = id as usize;
        if self.places.len() <= at {
            self.places.resize(at + 1, None);
        }
        self.places[at] = Some(self.scopes.len());
        self.scopes.push((id, scope.clone()));
    }

    fn forget(&mut self, id: u32, _: &S) {
        let Some(place) = self.places.get_mut(id as usize).and_then(Option::take) else { return };
        self.scopes.swap_remove(place);
        if let Some((moved, _)) = self.scopes.get(place) {
            self.places[*moved as usize] = Some(place);
        }
    }

    fn for_each_conflict(&self, scope: &S, found: &mut dyn FnMut(u32)) {
        let conflicting = self.scopes.iter().filter(|(_, other)| (self.conflict)(scope, other));
        conflicting.for_each(|(id, _)| found(*id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(index: &PairwiseIndex<i32>, scope: i32) -> Vec<u32> {
        let mut ids = Vec::new();
        index.for_each_conflict(&scope, &mut |id| ids.push(id));
        ids.sort_unstable();
        ids
    }

    #[test]
    fn what_is_forgotten_is_not_found() {
        let mut index = PairwiseIndex::new(|a: &i32, b: &i32| (a - b).abs() < 2);
        for (id, scope) in [(0, 10), (1, 11), (2, 20), (3, 12)] {
            index.insert(id, &scope);
        }
        assert_eq!(found(&index, 11), [0, 1, 3]);
        index.forget(0, &10);
        index.forget(0, &10);
        assert_eq!(found(&index, 11), [1, 3]);
        index.insert(0, &21);
        assert_eq!((found(&index, 20), found(&index, 12)), (vec![0, 2], vec![1, 3]));
    }
}
