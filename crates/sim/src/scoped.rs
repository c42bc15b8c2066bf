//! The store's own conflict relation said another way: accesses of keys are scopes.
//!
//! A run with it must look to every check as one with keys does, so that whatever protocols,
//! logs and checkpoints do with scopes is tried, and held against what is known of keys.

use isegoria_machine::{Relation, Undecodable};
use isegoria_types::{Access, ConflictIndex, Conflicts, Footprint, KeyHash};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How scopes are said to conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// All are scopes, compared in pairs.
    Pairs,
    /// All are scopes, found by an index.
    Index,
    /// Some keys are scopes, and others stay keys.
    Mixed,
}

impl Kind {
    pub(crate) const ALL: [Kind; 3] = [Kind::Pairs, Kind::Index, Kind::Mixed];

    pub(crate) fn situation(self) -> &'static str {
        match self {
            Kind::Pairs => "scopes compared in pairs",
            Kind::Index => "scopes found by an index",
            Kind::Mixed => "scopes beside keys",
        }
    }
}

/// A relation whose footprints have scopes where the one within has keys.
pub(crate) struct Scoped {
    pub(crate) kind: Kind,
    pub(crate) keys: Arc<dyn Relation>,
}

type Scope = (KeyHash, Access);

fn conflict(one: &Scope, other: &Scope) -> bool {
    one.0 == other.0 && !one.1.commutes(other.1)
}

/// Scopes by key.
#[derive(Default)]
struct ByKey(BTreeMap<KeyHash, Vec<(u32, Access)>>);

impl ConflictIndex<Scope> for ByKey {
    fn insert(&mut self, id: u32, (key, access): &Scope) {
        self.0.entry(*key).or_default().push((id, *access));
    }

    fn forget(&mut self, id: u32, (key, _): &Scope) {
        let of_key = self.0.get_mut(key).expect("what is forgotten was held");
        of_key.retain(|held| held.0 != id);
        if of_key.is_empty() {
            self.0.remove(key);
        }
    }

    fn for_each_conflict(&self, (key, access): &Scope, found: &mut dyn FnMut(u32)) {
        let of_key = self.0.get(key).into_iter().flatten();
        of_key.filter(|(_, held)| !access.commutes(*held)).for_each(|(id, _)| found(*id));
    }
}

impl Relation for Scoped {
    fn footprint(&self, payload: &[u8]) -> Result<Footprint, Undecodable> {
        let keys = self.keys.footprint(payload)?;
        if keys.is_everything() {
            return Ok(keys);
        }
        let stays_key = |(key, _): &&Scope| self.kind == Kind::Mixed && key.0 % 2 == 0;
        let mut footprint = Footprint::keys(keys.accesses().iter().filter(stays_key).copied());
        let scopes = keys.accesses().iter().filter(|access| !stays_key(access));
        scopes.for_each(|access| footprint.scope(access));
        Ok(footprint)
    }

    fn conflicts(&self) -> Conflicts {
        match self.kind {
            Kind::Index => Conflicts::index(ByKey::default),
            Kind::Pairs | Kind::Mixed => Conflicts::pairwise(conflict),
        }
    }

    fn version(&self) -> u64 {
        self.keys.version()
    }
}
