//! Millions of commands on a fixed set of keys: what a node holds must not grow.

mod judge;
mod sample;

use super::common::{Common, at_least};
use super::lab::{Lab, Rig};
use super::pressure::{Job, Pressure};
use super::{Found, json, rules};
use crate::BenchError;
use crate::table::{aligned, grouped};
use isegoria::{Durability, ProtocolSpec};
use judge::{Course, Rules, Verdict};
use sample::Sample;
use serde::Serialize;
use std::time::{Duration, Instant};

/// `isegoria bench endurance`
#[derive(Clone, Debug, clap::Args, Serialize)]
#[command(
    after_help = "Try --help for what is measured and examples.",
    after_long_help = "\
Clients put --commands values, round and round a fixed set of --keys keys. Every --sample-ms each node is looked at:
resident memory, files on disk, and what it counts: vertices or slots held for others (history), places for votes
and chosen values (cells), entries of the conflict index, own proposals, what waits to be executed, sessions.
The first tenth of the run is warm-up and is not judged.

Rules with all nodes up, exit code 1 if one is broken:
  memory   every sample is within 10 % of the median, and so are the medians of the first and of the last third
           of each other; in less than 30 s it is told and not judged
  counts   the medians of the first and of the last third differ by at most 10 %, or by a small number
  disk     never more than three times limits.checkpoint_bytes
With --absent 1 the last node is killed after a quarter of the commands and started again after three quarters, or
never with --never-back. The rules are then caps:
  counts   what is held for the absent node (limits.retain_count_max, retain_bytes_max), and half as much again
           that comes in until the others have agreed to forget it
  memory   --rss-cap-mb
  disk     as above, and what is held, twice

Exit codes: 0 every rule is kept; 1 one is broken, or a node failed; 2 bad usage.

Examples:
  isegoria bench endurance --protocols simple-bpaxos
  isegoria bench endurance --absent 1 --commands 2000000
  isegoria bench endurance --commands 100000 --keys 1000 --rate 20000 --sample-ms 100 --json"
)]
pub struct EnduranceArgs {
    /// What all trials take
    #[command(flatten)]
    pub common: Common,
    /// Commands to execute
    #[arg(long, value_name = "N", default_value_t = 10_000_000)]
    pub commands: u64,
    /// Keys that are written
    #[arg(long, value_name = "K", default_value_t = 10_000)]
    pub keys: u64,
    /// Number of clients, spread evenly over the nodes
    #[arg(long, value_name = "C", default_value_t = 1_024)]
    pub clients: usize,
    /// The most commands a second; as many as can be, if left out
    #[arg(long, value_name = "OPS")]
    pub rate: Option<u32>,
    /// Size of a value, bytes
    #[arg(long, value_name = "BYTES", default_value_t = 100)]
    pub payload: usize,
    /// How many nodes are away for half of the run: 0 or 1
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub absent: usize,
    /// The absent node does not come back
    #[arg(long)]
    pub never_back: bool,
    /// The most resident memory of a node while one is away, MB
    #[arg(long, value_name = "MB", default_value_t = 1_024)]
    pub rss_cap_mb: u64,
    /// How often nodes are looked at, ms
    #[arg(long, value_name = "MS", default_value_t = 1_000)]
    pub sample_ms: u64,
    /// When a write counts as done: memory, os or fsync
    #[arg(long, value_name = "M", default_value = "fsync")]
    pub durability: Durability,
}

impl EnduranceArgs {
    /// Checks every rule.
    pub(crate) fn check(&self) -> Result<(), BenchError> {
        self.common.check(if self.absent > 0 { 3 } else { 1 })?;
        for (name, found) in [
            ("commands", self.commands),
            ("keys", self.keys),
            ("clients", self.clients as u64),
            ("rate", u64::from(self.rate.unwrap_or(1))),
        ] {
            at_least(name, found, 1)?;
        }
        at_least("sample-ms", self.sample_ms, 10)?;
        if self.absent > 1 {
            return Err(BenchError::Usage(format!("absent = {}: give 0 or 1", self.absent)));
        }
        if self.absent == 1 && self.durability == Durability::Memory && !self.never_back {
            let sentence =
                "durability = memory: the absent node cannot come back; give --never-back, or fsync";
            return Err(BenchError::Usage(sentence.to_owned()));
        }
        Ok(())
    }
}

/// One protocol's run.
#[derive(Debug, Serialize)]
struct Run {
    protocol: String,
    /// Commands that were answered, and that ended without an answer.
    answered: u64,
    failed: u64,
    /// How long it took, s.
    took_s: f64,
    #[serde(flatten)]
    verdict: Verdict,
    samples: Vec<Sample>,
}

/// Runs the trial.
pub(crate) async fn run(args: &EnduranceArgs, lab: &Lab<'_>) -> Result<Found, BenchError> {
    let mut runs = Vec::new();
    for spec in args.common.protocols() {
        runs.push(one(args, lab, &spec).await?);
    }
    let broken = rules::broken(runs.iter().map(|run| (&run.protocol[..], &run.verdict.broken[..])));
    let headline = runs.iter().map(|run| {
        let most = run.verdict.courses.iter().filter(|course| course.figure == "memory");
        let most = most.map(|course| course.most).max().unwrap_or(0);
        let verdict = if run.verdict.broken.is_empty() { "flat" } else { "NOT FLAT" };
        let verdict = if args.absent == 0 || !run.verdict.broken.is_empty() { verdict } else { "bounded" };
        format!(
            "{} {} commands, at most {} MB: {verdict}",
            run.protocol,
            grouped(run.answered),
            most / 1_000_000
        )
    });
    Ok(Found {
        table: table(args, &runs),
        index: [
            args.clients.to_string(),
            args.durability.to_string(),
            headline.collect::<Vec<_>>().join(", "),
        ],
        broken,
        summary: json(&runs),
    })
}

async fn one(args: &EnduranceArgs, lab: &Lab<'_>, spec: &ProtocolSpec) -> Result<Run, BenchError> {
    let mut rig = lab.start(spec, args.durability, |_| {}).await?;
    lab.steps.say(&format!("{spec}: {} commands", grouped(args.commands)));
    let began = Instant::now();
    let pressure = Pressure::begin(Job {
        endpoints: rig.endpoints(),
        clients: args.clients,
        payload_bytes: args.payload,
        keys: args.keys,
        commands: Some(args.commands),
        rate: args.rate.map(f64::from),
    });
    let mut samples = Vec::new();
    let mut absence = Absence::new(args);
    let mut ticks = tokio::time::interval(Duration::from_millis(args.sample_ms));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while !pressure.is_over() {
        ticks.tick().await;
        let answered = pressure.answered();
        absence.tend(&mut rig, lab, answered).await?;
        let nodes = sample::look(&mut rig, absence.away).await;
        samples.push(Sample { at_s: began.elapsed().as_secs_f64(), answered, nodes });
        rig.check().await?;
        lab.steps.tick(&format!("{spec}: {} of {} commands", grouped(answered), grouped(args.commands)));
    }
    let took_s = began.elapsed().as_secs_f64();
    let (answered, failed) = (pressure.answered(), pressure.failed());
    pressure.end().await?;
    let limits = rig.config.limits.clone();
    rig.cluster.stop().await;
    let retained = (limits.retain_count_max as u64, limits.retain_bytes_max as u64);
    let held_on_disk = if args.absent > 0 { 2 * retained.1 } else { 0 };
    let rules = Rules {
        commands: args.commands,
        retained: (args.absent > 0).then_some(retained),
        resident_bytes_cap: args.rss_cap_mb * 1_000_000,
        disk_bytes_cap: 3 * limits.checkpoint_bytes + held_on_disk,
    };
    let mut verdict = rules.judge(&samples);
    if failed > 0 {
        verdict.broken.push(format!("{failed} commands ended without an answer"));
    }
    Ok(Run { protocol: spec.to_string(), answered, failed, took_s, verdict, samples })
}

/// The last node goes away, and perhaps comes back.
struct Absence {
    /// At so many answers, and back at so many; none if it is over, or there is none.
    leaves: Option<u64>,
    returns: Option<u64>,
    /// Who is away.
    away: Option<usize>,
}

impl Absence {
    fn new(args: &EnduranceArgs) -> Absence {
        let quarters = |count| (args.absent > 0).then_some(args.commands / 4 * count);
        let returns = quarters(3).filter(|_| !args.never_back);
        Absence { leaves: quarters(1), returns, away: None }
    }

    async fn tend(&mut self, rig: &mut Rig, lab: &Lab<'_>, answered: u64) -> Result<(), BenchError> {
        let last = rig.config.nodes.len() - 1;
        let name = rig.name(last);
        if self.leaves.take_if(|at| answered >= *at).is_some() {
            lab.steps.say(&format!("{name} goes away"));
            rig.cluster.kill(&name).await;
            self.away = Some(last);
        }
        if self.away.is_some() && self.returns.take_if(|at| answered >= *at).is_some() {
            lab.steps.say(&format!("{name} comes back"));
            rig.cluster.restart(&name).await.map_err(|error| rig.failed(error))?;
            self.away = None;
        }
        Ok(())
    }
}

/// The table that people read.
fn table(args: &EnduranceArgs, runs: &[Run]) -> String {
    let text = |words: [&str; 9]| words.map(str::to_owned).to_vec();
    let mut lines = vec![
        text(["endurance", "node", "figure", "least", "median", "most", "first third", "last third", "near"]),
        text(["", "", "", "", "", "", "median", "median", "%"]),
    ];
    for run in runs {
        lines.extend(run.verdict.courses.iter().map(|course| row(&run.protocol, course)));
    }
    let mut text = aligned(&lines);
    for run in runs {
        let verdict = rules::told(&run.verdict.broken);
        let memory = if run.verdict.memory_judged { "" } else { " (too short to judge memory)" };
        text.push_str(&format!(
            "{}: {} commands in {:.0} s, {} away: {verdict}{memory}\n",
            run.protocol,
            grouped(run.answered),
            run.took_s,
            args.absent
        ));
    }
    text
}

fn row(protocol: &str, course: &Course) -> Vec<String> {
    let bytes = matches!(course.figure, "memory" | "disk" | "history bytes");
    let figure = |value: f64| {
        if bytes { format!("{:.1} MB", value / 1e6) } else { format!("{value:.0}") }
    };
    #[allow(clippy::cast_precision_loss)] // Counts of a run.
    let whole = |value: u64| figure(value as f64);
    vec![
        protocol.to_owned(),
        format!("n{}", course.node),
        course.figure.to_owned(),
        whole(course.least),
        figure(course.median),
        whole(course.most),
        figure(course.thirds.0),
        figure(course.thirds.1),
        if course.figure == "memory" { format!("{:.1}", course.near_share * 100.0) } else { String::new() },
    ]
}
