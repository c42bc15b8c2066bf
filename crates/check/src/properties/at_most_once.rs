use crate::{Applied, Violation};
use bytes::Bytes;
use isegoria_types::{NodeId, RequestId, Vertex};
use std::collections::BTreeMap;

/// S5: a request is applied at most once at a replica, gives the same output at every
/// replica, and every answer to it is that output.
#[derive(Clone, Debug, Default)]
pub struct AtMostOnce {
    outputs: BTreeMap<RequestId, Bytes>,
    answers: BTreeMap<RequestId, Bytes>,
    evaluation_count: u64,
}

impl AtMostOnce {
    /// Applications and answers looked at.
    #[must_use]
    pub fn evaluation_count(&self) -> u64 {
        self.evaluation_count
    }

    /// The requests that were answered as done.
    pub fn answered(&self) -> impl Iterator<Item = RequestId> {
        self.answers.keys().copied()
    }

    /// How many requests were answered as done.
    #[must_use]
    pub fn answered_count(&self) -> usize {
        self.answers.len()
    }

    /// A replica applied a request.
    ///
    /// # Errors
    /// If it did so before, or another replica has another output.
    pub fn applied(
        &mut self,
        (node, replica): (NodeId, &mut Applied),
        (place, request): (Vertex, RequestId),
        output: &Bytes,
    ) -> Result<(), Violation> {
        self.evaluation_count += 1;
        if let Some(before) = replica.requests.insert(request, place) {
            return violation(Some(place), format!("{node} applies {request:?} at {before} and at {place}"));
        }
        let first = self.outputs.entry(request).or_insert_with(|| output.clone());
        if first != output {
            let what = format!("{request:?} gives {first:?} at one replica and {output:?} at {node}");
            return violation(Some(place), what);
        }
        Ok(())
    }

    /// A client is told that its request is done.
    ///
    /// # Errors
    /// If the answer is not the output, or nobody has applied it.
    pub fn answered_with(&mut self, request: RequestId, answer: &Bytes) -> Result<(), Violation> {
        self.evaluation_count += 1;
        self.answers.insert(request, answer.clone());
        match self.outputs.get(&request) {
            Some(output) if output == answer => Ok(()),
            output => {
                violation(None, format!("{request:?} is answered {answer:?}; its output is {output:?}"))
            }
        }
    }
}

fn violation(place: Option<Vertex>, what: String) -> Result<(), Violation> {
    Err(Violation { check: "at most once", invariant: "S5 exactly once", place, what })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::planted::{node, request, vertex};

    #[test]
    fn twice_applied_is_found() {
        let (mut check, mut replica) = (AtMostOnce::default(), Applied::default());
        let done = Bytes::from_static(b"1");
        check.applied((node(0), &mut replica), (vertex(0, 1), request(1)), &done).unwrap();
        check.applied((node(0), &mut replica), (vertex(0, 2), request(1)), &done).unwrap_err();
    }

    #[test]
    fn outputs_and_answers_that_differ_are_found() {
        let mut check = AtMostOnce::default();
        let (one, two) = (Bytes::from_static(b"1"), Bytes::from_static(b"2"));
        check.answered_with(request(1), &one).unwrap_err();
        check.applied((node(0), &mut Applied::default()), (vertex(0, 1), request(1)), &one).unwrap();
        check.answered_with(request(1), &one).unwrap();
        check.answered_with(request(1), &two).unwrap_err();
        check.applied((node(1), &mut Applied::default()), (vertex(0, 1), request(1)), &two).unwrap_err();
        assert_eq!(check.evaluation_count(), 5);
    }
}
