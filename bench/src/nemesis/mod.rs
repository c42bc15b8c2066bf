//! Faults against a cluster of real processes while clients record a history.
//!
//! [`run`] starts node processes, lets clients work through the normal client library,
//! and does to the nodes what a plan drawn from the seed says. Then it lets everything
//! recover, reads all keys through every node, and judges what the clients were told.
//!
//! Invariants: at most as many nodes are down at once as the quorums bear; every
//! operation that was called is in the history; a node that ends by itself, does not
//! start, or does not answer again is a finding, as is a broken promise.
//!
//! Not done here: slow links, slow disks, and clocks. A fault is a file beside `kill.rs`, and a
//! variant of `Fault`; what it needs of the machine is made by `Equipment`, or it is skipped by name.

mod actor;
mod board;
mod command;
mod disk_full;
mod disks;
mod drill;
mod equipment;
mod failing_syncs;
mod fault;
mod finding;
mod flip;
mod fsync_error;
mod journal;
mod judge;
mod kill;
mod kv_keys;
mod kv_mix;
mod leftover;
mod list_mix;
mod mix;
mod namespaces;
mod network;
mod partition;
mod pause;
mod plan;
mod power;
pub(crate) mod probe;
mod relays;
mod report;
mod settings;
mod stage;
mod states;
mod tally;

pub use disks::DiskKind;
pub use equipment::Skipped;
pub use fault::{FaultKind, FaultKinds};
pub use journal::Counts;
pub use network::PartitionBy;
pub use report::{Report, Verdict};
pub use settings::Settings;
pub use tally::{FlipTally, Tally};

use crate::BenchError;
use crate::local_cluster::{LocalCluster, NodeProcess};
use board::Board;
use disks::Disks;
use drill::Drill;
use equipment::Equipment;
use finding::{Finding, Trouble};
use isegoria::Stats;
use journal::Journal;
use mix::Work;
use network::Network;
use parking_lot::Mutex;
use plan::Plan;
use stage::{Stage, log_since};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long no operation may be answered, beyond the time that the machine did not run.
const UNAVAILABLE_MAX: Duration = Duration::from_secs(20);

/// Runs `isegoria nemesis`, unless `stop` resolves first. `executable` is this program:
/// it is started as `serve`. Progress goes to standard error.
///
/// # Errors
/// If a rule is broken, or the run could not take place. What it found is in the report.
pub async fn run(
    settings: Settings,
    executable: &Path,
    stop: impl Future<Output = ()>,
) -> Result<Report, BenchError> {
    let seed = settings.seed.unwrap_or_else(|| u64::from(rand::random::<u32>()));
    let settings = Settings { seed: Some(seed), ..settings };
    // Rules first: a refused run leaves no directory.
    settings.cluster(Path::new("data"))?;
    let dir = directory(&settings)?;
    tokio::select! {
        report = Run { settings, seed, executable, dir }.report() => report,
        () = stop => Err(BenchError::Interrupted),
    }
}

fn directory(settings: &Settings) -> Result<TempDir, BenchError> {
    let parent = settings.data_dir.clone().unwrap_or_else(std::env::temp_dir);
    let parent = std::path::absolute(&parent).unwrap_or(parent);
    std::fs::create_dir_all(&parent)
        .and_then(|()| tempfile::Builder::new().prefix(&leftover::prefix()).tempdir_in(&parent))
        .map_err(BenchError::io(format!("making a directory in {}", parent.display())))
}

struct Run<'a> {
    settings: Settings,
    seed: u64,
    executable: &'a Path,
    dir: TempDir,
}

impl Run<'_> {
    async fn report(self) -> Result<Report, BenchError> {
        let Run { settings, seed, executable, dir } = self;
        let mut config = settings.cluster(dir.path())?;
        let shape = settings.shape(&config)?;
        let equipment = Equipment::set_up(&settings, &mut config, dir.path()).await;
        let plan = Plan::new(&equipment.kinds, shape, seed);
        let history = settings.history.clone().unwrap_or_else(|| dir.path().join("history.jsonl"));
        let journal = Arc::new(Mutex::new(Journal::begin(&history, settings.workload)?));
        let launches = (0..settings.nodes).map(|index| equipment.launch(index)).collect();
        let cluster = LocalCluster::start_as(executable, &config, launches)
            .await
            .map_err(|source| BenchError::Cluster { protocol: settings.protocol.to_string(), source })?;
        let mut stage = Stage::new(cluster, equipment);
        let mut drill = Drill {
            settings: &settings,
            seed,
            stage: &mut stage,
            work: Work::new(settings.workload, settings.keys),
            journal: journal.clone(),
            board: Arc::default(),
            answered_again: None,
        };
        let mut findings = match drill.run(&plan).await {
            Ok(()) => Vec::new(),
            Err(Trouble::Finding(finding)) => vec![finding],
            Err(Trouble::Error(error)) => return Err(error),
        };
        let (answered_again, board) = (drill.answered_again, drill.board.lock().clone());
        let longest_gap = journal.lock().longest_gap();
        drop(drill);
        findings.extend(stall(longest_gap, &board));
        let (finding, stats) = stop(&mut stage, &board).await;
        findings.extend(finding);
        let mut digest = None;
        if findings.is_empty() {
            match states::compare_all(&mut stage, stats.clone(), settings.durability).await {
                Ok(common) => digest = common,
                Err(finding) => findings.push(finding),
            }
        }
        findings.extend(panics(&stage));
        let journal = Arc::into_inner(journal).expect("all clients have ended").into_inner();
        let counts = journal.counts();
        journal.finish()?;
        let judging = Instant::now();
        findings.extend(judge::judge(&history).await);
        let Stage { cluster, equipment, .. } = stage;
        drop(cluster);
        Ok(Report {
            tolerated: shape.tolerated,
            counts,
            tally: board.tally,
            partitioned_by: equipment.network.as_ref().map(Network::by),
            disks: equipment.disks.as_ref().map(Disks::kind),
            skipped: equipment.skipped,
            cuts: stats.iter().map(|(_, stats)| stats.cut_count).max().unwrap_or(0),
            snapshots: stats.iter().map(|(_, stats)| stats.snapshot_count).sum(),
            digest,
            longest_unavailability_s: longest_gap.as_secs_f64(),
            own_pause_s: board.own_pause.as_secs_f64(),
            answered_again_s: answered_again.map(|time| time.as_secs_f64()),
            check_s: judging.elapsed().as_secs_f64(),
            verdict: findings.iter().map(|finding| finding.verdict).max().unwrap_or(Verdict::Pass),
            history: (settings.history.is_some() || !findings.is_empty()).then_some(history),
            data: if findings.is_empty() { None } else { Some(keep(dir, equipment.disks).await?) },
            findings: findings.into_iter().map(|finding| finding.what).collect(),
            settings,
        })
    }
}

/// Keeps what the nodes wrote, for somebody to look at.
async fn keep(dir: TempDir, disks: Option<Disks>) -> Result<PathBuf, BenchError> {
    if let Some(disks) = disks {
        disks.keep().await.map_err(BenchError::io("keeping what the disks hold"))?;
    }
    Ok(dir.keep())
}

/// A cluster with its quorums up that answers nobody for very long, on a machine that runs.
fn stall(longest_gap: Duration, board: &Board) -> Option<Finding> {
    let (gap, pause) = (longest_gap.as_secs(), board.own_pause.as_secs());
    let what = format!(
        "no operation was answered for {gap} s, and the clients stood still for {pause} s of them at most"
    );
    let is_stall = longest_gap.saturating_sub(board.own_pause) > UNAVAILABLE_MAX;
    is_stall.then_some(Finding { verdict: Verdict::Stuck, what })
}

/// Stops the nodes, and says what each counted since it started. One that is up and does not stop well is a finding.
async fn stop(stage: &mut Stage, board: &Board) -> (Option<Finding>, Vec<(String, Stats)>) {
    let (mut names, mut all) = (Vec::new(), Vec::new());
    for (name, stats) in stage.cluster.stop_all().await {
        match stats {
            Some(stats) => all.push((name, stats)),
            None if !board.down.contains_key(&name) => names.push(name),
            None => {}
        }
    }
    let what = format!("{} did not stop well when asked to", names.join(", "));
    ((!names.is_empty()).then_some(Finding { verdict: Verdict::NodeFailed, what }), all)
}

/// A node may be killed in any moment, but it never panics.
fn panics(stage: &Stage) -> Option<Finding> {
    let panicked = |node: &&NodeProcess| log_since(node, 0).contains("panicked at");
    let names: Vec<&str> =
        stage.cluster.nodes().iter().filter(panicked).map(|node| node.name.as_str()).collect();
    let what = format!("{} panicked; see its log", names.join(", "));
    (!names.is_empty()).then_some(Finding { verdict: Verdict::NodeFailed, what })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine that stands still is not a cluster that does.
    #[test]
    fn a_long_silence_is_found_unless_the_machine_stood_still() {
        let found = |gap: u64, pause: u64| {
            let board = Board { own_pause: Duration::from_secs(pause), ..Board::default() };
            stall(Duration::from_secs(gap), &board).map(|finding| finding.verdict)
        };
        assert_eq!(found(21, 0), Some(Verdict::Stuck));
        assert_eq!(found(90, 50), Some(Verdict::Stuck));
        assert_eq!(found(20, 0), None);
        assert_eq!(found(90, 85), None);
    }
}
