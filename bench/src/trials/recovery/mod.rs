//! How long it takes until a node is back: by the size of the log that it replays, and by
//! what it missed.

mod catch_up;
mod chart;
mod restart;

use super::common::{Common, at_least};
use super::lab::Lab;
use super::pressure::Job;
use super::{Found, json};
use crate::{BenchError, Scenario};
use catch_up::CatchUp;
use isegoria::Durability;
use isegoria_types::NodeId;
use restart::Restart;
use serde::{Deserialize, Serialize};

/// A million bytes: sizes are told in these.
pub(crate) const MB: u64 = 1_000_000;

/// `isegoria bench recovery`
#[derive(Clone, Debug, clap::Args, Serialize)]
#[command(
    after_help = "Try --help for what is measured and examples.",
    after_long_help = "\
Restart: fresh nodes are loaded until the log of the last one has the size asked for, with no checkpoint in
between. Then that node is killed (SIGKILL) and started again, with no load on the others, --repeat times:
  ready         from the start of the process until both ports listen: the log is replayed then
  first answer  from the start until the node by itself executes a read (Simple BPaxos), or says who
                leads (a follower of Multi-Paxos)
The files are in the page cache. MB/s is the log's size by the time until the first answer: what was replayed is
executed then.

Catching up: the last node is killed, commands are executed without it, and it is started again while clients
keep on writing --rate commands a second. The time runs from the start of the process until all that is executed
there which was executed at the others when it started (what a node executed is known to 50 ms).
  commits       the others still hold all that it missed (--absent gives the numbers of commands; limits.retain_*
                as large as can be)
  snapshot      the others hold next to nothing (limits.retain_count_max = 64) and have forgotten it; it takes
                the whole state (--state-mb gives its sizes, in values of 1,000 bytes)

A line says what is done on standard error. The folder keeps input.json, env.json, summary.json and table.txt.
Exit codes: 0 all was measured; 1 a node failed, or did not come back; 2 bad usage.

Examples:
  isegoria bench recovery --quick
  isegoria bench recovery --protocols multipaxos --log-mb 64 --absent 50000 --state-mb 20
  isegoria bench recovery --durability os --repeat 5 --json"
)]
pub struct RecoveryArgs {
    /// What all trials take
    #[command(flatten)]
    pub common: Common,
    /// Sizes of the log to replay, MB, separated by commas; 0 for none
    #[arg(long, value_name = "MB,MB", default_value = "8,32,128,512", value_delimiter = ',')]
    pub log_mb: Vec<u64>,
    /// Restarts of each log; the median is told
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub repeat: usize,
    /// Commands that a node misses and gets as commits, separated by commas; 0 for none
    #[arg(long, value_name = "N,N", default_value = "10000,100000,400000", value_delimiter = ',')]
    pub absent: Vec<u64>,
    /// Sizes of the state that a node gets as a snapshot, MB, separated by commas; 0 for none
    #[arg(long, value_name = "MB,MB", default_value = "10,50,200", value_delimiter = ',')]
    pub state_mb: Vec<u64>,
    /// Load while a node catches up, commands/s
    #[arg(long, value_name = "OPS", default_value_t = 10_000)]
    pub rate: u32,
    /// Number of clients, spread evenly over the nodes
    #[arg(long, value_name = "C", default_value_t = 512)]
    pub clients: usize,
    /// Size of a value in the log, bytes
    #[arg(long, value_name = "BYTES", default_value_t = 100)]
    pub payload: usize,
    /// When a write counts as done: fsync or os
    #[arg(long, value_name = "M", default_value = "fsync")]
    pub durability: Durability,
    /// Tiny sizes: whether it works, not how fast it is
    #[arg(long)]
    pub quick: bool,
}

impl RecoveryArgs {
    /// Checks every rule.
    pub(crate) fn check(&self) -> Result<(), BenchError> {
        self.common.check(3)?;
        at_least("clients", self.clients as u64, 1)?;
        at_least("repeat", self.repeat as u64, 1)?;
        at_least("rate", u64::from(self.rate), 1)?;
        if self.durability == Durability::Memory {
            let sentence =
                "durability = memory: such a node has nothing to come back from; choose fsync or os";
            return Err(BenchError::Usage(sentence.to_owned()));
        }
        Ok(())
    }

    /// What is asked for, or the tiny sizes.
    fn sizes(&self) -> [Vec<u64>; 3] {
        if self.quick {
            return [vec![1, 4], vec![2_000], vec![1]];
        }
        let some = |sizes: &[u64]| sizes.iter().copied().filter(|size| *size > 0).collect();
        [some(&self.log_mb), some(&self.absent), some(&self.state_mb)]
    }

    /// A load on all nodes of `endpoints`.
    fn job(&self, endpoints: Vec<(NodeId, isegoria::Endpoint)>) -> Job {
        Job {
            endpoints,
            clients: self.clients,
            payload_bytes: self.payload,
            keys: 10_000,
            commands: None,
            rate: None,
        }
    }
}

/// What a figure asks for beside its runs: the sizes of [`RecoveryArgs`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Sizes {
    log_mb: Vec<u64>,
    absent: Vec<u64>,
    state_mb: Vec<u64>,
}

impl Sizes {
    /// The trial of these sizes with the protocols and nodes of a scenario, and else as it is without any flag; or
    /// of tiny sizes.
    pub(crate) fn args(&self, scenario: &Scenario, quick: bool) -> RecoveryArgs {
        #[derive(clap::Parser)]
        struct Plain {
            #[command(flatten)]
            args: RecoveryArgs,
        }
        let Plain { mut args } = clap::Parser::parse_from(["recovery"]);
        args.common.protocols = Some(scenario.protocols.clone());
        args.common.nodes = scenario.nodes;
        args.log_mb.clone_from(&self.log_mb);
        args.absent.clone_from(&self.absent);
        args.state_mb.clone_from(&self.state_mb);
        args.repeat = if quick { 1 } else { args.repeat };
        args.quick = quick;
        args
    }
}

/// What the trial found.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Figures {
    restarts: Vec<Restart>,
    catch_ups: Vec<CatchUp>,
}

impl Figures {
    /// The tables that people read.
    pub(crate) fn table(&self) -> String {
        format!("{}\n{}", restart::table(&self.restarts), catch_up::table(&self.catch_ups))
    }

    /// Time over size: of restarts, and of catching up by commits and by a snapshot.
    pub(crate) fn charts(&self) -> Vec<(String, String)> {
        chart::charts(&self.restarts, &self.catch_ups)
    }
}

/// Measures all that is asked for.
pub(crate) async fn measure(args: &RecoveryArgs, lab: &Lab<'_>) -> Result<Figures, BenchError> {
    let mut figures = Figures::default();
    let [logs, absent, states] = args.sizes();
    for spec in args.common.protocols() {
        figures.restarts.extend(restart::run(args, lab, &spec, &logs).await?);
        figures.catch_ups.extend(catch_up::by_commits(args, lab, &spec, &absent).await?);
        for state_mb in &states {
            figures.catch_ups.push(catch_up::by_snapshot(args, lab, &spec, *state_mb).await?);
        }
    }
    Ok(figures)
}

/// Runs the trial.
pub(crate) async fn run(args: &RecoveryArgs, lab: &Lab<'_>) -> Result<Found, BenchError> {
    let figures = measure(args, lab).await?;
    let headline: Vec<String> = args
        .common
        .protocols()
        .iter()
        .filter_map(|spec| {
            let protocol = spec.to_string();
            let last = figures.restarts.iter().rev().find(|row| row.protocol == protocol)?;
            Some(format!(
                "{protocol} answers after {:.2} s with {} MB of log",
                last.first_answer_s,
                last.log_bytes / MB
            ))
        })
        .collect();
    Ok(Found {
        table: figures.table(),
        summary: json(&figures),
        index: [args.clients.to_string(), args.durability.to_string(), headline.join(", ")],
        broken: Vec::new(),
    })
}
