//! The wait-forest against a dumb oracle: after every commit, the whole graph of
//! committed vertices is built anew and its strongly connected components are taken
//! with petgraph.

use isegoria_replica::{BLOCKER_COUNT_MAX, GraphOrder, Progress};
use isegoria_types::{DepSet, NodeId, Prefix, Vertex};
use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeMap, BTreeSet};

type Values = BTreeMap<Vertex, DepSet>;

fn vertex(leader: usize, number: u64) -> Vertex {
    Vertex::new(NodeId::new(leader), number)
}

/// The vertices that `owner` depends on.
fn expand(owner: Vertex, deps: &DepSet) -> Vec<Vertex> {
    let all = deps
        .as_prefix()
        .iter()
        .flat_map(|(leader, below)| (0..below).map(move |number| Vertex::new(leader, number)));
    all.filter(|dependency| *dependency != owner).collect()
}

/// What must hold given what is committed, computed from scratch.
struct Oracle {
    executed: BTreeSet<Vertex>,
    /// For an executed vertex, the members of its component.
    component: BTreeMap<Vertex, BTreeSet<Vertex>>,
    /// The unchosen vertices that committed ones directly depend on.
    blockers: Vec<Vertex>,
}

impl Oracle {
    fn new(committed: &Values) -> Oracle {
        let mut graph: DiGraph<Vertex, ()> = DiGraph::new();
        let mut index: BTreeMap<Vertex, NodeIndex> = BTreeMap::new();
        for (from, deps) in committed {
            let from_index = *index.entry(*from).or_insert_with(|| graph.add_node(*from));
            for to in expand(*from, deps) {
                let to_index = *index.entry(to).or_insert_with(|| graph.add_node(to));
                graph.add_edge(from_index, to_index, ());
            }
        }
        let blockers: Vec<Vertex> = index.keys().copied().filter(|v| !committed.contains_key(v)).collect();
        let mut blocked: BTreeSet<NodeIndex> = BTreeSet::new();
        let mut todo: Vec<NodeIndex> = blockers.iter().map(|v| index[v]).collect();
        while let Some(at) = todo.pop() {
            if blocked.insert(at) {
                todo.extend(graph.neighbors_directed(at, petgraph::Direction::Incoming));
            }
        }
        let mut component = BTreeMap::new();
        for members in kosaraju_scc(&graph) {
            if !blocked.contains(&members[0]) {
                let members: BTreeSet<Vertex> = members.into_iter().map(|index| graph[index]).collect();
                component.extend(members.iter().map(|member| (*member, members.clone())));
            }
        }
        Oracle { executed: component.keys().copied().collect(), component, blockers }
    }
}

/// Commits in the given order and checks everything after each; returns the execution order.
fn run_checked(values: &Values, order: &[Vertex], label: &str) -> Vec<Vertex> {
    let mut graph = GraphOrder::default();
    let mut committed = Values::new();
    let mut sequence: Vec<Vertex> = Vec::new();
    let mut position: BTreeMap<Vertex, usize> = BTreeMap::new();
    let mut outstanding: BTreeSet<Vertex> = BTreeSet::new();
    let mut largest = 0;
    for chosen in order {
        let mut out = Progress::default();
        graph.commit(*chosen, values[chosen].clone(), &mut out);
        committed.insert(*chosen, values[chosen].clone());
        outstanding.remove(chosen);
        let oracle = Oracle::new(&committed);
        let context = format!("{label}: after {chosen} of {order:?} with {values:?}");
        let mut start = 0;
        for end in &out.components {
            let members = &out.executed[start..*end];
            assert!(members.is_sorted(), "{context}: members out of order {members:?}");
            let set: BTreeSet<Vertex> = members.iter().copied().collect();
            assert_eq!(set, oracle.component[&members[0]], "{context}: not a component");
            for member in members {
                let outside = expand(*member, &values[member]).into_iter().filter(|d| !set.contains(d));
                outside.for_each(|d| assert!(position.contains_key(&d), "{context}: {member} before {d}"));
            }
            largest = largest.max(members.len());
            for member in members {
                assert!(position.insert(*member, sequence.len()).is_none(), "{context}: {member} twice");
                sequence.push(*member);
            }
            start = *end;
        }
        assert_eq!(start, out.executed.len(), "{context}: executed outside of a component");
        for blocker in out.blockers {
            assert!(outstanding.insert(blocker), "{context}: {blocker} reported twice");
        }
        check_state(&graph, &oracle, &committed, &context);
        assert!(oracle.blockers.iter().eq(&outstanding), "{context}: reported {outstanding:?}");
        assert_eq!(graph.component_size_max(), largest, "{context}");
    }
    sequence
}

fn check_state(graph: &GraphOrder, oracle: &Oracle, committed: &Values, context: &str) {
    let mut prefix = Prefix::default();
    for v in &oracle.executed {
        if prefix.below(v.leader) == v.number {
            prefix.cover(*v);
        }
    }
    let extras: Vec<Vertex> = oracle.executed.iter().copied().filter(|v| !prefix.contains(*v)).collect();
    assert_eq!(graph.executed(), &prefix, "{context}: prefix");
    assert_eq!(graph.extras(), extras, "{context}: extras");
    assert_eq!(graph.blockers(), oracle.blockers, "{context}: blockers");
    assert_eq!(graph.waiting_count(), committed.len() - oracle.executed.len(), "{context}: waiting");
    for leader in 0..6 {
        for v in (0..42).map(|number| vertex(leader, number)) {
            assert_eq!(graph.is_executed(v), oracle.executed.contains(&v), "{context}: {v} executed?");
            assert_eq!(graph.is_committed(v), committed.contains_key(&v), "{context}: {v} committed?");
        }
    }
}

/// A graph over `leader_count` leaders, sparse, dense, or like real traffic, in which
/// a vertex depends on recent ones; some depend on vertices that are never committed.
fn random_values(dice: &mut ChaCha8Rng, size: usize) -> Values {
    let leader_count = dice.random_range(1..=5usize);
    let mut counts = vec![0u64; leader_count];
    for _ in 0..size {
        counts[dice.random_range(0..leader_count)] += 1;
    }
    let density = *[0.1, 0.3, 0.6, 1.0].choose(dice).expect("not empty");
    let (is_recent, beyond) = (dice.random_bool(0.4), u64::from(dice.random_bool(0.15)));
    let mut values = Values::new();
    for (leader, count) in counts.iter().enumerate() {
        for number in 0..*count {
            let below = counts.iter().map(|count| {
                if !dice.random_bool(density) {
                    0
                } else if is_recent {
                    (number + dice.random_range(0..3)).min(count + beyond)
                } else {
                    dice.random_range(0..=count + beyond)
                }
            });
            values
                .insert(vertex(leader, number), DepSet::from_prefix(Prefix::new(&below.collect::<Vec<_>>())));
        }
    }
    values
}

fn position_of(sequence: &[Vertex]) -> BTreeMap<Vertex, usize> {
    sequence.iter().enumerate().map(|(position, vertex)| (*vertex, position)).collect()
}

/// Whoever executed both of two vertices with an edge between them did so in one order.
fn assert_same_order(values: &Values, one: &[Vertex], other: &[Vertex]) {
    let (one, other) = (position_of(one), position_of(other));
    assert!(one.keys().eq(other.keys()), "different vertices executed");
    for (v, deps) in values.iter().filter(|(v, _)| one.contains_key(v)) {
        for w in expand(*v, deps) {
            assert_eq!(one[v] < one[&w], other[v] < other[&w], "{v} and {w} in two orders: {values:?}");
        }
    }
}

#[test]
fn random_graphs_in_random_orders_equal_the_oracle() {
    let mut seen = [0usize; 4];
    for seed in 0..24_000u64 {
        let dice = &mut ChaCha8Rng::seed_from_u64(seed);
        let size = if seed % 40 == 0 { dice.random_range(15..=40) } else { dice.random_range(1..=14) };
        let values = random_values(dice, size);
        let mut order: Vec<Vertex> = values.keys().copied().collect();
        order.shuffle(dice);
        let one = run_checked(&values, &order, &format!("seed {seed}"));
        if seed % 3 == 0 {
            order.shuffle(dice);
            assert_same_order(&values, &one, &run_checked(&values, &order, &format!("seed {seed} again")));
        }
        let oracle = Oracle::new(&values);
        let largest = oracle.component.values().map(BTreeSet::len).max().unwrap_or(0);
        seen[0] += usize::from(largest > 2);
        seen[1] += usize::from(largest > 10);
        seen[2] += usize::from(one.len() < values.len());
        seen[3] += usize::from(largest == 1 && one.len() > 5);
    }
    assert!(seen.iter().all(|count| *count > 500), "rare shapes were too rare: {seen:?}");
}

/// Restoring at any point, and commits that come twice, change nothing.
#[test]
fn a_restored_order_goes_on_as_before() {
    for seed in 0..3_000u64 {
        let dice = &mut ChaCha8Rng::seed_from_u64(seed);
        let size = dice.random_range(1..=20);
        let values = random_values(dice, size);
        let mut order: Vec<Vertex> = values.keys().copied().collect();
        order.shuffle(dice);
        let cut = dice.random_range(0..=order.len());
        let (mut graph, mut out) = (GraphOrder::default(), Progress::default());
        for v in &order[..cut] {
            graph.commit(*v, values[v].clone(), &mut out);
        }
        let mut restored = GraphOrder::restore(graph.executed().clone(), &graph.extras());
        assert_eq!((restored.executed(), restored.extras()), (graph.executed(), graph.extras()));
        let mut sequence = out.executed.clone();
        out.clear();
        for v in order.iter().chain(&order) {
            restored.commit(*v, values[v].clone(), &mut out);
        }
        sequence.append(&mut out.executed);
        assert_same_order(&values, &sequence, &run_checked(&values, &order, "whole"));
    }
}

/// All digraphs over up to four vertices of distinct leaders, in all commit orders.
#[test]
fn all_small_digraphs_in_all_orders_equal_the_oracle() {
    for size in 1..=4usize {
        let edges: Vec<(usize, usize)> =
            (0..size).flat_map(|a| (0..size).filter(move |b| a != *b).map(move |b| (a, b))).collect();
        for bits in 0..1u32 << edges.len() {
            let mut below = vec![vec![0u64; size]; size];
            for (_, (from, to)) in edges.iter().enumerate().filter(|(bit, _)| bits >> bit & 1 == 1) {
                below[*from][*to] = 1;
            }
            let deps = below.iter().map(|below| DepSet::from_prefix(Prefix::new(below)));
            let values: Values = deps.enumerate().map(|(leader, deps)| (vertex(leader, 0), deps)).collect();
            // Four vertices: every seventh graph is enough for the time it takes.
            if size < 4 || bits % 7 == 0 {
                check_all_orders(&values);
            }
        }
    }
}

fn check_all_orders(values: &Values) {
    let mut orders: Vec<Vec<Vertex>> = vec![Vec::new()];
    for _ in values {
        orders = orders
            .into_iter()
            .flat_map(|order| {
                let rest = values.keys().filter(|v| !order.contains(v)).copied().collect::<Vec<_>>();
                rest.into_iter().map(move |v| order.iter().copied().chain([v]).collect())
            })
            .collect();
    }
    let sequences: Vec<Vec<Vertex>> =
        orders.iter().map(|order| run_checked(values, order, "small")).collect();
    sequences.iter().for_each(|sequence| assert_same_order(values, &sequences[0], sequence));
}

/// A dependency on very many unknown vertices reports the lowest, and others as they are chosen.
#[test]
fn blockers_are_reported_a_bounded_number_at_a_time() {
    let (mut graph, mut out) = (GraphOrder::default(), Progress::default());
    let many = 3 * BLOCKER_COUNT_MAX as u64;
    let deps = DepSet::from_prefix(Prefix::new(&[many]));
    graph.commit(vertex(1, 0), deps, &mut out);
    assert_eq!(out.blockers, (0..BLOCKER_COUNT_MAX as u64).map(|n| vertex(0, n)).collect::<Vec<_>>());
    assert_eq!(graph.blockers(), out.blockers);
    graph.commit(vertex(0, 2 * BLOCKER_COUNT_MAX as u64), DepSet::default(), &mut out);
    assert_eq!(out.blockers.len(), BLOCKER_COUNT_MAX, "one above those reported leaves no room");
    let mut next = 0;
    while let Some(blocker) = out.blockers.get(next).copied() {
        graph.commit(blocker, DepSet::default(), &mut out);
        next += 1;
    }
    assert_eq!(next as u64, many - 1, "each is reported once");
    assert_eq!(graph.executed(), &Prefix::new(&[many, 1]));
    assert!(graph.blockers().is_empty());
}

/// A set that reaches beyond all that can be held costs a window, not its size.
#[test]
fn a_dependency_beyond_the_window_is_waited_for() {
    let (mut graph, mut out) = (GraphOrder::default(), Progress::default());
    graph.commit(vertex(1, 0), DepSet::from_prefix(Prefix::new(&[u64::MAX])), &mut out);
    assert_eq!((graph.waiting_count(), out.blockers.len()), (1, BLOCKER_COUNT_MAX));
    assert!(!graph.admits(vertex(0, isegoria_types::WINDOW_MAX)));
    for number in 0..3 * BLOCKER_COUNT_MAX as u64 {
        graph.commit(vertex(0, number), DepSet::default(), &mut out);
    }
    assert_eq!((graph.waiting_count(), graph.blockers().len()), (1, BLOCKER_COUNT_MAX));
}
