//! The execution order of the dependency graph, a vertex: no dependencies, a chain, and
//! one cycle of ten thousand vertices whose last commit frees all of them.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use isegoria_replica::{GraphOrder, Progress};
use isegoria_types::{DepSet, NodeId, Prefix, Vertex};
use std::hint::black_box;

const COUNT: u64 = 10_000;
const LEADERS: u64 = 5;

type Commits = Vec<(Vertex, DepSet)>;

/// Vertex `position` of a graph that is dealt out to all leaders in turn.
fn vertex(position: u64) -> Vertex {
    let leader = usize::try_from(position % LEADERS).expect("few leaders");
    Vertex::new(NodeId::new(leader), position / LEADERS)
}

fn none() -> Commits {
    (0..COUNT).map(|position| (vertex(position), DepSet::default())).collect()
}

/// Each vertex depends on the one before it.
fn chain() -> Commits {
    let deps = |position: u64| {
        let mut deps = DepSet::default();
        if position > 0 {
            deps.insert(vertex(position - 1));
        }
        deps
    };
    (0..COUNT).map(|position| (vertex(position), deps(position))).collect()
}

/// Everything depends on everything: what a batch of simultaneous conflicts becomes.
fn cycle() -> Commits {
    let below: Vec<u64> = (0..LEADERS).map(|_| COUNT / LEADERS).collect();
    let all = DepSet::from_prefix(Prefix::new(&below));
    (0..COUNT).map(|position| (vertex(position), all.clone())).collect()
}

fn execute(commits: Commits) -> Progress {
    let mut order = GraphOrder::default();
    let mut progress = Progress::default();
    for (vertex, deps) in commits {
        order.commit(vertex, deps, &mut progress);
    }
    assert_eq!(progress.executed.len() as u64, COUNT);
    progress
}

fn executor(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("executor");
    group.throughput(Throughput::Elements(COUNT));
    let mut backwards = chain();
    backwards.reverse();
    for (name, commits) in
        [("none", none()), ("chain", chain()), ("chain-backwards", backwards), ("cycle-10k", cycle())]
    {
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || commits.clone(),
                |commits| black_box(execute(commits)),
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, executor);
criterion_main!(benches);
