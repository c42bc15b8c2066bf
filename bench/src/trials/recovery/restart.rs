use super::{MB, RecoveryArgs};
use crate::BenchError;
use crate::nemesis::probe::await_answer;
use crate::report::median;
use crate::table::{aligned, grouped};
use crate::trials::lab::{Lab, Rig};
use crate::trials::pressure::Pressure;
use isegoria::ProtocolSpec;
use serde::Serialize;
use std::time::{Duration, Instant};

/// How long a restarted node may take to answer.
const ANSWER_MAX: Duration = Duration::from_secs(60);

/// Restarts on one log.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Restart {
    pub(crate) protocol: String,
    /// What is replayed, bytes on disk.
    pub(crate) log_bytes: u64,
    /// Records that were replayed.
    pub(crate) record_count: u64,
    /// From the start until the node was ready, s: the median.
    pub(crate) ready_s: f64,
    /// From the start until the node answered by itself, s: the median.
    pub(crate) first_answer_s: f64,
    /// The log by the time until the first answer, MB/s.
    pub(crate) mb_per_s: f64,
    /// Each restart: until ready and until the first answer, s.
    pub(crate) repetitions: Vec<(f64, f64)>,
}

/// Restarts of the last node on ever longer logs of the same cluster.
pub(crate) async fn run(
    args: &RecoveryArgs,
    lab: &Lab<'_>,
    spec: &ProtocolSpec,
    sizes_mb: &[u64],
) -> Result<Vec<Restart>, BenchError> {
    let mut sizes = sizes_mb.to_vec();
    sizes.sort_unstable();
    let Some(largest) = sizes.last() else { return Ok(Vec::new()) };
    let room = (4 * largest * MB).max(1 << 30);
    let mut rig = lab.start(spec, args.durability, |config| config.limits.checkpoint_bytes = room).await?;
    let mut rows = Vec::new();
    for size_mb in sizes {
        lab.steps.say(&format!("{spec}: writing until the log has {size_mb} MB"));
        let log_bytes = fill(args, lab, &mut rig, size_mb * MB).await?;
        let mut repetitions = Vec::new();
        for number in 1..=args.repeat {
            lab.steps.say(&format!("{spec}: restart {number} of {} with {} MB", args.repeat, log_bytes / MB));
            repetitions.push(restart(&mut rig).await?);
        }
        let last = args.common.nodes - 1;
        let stats = rig.stats(last).await?;
        if stats.checkpoint_count > 0 {
            return Err(BenchError::Load(format!(
                "{spec}: a checkpoint was taken; the log was not replayed"
            )));
        }
        let of = |figure: fn(&(f64, f64)) -> f64| {
            median(repetitions.iter().map(figure).collect()).expect("at least one restart")
        };
        let first_answer_s = of(|one| one.1);
        #[allow(clippy::cast_precision_loss)] // Far below 2^52 bytes.
        let mb_per_s = log_bytes as f64 / MB as f64 / first_answer_s;
        rows.push(Restart {
            protocol: spec.to_string(),
            log_bytes,
            record_count: stats.replayed_count,
            ready_s: of(|one| one.0),
            first_answer_s,
            mb_per_s,
            repetitions,
        });
    }
    rig.cluster.stop().await;
    Ok(rows)
}

/// Loads the cluster until the last node's log has `bytes`; says how many it has.
async fn fill(args: &RecoveryArgs, lab: &Lab<'_>, rig: &mut Rig, bytes: u64) -> Result<u64, BenchError> {
    let last = args.common.nodes - 1;
    let pressure = Pressure::begin(args.job(rig.endpoints()));
    loop {
        tokio::time::sleep(Duration::from_millis(20)).await;
        rig.check().await?;
        let found = rig.stats(last).await?.log_bytes;
        lab.steps.tick(&format!("writing: {} of {} MB of log", found / MB, bytes / MB));
        if found >= bytes || pressure.is_over() {
            break;
        }
    }
    pressure.stop().await?;
    // What was under way is written, too.
    tokio::time::sleep(Duration::from_millis(200)).await;
    Ok(rig.stats(last).await?.log_bytes)
}

/// Kills the last node and starts it again: seconds until ready, and until it answers.
async fn restart(rig: &mut Rig) -> Result<(f64, f64), BenchError> {
    let last = rig.config.nodes.len() - 1;
    let name = rig.name(last);
    rig.cluster.kill(&name).await;
    let began = Instant::now();
    let started = rig.cluster.restart(&name).await;
    let ready_s = began.elapsed().as_secs_f64();
    started.map_err(|error| rig.failed(error))?;
    let endpoint = rig.endpoints()[last].1.clone();
    await_answer(&endpoint, ANSWER_MAX)
        .await
        .map_err(|why| BenchError::Load(format!("{name} did not answer after its restart: {why}")))?;
    let answer_s = began.elapsed().as_secs_f64();
    rig.check().await?;
    Ok((ready_s, answer_s))
}

/// The table that people read.
pub(crate) fn table(rows: &[Restart]) -> String {
    let text = |words: [&str; 6]| words.map(str::to_owned).to_vec();
    let mut lines = vec![
        text(["restart", "log", "records", "ready", "first answer", "replay"]),
        text(["", "MB", "", "s", "s", "MB/s"]),
    ];
    lines.extend(rows.iter().map(|row| {
        vec![
            row.protocol.clone(),
            grouped(row.log_bytes / MB),
            grouped(row.record_count),
            format!("{:.3}", row.ready_s),
            format!("{:.3}", row.first_answer_s),
            format!("{:.0}", row.mb_per_s),
        ]
    }));
    aligned(&lines)
}
