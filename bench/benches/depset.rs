//! Dependency sets: the union of the answers of a quorum.

use criterion::{Criterion, criterion_group, criterion_main};
use isegoria_types::{DepSet, Prefix};
use std::hint::black_box;

/// Answers that overlap, one a dependency node.
fn answers(width: u64) -> Vec<DepSet> {
    (0..3)
        .map(|node| {
            let below: Vec<u64> = (0..width).map(|leader| 1000 + (leader * 7 + node * 3) % 5).collect();
            DepSet::from_prefix(Prefix::new(&below))
        })
        .collect()
}

fn depset(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("depset");
    for width in [3, 5, 13] {
        let answers = answers(width);
        group.bench_function(format!("union-of-3/{width}-leaders"), |bencher| {
            bencher.iter(|| {
                let mut union = DepSet::default();
                for answer in black_box(&answers) {
                    union.union(answer);
                }
                union
            });
        });
    }
    group.finish();
}

criterion_group!(benches, depset);
criterion_main!(benches);
