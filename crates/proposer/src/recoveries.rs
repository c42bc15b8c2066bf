use crate::{BackOff, BallotSource, Schedule};
use isegoria_types::{Ballot, NodeId, NodeSet, Prefix, Vertex};
use std::collections::BTreeMap;

/// The most doublings of the pause between two recoveries of one vertex.
const DOUBLINGS_MAX: u32 = 3;

/// The most recoveries that one look starts: the rest is looked at again.
const STARTS_MAX: usize = 256;

/// How long to wait before recovering, in ticks that the caller counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Patience {
    /// For a vertex of a leader that seems alive.
    pub alive_ticks: u64,
    /// For one of a suspected leader.
    pub suspected_ticks: u64,
    /// Number of nodes.
    pub node_count: usize,
    /// The highest round that belongs to the leader of a vertex: recoveries lie above.
    pub reserved_round: u32,
}

/// What a node does about vertices that stay unchosen: when it recovers each of them, in
/// which ballot, and how far that attempt `A` is. The same for every protocol with one
/// instance of consensus a vertex.
///
/// Invariant: of a vertex that is not settled, no ballot is issued that was used here or
/// that refused us.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Recoveries<A> {
    own: NodeId,
    patience: Patience,
    suspected: NodeSet,
    attempts: BTreeMap<Vertex, A>,
    /// The highest ballot of each unchosen vertex that was used here or refused us.
    highest: BTreeMap<Vertex, Ballot>,
    /// Vertices that were unchosen at some look, and when they are due.
    watched: BTreeMap<Vertex, BackOff>,
    tick: u64,
}

impl<A> Recoveries<A> {
    /// None yet.
    #[must_use]
    pub fn new(own: NodeId, patience: Patience) -> Recoveries<A> {
        Recoveries {
            own,
            patience,
            suspected: NodeSet::EMPTY,
            attempts: BTreeMap::new(),
            highest: BTreeMap::new(),
            watched: BTreeMap::new(),
            tick: 0,
        }
    }

    /// The failure detector believes this node to be down, or up again.
    pub fn suspect(&mut self, node: NodeId, down: bool) {
        self.suspected =
            if down { self.suspected.union(NodeSet::only(node)) } else { self.suspected.without(node) };
    }

    /// Who is believed to be down.
    #[must_use]
    pub fn suspected(&self) -> NodeSet {
        self.suspected
    }

    /// A ballot that must not be used again.
    pub fn used(&mut self, vertex: Vertex, ballot: Ballot) {
        let highest = self.highest.entry(vertex).or_insert(ballot);
        *highest = ballot.max(*highest);
    }

    /// All ballots that must not be used again, for a checkpoint.
    pub fn used_ballots(&self) -> impl Iterator<Item = (Vertex, Ballot)> {
        self.highest.iter().map(|(vertex, ballot)| (*vertex, *ballot))
    }

    /// The attempt on a vertex.
    pub fn attempt(&mut self, vertex: Vertex) -> Option<&mut A> {
        self.attempts.get_mut(&vertex)
    }

    /// All attempts, in the order of vertices.
    pub fn attempts(&self) -> impl Iterator<Item = (Vertex, &A)> {
        self.attempts.iter().map(|(vertex, attempt)| (*vertex, attempt))
    }

    /// Gives an attempt up; the next look that finds the vertex due starts over.
    pub fn abandon(&mut self, vertex: Vertex) {
        self.attempts.remove(&vertex);
    }

    /// The vertex is chosen.
    pub fn settle(&mut self, vertex: Vertex) {
        self.attempts.remove(&vertex);
        self.highest.remove(&vertex);
        self.watched.remove(&vertex);
    }

    /// Everything in `floor` is executed everywhere.
    pub fn forget(&mut self, floor: &Prefix) {
        self.attempts.retain(|vertex, _| !floor.contains(*vertex));
        self.highest.retain(|vertex, _| !floor.contains(*vertex));
        self.watched.retain(|vertex, _| !floor.contains(*vertex));
    }

    /// One look at what is not settled: which vertices are to be recovered now.
    pub fn look(&mut self, unsettled: impl Iterator<Item = Vertex>) -> Vec<Vertex> {
        self.tick += 1;
        let (now, mut due) = (self.tick, Vec::new());
        for vertex in unsettled {
            let fresh = BackOff::start(now, &self.schedule(vertex.leader), self.jitter(vertex));
            let back_off = self.watched.entry(vertex).or_insert(fresh);
            // A leader that is suspected since then is given up sooner than was planned.
            if back_off.retry_count() == 0 && fresh.due_at() < back_off.due_at() {
                *back_off = fresh;
            }
            if back_off.due(now) && due.len() < STARTS_MAX {
                due.push(vertex);
            }
        }
        due
    }

    /// How long to wait: longer for a leader that seems alive, doubling with every try, and
    /// staggered, so that usually one node recovers.
    fn schedule(&self, leader: NodeId) -> Schedule {
        let Patience { alive_ticks, suspected_ticks, node_count, .. } = self.patience;
        let base_ticks = if self.suspected.contains(leader) { suspected_ticks } else { alive_ticks };
        let rank = (self.own.index() + node_count - leader.index()) % node_count;
        Schedule { base_ticks, stagger_ticks: 2, max_ticks: base_ticks << DOUBLINGS_MAX, rank: rank as u64 }
    }

    /// Different for every node and vertex, the same in every run.
    fn jitter(&self, vertex: Vertex) -> u64 {
        vertex.number.wrapping_mul(7).wrapping_add(self.own.index() as u64 * 13)
    }

    /// Starts over on a vertex, in the smallest own ballot above everything seen, of which
    /// `promised` is what this node's acceptor promised.
    pub fn begin(
        &mut self,
        vertex: Vertex,
        promised: Option<Ballot>,
        attempt: impl FnOnce(Ballot) -> A,
    ) -> Ballot {
        let (now, schedule, jitter) = (self.tick, self.schedule(vertex.leader), self.jitter(vertex));
        let fresh = BackOff::start(now, &schedule, jitter);
        self.watched.entry(vertex).or_insert(fresh).retry(now, &schedule, jitter);
        let highest = self.highest.get(&vertex).copied();
        let mut ballots = BallotSource::above_round(self.own, self.patience.reserved_round);
        promised.into_iter().chain(highest).for_each(|ballot| ballots.observe(ballot));
        let ballot = ballots.issue();
        self.used(vertex, ballot);
        self.attempts.insert(vertex, attempt(ballot));
        ballot
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recoveries(own: usize) -> Recoveries<Ballot> {
        let patience = Patience { alive_ticks: 20, suspected_ticks: 2, node_count: 3, reserved_round: 0 };
        Recoveries::new(NodeId::new(own), patience)
    }

    fn vertex(leader: usize, number: u64) -> Vertex {
        Vertex::new(NodeId::new(leader), number)
    }

    /// After how many looks a vertex of node 0 is due.
    fn due_after(recoveries: &mut Recoveries<Ballot>) -> usize {
        (1..).find(|_| !recoveries.look([vertex(0, 0)].into_iter()).is_empty()).unwrap()
    }

    #[test]
    fn a_suspected_leader_is_given_up_sooner_and_by_the_next_node_first() {
        let looks = |own: usize, suspected: bool| {
            let mut recoveries = recoveries(own);
            recoveries.suspect(NodeId::new(0), suspected);
            due_after(&mut recoveries)
        };
        assert!(looks(1, true) < looks(1, false));
        assert!(looks(1, true) < looks(2, true));
        let mut late = recoveries(1);
        assert!(late.look([vertex(0, 0)].into_iter()).is_empty());
        late.suspect(NodeId::new(0), true);
        assert!(due_after(&mut late) <= looks(1, true), "what is watched already, too");
    }

    #[test]
    fn no_ballot_is_used_twice_until_the_vertex_is_settled() {
        let mut recoveries = recoveries(1);
        let refused = Ballot { round: 7, owner: NodeId::new(2) };
        let one = recoveries.begin(vertex(0, 3), None, |ballot| ballot);
        assert_eq!(recoveries.attempt(vertex(0, 3)), Some(&mut one.clone()));
        recoveries.used(vertex(0, 3), refused);
        recoveries.abandon(vertex(0, 3));
        let two = recoveries.begin(vertex(0, 3), Some(one), |ballot| ballot);
        assert!(one < refused && refused < two && two.owner == NodeId::new(1));
        assert_eq!(recoveries.used_ballots().collect::<Vec<_>>(), [(vertex(0, 3), two)]);
        recoveries.settle(vertex(0, 3));
        assert_eq!(recoveries.used_ballots().count(), 0);
    }

    #[test]
    fn one_look_starts_a_bounded_number() {
        let mut recoveries = recoveries(1);
        let all = || (0..1_000).map(|number| vertex(0, number));
        recoveries.suspect(NodeId::new(0), true);
        let most = (0..100).map(|_| recoveries.look(all()).len()).max();
        assert_eq!(most, Some(STARTS_MAX));
        recoveries.forget(&Prefix::new(&[1_000]));
        assert!(recoveries.watched.is_empty());
    }
}
