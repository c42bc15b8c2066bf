use crate::Violation;
use isegoria_types::{NodeId, Prefix, Vertex};
use std::collections::BTreeMap;

/// S3: replicas that have executed the same vertices or slots have the same state.
#[derive(Clone, Debug, Default)]
pub struct Digest {
    digests: BTreeMap<Executed, (NodeId, u64)>,
    comparison_count: u64,
}

/// An executed set: prefix and extras.
type Executed = (Vec<(NodeId, u64)>, Vec<Vertex>);

impl Digest {
    /// Digests that could be compared with another replica's.
    #[must_use]
    pub fn evaluation_count(&self) -> u64 {
        self.comparison_count
    }

    /// A replica that has executed this much has this digest.
    ///
    /// # Errors
    /// If another has executed as much and has another digest.
    pub fn seen(
        &mut self,
        node: NodeId,
        (executed, extras): (&Prefix, Vec<Vertex>),
        digest: u64,
    ) -> Result<(), Violation> {
        let key = (executed.iter().collect(), extras);
        let (first, expected) = *self.digests.entry(key).or_insert((node, digest));
        if first == node && expected == digest {
            return Ok(());
        }
        self.comparison_count += 1;
        if expected == digest {
            return Ok(());
        }
        Err(Violation {
            check: "digest",
            invariant: "S3 equal states at equal executed sets",
            place: None,
            what: format!(
                "having executed {executed:?}, {first} has the digest {expected:016x} and {node} {digest:016x}"
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::planted::{node, vertex};

    #[test]
    fn states_that_differ_are_found() {
        let mut check = Digest::default();
        let (early, late) = (Prefix::new(&[3]), Prefix::new(&[4]));
        check.seen(node(0), (&early, vec![]), 1).unwrap();
        check.seen(node(1), (&late, vec![]), 2).unwrap();
        check.seen(node(1), (&early, vec![vertex(0, 4)]), 3).unwrap();
        assert_eq!(check.evaluation_count(), 0);
        check.seen(node(1), (&early, vec![]), 1).unwrap();
        check.seen(node(1), (&early, vec![]), 2).unwrap_err();
    }
}
