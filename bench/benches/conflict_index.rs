//! The conflict index: computing the dependencies of a vertex and recording it, for one
//! command and for a batch of 128, with keys that are all new or all the same; and looking for a
//! scope among a thousand that conflict by pairs.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use isegoria_depservice::KeyedIndex;
use isegoria_types::{Conflicts, Footprint, NodeId, NodeSet, Prefix, Vertex};
use std::hint::black_box;

const LEADERS: usize = 3;
const COMMANDS: usize = 12_800;

/// Vertices that carry `COMMANDS` writes in batches of `batch`.
fn requests(batch: usize, fresh: bool) -> Vec<(Vertex, Footprint)> {
    let footprint = |index: usize| {
        let mut footprint = Footprint::default();
        for command in index * batch..(index + 1) * batch {
            let key = if fresh { command as u64 } else { 0 };
            footprint.write(&key.to_be_bytes());
        }
        footprint
    };
    (0..COMMANDS / batch)
        .map(|index| (Vertex::new(NodeId::new(index % LEADERS), (index / LEADERS) as u64), footprint(index)))
        .collect()
}

fn compute(requests: &[(Vertex, Footprint)]) -> KeyedIndex {
    let mut index = KeyedIndex::new(NodeSet::first(LEADERS), 1, &Conflicts::default());
    let floor = Prefix::default();
    for (vertex, footprint) in requests {
        black_box(index.compute(*vertex, footprint, &floor));
    }
    index
}

fn conflict_index(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("conflict-index");
    group.throughput(Throughput::Elements(COMMANDS as u64));
    for batch in [1, 128] {
        for (keys, fresh) in [("fresh", true), ("hot", false)] {
            let requests = requests(batch, fresh);
            group.bench_function(format!("compute-and-record/{keys}/batch-{batch}"), |bencher| {
                bencher.iter_batched(|| (), |()| compute(&requests), BatchSize::LargeInput);
            });
        }
    }
    group.finish();
}

/// Ranges, which conflict where they overlap.
fn pairwise(criterion: &mut Criterion) {
    type Range = (u32, u32);
    let conflicts = Conflicts::pairwise(|a: &Range, b: &Range| a.0 < b.1 && b.0 < a.1);
    let mut index = KeyedIndex::new(NodeSet::first(LEADERS), 1, &conflicts);
    let scope = |number: u32| {
        let mut footprint = Footprint::default();
        footprint.scope(&(10 * number, 10 * number + 5));
        footprint
    };
    let floor = Prefix::default();
    for number in 0..1_000u32 {
        let vertex = Vertex::new(NodeId::new(number as usize % LEADERS), u64::from(number) / LEADERS as u64);
        black_box(index.compute(vertex, &scope(number), &floor));
    }
    let (one, none) = (scope(500), scope(1_000));
    criterion.bench_function("conflict-index/pairwise/one-of-1000", |bencher| {
        bencher.iter(|| index.deps(black_box(&one), &floor));
    });
    criterion.bench_function("conflict-index/pairwise/none-of-1000", |bencher| {
        bencher.iter(|| index.deps(black_box(&none), &floor));
    });
}

criterion_group!(benches, conflict_index, pairwise);
criterion_main!(benches);
