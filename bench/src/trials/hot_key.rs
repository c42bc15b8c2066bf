//! What becomes of a cluster all of whose leaders write one key, and of which one dies.

use super::common::{Common, at_least};
use super::lab::{Lab, Rig};
use super::pressure::{Job, Pressure};
use super::watch::resident_bytes_max;
use super::{Found, json, rules};
use crate::BenchError;
use crate::table::{aligned, grouped};
use isegoria::{Durability, ProtocolSpec};
use serde::Serialize;
use std::time::Duration;

/// `isegoria bench hot-key`
#[derive(Clone, Debug, clap::Args, Serialize)]
#[command(
    after_help = "Try --help for what is measured and examples.",
    after_long_help = "\
All clients write one key, each with one command outstanding, at all nodes: every command conflicts with every other,
and each may depend on a later one that is not chosen yet. In the middle of it the last node is killed, for good.

Told: answers a second, the least and the median; the largest component of the dependency graph that a node executed,
vertices; the longest that a node's own oldest command was seen to wait for its execution; batches that were held back
for that (the option tail_ms of the protocols that have it); the highest resident memory of a node.

Rules, exit code 1 if one is broken:
  throughput  no second goes by without an answer, that of the kill included
  component   none is larger than --component-cap vertices
  memory      no node ever takes more than --rss-cap-mb

Exit codes: 0 every rule is kept; 1 one is broken, or a node failed; 2 bad usage.

Examples:
  isegoria bench hot-key --nodes 5
  isegoria bench hot-key --nodes 5 --protocols epaxos,atlas --duration 60 --clients 500"
)]
pub struct HotKeyArgs {
    /// What all trials take
    #[command(flatten)]
    pub common: Common,
    /// Clients with one outstanding command each, spread over the nodes
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub clients: usize,
    /// How long, s
    #[arg(long, value_name = "S", default_value_t = 600)]
    pub duration: u64,
    /// The largest component, vertices
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    pub component_cap: u64,
    /// The most resident memory of a node, MB
    #[arg(long, value_name = "MB", default_value_t = 512)]
    pub rss_cap_mb: u64,
    /// Size of a value, bytes
    #[arg(long, value_name = "BYTES", default_value_t = 100)]
    pub payload: usize,
    /// When a write counts as done: memory, os or fsync
    #[arg(long, value_name = "M", default_value = "fsync")]
    pub durability: Durability,
}

impl HotKeyArgs {
    /// Checks every rule.
    pub(crate) fn check(&self) -> Result<(), BenchError> {
        self.common.check(3)?;
        at_least("clients", self.clients as u64, 1)?;
        at_least("duration", self.duration, 4)
    }
}

/// One protocol's run.
#[derive(Debug, Default, Serialize)]
struct Run {
    protocol: String,
    /// Answers that came in each second.
    answered: Vec<u64>,
    /// Commands that ended without an answer.
    failed: u64,
    /// The largest component that a node executed, vertices.
    component_max: u64,
    /// The longest that an own command was seen to wait for its execution, ms.
    oldest_ms_max: u64,
    /// Batches that were held back.
    held_back_count: u64,
    /// The most resident memory that a node ever had, bytes.
    resident_bytes_max: u64,
    /// Rules that are broken, a sentence each.
    broken: Vec<String>,
}

/// Runs the trial.
pub(crate) async fn run(args: &HotKeyArgs, lab: &Lab<'_>) -> Result<Found, BenchError> {
    let mut runs = Vec::new();
    for spec in args.common.protocols() {
        let mut run = one(args, lab, &spec).await?;
        run.broken = judge(args, &run);
        runs.push(run);
    }
    let broken = rules::broken(runs.iter().map(|run| (&run.protocol[..], &run.broken[..])));
    let headline = runs.iter().map(|run| {
        let [least, median] = least_and_median(&run.answered);
        format!(
            "{} {median}/s, never below {least}, components up to {}, {} MB",
            run.protocol,
            run.component_max,
            run.resident_bytes_max / 1_000_000
        )
    });
    Ok(Found {
        table: table(&runs),
        index: [
            args.clients.to_string(),
            args.durability.to_string(),
            headline.collect::<Vec<_>>().join(", "),
        ],
        broken,
        summary: json(&runs),
    })
}

async fn one(args: &HotKeyArgs, lab: &Lab<'_>, spec: &ProtocolSpec) -> Result<Run, BenchError> {
    let mut rig = lab.start(spec, args.durability, |_| {}).await?;
    let mut run = Run { protocol: spec.to_string(), ..Run::default() };
    let job = Job {
        endpoints: rig.endpoints(),
        clients: args.clients,
        payload_bytes: args.payload,
        keys: 1,
        commands: None,
        rate: None,
    };
    let pressure = Pressure::begin(job);
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    ticks.tick().await;
    // Clients find their nodes; the first answers come.
    ticks.tick().await;
    let mut before = pressure.answered();
    let (dies, mut alive) = (rig.config.nodes.len() - 1, rig.config.nodes.len());
    for second in 0..args.duration {
        if second == args.duration / 2 {
            note_memory(&rig, &mut run);
            rig.cluster.kill(&rig.name(dies)).await;
            alive = dies;
        }
        ticks.tick().await;
        let now = pressure.answered();
        run.answered.push(now - before);
        before = now;
        look(&mut rig, usize::try_from(second).unwrap_or(0) % alive, &mut run).await?;
        lab.steps.tick(&format!(
            "{spec}: second {second} of {}: {} answers, components up to {}",
            args.duration,
            run.answered.last().copied().unwrap_or(0),
            run.component_max
        ));
    }
    run.failed = pressure.failed();
    pressure.stop().await?;
    for index in 0..alive {
        run.held_back_count += look(&mut rig, index, &mut run).await?;
    }
    note_memory(&rig, &mut run);
    rig.check().await?;
    rig.cluster.stop().await;
    Ok(run)
}

/// What a node says of its graph; how many batches it has held back.
async fn look(rig: &mut Rig, index: usize, run: &mut Run) -> Result<u64, BenchError> {
    let stats = rig.stats(index).await?;
    run.component_max = run.component_max.max(stats.component_max);
    run.oldest_ms_max = run.oldest_ms_max.max(stats.oldest_ms);
    Ok(stats.held_back_count)
}

fn note_memory(rig: &Rig, run: &mut Run) {
    let most = rig.cluster.nodes().iter().filter_map(|node| resident_bytes_max(node.pid)).max();
    run.resident_bytes_max = run.resident_bytes_max.max(most.unwrap_or(0));
}

/// The rules that a run breaks.
fn judge(args: &HotKeyArgs, run: &Run) -> Vec<String> {
    let mut broken = Vec::new();
    let silent: Vec<usize> = (0..run.answered.len()).filter(|second| run.answered[*second] == 0).collect();
    if let Some(first) = silent.first() {
        broken.push(format!("throughput: no answer in {} seconds, second {first} the first", silent.len()));
    }
    if run.component_max > args.component_cap {
        let (found, cap) = (run.component_max, args.component_cap);
        broken.push(format!("component: one of {found} vertices, and the cap is {cap}"));
    }
    if run.resident_bytes_max > args.rss_cap_mb * 1_000_000 {
        let found = run.resident_bytes_max / 1_000_000;
        broken.push(format!("memory: a node took {found} MB, and the cap is {} MB", args.rss_cap_mb));
    }
    broken
}

fn least_and_median(answered: &[u64]) -> [u64; 2] {
    let mut sorted = answered.to_vec();
    sorted.sort_unstable();
    [0, sorted.len() / 2].map(|place| sorted.get(place).copied().unwrap_or(0))
}

/// The table that people read.
fn table(runs: &[Run]) -> String {
    let text = |words: [&str; 8]| words.map(str::to_owned).to_vec();
    let mut lines = vec![
        text(["hot-key", "median", "least", "failed", "component", "oldest", "held back", "memory"]),
        text(["", "ops/s", "ops/s", "", "max", "ms max", "batches", "MB max"]),
    ];
    lines.extend(runs.iter().map(|run| {
        let [least, median] = least_and_median(&run.answered);
        vec![
            run.protocol.clone(),
            grouped(median),
            grouped(least),
            grouped(run.failed),
            grouped(run.component_max),
            grouped(run.oldest_ms_max),
            grouped(run.held_back_count),
            format!("{:.1}", run.resident_bytes_max as f64 / 1e6),
        ]
    }));
    let mut text = aligned(&lines);
    for run in runs {
        text.push_str(&format!("{}: {}\n", run.protocol, rules::told(&run.broken)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: HotKeyArgs,
    }

    #[test]
    fn each_rule_can_be_broken() {
        let args = Line::parse_from(["hot-key"]).args;
        let good =
            || Run { answered: vec![9, 5, 7], component_max: 40, resident_bytes_max: 9, ..Run::default() };
        assert_eq!((judge(&args, &good()), least_and_median(&good().answered)), (vec![], [5, 7]));
        let cases = [
            (Run { answered: vec![5, 0, 7], ..good() }, "throughput: no answer in 1 seconds, second 1"),
            (Run { component_max: 1_001, ..good() }, "component"),
            (Run { resident_bytes_max: 512_000_001, ..good() }, "memory"),
        ];
        for (run, expected) in cases {
            let broken = judge(&args, &run);
            assert!(broken.len() == 1 && broken[0].starts_with(expected), "{broken:?}");
        }
    }
}
