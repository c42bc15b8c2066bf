use crate::{ChosenValue, ChosenValues, Violation};
use isegoria_types::{Ballot, Batch, NodeId, NodeSet, Order, Quorum, Vertex};
use std::collections::BTreeMap;

/// S1: one value a vertex or slot, at every node, for ever.
///
/// Votes are counted from what the acceptors' disks hold, not from what a leader
/// heard: a value is *chosen* by a quorum of durable votes of one ballot. At most one
/// value is ever chosen at a place, and whatever a node commits is the chosen one.
#[derive(Clone, Debug)]
pub struct Agreement {
    quorum: Quorum,
    votes: BTreeMap<(Vertex, Ballot), Votes>,
    commit_count: u64,
    again_count: u64,
}

#[derive(Clone, Debug)]
struct Votes {
    order: Order,
    batch: Batch,
    voters: NodeSet,
}

impl Agreement {
    /// `quorum`: what chooses a value.
    #[must_use]
    pub fn new(quorum: Quorum) -> Agreement {
        Agreement { quorum, votes: BTreeMap::new(), commit_count: 0, again_count: 0 }
    }

    /// Commits compared with what the votes chose.
    #[must_use]
    pub fn evaluation_count(&self) -> u64 {
        self.commit_count
    }

    /// Values chosen in another ballot than the one that they were first proposed in: of
    /// an older leader in a log, found by a recovery in a graph.
    #[must_use]
    pub fn again_count(&self) -> u64 {
        self.again_count
    }

    /// A vote of `node` is durable. Whether it chose the value, and for the first time.
    ///
    /// # Errors
    /// Two values in one ballot, or another value chosen before.
    pub fn voted(
        &mut self,
        node: NodeId,
        ballot: Ballot,
        (order, batch): (&Order, &Batch),
        chosen: &mut ChosenValues,
    ) -> Result<bool, Violation> {
        let place = order.place();
        let votes = self.votes.entry((place, ballot)).or_insert_with(|| Votes {
            order: order.clone(),
            batch: batch.clone(),
            voters: NodeSet::EMPTY,
        });
        if votes.order != *order || votes.batch != *batch {
            let (old_order, old_batch) = (&votes.order, &votes.batch);
            return Err(violation(
                place,
                format!(
                    "{node} votes in {ballot} for {order:?} {batch:?}; others voted in it for {old_order:?} {old_batch:?}"
                ),
            ));
        }
        votes.voters.insert(node);
        if !self.quorum.is_quorum(votes.voters) {
            return Ok(false);
        }
        match chosen.get(place) {
            None => {
                let again = match order {
                    Order::Slot { origin, .. } => *origin < ballot,
                    Order::Vertex(vertex, _) => ballot > Ballot::initial(vertex.leader) && !batch.is_noop(),
                };
                self.again_count += u64::from(again);
                chosen.insert(ChosenValue::new(order.clone(), batch.clone()));
                Ok(true)
            }
            Some(before) if before.order == *order && before.batch == *batch => Ok(false),
            Some(before) => Err(violation(
                place,
                format!("{ballot} chooses {order:?} {batch:?}; chosen before: {before:?}"),
            )),
        }
    }

    /// A node hands a value to its replica.
    ///
    /// # Errors
    /// If it is not the chosen one.
    pub fn committed(
        &mut self,
        node: NodeId,
        (order, batch): (&Order, &Batch),
        chosen: &ChosenValues,
    ) -> Result<(), Violation> {
        self.commit_count += 1;
        let place = order.place();
        match chosen.get(place) {
            Some(value) if value.order == *order && value.batch == *batch => Ok(()),
            Some(value) => {
                Err(violation(place, format!("{node} commits {order:?} {batch:?}; chosen is {value:?}")))
            }
            None => Err(violation(
                place,
                format!("{node} commits {order:?} {batch:?}, which no quorum of durable votes chose"),
            )),
        }
    }
}

fn violation(place: Vertex, what: String) -> Violation {
    Violation { check: "agreement", invariant: "S1 one value a place", place: Some(place), what }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::planted::{command, node, slot};

    fn agreement() -> (Agreement, ChosenValues) {
        (Agreement::new(Quorum::majority(NodeSet::first(3))), ChosenValues::default())
    }

    #[test]
    fn two_values_in_one_ballot_are_found() {
        let (mut check, mut chosen) = agreement();
        let ballot = Ballot::initial(node(0));
        let (a, b) = (Batch::of(&[command(1, 0)]), Batch::of(&[command(2, 0)]));
        assert_eq!(check.voted(node(0), ballot, (&slot(4), &a), &mut chosen), Ok(false));
        let found = check.voted(node(1), ballot, (&slot(4), &b), &mut chosen).unwrap_err();
        assert_eq!((found.check, found.place), ("agreement", Some(slot(4).place())));
    }

    #[test]
    fn two_chosen_values_are_found() {
        let (mut check, mut chosen) = agreement();
        let (first, second) = (Ballot::initial(node(0)), Ballot::initial(node(0)).next_for(node(1)));
        let (a, b) = (Batch::of(&[command(1, 0)]), Batch::of(&[command(2, 0)]));
        assert_eq!(check.voted(node(0), first, (&slot(4), &a), &mut chosen), Ok(false));
        assert_eq!(check.voted(node(2), first, (&slot(4), &a), &mut chosen), Ok(true));
        assert_eq!(check.voted(node(1), second, (&slot(4), &b), &mut chosen), Ok(false));
        check.voted(node(0), second, (&slot(4), &b), &mut chosen).unwrap_err();
    }

    #[test]
    fn a_commit_needs_a_quorum_of_durable_votes() {
        let (mut check, mut chosen) = agreement();
        let ballot = Ballot::initial(node(0));
        let (a, b) = (Batch::of(&[command(1, 0)]), Batch::noop());
        check.voted(node(0), ballot, (&slot(0), &a), &mut chosen).unwrap();
        check.committed(node(0), (&slot(0), &a), &chosen).unwrap_err();
        check.voted(node(1), ballot, (&slot(0), &a), &mut chosen).unwrap();
        check.committed(node(2), (&slot(0), &a), &chosen).unwrap();
        check.committed(node(2), (&slot(0), &b), &chosen).unwrap_err();
        assert_eq!(check.evaluation_count(), 3);
    }
}
