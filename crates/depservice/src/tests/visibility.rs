//! Any two conflicting vertices that are chosen with the union of some majority's
//! answers each: one is in the other's dependencies (protocols.md 1.3, Q3).

use super::*;
use rand::SeedableRng;

/// Every node receives every vertex in an order of its own. Returns a pair that two
/// majorities would leave unordered.
fn unordered_pair<T: Index>(node_count: usize, seed: u64) -> Option<(Vertex, Vertex)> {
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    let vertices: Vec<(Vertex, Footprint)> = (0..9)
        .map(|time| (vertex(time % LEADER_COUNT, time as u64 / 3), random_footprint(&mut dice, 3)))
        .collect();
    let mut answers = vec![vec![DepSet::default(); vertices.len()]; node_count];
    for of_node in &mut answers {
        let mut index = T::fresh();
        let mut order: Vec<usize> = (0..vertices.len()).collect();
        for at in (1..order.len()).rev() {
            order.swap(at, dice.random_range(0..=at));
        }
        for at in order {
            let (vertex, footprint) = &vertices[at];
            let answer = index.compute(*vertex, footprint, &Prefix::default());
            of_node[at] = answer.deps().expect("nothing was dropped").clone();
        }
    }
    // Two majorities lose the edge iff each side is missing in a majority of answers.
    let missing = |of: usize, other: usize| {
        let lacking = answers.iter().filter(|of_node| !of_node[of].contains(vertices[other].0)).count();
        lacking > node_count / 2
    };
    let pairs = (0..vertices.len()).flat_map(|one| (0..one).map(move |two| (one, two)));
    pairs
        .filter(|(one, two)| conflicts().conflict(&vertices[*one].1, &vertices[*two].1))
        .find(|(one, two)| missing(*one, *two) && missing(*two, *one))
        .map(|(one, two)| (vertices[one].0, vertices[two].0))
}

#[test]
fn conflicting_vertices_see_each_other_whichever_majorities_answer() {
    for seed in 0..3000 {
        for node_count in [3, 5] {
            let pair = unordered_pair::<KeyedIndex>(node_count, seed);
            assert_eq!(pair, None, "seed {seed}, {node_count} nodes");
        }
    }
}

/// A vertex on its way: who has answered, and with what it was chosen.
#[derive(Clone)]
struct Pending {
    vertex: Vertex,
    footprint: Footprint,
    answers: Vec<Option<DepSet>>,
    chosen: Option<DepSet>,
}

/// Leaders, a few independent indexes, and requests that arrive late, twice or never.
struct World<T> {
    dice: ChaCha8Rng,
    nodes: Vec<T>,
    floors: Vec<Prefix>,
    vertices: Vec<Pending>,
    /// Node, position of the vertex, and the floor when the request was sent.
    requests: Vec<(usize, usize, Prefix)>,
    stale_count: usize,
}

impl<T: Index> World<T> {
    fn new(node_count: usize, seed: u64) -> World<T> {
        World {
            dice: ChaCha8Rng::seed_from_u64(seed),
            nodes: vec![T::fresh(); node_count],
            floors: vec![Prefix::default(); LEADER_COUNT],
            vertices: Vec::new(),
            requests: Vec::new(),
            stale_count: 0,
        }
    }

    fn submit(&mut self) {
        let leader = self.dice.random_range(0..LEADER_COUNT);
        let number = self.vertices.iter().filter(|other| other.vertex.leader.index() == leader).count();
        let footprint = random_footprint(&mut self.dice, 3);
        let answers = vec![None; self.nodes.len()];
        let vertex = vertex(leader, number as u64);
        for node in 0..self.nodes.len() {
            self.requests.push((node, self.vertices.len(), self.floors[leader].clone()));
        }
        self.vertices.push(Pending { vertex, footprint, answers, chosen: None });
    }

    fn deliver(&mut self) {
        if self.requests.is_empty() {
            return;
        }
        let at = self.dice.random_range(0..self.requests.len());
        let (node, position, floor) = self.requests[at].clone();
        if self.dice.random_range(0..4) > 0 {
            self.requests.swap_remove(at);
        }
        let pending = &mut self.vertices[position];
        match self.nodes[node].compute(pending.vertex, &pending.footprint, &floor) {
            Answer::Deps(deps) => pending.answers[node] = Some(deps),
            Answer::StaleFloor(dropped) => {
                let mut newer = self.floors[pending.vertex.leader.index()].clone();
                newer.union(&dropped);
                self.stale_count += 1;
                self.requests.push((node, position, newer));
            }
        }
        let answered: Vec<&DepSet> = pending.answers.iter().flatten().collect();
        if pending.chosen.is_none() && answered.len() > self.nodes.len() / 2 {
            let mut deps = DepSet::default();
            answered.into_iter().for_each(|answer| deps.union(answer));
            pending.chosen = Some(deps);
        }
    }

    /// The largest prefix of chosen vertices that contains its members' dependencies.
    fn executable(&self) -> Prefix {
        let mut closed = Prefix::default();
        for pending in &self.vertices {
            closed.cover(pending.vertex);
        }
        loop {
            let outside = self.vertices.iter().find(|pending| {
                let inside = pending.chosen.as_ref().is_some_and(|deps| closed.covers(deps.as_prefix()));
                closed.contains(pending.vertex) && !inside
            });
            let Some(outside) = outside else { return closed };
            let mut cut = Prefix::default();
            for (leader, below) in closed.iter() {
                let own = leader == outside.vertex.leader;
                cut.raise(leader, if own { outside.vertex.number } else { below });
            }
            closed = cut;
        }
    }

    /// Raises a leader's floor and tells some nodes.
    fn announce(&mut self) {
        let leader = self.dice.random_range(0..LEADER_COUNT);
        let closed = self.executable();
        self.floors[leader].union(&closed);
        let floor = self.floors[leader].clone();
        for node in &mut self.nodes {
            if self.dice.random_bool(0.7) {
                node.announce(NodeId::new(leader), &floor);
            }
        }
    }

    fn run(mut self) -> (usize, Option<(Vertex, Vertex)>) {
        for _ in 0..200 {
            match self.dice.random_range(0..12) {
                0..2 => self.submit(),
                2..9 => self.deliver(),
                9..11 => self.announce(),
                _ => {
                    let node = self.dice.random_range(0..self.nodes.len());
                    self.nodes[node].collect();
                }
            }
        }
        let chosen: Vec<(&Pending, &DepSet)> = self
            .vertices
            .iter()
            .filter_map(|pending| pending.chosen.as_ref().map(|deps| (pending, deps)))
            .collect();
        let unordered = chosen.iter().enumerate().find_map(|(position, (one, of_one))| {
            chosen[..position]
                .iter()
                .find(|(two, of_two)| {
                    conflicts().conflict(&one.footprint, &two.footprint)
                        && !of_one.contains(two.vertex)
                        && !of_two.contains(one.vertex)
                })
                .map(|(two, _)| (one.vertex, two.vertex))
        });
        (self.stale_count, unordered)
    }
}

#[test]
fn floors_and_collections_keep_the_edges() {
    let mut stale_count = 0;
    for seed in 0..1500 {
        for node_count in [3, 5] {
            let (stale, unordered) = World::<KeyedIndex>::new(node_count, seed).run();
            assert_eq!(unordered, None, "seed {seed}, {node_count} nodes");
            stale_count += stale;
        }
    }
    assert!(stale_count > 1000, "stale floors must occur: {stale_count}");
}

#[test]
fn planted_bugs_lose_edges() {
    for bug in [Bug::NoBarrier, Bug::ClassesCommute, Bug::FirstAccessOnly] {
        let caught =
            with_bug(bug, || (0..300).filter(|seed| unordered_pair::<Broken>(3, *seed).is_some()).count());
        assert!(caught > 0, "{bug:?} was never caught");
    }
    let caught = with_bug(Bug::NeverStale, || {
        (0..1500).filter(|seed| World::<Broken>::new(3, *seed).run().1.is_some()).count()
    });
    assert!(caught > 0, "judging what was dropped was never caught");
}
