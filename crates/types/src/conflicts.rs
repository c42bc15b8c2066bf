use crate::{ConflictIndex, Footprint, PairwiseIndex};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

/// Which scopes of footprints conflict: the part of a conflict relation that keys and
/// classes cannot say. A handle; clones are the same relation.
///
/// Equal on every node: it is part of what the state machine's relation version stands for.
#[derive(Clone)]
pub struct Conflicts(Arc<dyn ScopeRelation>);

/// [`Conflicts`] over encoded scopes.
trait ScopeRelation: Send + Sync {
    fn knows(&self, scope: &[u8]) -> bool;
    fn conflict(&self, one: &[u8], other: &[u8]) -> bool;
    fn index(&self) -> Box<dyn ScopeIndex>;
}

/// A [`ConflictIndex`] over encoded scopes. What does not decode is never in it.
pub trait ScopeIndex: Send + Sync {
    /// See [`ConflictIndex::insert`].
    fn insert(&mut self, id: u32, scope: &[u8]);

    /// See [`ConflictIndex::forget`].
    fn forget(&mut self, id: u32, scope: &[u8]);

    /// See [`ConflictIndex::for_each_conflict`].
    fn for_each_conflict(&self, scope: &[u8], found: &mut dyn FnMut(u32));
}

impl Default for Conflicts {
    /// Every scope conflicts with every other: right whatever they mean, and slow.
    fn default() -> Conflicts {
        Conflicts(Arc::new(Every))
    }
}

impl fmt::Debug for Conflicts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Conflicts")
    }
}

impl Conflicts {
    /// Scopes conflict if `conflict` says so, which must be symmetric. Each look-up compares
    /// with every scope held.
    #[must_use]
    pub fn pairwise<S>(conflict: fn(&S, &S) -> bool) -> Conflicts
    where
        S: DeserializeOwned + Clone + Send + Sync + 'static,
    {
        Conflicts(Arc::new(Typed { make: move || PairwiseIndex::new(conflict), scope: PhantomData }))
    }

    /// Scopes conflict if an index made by `make` finds one when it looks for the other.
    #[must_use]
    pub fn index<S, I>(make: fn() -> I) -> Conflicts
    where
        S: DeserializeOwned + Send + Sync + 'static,
        I: ConflictIndex<S> + 'static,
    {
        Conflicts(Arc::new(Typed { make, scope: PhantomData }))
    }

    /// Whether the bytes are a scope of this relation.
    #[must_use]
    pub fn knows(&self, scope: &[u8]) -> bool {
        self.0.knows(scope)
    }

    /// An empty index.
    #[must_use]
    pub fn new_index(&self) -> Box<dyn ScopeIndex> {
        self.0.index()
    }

    /// Whether two scopes conflict.
    #[must_use]
    pub fn scopes_conflict(&self, one: &[u8], other: &[u8]) -> bool {
        self.0.conflict(one, other)
    }

    /// Whether a command with this footprint conflicts with every other: it says so, or has a
    /// scope that nobody understands.
    #[must_use]
    pub fn is_everything(&self, footprint: &Footprint) -> bool {
        footprint.is_everything() || !footprint.scopes().iter().all(|scope| self.knows(scope))
    }

    /// Whether two commands with these footprints conflict: the definition, by comparing all
    /// pairs. Indexes are tested against it.
    #[must_use]
    pub fn conflict(&self, one: &Footprint, other: &Footprint) -> bool {
        self.is_everything(one)
            || self.is_everything(other)
            || Footprint::keys_conflict(one, other)
            || self.any_conflict(one.scopes(), other.scopes())
    }

    /// Whether a scope of one list conflicts with one of the other: what an index finds among
    /// many counts only if it finds it alone, too.
    fn any_conflict(&self, one: &[Bytes], other: &[Bytes]) -> bool {
        if let ([one], [other]) = (one, other) {
            return self.scopes_conflict(one, other);
        }
        if other.is_empty() {
            return false;
        }
        let mut index = self.new_index();
        (0..).zip(one).for_each(|(id, scope)| index.insert(id, scope));
        other.iter().any(|scope| {
            let mut found = Vec::new();
            index.for_each_conflict(scope, &mut |id| found.push(id as usize));
            found.iter().filter_map(|id| one.get(*id)).any(|held| self.scopes_conflict(held, scope))
        })
    }
}

/// All scopes conflict.
struct Every;

impl ScopeRelation for Every {
    fn knows(&self, _: &[u8]) -> bool {
        true
    }

    fn conflict(&self, _: &[u8], _: &[u8]) -> bool {
        true
    }

    fn index(&self) -> Box<dyn ScopeIndex> {
        Box::new(Erased::<(), _> { index: PairwiseIndex::new(|(), ()| true), decode: |_| Some(()) })
    }
}

/// A relation over scopes of type `S`, given by how its index is made.
struct Typed<S, F> {
    make: F,
    scope: PhantomData<fn() -> S>,
}

impl<S, I, F> ScopeRelation for Typed<S, F>
where
    S: DeserializeOwned + Send + Sync + 'static,
    I: ConflictIndex<S> + 'static,
    F: Fn() -> I + Send + Sync,
{
    fn knows(&self, scope: &[u8]) -> bool {
        decode::<S>(scope).is_some()
    }

    fn conflict(&self, one: &[u8], other: &[u8]) -> bool {
        let (Some(one), Some(other)) = (decode::<S>(one), decode::<S>(other)) else { return true };
        let (mut index, mut found) = ((self.make)(), false);
        index.insert(0, &one);
        index.for_each_conflict(&other, &mut |_| found = true);
        found
    }

    fn index(&self) -> Box<dyn ScopeIndex> {
        Box::new(Erased { index: (self.make)(), decode: decode::<S> })
    }
}

fn decode<S: DeserializeOwned>(scope: &[u8]) -> Option<S> {
    match postcard::take_from_bytes(scope) {
        Ok((scope, [])) => Some(scope),
        _ => None,
    }
}

/// A typed index seen through bytes.
struct Erased<S, I> {
    index: I,
    decode: fn(&[u8]) -> Option<S>,
}

impl<S: Send + Sync, I: ConflictIndex<S>> ScopeIndex for Erased<S, I> {
    fn insert(&mut self, id: u32, scope: &[u8]) {
        if let Some(scope) = (self.decode)(scope) {
            self.index.insert(id, &scope);
        }
    }

    fn forget(&mut self, id: u32, scope: &[u8]) {
        if let Some(scope) = (self.decode)(scope) {
            self.index.forget(id, &scope);
        }
    }

    fn for_each_conflict(&self, scope: &[u8], found: &mut dyn FnMut(u32)) {
        if let Some(scope) = (self.decode)(scope) {
            self.index.for_each_conflict(&scope, found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Serialize;

    #[derive(Clone, Serialize, serde::Deserialize)]
    struct Range(u32, u32);

    fn overlap(a: &Range, b: &Range) -> bool {
        a.0 < b.1 && b.0 < a.1
    }

    fn of(range: Range) -> Footprint {
        let mut footprint = Footprint::default();
        footprint.scope(&range);
        footprint
    }

    #[test]
    fn scopes_conflict_as_the_relation_says() {
        let conflicts = Conflicts::pairwise(overlap);
        assert!(conflicts.conflict(&of(Range(0, 5)), &of(Range(4, 9))));
        assert!(!conflicts.conflict(&of(Range(0, 4)), &of(Range(4, 9))));
        assert!(Conflicts::default().conflict(&of(Range(0, 4)), &of(Range(4, 9))), "nobody said otherwise");
        let mut both = of(Range(0, 4));
        both.write(b"key");
        let mut key = Footprint::default();
        key.read(b"key");
        assert!(conflicts.conflict(&both, &key) && !conflicts.conflict(&both, &of(Range(7, 9))));
    }

    /// Finds everything as soon as it holds two scopes.
    #[derive(Default)]
    struct Coarse(Vec<(u32, Range)>);

    impl ConflictIndex<Range> for Coarse {
        fn insert(&mut self, id: u32, scope: &Range) {
            self.0.push((id, scope.clone()));
        }
        fn forget(&mut self, id: u32, _: &Range) {
            self.0.retain(|held| held.0 != id);
        }
        fn for_each_conflict(&self, scope: &Range, found: &mut dyn FnMut(u32)) {
            let is_found = |held: &&(u32, Range)| self.0.len() > 1 || overlap(&held.1, scope);
            self.0.iter().filter(is_found).for_each(|held| found(held.0));
        }
    }

    #[test]
    fn what_an_index_finds_too_much_is_no_conflict() {
        let conflicts = Conflicts::index(Coarse::default);
        let mut two = of(Range(0, 4));
        two.scope(&Range(8, 9));
        assert!(!conflicts.conflict(&two, &of(Range(4, 8))) && !conflicts.conflict(&of(Range(4, 8)), &two));
        assert!(conflicts.conflict(&two, &of(Range(3, 8))) && conflicts.conflict(&of(Range(3, 8)), &two));
    }

    #[test]
    fn bytes_that_are_no_scope_conflict_with_everything() {
        let conflicts = Conflicts::pairwise(overlap);
        let mut strange = Footprint::default();
        strange.scope(&(1u8, 2u8, 3u8));
        assert!(conflicts.conflict(&strange, &Footprint::default()));
        assert!(!conflicts.conflict(&of(Range(0, 4)), &Footprint::default()));
    }
}
