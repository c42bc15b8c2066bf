//! The nodes of both protocols under seeded schedules of loss, duplication,
//! reordering, crashes and restarts.

use isegoria_bpaxos::simple::SimpleBpaxos;
use isegoria_multipaxos::MultiPaxos;
use isegoria_node::Protocol;
use isegoria_sim::{Report, SimConfig, run};
use isegoria_types::QuorumSystem;
use std::collections::BTreeMap;

/// Runs seeds and adds up the rare situations; a failure prints its seed.
fn seeds<P: Protocol>(config: &SimConfig, seeds: std::ops::Range<u64>) -> BTreeMap<&'static str, u64> {
    let mut total: BTreeMap<&'static str, u64> = BTreeMap::new();
    for seed in seeds {
        let report: Report = run::<P>(config, &P::Options::default(), seed).unwrap_or_else(|violation| {
            panic!("{} with {} nodes, seed {seed}: {violation:?}", P::NAME, config.node_count)
        });
        assert!(report.checks.agreement_count > 0, "S1 was never looked at");
        assert!(report.checks.order_count > 0, "S3 was never looked at");
        assert!(report.checks.answer_count > 0, "S5 was never looked at");
        for (name, count) in report.situations {
            *total.entry(name).or_default() += count;
        }
        *total.entry("crash").or_default() += report.crash_count;
        *total.entry("restart from a checkpoint").or_default() += report.checkpoint_restart_count;
        *total.entry("conflicting pair").or_default() += report.checks.visibility_count;
    }
    println!("{}: {total:?}", P::NAME);
    total
}

fn reached(total: &BTreeMap<&'static str, u64>, names: &[&str]) {
    for name in names {
        assert!(total.get(name).is_some_and(|count| *count > 0), "`{name}` was never reached: {total:?}");
    }
}

const MULTIPAXOS: [&str; 4] = ["elected", "deposed", "crash", "restart from a checkpoint"];
const SIMPLE: [&str; 7] = [
    "proposed with conflicts",
    "recovery started",
    "noop proposed",
    "resubmitted",
    "crash",
    "restart from a checkpoint",
    "conflicting pair",
];

#[test]
fn multipaxos_with_three_nodes() {
    reached(&seeds::<MultiPaxos>(&SimConfig::default(), 0..150), &MULTIPAXOS);
}

#[test]
fn multipaxos_with_five_nodes() {
    let config = SimConfig { node_count: 5, crash_count: 5, ..SimConfig::default() };
    reached(&seeds::<MultiPaxos>(&config, 1000..1060), &MULTIPAXOS);
}

#[test]
fn simple_bpaxos_with_three_nodes() {
    reached(&seeds::<SimpleBpaxos>(&SimConfig::default(), 0..150), &SIMPLE);
}

#[test]
fn simple_bpaxos_with_five_nodes() {
    let config = SimConfig { node_count: 5, crash_count: 5, ..SimConfig::default() };
    reached(&seeds::<SimpleBpaxos>(&config, 1000..1060), &SIMPLE);
}

#[test]
fn flexible_even_and_grid_quorums() {
    let systems = [
        (4, QuorumSystem::TieBreaker { node: "n1".into() }),
        (4, QuorumSystem::MajorityWithout { node: "n4".into() }),
        (4, QuorumSystem::Counts { phase1: 3, phase2: 2, dependency: None }),
        (6, QuorumSystem::Grid { rows: 2, columns: 3, dependency: Default::default() }),
    ];
    for (node_count, quorums) in systems {
        let config = SimConfig { node_count, quorums, ..SimConfig::default() };
        seeds::<MultiPaxos>(&config, 2000..2015);
        seeds::<SimpleBpaxos>(&config, 2000..2015);
    }
}

/// The same seed gives the same run.
#[test]
fn runs_are_deterministic() {
    for seed in 0..10 {
        let config = SimConfig::default();
        let multipaxos = || run::<MultiPaxos>(&config, &Default::default(), seed).unwrap();
        assert_eq!(multipaxos(), multipaxos());
        let simple = || run::<SimpleBpaxos>(&config, &Default::default(), seed).unwrap();
        assert_eq!(simple(), simple());
    }
}
