//! `isegoria sim`: runs of the seeded simulator, and the replay of one.

mod case;
mod replay;
mod seeds;
mod storage_calls;
mod summary;

use crate::failure::Failure;
use case::Case;
use clap::Args;
use isegoria::ProtocolSpec;
use isegoria_sim::{FaultLimits, SimConfig};
use std::ops::Range;
use std::path::PathBuf;
use std::process::ExitCode;

/// `isegoria sim`
#[derive(Args)]
#[command(after_help = "\
A seed decides the cluster, the workload, the faults and the schedule. At a violation the check,
the invariant and the seed are printed, a file with everything that a replay needs is written,
and with it the command that replays it. Exit code: 0 if nothing was violated, 1 if something
was, 2 for bad usage.

FILE of --faults (TOML; every field may be left out; probabilities 0 to 1, the others counts):
  loss = 0.2
  duplication = 0.2
  lateness = 0.2
  crash_count = 8
  power_cut_count = 2
  partition_count = 6
  slow_node_count = 3
  slow_disk_count = 3
  pause_count = 4
  suspicion_count = 10
  damage_count = 2
  lost_write_count = 2
  misdirected_write_count = 2
  failing_read_count = 2
  failing_sync_count = 2
  full_disk_count = 2
  clock_jump_count = 3
  clock_drift_count = 2
  expiry_count = 3
  amnesia_count = 0
  lying_sync_count = 0

Examples:
  isegoria sim --protocol simple-bpaxos --seeds 0..2000
  isegoria sim --protocol multipaxos:window=4 --nodes 5 --json
  isegoria sim --protocol multipaxos --storage-calls --seeds 0..4
  isegoria sim --replay .isegoria/sim/simple-bpaxos-17.toml")]
pub(crate) struct SimArgs {
    /// The protocol, with options: NAME[:KEY=VALUE,…]
    #[arg(long, value_name = "P", default_value = "simple-bpaxos", conflicts_with = "replay")]
    protocol: String,
    /// Which seeds, the last excluded; 0..200 if not given, and 0..8 with --storage-calls
    #[arg(long, value_name = "A..B", value_parser = parse_seeds, conflicts_with = "replay")]
    seeds: Option<Range<u64>>,
    /// Nodes, each with every role; drawn from each seed if not given, roles apart included
    #[arg(long, value_name = "N", conflicts_with = "replay")]
    nodes: Option<usize>,
    /// Commands that the clients of a run submit together; 520 if not given, and 100 with
    /// --storage-calls
    #[arg(long, value_name = "N", conflicts_with = "replay")]
    commands: Option<u64>,
    /// The most of each fault in a run, instead of the usual mix
    #[arg(long, value_name = "FILE", conflicts_with = "replay")]
    faults: Option<PathBuf>,
    /// Threads; as many as there are processors if not given
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Where a file is written for each violation, and the diagrams of replays
    #[arg(long, value_name = "DIR", default_value = ".isegoria/sim")]
    out: PathBuf,
    /// Runs one seed again, from the file that a violation left: prints its trace and draws it.
    /// On a terminal, Enter goes on to the next event about the place of the violation
    #[arg(long, value_name = "FILE")]
    replay: Option<PathBuf>,
    /// Run each seed again and again, shortened, with each call to the storage of one node
    /// interrupted in turn: the process dies before, within or behind it, the power goes, or
    /// it fails with EIO or ENOSPC
    #[arg(long, conflicts_with_all = ["replay", "fingerprints"])]
    storage_calls: bool,
    /// Print one fingerprint a seed: equal fingerprints are equal runs
    #[arg(long, conflicts_with_all = ["replay", "json"])]
    fingerprints: bool,
    /// Print one JSON object
    #[arg(long, conflicts_with = "replay")]
    json: bool,
}

pub(crate) fn run(args: SimArgs) -> Result<ExitCode, Failure> {
    if let Some(file) = &args.replay {
        return replay::run(&Case::read(file)?, &args.out);
    }
    let spec: ProtocolSpec = args.protocol.parse()?;
    let faults = match &args.faults {
        Some(file) => case::read_toml::<FaultLimits>(file)?,
        None => FaultLimits::default(),
    };
    let usual = if args.storage_calls { SimConfig::short() } else { SimConfig::default() };
    let seeds = args.seeds.clone().unwrap_or(if args.storage_calls { 0..8 } else { 0..200 });
    let case = Case {
        protocol: spec.to_string(),
        seed: seeds.start,
        nodes: args.nodes,
        commands: args.commands.unwrap_or(usual.command_count),
        faults,
        interrupted: None,
    };
    let (name, options) = case.check()?;
    let threads = args.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let (config, threads) = (case.config(false)?, threads.max(1));
    if args.storage_calls {
        let config = SimConfig { chaos_ms: usual.chaos_ms, ..config };
        let work = storage_calls::StorageCalls { config, seeds, threads };
        return isegoria::registry::visit_protocol(&name, &options, work)?.report(&args, &case);
    }
    let work = seeds::Work { config, seeds, threads };
    let summary = isegoria::registry::visit_protocol(&name, &options, work)?;
    summary.report(&args, &case)
}

fn parse_seeds(text: &str) -> Result<Range<u64>, String> {
    let cure = || format!("`{text}`: write two numbers, the second one larger and excluded, such as 0..200");
    let (from, to) = text.split_once("..").ok_or_else(cure)?;
    let (from, to) = (from.parse().map_err(|_| cure())?, to.parse().map_err(|_| cure())?);
    if from < to { Ok(from..to) } else { Err(cure()) }
}
