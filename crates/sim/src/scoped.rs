//! The store's own conflict relation said another way: each access of a key is a scope.
//!
//! A run with it must look to every check as one with keys does, so that whatever protocols,
//! logs and checkpoints do with scopes is tried, and held against what is known of keys.

use isegoria_machine::{Relation, Undecodable};
use isegoria_types::{Access, Conflicts, Footprint, KeyHash};
use std::sync::Arc;

/// A relation whose footprints have scopes where the one within has keys.
pub(crate) struct Scoped(pub(crate) Arc<dyn Relation>);

type Scope = (KeyHash, Access);

fn conflict(one: &Scope, other: &Scope) -> bool {
    one.0 == other.0 && !one.1.commutes(other.1)
}

impl Relation for Scoped {
    fn footprint(&self, payload: &[u8]) -> Result<Footprint, Undecodable> {
        let keys = self.0.footprint(payload)?;
        if keys.is_everything() {
            return Ok(keys);
        }
        let mut footprint = Footprint::default();
        keys.accesses().iter().for_each(|access| footprint.scope(access));
        Ok(footprint)
    }

    fn conflicts(&self) -> Conflicts {
        Conflicts::pairwise(conflict)
    }

    fn version(&self) -> u64 {
        self.0.version()
    }
}
