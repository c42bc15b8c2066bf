//! Clusters over long distances, in virtual time.
#![allow(clippy::disallowed_types)] // A test.

use bytes::Bytes;
use isegoria_bpaxos::simple::SimpleBpaxos;
use isegoria_epaxos::atlas::Atlas;
use isegoria_epaxos::epaxos::Epaxos;
use isegoria_kv::Op;
use isegoria_multipaxos::MultiPaxos;
use isegoria_node::Protocol;
use isegoria_sim::{WideOutcome, WidePlan, run_wide};
use isegoria_types::{Layout, NodeId, QuorumSystem};

const MS: u64 = 1_000_000;

/// Three nodes: 10 ms from the first to the second, 20 to the third, and 25 between these.
fn plan(clients: usize, service_ns: u64) -> WidePlan {
    WidePlan {
        one_way_ns: vec![vec![0, 10 * MS, 20 * MS], vec![10 * MS, 0, 25 * MS], vec![20 * MS, 25 * MS, 0]],
        service_ns,
        batch_max: 1,
        clients: vec![clients; 3],
        warm_up_ns: 500 * MS,
        window_ns: 2_000 * MS,
        seed: 1,
    }
}

fn layout() -> Layout {
    Layout::co_located(3, &QuorumSystem::Majority).expect("a majority of three")
}

fn run<P: Protocol>(plan: &WidePlan, key: impl Fn(usize, u64) -> u64) -> WideOutcome {
    let layout = layout();
    let mut count = 0;
    let mut payload = |client: usize| {
        count += 1;
        let key = Bytes::copy_from_slice(&key(client, count).to_be_bytes());
        postcard::to_stdvec(&Op::Put(key, Bytes::from_static(b"value"))).expect("encoding into memory").into()
    };
    run_wide::<P>(plan, (&layout, &P::Options::default()), &mut payload)
}

fn median(mut all: Vec<u64>) -> u64 {
    all.sort_unstable();
    all[all.len() / 2]
}

/// Each command takes what distance costs the protocol, and the processors' time, which is little.
fn takes_as_long_as_the_limit<P: Protocol>() {
    let (plan, layout) = (plan(2, 1_000), layout());
    let outcome = run::<P>(&plan, |_, count| count);
    let round_trip = |from: NodeId, to: NodeId| {
        #[allow(clippy::cast_precision_loss)]
        let ns = (2 * plan.one_way_ns[from.index()][to.index()]) as f64;
        ns
    };
    for (index, latencies) in outcome.latencies_ns.iter().enumerate() {
        let limit = P::limit(&layout, &P::Options::default(), NodeId::new(index), &round_trip);
        #[allow(clippy::cast_precision_loss)]
        let ratio = median(latencies.clone()) as f64 / limit;
        assert!((1.0..1.01).contains(&ratio), "{} at n{}: {ratio}", P::NAME, index + 1);
    }
}

#[test]
fn without_conflicts_a_command_takes_as_long_as_distance_says() {
    takes_as_long_as_the_limit::<Epaxos>();
    takes_as_long_as_the_limit::<Atlas>();
    takes_as_long_as_the_limit::<SimpleBpaxos>();
    takes_as_long_as_the_limit::<MultiPaxos>();
}

#[test]
fn a_run_is_a_function_of_its_plan() {
    let one = run::<Epaxos>(&plan(20, 5_000), |client, count| if client % 3 == 0 { 0 } else { count });
    let other = run::<Epaxos>(&plan(20, 5_000), |client, count| if client % 3 == 0 { 0 } else { count });
    assert_eq!(one, other);
    assert!(
        one.conflicting_count > 0 && one.slow_count + one.fast_count > 0 && one.latencies_ns[0].len() > 100
    );
}

/// Many clients find the busiest processor: it is never busier than the time that passes, and nearly all of it.
#[test]
fn the_busiest_processor_is_the_limit_of_throughput() {
    let plan = plan(400, 20_000);
    for outcome in [run::<MultiPaxos>(&plan, |_, count| count), run::<Epaxos>(&plan, |_, count| count)] {
        let busiest = *outcome.busy_ns.iter().max().expect("three nodes");
        assert!(busiest <= plan.window_ns + 10 * MS, "{busiest}");
        assert!(busiest > plan.window_ns * 9 / 10, "{busiest}");
    }
}
