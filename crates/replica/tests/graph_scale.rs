//! A million vertices in shapes that break recursion and retrying: every one ends
//! with all executed, in time that a quadratic step anywhere would exceed by hours.
//! Prints nanoseconds a vertex (`--nocapture`).
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // measures time

use isegoria_replica::{GraphOrder, Progress};
use isegoria_types::{DepSet, NodeId, Prefix, Vertex};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::ops::RangeInclusive;
use std::time::Instant;

const COUNT: u64 = 1_000_000;
const LEADERS: u64 = 5;

/// The `index`th vertex of a round over the leaders.
fn vertex(index: u64) -> Vertex {
    Vertex::new(NodeId::new(usize::try_from(index % LEADERS).expect("small")), index / LEADERS)
}

/// Depends on each leader's vertices up to the last of `indices` that it owns.
fn deps(indices: impl IntoIterator<Item = u64>) -> DepSet {
    let mut deps = DepSet::default();
    indices.into_iter().for_each(|index| deps.insert(vertex(index)));
    deps
}

#[derive(Clone, Copy, Debug)]
enum Order {
    Forward,
    Backward,
    Random,
    /// Forward, with each vertex up to this many places late.
    Late(usize),
}

fn order(order: Order, count: usize) -> Vec<usize> {
    let dice = &mut ChaCha8Rng::seed_from_u64(7);
    let mut indices: Vec<usize> = (0..count).collect();
    match order {
        Order::Forward => {}
        Order::Backward => indices.reverse(),
        Order::Random => indices.shuffle(dice),
        Order::Late(places) => {
            indices.sort_by_cached_key(|index| index + dice.random_range(0..places));
        }
    }
    indices
}

/// Commits `values` in this order; returns the order with all executed.
fn run(name: &str, values: &[(Vertex, DepSet)], commits: Order) -> GraphOrder {
    let queue: Vec<(Vertex, DepSet)> =
        order(commits, values.len()).into_iter().map(|index| values[index].clone()).collect();
    let (mut graph, mut out) = (GraphOrder::default(), Progress::default());
    let (mut executed, mut waiting_max) = (0, 0);
    let start = Instant::now();
    for (vertex, deps) in queue {
        graph.commit(vertex, deps, &mut out);
        executed += out.executed.len();
        waiting_max = waiting_max.max(graph.waiting_count());
        out.clear();
    }
    let per_vertex = start.elapsed().as_nanos() as f64 / values.len() as f64;
    let largest = graph.component_size_max();
    println!(
        "{name:28} {commits:12?} {per_vertex:8.1} ns/vertex, waiting {waiting_max}, component {largest}"
    );
    assert_eq!(executed, values.len(), "{name} {commits:?}");
    assert_eq!(graph.waiting_count(), 0);
    assert!(graph.extras().is_empty() && graph.blockers().is_empty());
    graph
}

/// In several orders; the largest component must be of a size in `largest`.
fn run_all(name: &str, values: &[(Vertex, DepSet)], largest: RangeInclusive<usize>) {
    for commits in [Order::Forward, Order::Backward, Order::Random, Order::Late(50)] {
        let graph = run(name, values, commits);
        assert!(largest.contains(&graph.component_size_max()), "{name}: {}", graph.component_size_max());
    }
}

#[test]
fn no_dependencies() {
    let values: Vec<_> = (0..COUNT).map(|index| (vertex(index), DepSet::default())).collect();
    run_all("none", &values, 1..=1);
}

/// Each vertex depends on its predecessor: in one leader's column, and over all.
#[test]
fn chains() {
    let one = NodeId::new(0);
    let below = |number| DepSet::from_prefix(Prefix::new(&[number]));
    let values: Vec<_> = (0..COUNT).map(|number| (Vertex::new(one, number), below(number))).collect();
    run_all("chain of one leader", &values, 1..=1);
    let values: Vec<_> = (0..COUNT).map(|index| (vertex(index), deps(index.checked_sub(1)))).collect();
    run_all("chain of five leaders", &values, 1..=1);
    let all_before = |index: u64| deps(index.saturating_sub(LEADERS)..index);
    let values: Vec<_> = (0..COUNT).map(|index| (vertex(index), all_before(index))).collect();
    run_all("all before", &values, 1..=1);
}

/// One component of everything: each vertex depends on its successor, the last on the first.
#[test]
fn cycles() {
    for count in [100_000, COUNT] {
        let next = |index| (index + 1) % count;
        let values: Vec<_> = (0..count).map(|index| (vertex(index), deps([next(index)]))).collect();
        run_all(&format!("cycle of {count}"), &values, values.len() / 2..=values.len());
    }
}

/// Every vertex depends on every other: 10^12 edges.
#[test]
fn everything_depends_on_everything() {
    let whole = deps(COUNT - LEADERS..COUNT);
    let values: Vec<_> = (0..COUNT).map(|index| (vertex(index), whole.clone())).collect();
    run_all("complete", &values, values.len()..=values.len());
}

/// Like traffic: a few dependencies among the last hundred, some of them mutual.
#[test]
fn random_recent_dependencies() {
    let dice = &mut ChaCha8Rng::seed_from_u64(3);
    let mut recent = |index: u64, ahead: u64| {
        let near = move |dice: &mut ChaCha8Rng| (index + ahead).saturating_sub(dice.random_range(1..=100));
        deps([near(dice), near(dice), near(dice)].map(|near| near.min(COUNT - 1)))
    };
    let values: Vec<_> = (0..COUNT).map(|index| (vertex(index), recent(index, 0))).collect();
    run_all("three recent", &values, 1..=1);
    let values: Vec<_> = (0..COUNT).map(|index| (vertex(index), recent(index, 10))).collect();
    run_all("three recent, mutual", &values, 10..=1_000);
    let mut anywhere = |index: u64| deps([dice.random_range(0..=index), dice.random_range(0..=index)]);
    let values: Vec<_> = (0..COUNT).map(|index| (vertex(index), anywhere(index))).collect();
    run_all("two anywhere before", &values, 1..=1);
}

/// A hole at the bottom of one leader, a long executed stretch above it, and many
/// vertices that depend on the stretch.
#[test]
fn a_hole_below_many_executed_vertices() {
    let (a, b) = (NodeId::new(0), NodeId::new(1));
    let half = COUNT / 2;
    let mut values: Vec<_> = (1..half).map(|number| (Vertex::new(a, number), DepSet::default())).collect();
    let below = |number| DepSet::from_prefix(Prefix::new(&[half - number % 1000]));
    values.extend((0..half).map(|number| (Vertex::new(b, number), below(number))));
    values.push((Vertex::new(a, 0), DepSet::default()));
    run("hole", &values, Order::Forward);
}
