use crate::{NodeId, Prefix, Vertex};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A dependency set: the vertices that must be committed before, and are executed
/// no later than, the vertex that carries it.
///
/// Prefix semantics throughout (protocols.md 2.2): naming a vertex names all earlier
/// ones of its leader; trusting transitivity instead is unsound (trace B14). The
/// carrier itself, where the prefix covers it, is ignored by every reader.
#[derive(Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DepSet(Prefix);

impl DepSet {
    /// The set that holds exactly the members of `prefix`.
    #[must_use]
    pub fn from_prefix(prefix: Prefix) -> DepSet {
        DepSet(prefix)
    }

    /// The members as a prefix.
    #[must_use]
    pub fn as_prefix(&self) -> &Prefix {
        &self.0
    }

    /// Adds `vertex` and all before it of its leader.
    pub fn insert(&mut self, vertex: Vertex) {
        self.0.cover(vertex);
    }

    /// Adds all members of `other`.
    pub fn union(&mut self, other: &DepSet) {
        self.0.union(&other.0);
    }

    /// Whether `vertex` is a member.
    #[must_use]
    pub fn contains(&self, vertex: Vertex) -> bool {
        self.0.contains(vertex)
    }

    /// The number below which all vertices of `leader` are members.
    #[must_use]
    pub fn below(&self, leader: NodeId) -> u64 {
        self.0.below(leader)
    }

    /// Whether there is no member.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for DepSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    const LEADERS: usize = 4;
    const NUMBERS: u64 = 6;

    fn expand(deps: &DepSet) -> BTreeSet<(usize, u64)> {
        let all = (0..LEADERS).flat_map(|leader| (0..NUMBERS).map(move |number| (leader, number)));
        all.filter(|(leader, number)| deps.contains(Vertex::new(NodeId::new(*leader), *number))).collect()
    }

    fn arbitrary() -> impl Strategy<Value = DepSet> {
        prop::collection::vec(0..=NUMBERS, 0..=LEADERS)
            .prop_map(|below| DepSet::from_prefix(Prefix::new(&below)))
    }

    proptest! {
        /// Fast against dumb: the vector against a set of vertices.
        #[test]
        fn union_and_equality_mean_what_sets_mean(a in arbitrary(), b in arbitrary()) {
            let mut both = a.clone();
            both.union(&b);
            prop_assert_eq!(expand(&both), &expand(&a) | &expand(&b));
            prop_assert_eq!(a == b, expand(&a) == expand(&b));
            prop_assert_eq!(both.as_prefix().covers(a.as_prefix()), true);
            let mut shared = a.as_prefix().clone();
            shared.intersect(b.as_prefix());
            prop_assert_eq!(expand(&DepSet::from_prefix(shared)), &expand(&a) & &expand(&b));
        }

        #[test]
        fn encoding_is_canonical(a in arbitrary(), b in arbitrary()) {
            let bytes = |d: &DepSet| postcard::to_stdvec(d).unwrap();
            prop_assert_eq!(a == b, bytes(&a) == bytes(&b));
            prop_assert_eq!(postcard::from_bytes::<DepSet>(&bytes(&a)).unwrap(), a);
        }
    }

    #[test]
    fn a_denormal_encoding_is_refused() {
        assert!(postcard::from_bytes::<DepSet>(&[2, 1, 0]).is_err());
    }
}
