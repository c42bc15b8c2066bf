use super::{MB, RecoveryArgs};
use crate::BenchError;
use crate::table::{aligned, grouped};
use crate::trials::lab::{Lab, Rig};
use crate::trials::pressure::{Job, Pressure};
use isegoria::{ClusterConfig, ProtocolSpec};
use isegoria_types::{Prefix, WINDOW_MAX};
use serde::Serialize;
use std::time::{Duration, Instant};

/// Values of a state that a snapshot brings, bytes.
const STATE_VALUE_BYTES: usize = 1_000;
/// What the others hold for a node that is to come back by a snapshot, vertices or slots.
const RETAINED: usize = 64;
/// How long a node may take to catch up.
const CATCH_UP_MAX: Duration = Duration::from_secs(300);

/// One absence and what it took to make up for it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct CatchUp {
    pub(crate) protocol: String,
    /// `commits` or `snapshot`: how the node got what it missed.
    pub(crate) way: &'static str,
    /// Commands executed while it was away.
    pub(crate) absent_commands: u64,
    /// The state's values and keys, bytes.
    pub(crate) state_bytes: u64,
    /// From the start of the process until it was ready, s.
    pub(crate) ready_s: f64,
    /// From the start until it had executed what the others had at that time, s.
    pub(crate) caught_up_s: f64,
    /// Commands answered meanwhile, a second.
    pub(crate) load_ops_s: f64,
}

/// Absences that the others make up for by commits.
pub(crate) async fn by_commits(
    args: &RecoveryArgs,
    lab: &Lab<'_>,
    spec: &ProtocolSpec,
    absent: &[u64],
) -> Result<Vec<CatchUp>, BenchError> {
    let mut rows = Vec::new();
    for commands in absent {
        let mut rig = lab.start(spec, args.durability, hold_much).await?;
        let job = args.job(rig.endpoints());
        lab.steps.say(&format!("{spec}: {commands} commands without the last node"));
        // So that it has something to come back from.
        Pressure::begin(Job { commands: Some(1_000), ..job.clone() }).end().await?;
        let name = rig.name(args.common.nodes - 1);
        rig.cluster.kill(&name).await;
        Pressure::begin(Job { commands: Some(*commands), ..job }).end().await?;
        let row = come_back(args, lab, (spec, &mut rig), (*commands, 0)).await?;
        rig.cluster.stop().await;
        if row.way != "commits" {
            return Err(BenchError::Load(format!(
                "{spec}: after {commands} commands the others had forgotten what was missed; give fewer to --absent"
            )));
        }
        rows.push(row);
    }
    Ok(rows)
}

/// On a busy machine batches are small, and commands take more vertices or slots than usual.
fn hold_much(config: &mut ClusterConfig) {
    config.limits.retain_count_max = usize::try_from(WINDOW_MAX / 4).unwrap_or(usize::MAX);
    config.limits.retain_bytes_max = 1 << 30;
}

/// An absence after which only a snapshot helps.
pub(crate) async fn by_snapshot(
    args: &RecoveryArgs,
    lab: &Lab<'_>,
    spec: &ProtocolSpec,
    state_mb: u64,
) -> Result<CatchUp, BenchError> {
    let keys = (state_mb * MB / STATE_VALUE_BYTES as u64).max(1);
    let mut rig =
        lab.start(spec, args.durability, |config| config.limits.retain_count_max = RETAINED).await?;
    lab.steps.say(&format!("{spec}: a state of {state_mb} MB"));
    let job = Job { payload_bytes: STATE_VALUE_BYTES, keys, ..args.job(rig.endpoints()) };
    Pressure::begin(Job { commands: Some(keys), ..job.clone() }).end().await?;
    let before = rig.stats(0).await?.cut_count;
    let name = rig.name(args.common.nodes - 1);
    rig.cluster.kill(&name).await;
    lab.steps.say(&format!("{spec}: writing without the last node until what it misses is forgotten"));
    let pressure = Pressure::begin(job);
    while rig.stats(0).await?.cut_count == before && !pressure.is_over() {
        tokio::time::sleep(Duration::from_millis(50)).await;
        rig.check().await?;
    }
    let commands = pressure.answered();
    pressure.stop().await?;
    let row = come_back(args, lab, (spec, &mut rig), (commands, state_mb * MB)).await?;
    rig.cluster.stop().await;
    if row.way != "snapshot" {
        return Err(BenchError::Load(format!("{spec}: the node came back without a snapshot")));
    }
    Ok(row)
}

/// Starts the last node under load and waits until it has executed what the others had.
async fn come_back(
    args: &RecoveryArgs,
    lab: &Lab<'_>,
    (spec, rig): (&ProtocolSpec, &mut Rig),
    (absent_commands, state_bytes): (u64, u64),
) -> Result<CatchUp, BenchError> {
    let last = args.common.nodes - 1;
    // Its clients would look for it; theirs are the nodes that are there.
    let endpoints = rig.endpoints().into_iter().take(last).collect();
    let job = Job { rate: Some(f64::from(args.rate)), ..args.job(endpoints) };
    let pressure = Pressure::begin(job);
    tokio::time::sleep(Duration::from_millis(500)).await;
    lab.steps.say(&format!("{spec}: the last node comes back"));
    let mut target = Prefix::default();
    for index in 0..last {
        target.union(&rig.stats(index).await?.executed);
    }
    let name = rig.name(last);
    let (began, answered) = (Instant::now(), pressure.answered());
    let started = rig.cluster.restart(&name).await;
    let ready_s = began.elapsed().as_secs_f64();
    started.map_err(|error| rig.failed(error))?;
    let stats = loop {
        let stats = rig.watches[last].look().await.unwrap_or_default();
        if stats.executed.covers(&target) {
            break stats;
        }
        if began.elapsed() > CATCH_UP_MAX {
            return Err(BenchError::Load(format!(
                "{spec}: {name} did not catch up within {} s",
                CATCH_UP_MAX.as_secs()
            )));
        }
        rig.check().await?;
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    let caught_up_s = began.elapsed().as_secs_f64();
    #[allow(clippy::cast_precision_loss)] // A count of a run.
    let load_ops_s = (pressure.answered() - answered) as f64 / caught_up_s;
    pressure.stop().await?;
    let way = if stats.snapshot_count > 0 { "snapshot" } else { "commits" };
    Ok(CatchUp {
        protocol: spec.to_string(),
        way,
        absent_commands,
        state_bytes,
        ready_s,
        caught_up_s,
        load_ops_s,
    })
}

/// The table that people read.
pub(crate) fn table(rows: &[CatchUp]) -> String {
    let text = |words: [&str; 7]| words.map(str::to_owned).to_vec();
    let mut lines = vec![
        text(["catching up", "by", "missed", "state", "ready", "caught up", "load"]),
        text(["", "", "commands", "MB", "s", "s", "ops/s"]),
    ];
    lines.extend(rows.iter().map(|row| {
        vec![
            row.protocol.clone(),
            row.way.to_owned(),
            grouped(row.absent_commands),
            grouped(row.state_bytes / MB),
            format!("{:.3}", row.ready_s),
            format!("{:.3}", row.caught_up_s),
            format!("{:.0}", row.load_ops_s),
        ]
    }));
    aligned(&lines)
}
