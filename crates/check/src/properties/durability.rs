use crate::properties::AtMostOnce;
use crate::{Applied, Violation};
use isegoria_types::NodeId;

/// S4: what was answered as done is applied at every replica in the end; nothing
/// acknowledged is lost. That reads see it is linearizability's to say.
#[derive(Clone, Debug, Default)]
pub struct Durability {
    request_count: u64,
}

impl Durability {
    /// Answered requests looked up at a replica.
    #[must_use]
    pub fn evaluation_count(&self) -> u64 {
        self.request_count
    }

    /// At the end of a run: a replica that has caught up.
    ///
    /// # Errors
    /// An answered request that it never applied.
    pub fn ended(
        &mut self,
        (node, replica): (NodeId, &Applied),
        answers: &AtMostOnce,
    ) -> Result<(), Violation> {
        self.request_count += answers.answered_count() as u64;
        match answers.answered().find(|request| !replica.contains(*request)) {
            None => Ok(()),
            Some(lost) => Err(Violation {
                check: "durability",
                invariant: "S4 nothing acknowledged is lost",
                place: None,
                what: format!("{lost} was answered as done and is not applied at {node}"),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::planted::{node, request, vertex};
    use bytes::Bytes;

    #[test]
    fn a_lost_write_is_found() {
        let (mut check, mut answers) = (Durability::default(), AtMostOnce::default());
        let (mut full, empty) = (Applied::default(), Applied::default());
        answers.applied((node(0), &mut full), (vertex(0, 1), request(1)), &Bytes::new()).unwrap();
        answers.answered_with(request(1), &Bytes::new()).unwrap();
        check.ended((node(0), &full), &answers).unwrap();
        check.ended((node(1), &empty), &answers).unwrap_err();
        assert_eq!(check.evaluation_count(), 2);
    }
}
