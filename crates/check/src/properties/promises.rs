use crate::Violation;
use isegoria_types::{Ballot, Batch, NodeId, Order, Vertex};
use std::collections::{BTreeMap, BTreeSet};

/// S8: what an acceptor promised and voted is durable before it is told and never
/// taken back, also across restarts; a ballot carries one value and belongs to one
/// life of its owner.
///
/// A place of `None` stands for every place at once (a log's ballots).
#[derive(Clone, Debug, Default)]
pub struct Promises {
    /// The highest ballot promised or voted in, durably, by node and place.
    promised: BTreeMap<(NodeId, Option<Vertex>), Ballot>,
    /// Every durable vote.
    voted: BTreeSet<(NodeId, Vertex, Ballot)>,
    proposed: BTreeMap<(Vertex, Ballot), (Order, Batch)>,
    /// The life of its owner in which a ballot was first used, by place and ballot.
    lives: BTreeMap<(Option<Vertex>, Ballot), u64>,
    /// Who asked for promises last, by place.
    campaigners: BTreeMap<Option<Vertex>, NodeId>,
    race_count: u64,
    evaluation_count: u64,
}

impl Promises {
    /// Promises, votes and proposals looked at.
    #[must_use]
    pub fn evaluation_count(&self) -> u64 {
        self.evaluation_count
    }

    /// How often a node asked for promises where another one had asked before it.
    #[must_use]
    pub fn race_count(&self) -> u64 {
        self.race_count
    }

    /// A promise of `node` is durable.
    ///
    /// # Errors
    /// If it is lower than one before.
    pub fn promised(&mut self, node: NodeId, place: Option<Vertex>, ballot: Ballot) -> Result<(), Violation> {
        self.evaluation_count += 1;
        let before = self.promised.entry((node, place)).or_insert(ballot);
        if ballot < *before {
            let what = format!("{node} promises or votes in {ballot} after {before}");
            return violation("S8 ballots never decrease", place, what);
        }
        *before = ballot;
        Ok(())
    }

    /// A vote of `node` is durable.
    ///
    /// # Errors
    /// If it promised a higher ballot before.
    pub fn voted(&mut self, node: NodeId, ballot: Ballot, order: &Order) -> Result<(), Violation> {
        let place = order.place();
        // In a log a vote binds the acceptor in every slot.
        let scope = match order {
            Order::Slot { .. } => None,
            Order::Vertex(..) => Some(place),
        };
        self.voted.insert((node, place, ballot));
        self.promised(node, scope, ballot)
    }

    /// `node` tells that it promised.
    ///
    /// # Errors
    /// If the promise is not durable.
    pub fn told_promise(
        &mut self,
        node: NodeId,
        place: Option<Vertex>,
        ballot: Ballot,
    ) -> Result<(), Violation> {
        self.evaluation_count += 1;
        if self.promised.get(&(node, place)).is_some_and(|promised| *promised >= ballot) {
            return Ok(());
        }
        let what = format!("{node} tells a promise of {ballot} that is not durable");
        violation("S8 persist before send", place, what)
    }

    /// `node` tells that it voted.
    ///
    /// # Errors
    /// If the vote is not durable.
    pub fn told_vote(&mut self, node: NodeId, place: Vertex, ballot: Ballot) -> Result<(), Violation> {
        self.evaluation_count += 1;
        if self.voted.contains(&(node, place, ballot)) {
            return Ok(());
        }
        let what = format!("{node} tells a vote on {place} in {ballot} that is not durable");
        violation("S8 persist before send", Some(place), what)
    }

    /// A proposer asks for votes for a value.
    ///
    /// # Errors
    /// If the ballot carried another value before.
    pub fn proposed(&mut self, ballot: Ballot, order: &Order, batch: &Batch) -> Result<(), Violation> {
        self.evaluation_count += 1;
        let place = order.place();
        let (old_order, old_batch) =
            self.proposed.entry((place, ballot)).or_insert_with(|| (order.clone(), batch.clone()));
        if old_order != order || old_batch != batch {
            let what = format!(
                "{ballot} proposes {order:?} {batch:?} and proposed {old_order:?} {old_batch:?} before"
            );
            return violation("S8 one value a ballot", Some(place), what);
        }
        Ok(())
    }

    /// A proposer in its `life`-th life asks for promises.
    ///
    /// # Errors
    /// If it did so in the same ballot in another life: what it had in mind then is forgotten.
    pub fn campaigned(
        &mut self,
        (node, life): (NodeId, u64),
        place: Option<Vertex>,
        ballot: Ballot,
    ) -> Result<(), Violation> {
        self.evaluation_count += 1;
        let before = self.campaigners.insert(place, node);
        self.race_count += u64::from(before.is_some_and(|before| before != node));
        let first = *self.lives.entry((place, ballot)).or_insert(life);
        if first != life {
            let what = format!(
                "{node} asks for promises in {ballot} in its life {life}, and did so in its life {first}"
            );
            return violation("S8 a ballot belongs to one life", place, what);
        }
        Ok(())
    }
}

fn violation(invariant: &'static str, place: Option<Vertex>, what: String) -> Result<(), Violation> {
    Err(Violation { check: "promises", invariant, place, what })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::planted::{command, node, slot, vertex};
    use isegoria_types::DepSet;

    #[test]
    fn what_is_told_must_be_durable() {
        let mut check = Promises::default();
        let ballot = Ballot::initial(node(1)).next_for(node(1));
        check.told_promise(node(0), None, ballot).unwrap_err();
        check.promised(node(0), None, ballot).unwrap();
        check.told_promise(node(0), None, ballot).unwrap();
        check.told_vote(node(0), vertex(0, 3), ballot).unwrap_err();
        check.voted(node(0), ballot, &slot(3)).unwrap();
        check.told_vote(node(0), vertex(0, 3), ballot).unwrap();
    }

    #[test]
    fn a_promise_is_kept() {
        let mut check = Promises::default();
        let low = Ballot::initial(node(0));
        let high = low.next_for(node(1));
        check.promised(node(0), Some(vertex(0, 3)), high).unwrap();
        check.promised(node(0), Some(vertex(0, 3)), low).unwrap_err();
        let at = |number| Order::Vertex(vertex(0, number), DepSet::default());
        check.voted(node(0), low, &at(3)).unwrap_err();
        check.voted(node(0), low, &at(4)).unwrap();
        check.voted(node(1), high, &slot(3)).unwrap();
        check.voted(node(1), low, &slot(4)).unwrap_err();
    }

    #[test]
    fn a_ballot_has_one_value_and_one_life() {
        let mut check = Promises::default();
        let ballot = Ballot::initial(node(0));
        let (one, two) = (Batch::of(&[command(1, 0)]), Batch::of(&[command(2, 0)]));
        check.proposed(ballot, &slot(1), &one).unwrap();
        check.proposed(ballot, &slot(1), &one).unwrap();
        check.proposed(ballot, &slot(1), &two).unwrap_err();
        check.campaigned((node(0), 1), None, ballot).unwrap();
        check.campaigned((node(0), 1), None, ballot).unwrap();
        check.campaigned((node(0), 2), None, ballot).unwrap_err();
    }
}
