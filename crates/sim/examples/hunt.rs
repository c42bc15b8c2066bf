//! Hunts for a violation: how many seeds does it take?
//!
//! `hunt PROTOCOL HUNTS SEEDS_MAX [amnesia]` begins several hunts at different seeds; each
//! ends at its first violation. Prints a line a hunt and, last, the median. Exit code 0 if
//! every hunt found something and the median is at most 500 seeds, 1 if not. `scripts/mutants` runs it on planted
//! bugs; on the correct code it finds nothing.

use isegoria_bpaxos::simple::SimpleBpaxos;
use isegoria_bpaxos::unanimous::UnanimousBpaxos;
use isegoria_epaxos::atlas::Atlas;
use isegoria_epaxos::epaxos::Epaxos;
use isegoria_multipaxos::MultiPaxos;
use isegoria_node::Protocol;
use isegoria_sim::{FaultLimits, SimConfig, run};
use std::process::ExitCode;

/// A bug that takes more seeds than this, in the median, is not found well enough.
const MEDIAN_MAX: u64 = 500;

/// The check that fails at a seed, if one does.
fn failing<P: Protocol>(config: &SimConfig, seed: u64) -> Option<&'static str> {
    let run = run::<P>(config, &P::Options::default(), seed);
    run.outcome.err().map(|violation| violation.check)
}

fn hunt<P: Protocol>(config: &SimConfig, hunts: u64, seeds_max: u64) -> ExitCode {
    let mut counts = Vec::new();
    for number in 0..hunts {
        let from = number * 1_000_000;
        let found = (0..seeds_max).find_map(|tried| Some((tried + 1, failing::<P>(config, from + tried)?)));
        let Some((count, check)) = found else {
            println!("{}: nothing in {seeds_max} seeds from {from}", P::NAME);
            return ExitCode::FAILURE;
        };
        println!("{}: check `{check}` fails at seed {} ({count} tried)", P::NAME, from + count - 1);
        counts.push(count);
    }
    counts.sort_unstable();
    let median = counts[counts.len() / 2];
    println!("median {median} seeds of {hunts} hunts");
    if median <= MEDIAN_MAX { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let usage = "usage: hunt PROTOCOL HUNTS SEEDS_MAX [amnesia]";
    let [protocol, hunts, seeds_max, rest @ ..] = words.as_slice() else {
        eprintln!("{usage}");
        return ExitCode::from(2);
    };
    let (Ok(hunts), Ok(seeds_max)) = (hunts.parse(), seeds_max.parse()) else {
        eprintln!("{usage}");
        return ExitCode::from(2);
    };
    let amnesia_count = if rest == ["amnesia"] { 3 } else { 0 };
    let config =
        SimConfig { faults: FaultLimits { amnesia_count, ..FaultLimits::default() }, ..SimConfig::default() };
    match *protocol {
        "simple-bpaxos" => hunt::<SimpleBpaxos>(&config, hunts, seeds_max),
        "unanimous-bpaxos" => hunt::<UnanimousBpaxos>(&config, hunts, seeds_max),
        "epaxos" => hunt::<Epaxos>(&config, hunts, seeds_max),
        "atlas" => hunt::<Atlas>(&config, hunts, seeds_max),
        "multipaxos" => hunt::<MultiPaxos>(&config, hunts, seeds_max),
        _ => {
            eprintln!("{usage}");
            ExitCode::from(2)
        }
    }
}
