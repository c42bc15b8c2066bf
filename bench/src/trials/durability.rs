//! The same load at every durability, side by side: what a sync costs.

use super::common::Common;
use super::lab::Lab;
use super::{Found, json};
use crate::progress::Progress;
use crate::runner::{Interrupts, Runner};
use crate::table::{aligned, decimal, grouped};
use crate::{BenchError, Knobs, Measurement, Row, Scenario};
use isegoria::Durability;
use serde::Serialize;

/// From what keeps nothing to what keeps everything.
const DURABILITIES: [Durability; 3] = [Durability::Memory, Durability::Os, Durability::Fsync];

/// `isegoria bench durability`
#[derive(Clone, Debug, clap::Args, Serialize)]
#[command(
    after_help = "Try --help for what is measured and examples.",
    after_long_help = "\
Runs the closed-loop comparison of `isegoria bench` (epaxos13, no conflicts) with durability memory, os and fsync, and
each number of --clients: a moderate load and one that saturates. Every run has fresh nodes; repetitions are the
outer loop, so that a machine that changes changes for all. Medians are told, and the throughput as a share of
that with durability memory in the same repetitions.

  memory   nothing is written: a node that ends is lost
  os       written to the page cache: what a crash of the process leaves behind, but not a power cut
  fsync    on disk before anybody hears of it: the default

The folder keeps input.json, env.json (with the time of a sync there), summary.json (rows as `bench --json` prints
them) and table.txt. Exit codes: 0 all was measured; 1 a node failed, or nothing was completed; 2 bad usage.

Examples:
  isegoria bench durability
  isegoria bench durability --clients 32,2048 --duration 5 --payload 1000
  isegoria bench durability --protocols multipaxos --repeat 1 --json"
)]
pub struct DurabilityArgs {
    /// What all trials take
    #[command(flatten)]
    pub common: Common,
    /// Numbers of clients, separated by commas: a moderate load first, then saturation
    #[arg(long, value_name = "C,C", default_value = "64,1024", value_delimiter = ',')]
    pub clients: Vec<usize>,
    /// How long is measured, s
    #[arg(long, value_name = "S", default_value_t = 8.0)]
    pub duration: f64,
    /// How long the load runs before that, s
    #[arg(long, value_name = "S", default_value_t = 2.0)]
    pub warm_up: f64,
    /// Size of a value, bytes
    #[arg(long, value_name = "BYTES", default_value_t = 100)]
    pub payload: usize,
    /// How often each is measured: medians are told, with the spread in summary.json
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub repeat: usize,
}

impl DurabilityArgs {
    /// Checks every rule.
    pub(crate) fn check(&self) -> Result<(), BenchError> {
        self.common.check(1)?;
        self.scenarios().map(drop)
    }

    /// What is run in turn: every load, every durability.
    fn scenarios(&self) -> Result<Vec<Scenario>, BenchError> {
        let knobs = Knobs {
            protocols: self.common.protocols.clone(),
            nodes: Some(self.common.nodes),
            batch: Some(self.common.batch),
            duration: Some(self.duration),
            warm_up: Some(self.warm_up),
            payload: Some(self.payload),
            repeat: Some(self.repeat),
            ..Knobs::default()
        };
        let pairs =
            self.clients.iter().flat_map(|clients| DURABILITIES.map(|durability| (*clients, durability)));
        let scenario = |(clients, durability)| {
            Scenario::new(Knobs { clients: Some(clients), durability: Some(durability), ..knobs.clone() })
        };
        pairs.map(scenario).collect()
    }
}

/// Runs the trial.
pub(crate) async fn run(args: &DurabilityArgs, lab: &Lab<'_>) -> Result<Found, BenchError> {
    let scenarios = args.scenarios()?;
    let specs = args.common.protocols();
    let mut measured: Vec<Vec<Measurement>> = vec![Vec::new(); scenarios.len() * specs.len()];
    let Some(first) = scenarios.first() else {
        return Err(BenchError::Usage("clients: give at least one number".to_owned()));
    };
    let mut interrupts = Interrupts::new().map_err(BenchError::io("waiting for signals"))?;
    let mut runner = Runner {
        progress: Progress::of(args.repeat * measured.len(), args.warm_up + args.duration),
        ..Runner::new(first, &lab.executable, &lab.data_dir, &mut interrupts)
    };
    for _ in 0..args.repeat {
        let mut places = measured.iter_mut();
        for scenario in &scenarios {
            runner.scenario = scenario;
            for spec in &specs {
                runner
                    .progress
                    .begin(&format!("{spec}, {}, {} clients", scenario.durability, scenario.clients));
                let (measurement, _) = runner.run_one(spec, None).await?;
                places.next().expect("a place for each").push(measurement);
            }
        }
    }
    runner.progress.finish();
    let kinds = scenarios.iter().flat_map(|scenario| specs.iter().map(move |spec| (scenario, spec)));
    let rows: Vec<Row> = kinds
        .zip(measured)
        .map(|((scenario, spec), all)| Row::new(scenario, (spec.to_string(), None), all))
        .collect();
    let empty = rows.iter().filter(|row| row.repetitions.iter().any(|one| one.completed == 0));
    let broken = empty
        .map(|row| {
            format!(
                "{} with {} clients and durability {}: nothing was completed",
                row.protocol, row.clients, row.durability
            )
        })
        .collect();
    let clients: Vec<String> = args.clients.iter().map(ToString::to_string).collect();
    let headline: Vec<String> = specs.iter().filter_map(|spec| headline(&rows, &spec.to_string())).collect();
    Ok(Found {
        table: table(&rows),
        summary: json(&rows),
        index: [clients.join(", "), "memory, os, fsync".to_owned(), headline.join(", ")],
        broken,
    })
}

/// A protocol's throughputs under its heaviest load.
fn headline(rows: &[Row], protocol: &str) -> Option<String> {
    let clients = rows.iter().map(|row| row.clients).max()?;
    let rates = rows.iter().filter(|row| row.protocol == protocol && row.clients == clients);
    let rates: Vec<String> = rates.map(|row| format!("{:.0}", row.throughput_ops_s)).collect();
    Some(format!("{protocol} {} ops/s", rates.join(" / ")))
}

/// The throughput as a share of the same load with durability memory.
fn share(rows: &[Row], row: &Row) -> Option<f64> {
    let memory = Durability::Memory.to_string();
    let same = |other: &&Row| {
        other.protocol == row.protocol && other.clients == row.clients && other.durability == memory
    };
    let of = rows.iter().find(same)?.throughput_ops_s;
    (of > 0.0).then(|| row.throughput_ops_s / of)
}

/// The table that people read.
fn table(rows: &[Row]) -> String {
    let text = |words: [&str; 10]| words.map(str::to_owned).to_vec();
    let mut lines = vec![
        text([
            "durability",
            "protocol",
            "clients",
            "throughput",
            "±",
            "of memory",
            "p50",
            "p99",
            "CPU servers",
            "errors",
        ]),
        text(["", "", "", "ops/s", "%", "%", "µs", "µs", "µs/cmd", ""]),
    ];
    lines.extend(rows.iter().map(|row| {
        let (low, high) = row.spread.throughput_ops_s;
        let spread = (row.throughput_ops_s > 0.0).then(|| (high - low) / 2.0 / row.throughput_ops_s * 100.0);
        vec![
            row.durability.clone(),
            row.protocol.clone(),
            grouped(row.clients as u64),
            format!("{:.0}", row.throughput_ops_s),
            spread.map_or("–".to_owned(), |spread| format!("{spread:.0}")),
            share(rows, row).map_or("–".to_owned(), |share| format!("{:.0}", share * 100.0)),
            grouped(row.latency_us.p50),
            grouped(row.latency_us.p99),
            decimal(row.cpu_us_per_command.servers_total),
            grouped(row.errors),
        ]
    }));
    aligned(&lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::row;

    #[test]
    fn a_share_is_of_the_same_load() {
        let of = |durability: &str, clients, rate| Row {
            durability: durability.to_owned(),
            clients,
            ..row("multipaxos", &[rate])
        };
        let rows =
            [of("memory", 8, 200.0), of("fsync", 8, 50.0), of("memory", 9, 400.0), of("fsync", 9, 300.0)];
        let shares: Vec<_> = rows.iter().map(|row| share(&rows, row)).collect();
        assert_eq!(shares, [Some(1.0), Some(0.25), Some(1.0), Some(0.75)]);
        assert_eq!(share(&rows[1..2], &rows[1]), None);
        assert_eq!(headline(&rows, "multipaxos").as_deref(), Some("multipaxos 400 / 300 ops/s"));
        assert!(table(&rows).lines().nth(4).is_some_and(|line| line.contains(" 25 ")), "{}", table(&rows));
    }
}
