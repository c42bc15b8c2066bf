//! What a cluster does with ten times what it can do, and how soon it is well again.

mod judge;
mod open_loop;

use super::common::{Common, at_least};
use super::lab::{Lab, Rig};
use super::watch::{resident_bytes, resident_bytes_max};
use super::{Found, json, rules};
use crate::BenchError;
use crate::table::{aligned, grouped};
use isegoria::{ClusterConfig, Durability, ProtocolSpec};
use judge::{Rules, Verdict};
use open_loop::{OpenLoop, Second};
use serde::Serialize;
use std::time::Duration;
use tokio::sync::oneshot;

/// `isegoria bench overload`
#[derive(Clone, Debug, clap::Args, Serialize)]
#[command(
    after_help = "Try --help for what is measured and examples.",
    after_long_help = "\
Nodes are configured so that the cluster takes --capacity commands a second and refuses what comes beyond
(limits.commands_per_s_max, a rate of each node: the capacity by the number of nodes that take commands, which is
one if there is a leader). So the load generator is not the limit. Clients do not wait for answers (open loop,
Poisson arrivals); what is refused is sent again by the client library, after jittered pauses that double, until
its deadline. Three phases:
  before     --calm seconds at half of the capacity
  overload   --storm seconds at --factor times the capacity
  after      --calm seconds at half of the capacity

Told for each second: requests offered; served (of those, answered before their deadline); refused until their
deadline; of unknown outcome; answers that came (the goodput); resident memory of each node.

Rules, exit code 1 if one is broken:
  memory     no node ever takes more than --rss-cap-mb (its highest resident memory, as the system notes it)
  goodput    during the overload the median of the answers a second is at least 80 % of the capacity
  recovery   at most 10 s after the overload, and from then on, the answers of every second are at least 90 % of
             what they were before (the median; or of what that second asks for, if it asks for less), and at
             least 90 % of its requests are served

Exit codes: 0 every rule is kept; 1 one is broken, or a node failed; 2 bad usage.

Examples:
  isegoria bench overload
  isegoria bench overload --quick --protocols multipaxos
  isegoria bench overload --capacity 5000 --factor 4 --storm 120 --json"
)]
pub struct OverloadArgs {
    /// What all trials take
    #[command(flatten)]
    pub common: Common,
    /// What the cluster takes, commands/s
    #[arg(long, value_name = "OPS", default_value_t = 2_000)]
    pub capacity: u32,
    /// What is offered in the overload, in capacities
    #[arg(long, value_name = "X", default_value_t = 10)]
    pub factor: u32,
    /// How long the phases before and after it are, s each
    #[arg(long, value_name = "S", default_value_t = 20)]
    pub calm: u64,
    /// How long the overload is, s
    #[arg(long, value_name = "S", default_value_t = 60)]
    pub storm: u64,
    /// How long a client waits for an answer, ms
    #[arg(long, value_name = "MS", default_value_t = 2_000)]
    pub deadline_ms: u64,
    /// The most resident memory of a node, MB: what its limits add up to
    #[arg(long, value_name = "MB", default_value_t = 512)]
    pub rss_cap_mb: u64,
    /// Size of a value, bytes
    #[arg(long, value_name = "BYTES", default_value_t = 100)]
    pub payload: usize,
    /// When a write counts as done: memory, os or fsync
    #[arg(long, value_name = "M", default_value = "fsync")]
    pub durability: Durability,
    /// Seed of the arrivals
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Short phases: whether it works
    #[arg(long)]
    pub quick: bool,
}

impl OverloadArgs {
    /// Checks every rule.
    pub(crate) fn check(&self) -> Result<(), BenchError> {
        self.common.check(1)?;
        at_least("capacity", u64::from(self.capacity), 100)?;
        at_least("factor", u64::from(self.factor), 1)?;
        at_least("calm", self.calm, 3)?;
        at_least("storm", self.storm, 1)?;
        at_least("deadline-ms", self.deadline_ms, 100)
    }

    /// Each phase: its length, s, and what it offers, requests/s.
    fn phases(&self) -> Vec<(u64, f64)> {
        let (calm, storm) = if self.quick { (5, 4) } else { (self.calm, self.storm) };
        let capacity = f64::from(self.capacity);
        vec![(calm, capacity / 2.0), (storm, capacity * f64::from(self.factor)), (calm, capacity / 2.0)]
    }

    /// The share of the capacity that one node takes.
    fn limit(&self, spec: &ProtocolSpec) -> Result<u32, BenchError> {
        let kind = isegoria::protocol(&spec.name)?;
        let every_node = kind.quorums(self.common.nodes).dependency.is_some();
        let takers = if every_node { self.common.nodes } else { 1 };
        Ok(self.capacity.div_ceil(u32::try_from(takers).unwrap_or(u32::MAX)))
    }
}

/// One protocol's run.
#[derive(Debug, Serialize)]
struct Run {
    protocol: String,
    /// What each node takes, commands/s.
    node_limit: u32,
    #[serde(flatten)]
    verdict: Verdict,
    /// Requests that nodes refused because too much came, one for every time it was sent.
    node_refusals: u64,
    /// Requests that nodes dropped because nobody waited for them any more.
    node_expired: u64,
    seconds: Vec<Second>,
    /// Resident memory of each node, bytes, every second.
    resident_bytes: Vec<Vec<u64>>,
}

/// Runs the trial.
pub(crate) async fn run(args: &OverloadArgs, lab: &Lab<'_>) -> Result<Found, BenchError> {
    let mut runs = Vec::new();
    for spec in args.common.protocols() {
        runs.push(one(args, lab, &spec).await?);
    }
    let broken = rules::broken(runs.iter().map(|run| (&run.protocol[..], &run.verdict.broken[..])));
    let headline = runs.iter().map(|run| {
        format!(
            "{} {:.0} of {}/s under {}x, well after {} s, {} MB",
            run.protocol,
            run.verdict.goodput_overload,
            args.capacity,
            args.factor,
            run.verdict.recovery_s.map_or("–".to_owned(), |seconds| seconds.to_string()),
            run.verdict.resident_bytes_max / 1_000_000
        )
    });
    Ok(Found {
        table: table(args, &runs),
        index: ["open loop".to_owned(), args.durability.to_string(), headline.collect::<Vec<_>>().join(", ")],
        broken,
        summary: json(&runs),
    })
}

async fn one(args: &OverloadArgs, lab: &Lab<'_>, spec: &ProtocolSpec) -> Result<Run, BenchError> {
    let node_limit = args.limit(spec)?;
    let limited = |config: &mut ClusterConfig| config.limits.commands_per_s_max = Some(node_limit);
    let mut rig = lab.start(spec, args.durability, limited).await?;
    let phases = args.phases();
    let load = OpenLoop {
        endpoints: rig.endpoints(),
        phases: phases.clone(),
        deadline_ms: args.deadline_ms,
        payload_bytes: args.payload,
        seed: args.seed,
    };
    let length: u64 = phases.iter().map(|(seconds, _)| seconds).sum();
    lab.steps.say(&format!("{spec}: {length} s of load, {} s of it {}x", phases[1].0, args.factor));
    let pids: Vec<u32> = rig.cluster.nodes().iter().map(|node| node.pid).collect();
    let (stop, stopped) = oneshot::channel();
    let sampler = tokio::spawn(sample(pids.clone(), stopped));
    let seconds = load
        .run(|number, second| {
            let Second { offered, answered, .. } = second;
            lab.steps.tick(&format!(
                "{spec}: second {number} of {length}: {offered} offered, {answered} answered"
            ));
        })
        .await?;
    let _ = stop.send(());
    let resident = sampler.await.map_err(|error| BenchError::Load(error.to_string()))?;
    rig.check().await?;
    let resident_bytes_max = pids.iter().filter_map(|pid| resident_bytes_max(*pid)).max().unwrap_or(0);
    let (node_refusals, node_expired) = refusals(&mut rig).await?;
    rig.cluster.stop().await;
    let rules = Rules {
        capacity: f64::from(args.capacity),
        lengths: [phases[0].0, phases[1].0].map(|seconds| usize::try_from(seconds).unwrap_or(usize::MAX)),
        resident_bytes_cap: args.rss_cap_mb * 1_000_000,
    };
    let verdict = rules.judge(&seconds, resident_bytes_max);
    let protocol = spec.to_string();
    Ok(Run { protocol, node_limit, verdict, node_refusals, node_expired, seconds, resident_bytes: resident })
}

/// Resident memory of each process, bytes, every second until it is told to stop.
async fn sample(pids: Vec<u32>, mut stop: oneshot::Receiver<()>) -> Vec<Vec<u64>> {
    let mut samples = Vec::new();
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                samples.push(pids.iter().map(|pid| resident_bytes(*pid).unwrap_or(0)).collect());
            }
            _ = &mut stop => return samples,
        }
    }
}

/// What all nodes refused for too much, and dropped for being late.
async fn refusals(rig: &mut Rig) -> Result<(u64, u64), BenchError> {
    let mut sum = (0, 0);
    for index in 0..rig.watches.len() {
        let stats = rig.stats(index).await?;
        sum = (sum.0 + stats.overloaded_count, sum.1 + stats.expired_count);
    }
    Ok(sum)
}

/// The table that people read.
fn table(args: &OverloadArgs, runs: &[Run]) -> String {
    let text = |words: [&str; 9]| words.map(str::to_owned).to_vec();
    let mut lines = vec![
        text([
            "overload",
            "capacity",
            "offered",
            "before",
            "during",
            "well after",
            "memory",
            "refusals",
            "expired",
        ]),
        text(["", "ops/s", "ops/s", "ops/s", "ops/s", "s", "MB max", "by nodes", "at nodes"]),
    ];
    lines.extend(runs.iter().map(|run| {
        let verdict = &run.verdict;
        vec![
            run.protocol.clone(),
            grouped(u64::from(args.capacity)),
            grouped(u64::from(args.capacity) * u64::from(args.factor)),
            format!("{:.0}", verdict.goodput_before),
            format!("{:.0}", verdict.goodput_overload),
            verdict.recovery_s.map_or("never".to_owned(), |seconds| seconds.to_string()),
            format!("{:.1}", verdict.resident_bytes_max as f64 / 1e6),
            grouped(run.node_refusals),
            grouped(run.node_expired),
        ]
    }));
    let mut text = aligned(&lines);
    for run in runs {
        let verdict = rules::told(&run.verdict.broken);
        text.push_str(&format!("{}: {verdict}\n", run.protocol));
    }
    text
}
