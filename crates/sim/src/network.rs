use isegoria_types::{NodeId, NodeSet};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// The network between nodes: who hears whom, how long it takes, and what it loses.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    /// By partition in force: by sender, whom its messages do not reach.
    partitions: Vec<(usize, Vec<NodeSet>)>,
    /// Nodes that nobody reaches, whatever else holds.
    away: NodeSet,
    slow: NodeSet,
    pub(crate) habits: Habits,
}

/// What a network does to messages. Probabilities 0–1, delays one way, µs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Habits {
    pub(crate) loss: f64,
    pub(crate) duplication: f64,
    pub(crate) lateness: f64,
    pub(crate) delay_us: std::ops::Range<u64>,
}

impl Habits {
    /// A network that does no more than delay.
    pub(crate) fn calm() -> Habits {
        Habits { loss: 0.0, duplication: 0.0, lateness: 0.0, delay_us: 100..3_000 }
    }
}

impl Network {
    pub(crate) fn new(habits: Habits) -> Network {
        Network { partitions: Vec::new(), away: NodeSet::EMPTY, slow: NodeSet::EMPTY, habits }
    }

    pub(crate) fn part(&mut self, number: usize, unreachable: Vec<NodeSet>) {
        self.partitions.push((number, unreachable));
    }

    pub(crate) fn join(&mut self, number: usize) {
        self.partitions.retain(|(other, _)| *other != number);
    }

    pub(crate) fn set_slow(&mut self, node: NodeId, slow: bool) {
        self.slow = if slow { self.slow.union(NodeSet::only(node)) } else { self.slow.without(node) };
    }

    /// Everything heals, except that nobody reaches the nodes in `away`.
    pub(crate) fn heal(&mut self, away: NodeSet) {
        *self = Network { away, ..Network::new(Habits::calm()) };
    }

    pub(crate) fn reaches(&self, from: NodeId, to: NodeId) -> bool {
        let parted = |(_, unreachable): &(usize, Vec<NodeSet>)| unreachable[from.index()].contains(to);
        !self.away.contains(from) && !self.away.contains(to) && !self.partitions.iter().any(parted)
    }

    /// How long each copy of a message takes, µs: none if it is lost.
    pub(crate) fn copies(&self, from: NodeId, to: NodeId, rng: &mut ChaCha8Rng) -> [Option<u64>; 2] {
        if !self.reaches(from, to) || chance(rng, self.habits.loss) {
            return [None, None];
        }
        let twice = chance(rng, self.habits.duplication);
        let first = self.delay(from, to, rng);
        [Some(first), twice.then(|| self.delay(from, to, rng))]
    }

    fn delay(&self, from: NodeId, to: NodeId, rng: &mut ChaCha8Rng) -> u64 {
        let base = rng.random_range(self.habits.delay_us.clone());
        let late = if chance(rng, self.habits.lateness) { rng.random_range(0..300_000) } else { 0 };
        let slow = self.slow.contains(from) || self.slow.contains(to);
        base + late + if slow { rng.random_range(20_000..200_000) } else { 0 }
    }
}

/// Dice that are not thrown when the answer is clear.
pub(crate) fn chance(rng: &mut ChaCha8Rng, probability: f64) -> bool {
    probability > 0.0 && rng.random_bool(probability)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn a_partition_stops_messages_until_it_ends() {
        let mut network = Network::new(Habits::calm());
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let (one, two) = (NodeId::new(0), NodeId::new(1));
        network.part(7, vec![NodeSet::only(two), NodeSet::EMPTY]);
        assert_eq!(network.copies(one, two, &mut rng), [None, None]);
        assert!(network.reaches(two, one), "one way");
        network.join(7);
        assert!(network.copies(one, two, &mut rng)[0].is_some());
        network.heal(NodeSet::only(one));
        assert!(!network.reaches(two, one));
    }
}
