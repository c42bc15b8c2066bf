use crate::{Applied, ChosenValues, Submissions, Violation};
use isegoria_types::{Access, KeyHash, NodeId, Order, RequestId, Vertex};
use std::collections::BTreeMap;

/// S3: every replica applies conflicting commands in the same order; in a log, nothing
/// of a lower origin is applied behind a `StartWorking` entry (trace B18).
///
/// The accesses of a key fall into **groups** of accesses that commute with each other,
/// and a request has the same group number at every replica. Equal group numbers mean
/// equal orders, up to commuting neighbours.
#[derive(Clone, Debug, Default)]
pub struct ExecutionOrder {
    groups: BTreeMap<(KeyHash, RequestId), u64>,
    access_count: u64,
}

impl ExecutionOrder {
    /// Accesses compared.
    #[must_use]
    pub fn evaluation_count(&self) -> u64 {
        self.access_count
    }

    /// A replica applied a request at a place.
    ///
    /// # Errors
    /// If another replica applied it before or after something that conflicts, where
    /// this one did not.
    pub fn applied(
        &mut self,
        (node, replica): (NodeId, &mut Applied),
        (place, request): (Vertex, RequestId),
        submitted: &Submissions,
    ) -> Result<(), Violation> {
        let Some(submission) = submitted.get(request) else { return Ok(()) };
        // Footprints are sorted: the accesses of one key stand together.
        for of_key in submission.keys.accesses().chunk_by(|(one, _), (other, _)| one == other) {
            self.access_count += 1;
            let (key, access) = match of_key {
                [(key, access)] => (*key, *access),
                several => (several[0].0, Access::Exclusive),
            };
            let group = match replica.keys.get(&key) {
                None => 0,
                Some((group, last)) if last.commutes(access) => *group,
                Some((group, _)) => group + 1,
            };
            replica.keys.insert(key, (group, access));
            let elsewhere = *self.groups.entry((key, request)).or_insert(group);
            if elsewhere != group {
                return violation(
                    place,
                    format!(
                        "{node} applies {request:?} on {key:?} behind {group} groups of accesses; elsewhere it stands behind {elsewhere}"
                    ),
                );
            }
        }
        Ok(())
    }

    /// As [`ExecutionOrder::applied`], for a log's ghosts.
    ///
    /// # Errors
    /// An entry of a lower origin than a `StartWorking` entry before it.
    pub fn passed(
        &mut self,
        (node, replica): (NodeId, &mut Applied),
        place: Vertex,
        chosen: &ChosenValues,
    ) -> Result<(), Violation> {
        let Some(Order::Slot { slot, origin, .. }) = chosen.get(place).map(|value| &value.order) else {
            return Ok(());
        };
        let from = replica.started.map_or(0, |(next, _)| next);
        let mut highest = replica.started.map(|(_, highest)| highest);
        for number in from..*slot {
            let value = chosen.get(Vertex::new(NodeId::new(0), number));
            if let Some(Order::Slot { origin, start_working: true, .. }) = value.map(|value| &value.order) {
                highest = highest.max(Some(*origin));
            }
        }
        replica.started = highest.map(|highest| (*slot, highest));
        match highest {
            Some(highest) if *origin < highest => violation(
                place,
                format!(
                    "{node} applies an entry of origin {origin} in slot {slot}, behind a StartWorking of {highest}"
                ),
            ),
            _ => Ok(()),
        }
    }
}

fn violation(place: Vertex, what: String) -> Result<(), Violation> {
    Err(Violation {
        check: "execution order",
        invariant: "S3 one order of what conflicts",
        place: Some(place),
        what,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::planted::{node, request, slot, vertex, write};
    use crate::{ChosenValue, Submission};
    use bytes::Bytes;
    use isegoria_types::{Ballot, Batch, Class, Footprint};

    fn submitted(footprints: &[Footprint]) -> Submissions {
        let mut submitted = Submissions::default();
        for (client, footprint) in (1..).zip(footprints) {
            let submission = Submission {
                payload: Bytes::new(),
                footprint: Footprint::default(),
                keys: footprint.clone(),
            };
            submitted.insert(request(client), submission);
        }
        submitted
    }

    /// Applies the requests of these clients in this order at a fresh replica.
    fn apply(check: &mut ExecutionOrder, submitted: &Submissions, clients: &[u64]) -> Result<(), Violation> {
        let mut replica = Applied::default();
        clients.iter().try_for_each(|client| {
            check.applied((node(0), &mut replica), (vertex(0, *client), request(*client)), submitted)
        })
    }

    #[test]
    fn swapped_writes_are_found() {
        let submitted = submitted(&[write(7), write(7), write(8)]);
        let mut check = ExecutionOrder::default();
        apply(&mut check, &submitted, &[1, 2, 3]).unwrap();
        apply(&mut check, &submitted, &[3, 1, 2]).unwrap();
        apply(&mut check.clone(), &submitted, &[2, 3, 1]).unwrap_err();
        apply(&mut check, &submitted, &[2]).unwrap_err();
    }

    #[test]
    fn a_read_that_slips_over_a_write_is_found() {
        let shared = |class| Footprint::keys([(KeyHash(7), Access::Shared(class))]);
        let submitted =
            submitted(&[shared(Class::READ), shared(Class::READ), write(7), shared(Class::new(1))]);
        let mut check = ExecutionOrder::default();
        apply(&mut check, &submitted, &[1, 2, 3, 4]).unwrap();
        apply(&mut check, &submitted, &[2, 1, 3, 4]).unwrap();
        apply(&mut check.clone(), &submitted, &[2, 3, 1]).unwrap_err();
        apply(&mut check, &submitted, &[1, 2, 4, 3]).unwrap_err();
    }

    #[test]
    fn ghosts_are_found() {
        let (low, high) = (Ballot::initial(node(0)), Ballot::initial(node(0)).next_for(node(1)));
        let mut chosen = ChosenValues::default();
        for (number, origin, start_working) in
            [(0, low, true), (1, low, false), (2, high, true), (3, low, false)]
        {
            chosen
                .insert(ChosenValue::new(Order::Slot { slot: number, origin, start_working }, Batch::noop()));
        }
        let (mut check, mut replica) = (ExecutionOrder::default(), Applied::default());
        check.passed((node(0), &mut replica), slot(1).place(), &chosen).unwrap();
        check.passed((node(0), &mut replica), slot(3).place(), &chosen).unwrap_err();
    }
}
