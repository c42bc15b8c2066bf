use super::fault::Room;
use super::finding::Trouble;
use super::network::Way;
use super::stage::Stage;
use isegoria_types::{NodeId, NodeSet};
use rand::Rng;
use rand::seq::{IndexedRandom, SliceRandom};
use std::time::Duration;

/// What the cuts look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pattern {
    /// Some nodes hear only each other, and are heard only by each other.
    Isolation,
    /// Some nodes are not heard by some others, or do not hear them; the other way is whole.
    OneWay,
    /// Two sides hear each other only by what one node says to both.
    Bridge,
    /// Everybody hears those beside it alone, and they are enough for every quorum.
    Ring,
}

/// Links between nodes are cut, and healed later. Clients reach every node all the while.
///
/// Invariant: every cut has an end that counts as down, so that the others all hear one
/// another; in a ring, where that is not so, every node hears and is heard by as many as
/// any quorum needs, and nothing else happens meanwhile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Partition {
    pub(crate) pattern: Pattern,
    /// Who counts as down.
    pub(crate) down: NodeSet,
    /// What is cut: what the second hears of the first.
    pub(crate) cuts: Vec<Way>,
    pub(crate) length: Duration,
}

impl Partition {
    /// Around `node`, and as many more as there is room for.
    pub(crate) fn draw(node: usize, room: &Room, rng: &mut impl Rng) -> Partition {
        let length = Duration::from_millis(rng.random_range(300..6000));
        let reach = room.ring_reach();
        if let Some(reach) = reach.filter(|_| rng.random_bool(0.15)) {
            let mut order: Vec<usize> = (0..room.nodes).collect();
            order.shuffle(rng);
            let (down, cuts) = (NodeSet::first(room.nodes), ring(&order, reach));
            return Partition { pattern: Pattern::Ring, down, cuts, length };
        }
        let mut victims = vec![node];
        let mut others: Vec<usize> = (0..room.nodes).filter(|other| *other != node).collect();
        others.shuffle(rng);
        let count = rng.random_range(1..=room.free);
        while let Some(place) = others.iter().position(|other| room.up.contains(other))
            && victims.len() < count
        {
            victims.push(others.remove(place));
        }
        let (pattern, cuts) = match rng.random_range(0..10) {
            0..4 => (Pattern::Isolation, both_ways(&victims, &others)),
            4..7 if others.len() > 1 => (Pattern::Bridge, both_ways(&victims, &others[1..])),
            _ => {
                let some = rng.random_range(1..=others.len());
                let far: Vec<usize> = others.choose_multiple(rng, some).copied().collect();
                let are_deaf = rng.random_bool(0.5);
                let (from, to) = if are_deaf { (&far, &victims) } else { (&victims, &far) };
                (Pattern::OneWay, one_way(from, to))
            }
        };
        Partition { pattern, down: victims.into_iter().map(NodeId::new).collect(), cuts, length }
    }

    pub(crate) async fn begin(&self, stage: &mut Stage) -> Result<(), Trouble> {
        stage.network()?.cut(&self.cuts).await.map_err(Trouble::io("cutting links"))
    }

    pub(crate) async fn end(&self, stage: &mut Stage) -> Result<(), Trouble> {
        stage.network()?.heal(&self.cuts).await.map_err(Trouble::io("healing links"))
    }
}

fn one_way(from: &[usize], to: &[usize]) -> Vec<Way> {
    from.iter().flat_map(|from| to.iter().map(|to| (*from, *to))).collect()
}

fn both_ways(some: &[usize], others: &[usize]) -> Vec<Way> {
    [one_way(some, others), one_way(others, some)].concat()
}

/// Cuts all links in a circle but those between nodes at most `reach` places apart.
fn ring(order: &[usize], reach: usize) -> Vec<Way> {
    let count = order.len();
    let is_cut = |(one, other): &(usize, usize)| {
        let apart = one.abs_diff(*other);
        apart.min(count - apart) > reach
    };
    let pairs = (0..count).flat_map(|one| (0..count).map(move |other| (one, other)));
    pairs.filter(is_cut).map(|(one, other)| (order[one], order[other])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_a_ring_of_five_everybody_sees_another_majority() {
        let cuts = ring(&[3, 0, 4, 1, 2], 1);
        let sees = |node: usize| (0..5).filter(|other| !cuts.contains(&(node, *other))).collect::<Vec<_>>();
        assert_eq!(sees(3), [0, 2, 3]);
        assert_eq!(sees(0), [0, 3, 4]);
        assert!(cuts.len() == 10 && cuts.iter().all(|(from, to)| cuts.contains(&(*to, *from))));
        assert!(ring(&[0, 1, 2], 1).is_empty());
    }
}
