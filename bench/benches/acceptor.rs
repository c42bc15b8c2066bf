//! The acceptor cell of one vertex: a vote without a promise (the common case), and a
//! recovery's promise and vote after it.

use criterion::{Criterion, criterion_group, criterion_main};
use isegoria_acceptor::{Accepted, Cell, Promise};
use isegoria_types::{Ballot, NodeId};
use std::hint::black_box;

fn acceptor(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("acceptor-cell");
    let first = Ballot::initial(NodeId::new(0));
    let second = first.next_for(NodeId::new(2));
    group.bench_function("vote", |bencher| {
        bencher.iter(|| {
            let mut cell = Cell::default();
            assert_eq!(cell.accept(black_box(first), black_box(7u64)), Accepted::Voted);
            cell
        });
    });
    group.bench_function("vote-promise-vote", |bencher| {
        bencher.iter(|| {
            let mut cell = Cell::default();
            assert_eq!(cell.accept(black_box(first), black_box(7u64)), Accepted::Voted);
            assert_eq!(cell.promise(black_box(second)), Promise::Granted { vote: Some((first, &7)) });
            assert_eq!(cell.accept(black_box(second), black_box(7u64)), Accepted::Voted);
            cell
        });
    });
    group.finish();
}

criterion_group!(benches, acceptor);
criterion_main!(benches);
