//! The execution engine of the replicas on every digraph of up to four vertices (five in
//! the long size), in every order in which they may be chosen, against a reference that
//! computes everything anew from the digraph.
//!
//! Dependency sets are prefixes; with one vertex a leader every digraph is one. Vertices
//! that the digraph joins are taken to conflict. Self-loops are left out: every reader
//! ignores the carrier in its own set.

use crate::checker::is_full;
use crate::order::for_each_order;
use bytes::Bytes;
use isegoria_kv::{Kv, Op};
use isegoria_machine::Erased;
use isegoria_node::OrderKind;
use isegoria_replica::{GraphOrder, Progress, Replica, ReplicaOutbox};
use isegoria_types::{
    Action, Batch, ClientId, Command, DepSet, Footprint, Layout, NodeId, Order, QuorumSystem, RequestId,
    Vertex,
};
use std::collections::BTreeSet;

/// Bit j of row i: vertex i depends on vertex j.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Digraph {
    count: usize,
    rows: [u8; 5],
}

impl Digraph {
    /// The digraph whose possible edges, row by row, are the bits of `code`.
    fn decode(count: usize, code: u32) -> Digraph {
        let mut rows = [0; 5];
        let edges = (0..count).flat_map(|from| (0..count).map(move |to| (from, to)));
        for (bit, (from, to)) in edges.filter(|(from, to)| from != to).enumerate() {
            rows[from] |= u8::try_from(code >> bit & 1).expect("a bit") << to;
        }
        Digraph { count, rows }
    }

    fn has(&self, from: usize, to: usize) -> bool {
        self.rows[from] >> to & 1 == 1
    }

    fn deps(&self, vertex: usize) -> DepSet {
        let mut deps = DepSet::default();
        (0..self.count).filter(|to| self.has(vertex, *to)).for_each(|to| deps.insert(at(to)));
        deps
    }

    /// For each vertex, what can be reached from it, itself included.
    fn closure(&self) -> [u8; 5] {
        let mut reach = self.rows;
        (0..self.count).for_each(|vertex| reach[vertex] |= 1 << vertex);
        for middle in 0..self.count {
            for from in 0..self.count {
                if reach[from] >> middle & 1 == 1 {
                    reach[from] |= reach[middle];
                }
            }
        }
        reach
    }
}

fn at(vertex: usize) -> Vertex {
    Vertex::new(NodeId::new(vertex), 0)
}

/// Something that executes what is committed to it.
trait Executor: Default {
    fn commit(&mut self, vertex: Vertex, deps: DepSet, out: &mut Progress);
}

impl Executor for GraphOrder {
    fn commit(&mut self, vertex: Vertex, deps: DepSet, out: &mut Progress) {
        self.commit(vertex, deps, out);
    }
}

/// Commits in one order and compares with the reference after every commit.
fn run<E: Executor>(digraph: &Digraph, order: &[usize]) -> Result<(), String> {
    let (mut executor, mut progress) = (E::default(), Progress::default());
    let reach = digraph.closure();
    let (mut committed, mut executed) = (0u8, 0u8);
    for vertex in order {
        committed |= 1 << vertex;
        executor.commit(at(*vertex), digraph.deps(*vertex), &mut progress);
        let mut start = 0;
        for end in progress.components.drain(..) {
            let members: Vec<usize> =
                progress.executed[start..end].iter().map(|member| member.leader.index()).collect();
            check_component(&reach, &members, executed)?;
            members.iter().for_each(|member| executed |= 1 << member);
            start = end;
        }
        if start != progress.executed.len() {
            return Err("a vertex is executed outside of any component".into());
        }
        progress.executed.clear();
        let eligible = |vertex: &usize| committed >> vertex & 1 == 1 && reach[*vertex] & !committed == 0;
        let expected: u8 = (0..digraph.count).filter(eligible).map(|vertex| 1u8 << vertex).sum();
        if executed != expected {
            return Err(format!("of {committed:#b} committed, {executed:#b} executed, not {expected:#b}"));
        }
    }
    Ok(())
}

/// The members are one strongly connected component, in order of vertices, executed
/// once, and after all that they depend on.
fn check_component(reach: &[u8; 5], members: &[usize], executed: u8) -> Result<(), String> {
    let first = members[0];
    let together =
        (0..reach.len()).filter(|other| reach[first] >> other & 1 == 1 && reach[*other] >> first & 1 == 1);
    let component: Vec<usize> = together.collect();
    let set: u8 = component.iter().map(|member| 1u8 << member).sum();
    if members != component {
        return Err(format!("{members:?} executed together, which is not the component {component:?}"));
    }
    if executed & set != 0 {
        return Err(format!("{members:?} executed again"));
    }
    if reach[first] & !set & !executed != 0 {
        return Err(format!("{members:?} executed before what they depend on"));
    }
    Ok(())
}

/// Every digraph of `count` vertices in every order; the number of runs, or the first mistake.
fn enumerate<E: Executor>(count: usize) -> Result<u64, String> {
    let mut run_count = 0;
    for code in 0..1u32 << (count * (count - 1)) {
        let digraph = Digraph::decode(count, code);
        let mut result = Ok(());
        for_each_order(count, &mut |order| {
            run_count += 1;
            if result.is_ok() {
                result = run::<E>(&digraph, order)
                    .map_err(|what| format!("{digraph:?} in order {order:?}: {what}"));
            }
        });
        result?;
    }
    Ok(run_count)
}

#[test]
fn every_digraph_in_every_order() {
    for (count, expected) in [(1, 1), (2, 8), (3, 384), (4, 98_304), (5, 125_829_120)] {
        if count < 5 || is_full() {
            assert_eq!(enumerate::<GraphOrder>(count), Ok(expected));
            println!("execution engine, {count} vertices: {expected} runs");
        }
    }
}

/// Executes at once, in the order of arrival.
#[derive(Default)]
struct Arrival;

impl Executor for Arrival {
    fn commit(&mut self, vertex: Vertex, _: DepSet, out: &mut Progress) {
        out.executed.push(vertex);
        out.components.push(out.executed.len());
    }
}

/// Does not look at what depends on the vertex with the highest id.
#[derive(Default)]
struct Shortened(GraphOrder);

impl Executor for Shortened {
    fn commit(&mut self, vertex: Vertex, deps: DepSet, out: &mut Progress) {
        let mut shorter = DepSet::default();
        let kept = deps.as_prefix().iter().filter(|(leader, below)| *below > 0 && leader.index() < 3);
        kept.for_each(|(leader, _)| shorter.insert(at(leader.index())));
        self.0.commit(vertex, shorter, out);
    }
}

#[test]
fn wrong_executors_are_found() {
    let arrival = enumerate::<Arrival>(2).unwrap_err();
    let shortened = enumerate::<Shortened>(4).unwrap_err();
    println!("arrival order: {arrival}\na dependency left out: {shortened}");
    assert!(arrival.contains("executed before what they depend on"));
    assert!(enumerate::<Shortened>(3).is_ok(), "with three vertices it leaves nothing out");
}

/// A command that writes its number to a key for each vertex that the digraph joins it to.
fn batch(digraph: &Digraph, vertex: usize) -> Batch {
    let own = Bytes::from(vec![u8::try_from(vertex).expect("small")]);
    let joined = |other: &usize| digraph.has(vertex, *other) || digraph.has(*other, vertex);
    let key = |other: usize| Bytes::from(format!("{}-{}", vertex.min(other), vertex.max(other)));
    let pairs = (0..digraph.count).filter(joined).map(|other| (key(other), own.clone()));
    let op = Op::MultiPut(pairs.collect());
    let mut footprint = Footprint::default();
    op.footprint(&mut footprint);
    Batch::of(&[Command {
        request: RequestId { client: ClientId(vertex as u64), number: 0 },
        acked_below: 0,
        generation: 0,
        footprint,
        action: Action::Apply(postcard::to_stdvec(&op).expect("encodable").into()),
    }])
}

/// The states in which a replica ends, over all orders in which it learns of the vertices.
fn final_states(digraph: &Digraph, deps: impl Fn(usize) -> DepSet) -> BTreeSet<u64> {
    let layout = Layout::co_located(digraph.count, &QuorumSystem::Majority).expect("a few nodes");
    let batches: Vec<Batch> = (0..digraph.count).map(|vertex| batch(digraph, vertex)).collect();
    let mut digests = BTreeSet::new();
    for_each_order(digraph.count, &mut |order| {
        let machine = Box::new(Erased::<Kv>::default());
        let mut replica = Replica::new(NodeId::new(0), &layout, OrderKind::Graph, machine);
        for vertex in order {
            let place = Order::Vertex(at(*vertex), deps(*vertex));
            replica.commit(place, batches[*vertex].clone(), &mut ReplicaOutbox::default());
        }
        assert_eq!(replica.applied_count(), digraph.count as u64, "{digraph:?} in order {order:?}");
        digests.insert(replica.digest());
    });
    digests
}

/// The whole replica, with a state that tells the order of every two joined vertices.
#[test]
fn replicas_end_in_one_state() {
    for code in 0..1u32 << 12 {
        let digraph = Digraph::decode(4, code);
        let states = final_states(&digraph, |vertex| digraph.deps(vertex));
        assert_eq!(states.len(), 1, "{digraph:?}");
    }
    let chain = Digraph { count: 4, rows: [0b0010, 0b0100, 0b1000, 0, 0] };
    let forgetful = |vertex: usize| if vertex == 1 { DepSet::default() } else { chain.deps(vertex) };
    assert_eq!(final_states(&chain, forgetful).len(), 2, "an edge left out is seen in the state");
}
