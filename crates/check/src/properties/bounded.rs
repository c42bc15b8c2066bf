use crate::Violation;
use isegoria_types::NodeId;

/// L3: what is held stays under its cap: nothing that everybody has executed is kept.
#[derive(Clone, Debug, Default)]
pub struct Bounded {
    count_count: u64,
}

impl Bounded {
    /// Counts compared with their caps.
    #[must_use]
    pub fn evaluation_count(&self) -> u64 {
        self.count_count
    }

    /// `node` holds `count` of something that may number `cap`.
    ///
    /// # Errors
    /// If it holds more.
    pub fn held(&mut self, node: NodeId, what: &str, (count, cap): (usize, usize)) -> Result<(), Violation> {
        self.count_count += 1;
        if count <= cap {
            return Ok(());
        }
        Err(Violation {
            check: "bounded",
            invariant: "L3 what is held is bounded",
            place: None,
            what: format!("{node} holds {count} {what}, and may hold {cap}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::planted::node;

    #[test]
    fn too_much_is_found() {
        let mut check = Bounded::default();
        check.held(node(0), "values", (10, 10)).unwrap();
        check.held(node(0), "values", (11, 10)).unwrap_err();
        assert_eq!(check.evaluation_count(), 2);
    }
}
