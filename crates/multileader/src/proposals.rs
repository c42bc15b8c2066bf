use crate::tail::Tail;
use isegoria_proposer::{InFlight, Numbers};
use isegoria_types::{Batch, NodeId, Prefix, Refusal, Vertex, VertexMap, WINDOW_MAX};
use std::collections::VecDeque;

/// A leader's own vertices that are not chosen yet, each in a stage `S` of its protocol.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Proposals<S> {
    own: NodeId,
    numbers: Numbers,
    open: VertexMap<Proposal<S>>,
    in_flight: InFlight,
    /// The floor that all nodes were last told.
    told_floor: Prefix,
    /// How long what is opened has not been executed, where a protocol looks at that.
    tail: Option<Tail>,
    /// Batches that wait until it has.
    held: VecDeque<Batch>,
    /// How long what is to be submitted again has waited, ticks: the next one opened takes it over.
    waited: u64,
}

/// An own vertex on its way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Proposal<S> {
    /// The commands.
    pub batch: Batch,
    /// How far it is.
    pub stage: S,
    /// Ticks since it was submitted; what is repeated is repeated at doubling ages.
    pub age: u64,
    /// Ticks that its batch had waited before, in a vertex that was lost to a recoverer.
    waited: u64,
}

impl<S> Proposal<S> {
    /// Ticks that its batch has waited, in this vertex or before. It counts for what is not waited for
    /// any more: a leader whose clock is slow would else lose each vertex before its patience ends.
    #[must_use]
    pub fn patience(&self) -> u64 {
        self.age + self.waited
    }
}

impl<S> Proposals<S> {
    /// None yet, and nothing is ever late.
    #[must_use]
    pub fn new(own: NodeId) -> Proposals<S> {
        Proposals {
            own,
            numbers: Numbers::default(),
            open: VertexMap::default(),
            in_flight: InFlight::default(),
            told_floor: Prefix::default(),
            tail: None,
            held: VecDeque::new(),
            waited: 0,
        }
    }

    /// None yet. An own vertex is late once it has waited `tail_ticks` for its execution.
    #[must_use]
    pub fn with_tail(own: NodeId, tail_ticks: u64) -> Proposals<S> {
        Proposals { tail: Some(Tail::new(tail_ticks)), ..Proposals::new(own) }
    }

    /// The vertex that [`Proposals::open`] opens, if there is room for a batch of so many bytes.
    ///
    /// # Errors
    /// If as much is undecided as may be.
    pub fn room(&self, bytes: usize, most: (usize, usize)) -> Result<Vertex, Refusal> {
        let vertex = Vertex::new(self.own, self.numbers.next());
        if self.in_flight.has_room(bytes, most) { Ok(vertex) } else { Err(Refusal::Overloaded) }
    }

    /// One more. What is returned is the new end of the reserved numbers, if it moved: it is
    /// to be durable before the vertex is told to anyone.
    pub fn open(&mut self, batch: Batch, stage: S) -> Option<u64> {
        let (number, reserved) = self.numbers.take();
        self.in_flight.enter(batch.byte_len());
        if let Some(tail) = &mut self.tail {
            tail.opened(number);
        }
        let waited = std::mem::take(&mut self.waited);
        self.open.insert(Vertex::new(self.own, number), Proposal { batch, stage, age: 0, waited });
        reserved
    }

    /// Whether an own vertex has waited too long for its execution.
    #[must_use]
    pub fn is_late(&self) -> bool {
        self.tail.as_ref().is_some_and(Tail::is_late)
    }

    /// The age of the oldest own vertex that is not executed, ticks.
    #[must_use]
    pub fn tail_age(&self) -> u64 {
        self.tail.as_ref().map_or(0, Tail::age)
    }

    /// Keeps a batch until own vertices are executed.
    pub fn hold(&mut self, batch: Batch) {
        self.in_flight.enter(batch.byte_len());
        self.held.push_back(batch);
    }

    /// A batch that was kept, to be submitted now.
    pub fn release(&mut self) -> Option<Batch> {
        let batch = self.held.pop_front()?;
        self.in_flight.leave(batch.byte_len());
        Some(batch)
    }

    /// How many batches are kept.
    #[must_use]
    pub fn held_count(&self) -> usize {
        self.held.len()
    }

    /// The replica beside this node has executed this.
    pub fn executed(&mut self, executed: &Prefix) {
        if let Some(tail) = &mut self.tail {
            tail.executed(executed.below(self.own));
        }
    }

    /// An own vertex that is not chosen yet.
    #[must_use]
    pub fn get(&self, vertex: Vertex) -> Option<&Proposal<S>> {
        self.open.get(vertex)
    }

    /// An own vertex that is not chosen yet, to go on with.
    pub fn get_mut(&mut self, vertex: Vertex) -> Option<&mut Proposal<S>> {
        self.open.get_mut(vertex)
    }

    /// All that are open, in the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (Vertex, &Proposal<S>)> {
        self.open.iter()
    }

    /// All that are open, to go on with, in the order of their numbers.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (Vertex, &mut Proposal<S>)> {
        self.open.iter_mut()
    }

    /// How many are open or kept.
    #[must_use]
    pub fn count(&self) -> usize {
        self.in_flight.count()
    }

    /// One tick passes: every open vertex is one older.
    pub fn tick(&mut self) {
        self.tail.iter_mut().for_each(Tail::tick);
        for number in self.open.base(self.own)..self.open.end(self.own) {
            if let Some(proposal) = self.open.get_mut(Vertex::new(self.own, number)) {
                proposal.age += 1;
            }
        }
    }

    /// The vertex is chosen with this batch. If that is not what this leader proposed, a
    /// recoverer was faster, and what is returned is to be submitted again at once, as a new
    /// vertex. Sessions keep it exactly-once.
    pub fn settle(&mut self, vertex: Vertex, chosen: &Batch) -> Option<Batch> {
        let proposal = self.open.remove(vertex)?;
        self.in_flight.leave(proposal.batch.byte_len());
        if proposal.batch == *chosen {
            return None;
        }
        self.waited = proposal.patience();
        Some(proposal.batch)
    }

    /// What is forgotten is decided. An own vertex that this leader has not heard of was
    /// executed by a snapshot, with its batch or as a noop: submitted again, the batch is
    /// executed if it was not, and answered in any case.
    pub fn settle_collected(&mut self, floor: &Prefix) -> Vec<(Vertex, Batch)> {
        let mut unheard = Vec::new();
        self.open.take_prefix(floor, |vertex, proposal| unheard.push((vertex, proposal.batch)));
        unheard.iter().for_each(|(_, batch)| self.in_flight.leave(batch.byte_len()));
        unheard
    }

    /// After a restart: the numbers that were reserved, from `first`. Those that were never
    /// chosen hold others up. The last reservation may reach beyond what may be held above
    /// `base`; it is not used there.
    pub fn reserved(&self, first: u64, base: u64) -> impl Iterator<Item = Vertex> + use<S> {
        let (own, reach) = (self.own, base.saturating_add(WINDOW_MAX));
        (first..self.numbers.reserved_below().min(reach)).map(move |number| Vertex::new(own, number))
    }

    /// Numbers below are used up, for a checkpoint.
    #[must_use]
    pub fn reserved_below(&self) -> u64 {
        self.numbers.reserved_below()
    }

    /// The number that the next vertex gets.
    #[must_use]
    pub fn next_number(&self) -> u64 {
        self.numbers.next()
    }

    /// Repeats a reservation from the log.
    pub fn restore(&mut self, below: u64) {
        self.numbers.restore(below);
    }

    /// Repeats from the log that these are forgotten.
    pub fn restore_floor(&mut self, floor: &Prefix) {
        self.open.drop_prefix(floor);
    }

    /// A request tells all nodes this floor.
    pub fn tells(&mut self, floor: &Prefix) {
        self.told_floor = floor.clone();
    }

    /// Whether this floor is news that no request has told: an idle leader must not keep
    /// others from forgetting.
    pub fn owes(&mut self, floor: &Prefix) -> bool {
        let owes = self.told_floor != *floor;
        if owes {
            self.told_floor = floor.clone();
        }
        owes
    }

    /// Checks that what is proposed is reserved.
    ///
    /// # Panics
    /// If not.
    pub fn assert_invariants(&self) {
        let below = self.reserved_below();
        for (vertex, _) in self.open.iter() {
            let is_own = vertex.leader == self.own && vertex.number < below;
            assert!(is_own, "{} proposes {vertex}, reserved below {below}", self.own);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use isegoria_types::Command;

    fn batch(generation: u32) -> Batch {
        Batch::of(&[Command::expire_sessions(generation)])
    }

    #[test]
    fn every_batch_leaves_as_chosen_or_to_be_submitted_again() {
        let mut proposals = Proposals::new(NodeId::new(1));
        let vertices = [1, 2, 3, 4].map(|generation| {
            let vertex = proposals.room(1, (4, 1 << 20)).unwrap();
            let reserved = proposals.open(batch(generation), ());
            assert_eq!(reserved.is_some(), vertex.number == 0, "one record for a block of numbers");
            vertex
        });
        assert_eq!(proposals.room(1, (4, 1 << 20)), Err(Refusal::Overloaded));
        proposals.tick();
        proposals.assert_invariants();
        assert_eq!(proposals.get(vertices[3]).map(|proposal| proposal.age), Some(1));
        assert_eq!(proposals.settle(vertices[0], &batch(1)), None);
        assert_eq!(proposals.settle(vertices[1], &Batch::noop()), Some(batch(2)));
        assert_eq!(proposals.settle(vertices[1], &Batch::noop()), None, "once");
        let unheard = proposals.settle_collected(&Prefix::new(&[0, 3]));
        assert_eq!(unheard, [(vertices[2], batch(3))]);
        assert_eq!((proposals.count(), proposals.iter().count()), (1, 1));
    }

    #[test]
    fn what_is_submitted_again_goes_on_waiting() {
        let mut proposals = Proposals::new(NodeId::new(0));
        for lost in 0..3 {
            let vertex = proposals.room(1, (4, 1 << 20)).unwrap();
            proposals.open(batch(1), ());
            (0..2).for_each(|_| proposals.tick());
            let proposal = proposals.get(vertex).unwrap();
            assert_eq!((proposal.age, proposal.patience()), (2, 2 * (lost + 1)));
            assert_eq!(proposals.settle(vertex, &Batch::noop()), Some(batch(1)));
        }
        proposals.open(batch(1), ());
        proposals.open(batch(2), ());
        let patience: Vec<u64> = proposals.iter().map(|(_, proposal)| proposal.patience()).collect();
        assert_eq!(patience, [6, 0]);
    }

    #[test]
    fn what_is_kept_counts_and_comes_back_in_order() {
        let mut proposals = Proposals::with_tail(NodeId::new(0), 2);
        proposals.open(batch(1), ());
        (0..3).for_each(|_| proposals.tick());
        assert!(proposals.is_late());
        [2, 3].map(batch).into_iter().for_each(|batch| proposals.hold(batch));
        assert_eq!(proposals.room(1, (3, 1 << 20)), Err(Refusal::Overloaded));
        proposals.executed(&Prefix::new(&[1]));
        assert!(!proposals.is_late());
        let released: Vec<Batch> = std::iter::from_fn(|| proposals.release()).collect();
        assert_eq!((released, proposals.count()), (vec![batch(2), batch(3)], 1));
    }

    #[test]
    fn a_floor_is_told_once() {
        let mut proposals = Proposals::<()>::new(NodeId::new(0));
        let floor = Prefix::new(&[3]);
        assert_eq!([proposals.owes(&floor), proposals.owes(&floor)], [true, false]);
        proposals.tells(&Prefix::new(&[4]));
        assert!(!proposals.owes(&Prefix::new(&[4])));
    }
}
