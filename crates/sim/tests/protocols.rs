//! The nodes of every protocol under seeded runs with faults: a short slice of what
//! `isegoria sim` does at length.

use isegoria_bpaxos::simple::SimpleBpaxos;
use isegoria_bpaxos::unanimous::{self, Fast, UnanimousBpaxos};
use isegoria_epaxos::atlas::{self, Atlas};
use isegoria_epaxos::epaxos::Epaxos;
use isegoria_multipaxos::MultiPaxos;
use isegoria_node::{OrderKind, Protocol};
use isegoria_sim::{FAULT_COUNT_MIN, FaultLimits, InterruptedCall, Interruption, SimConfig, diagram, run};
use isegoria_types::QuorumSystem;
use std::collections::BTreeSet;
use std::ops::Range;

/// Runs seeds; a failure prints its seed. Every check must have looked at something.
fn hold<P: Protocol>(config: &SimConfig, options: &P::Options, seeds: Range<u64>) {
    for seed in seeds {
        let outcome = run::<P>(config, options, seed).outcome;
        let report = outcome.unwrap_or_else(|violation| panic!("{}, seed {seed}: {violation}", P::NAME));
        assert!(report.command_count >= config.command_count, "{}, seed {seed}", P::NAME);
        assert!(report.fault_count >= FAULT_COUNT_MIN as u64, "{}, seed {seed}", P::NAME);
        for (name, count) in report.evaluations {
            let idle = name == "visibility" && P::ORDER == OrderKind::Log;
            assert!(count > 0 || idle, "{}, seed {seed}: the check `{name}` never looked", P::NAME);
        }
    }
}

#[test]
fn multipaxos() {
    hold::<MultiPaxos>(&SimConfig::default(), &Default::default(), 0..60);
}

#[test]
fn simple_bpaxos() {
    hold::<SimpleBpaxos>(&SimConfig::default(), &Default::default(), 0..40);
}

#[test]
fn unanimous_bpaxos() {
    hold::<UnanimousBpaxos>(&SimConfig::default(), &Default::default(), 0..40);
    for fast in [Fast::Unanimous, Fast::Basic] {
        let options = unanimous::Options { fast, ..Default::default() };
        hold::<UnanimousBpaxos>(&SimConfig::default(), &options, 100..130);
    }
}

#[test]
fn epaxos() {
    hold::<Epaxos>(&SimConfig::default(), &Default::default(), 0..40);
    let config = SimConfig { node_count: Some(5), ..SimConfig::default() };
    hold::<Epaxos>(&config, &Default::default(), 100..115);
}

#[test]
fn atlas() {
    hold::<Atlas>(&SimConfig::default(), &Default::default(), 0..40);
    let config = SimConfig { node_count: Some(5), ..SimConfig::default() };
    for f in [1, 2] {
        hold::<Atlas>(&config, &atlas::Options { f: Some(f), ..Default::default() }, 100..115);
    }
}

/// Quorums alone are asked, and the others where these do not answer.
#[test]
fn thrifty_proposers() {
    let config = SimConfig { node_count: Some(5), ..SimConfig::default() };
    let epaxos = isegoria_epaxos::epaxos::Options { thrifty: true, ..Default::default() };
    hold::<Epaxos>(&config, &epaxos, 100..115);
    // Where a fast quorum is larger than a slow one.
    hold::<Epaxos>(&SimConfig { node_count: Some(7), ..SimConfig::default() }, &epaxos, 100..106);
    let simple = isegoria_bpaxos::simple::Options { thrifty: true, ..Default::default() };
    hold::<SimpleBpaxos>(&SimConfig::default(), &simple, 100..115);
    let multipaxos = isegoria_multipaxos::Options { thrifty: true, ..Default::default() };
    hold::<MultiPaxos>(&SimConfig::default(), &multipaxos, 100..120);
}

/// Windows that are always full, and a log whose votes do not fit into one report.
#[test]
fn small_windows() {
    let multipaxos = isegoria_multipaxos::Options { window: 4, queue_max: 8, ..Default::default() };
    hold::<MultiPaxos>(&SimConfig::default(), &multipaxos, 100..130);
    let simple = isegoria_bpaxos::simple::Options { in_flight_max: 2, ..Default::default() };
    hold::<SimpleBpaxos>(&SimConfig::default(), &simple, 100..115);
}

#[test]
fn flexible_even_and_grid_quorums() {
    let systems = [
        (4, QuorumSystem::TieBreaker { node: "n1".into() }),
        (4, QuorumSystem::Counts { phase1: 3, phase2: 2, dependency: None }),
        (6, QuorumSystem::Grid { rows: 2, columns: 3, dependency: Default::default() }),
    ];
    for (node_count, quorum) in systems {
        let config = SimConfig { node_count: Some(node_count), quorum: Some(quorum), ..SimConfig::default() };
        hold::<MultiPaxos>(&config, &Default::default(), 2000..2006);
        hold::<SimpleBpaxos>(&config, &Default::default(), 2000..2004);
    }
}

/// The same seed gives the same run, byte by byte.
#[test]
fn runs_are_deterministic() {
    fn twice<P: Protocol>(seeds: Range<u64>) {
        let config = SimConfig { command_count: 150, chaos_ms: 2_000, record: true, ..SimConfig::default() };
        for seed in seeds {
            let [one, two] = [0; 2].map(|_| run::<P>(&config, &P::Options::default(), seed));
            assert!(one.trace.lines().len() > 1_000);
            let [text, again] = [&one, &two]
                .map(|run| run.trace.lines().iter().map(|line| format!("{line}\n")).collect::<String>());
            assert_eq!(text.as_bytes(), again.as_bytes(), "{}, seed {seed}", P::NAME);
            assert_eq!(one.outcome, two.outcome, "{}, seed {seed}", P::NAME);
        }
    }
    twice::<MultiPaxos>(0..50);
    twice::<SimpleBpaxos>(0..50);
    twice::<UnanimousBpaxos>(0..20);
    twice::<Atlas>(0..20);
    twice::<Epaxos>(0..20);
}

/// A disk that is emptied and one that is set back break what was promised, and a check
/// of safety sees it: nodes do not notice either.
#[test]
fn lost_disks_are_seen() {
    fn hunt<P: Protocol>() {
        let faults = FaultLimits { amnesia_count: 4, ..FaultLimits::default() };
        let config = SimConfig { faults, ..SimConfig::default() };
        let mut found = BTreeSet::new();
        for seed in 0..2_000 {
            let run = run::<P>(&config, &P::Options::default(), seed);
            let happened = |name| run.report.situations.contains_key(name);
            let faults = (happened("emptied disk"), happened("old disk image"));
            if run.outcome.is_err_and(|violation| violation.check != "progress") {
                found.insert(faults);
            }
            if found.contains(&(true, false)) && found.contains(&(false, true)) {
                return;
            }
        }
        panic!("{}: (emptied, set back) that a check saw: {found:?}", P::NAME);
    }
    hunt::<MultiPaxos>();
    hunt::<SimpleBpaxos>();
}

/// A disk that says that it synced and did not: one copy cannot survive it, and the checks
/// see that.
#[test]
fn lying_disks_are_seen() {
    fn hunt<P: Protocol>() {
        let faults = FaultLimits { lying_sync_count: 4, ..FaultLimits::default() };
        let config = SimConfig { faults, ..SimConfig::default() };
        let seen = (0..100).find_map(|seed| {
            let run = run::<P>(&config, &P::Options::default(), seed);
            let lied = run.report.situations.contains_key("lying syncs");
            run.outcome.err().filter(|violation| lied && violation.check != "progress")
        });
        assert_eq!(seen.map(|violation| violation.check), Some("log"), "{}", P::NAME);
    }
    hunt::<MultiPaxos>();
    hunt::<SimpleBpaxos>();
}

/// Each call to the storage of one node, interrupted in every way: a short slice of
/// `isegoria sim --storage-calls`.
#[test]
fn every_storage_call_may_be_the_last() {
    fn hold<P: Protocol>(seed: u64, calls_min: u64) {
        for how in Interruption::ALL {
            let interrupted = (1..).find(|number| {
                let call = InterruptedCall { node: 0, number: *number, how };
                let config = SimConfig {
                    command_count: 20,
                    faults: FaultLimits { loss: 0.1, ..FaultLimits::NONE },
                    node_count: Some(3),
                    interrupted_call: Some(call),
                    ..SimConfig::short()
                };
                let run = run::<P>(&config, &P::Options::default(), seed);
                let name = (P::NAME, seed, how.name(), number);
                run.outcome.unwrap_or_else(|violation| panic!("{name:?}: {violation}"));
                !run.interrupted
            });
            assert!(interrupted > Some(calls_min), "{}, {how:?}: {interrupted:?}", P::NAME);
        }
    }
    hold::<MultiPaxos>(3, 20);
    hold::<SimpleBpaxos>(3, 20);
    hold::<UnanimousBpaxos>(3, 20);
    hold::<Atlas>(3, 20);
    hold::<Epaxos>(3, 20);
}

/// Without faults everything is simple, and the checks look all the same.
#[test]
fn calm_runs_hold() {
    let faults = FaultLimits::NONE;
    let config = SimConfig { faults, node_count: Some(3), ..SimConfig::default() };
    for seed in 0..5 {
        let run = run::<SimpleBpaxos>(&config, &Default::default(), seed);
        assert_eq!(run.outcome.map(|report| report.fault_count), Ok(0));
    }
}

/// A recorded run can be drawn.
#[test]
fn a_run_is_drawn() {
    let config = SimConfig { record: true, command_count: 20, chaos_ms: 2_000, ..SimConfig::default() };
    let run = run::<SimpleBpaxos>(&config, &Default::default(), 1);
    let svg = diagram::draw(&run, "seed 1");
    assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n") && svg.matches("<line").count() > 100);
}
