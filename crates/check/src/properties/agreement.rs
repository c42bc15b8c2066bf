use crate::{ChosenValue, ChosenValues, Violation};
use isegoria_node::FastRule;
use isegoria_types::{Ballot, Batch, DepSet, NodeId, NodeSet, Order, Quorum, Vertex};
use std::collections::BTreeMap;

/// S1: one value a vertex or slot, at every node, for ever.
///
/// Votes are counted from what the acceptors' disks hold, not from what a leader
/// heard: a value is *chosen* by a quorum of durable votes of one ballot. At most one
/// value is ever chosen at a place, and whatever a node commits is the chosen one.
#[derive(Clone, Debug)]
pub struct Agreement {
    quorum: Quorum,
    fast: FastRule,
    votes: BTreeMap<(Vertex, Ballot), Votes>,
    /// Votes of ballot 0 for values of the acceptors' own making.
    fast_votes: BTreeMap<Vertex, (Batch, BTreeMap<NodeId, DepSet>)>,
    fast_count: u64,
    union_count: u64,
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
    /// `quorum`: what chooses a value; `fast`: and what does in ballot 0.
    #[must_use]
    pub fn new(quorum: Quorum, fast: FastRule) -> Agreement {
        Agreement {
            quorum,
            fast,
            votes: BTreeMap::new(),
            fast_votes: BTreeMap::new(),
            fast_count: 0,
            union_count: 0,
            commit_count: 0,
            again_count: 0,
        }
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
        let again = match order {
            Order::Slot { origin, .. } => *origin < ballot,
            Order::Vertex(vertex, _) => ballot.owner != vertex.leader && !batch.is_noop(),
        };
        let is_first = choose((order, batch), ballot, chosen)?;
        self.again_count += u64::from(is_first && again);
        Ok(is_first)
    }

    /// A vote of `node` in ballot 0 for a value of its own making is durable. Whether that
    /// chose a value, and for the first time.
    ///
    /// # Errors
    /// Two batches in one ballot, two votes of one node, or another value chosen before.
    ///
    /// # Panics
    /// If the vote is for a slot.
    pub fn fast_voted(
        &mut self,
        node: NodeId,
        ballot: Ballot,
        (order, batch): (&Order, &Batch),
        chosen: &mut ChosenValues,
    ) -> Result<bool, Violation> {
        let Order::Vertex(vertex, deps) = order else { panic!("a fast vote for {order:?}") };
        let (first, votes) =
            self.fast_votes.entry(*vertex).or_insert_with(|| (batch.clone(), BTreeMap::new()));
        if *first != *batch {
            return Err(violation(*vertex, format!("{ballot} proposes {batch:?} and {first:?}")));
        }
        let before = votes.entry(node).or_insert_with(|| deps.clone());
        if *before != *deps {
            let what = format!("{node} votes in {ballot} for dependencies {deps:?} after {before:?}");
            return Err(violation(*vertex, what));
        }
        let Some(union) = self.fast.chosen(votes) else { return Ok(false) };
        let is_equal = votes.values().all(|deps| *deps == union);
        let is_first = choose((&Order::Vertex(*vertex, union), batch), ballot, chosen)?;
        self.fast_count += u64::from(is_first);
        self.union_count += u64::from(is_first && !is_equal);
        Ok(is_first)
    }

    /// The leader of `vertex` durably decided what votes of ballot 0 have chosen: its own
    /// vote, or what those of `by` amount to. Whether that is news.
    ///
    /// # Errors
    /// If the votes do not let it, or another value was chosen before.
    pub fn fast_chosen(
        &mut self,
        vertex: Vertex,
        by: Option<&(NodeSet, DepSet)>,
        chosen: &mut ChosenValues,
    ) -> Result<bool, Violation> {
        let decided = self.fast_votes.get(&vertex).and_then(|(batch, votes)| {
            let deps = self.fast.decided_by(vertex.leader, votes, by)?;
            let of_voters =
                |(node, _): &(&NodeId, &DepSet)| by.is_some_and(|(voters, _)| voters.contains(**node));
            let differ = votes.iter().filter(of_voters).any(|(_, vote)| *vote != deps);
            Some((batch.clone(), deps, differ))
        });
        let Some((batch, deps, differ)) = decided else {
            let what =
                format!("{} decides, and the votes are {:?}", vertex.leader, self.fast_votes.get(&vertex));
            return Err(violation(vertex, what));
        };
        let ballot = Ballot::initial(vertex.leader);
        let is_first = choose((&Order::Vertex(vertex, deps), &batch), ballot, chosen)?;
        self.fast_count += u64::from(is_first);
        self.union_count += u64::from(is_first && differ);
        Ok(is_first)
    }

    /// Values chosen by votes in ballot 0, and how many of them by votes that differed.
    #[must_use]
    pub fn fast_counts(&self) -> (u64, u64) {
        (self.fast_count, self.union_count)
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

/// Votes chose this in `ballot`: whether for the first time.
fn choose(
    (order, batch): (&Order, &Batch),
    ballot: Ballot,
    chosen: &mut ChosenValues,
) -> Result<bool, Violation> {
    match chosen.get(order.place()) {
        None => {
            chosen.insert(ChosenValue::new(order.clone(), batch.clone()));
            Ok(true)
        }
        Some(before) if before.order == *order && before.batch == *batch => Ok(false),
        Some(before) => {
            let what = format!("{ballot} chooses {order:?} {batch:?}; chosen before: {before:?}");
            Err(violation(order.place(), what))
        }
    }
}

fn violation(place: Vertex, what: String) -> Violation {
    Violation { check: "agreement", invariant: "S1 one value a place", place: Some(place), what }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::planted::{command, node, slot, vertex};
    use isegoria_types::Prefix;

    fn agreement() -> (Agreement, ChosenValues) {
        with_fast(FastRule::None)
    }

    fn with_fast(rule: FastRule) -> (Agreement, ChosenValues) {
        (Agreement::new(Quorum::majority(NodeSet::first(3)), rule), ChosenValues::default())
    }

    fn deps(below: u64) -> DepSet {
        DepSet::from_prefix(Prefix::new(&[0, below]))
    }

    #[test]
    fn a_fast_choice_and_another_one_are_found() {
        let (mut check, mut chosen) = with_fast(FastRule::AllEqual { voters: NodeSet::first(3) });
        let (first, later) = (Ballot::initial(node(0)), Ballot { round: 2, owner: node(1) });
        let batch = Batch::of(&[command(1, 0)]);
        let (order, other) = (Order::Vertex(vertex(0, 0), deps(4)), Order::Vertex(vertex(0, 0), deps(0)));
        for index in 0..3 {
            check.fast_voted(node(index), first, (&order, &batch), &mut chosen).unwrap();
        }
        check.committed(node(0), (&order, &batch), &chosen).unwrap();
        check.voted(node(1), later, (&other, &Batch::noop()), &mut chosen).unwrap();
        check.voted(node(2), later, (&other, &Batch::noop()), &mut chosen).unwrap_err();
        check.fast_voted(node(0), first, (&other, &batch), &mut chosen).unwrap_err();
        assert_eq!(check.fast_counts(), (1, 0));
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
