use super::disks::Disks;
use super::equipment::Equipment;
use super::failing_syncs::FailingSyncs;
use super::finding::Trouble;
use super::network::Network;
use super::probe::await_answer;
use super::report::Verdict;
use crate::BenchError;
use crate::local_cluster::{LocalCluster, NodeProcess};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a node may take until it answers after something was done to it alone.
const SERVE_MAX: Duration = Duration::from_secs(30);

/// What faults are done to, and with.
#[derive(Debug)]
pub(crate) struct Stage {
    // Dropped first: its processes use the rest.
    pub(crate) cluster: LocalCluster,
    pub(crate) equipment: Equipment,
    /// How long the logs of nodes were when a fault began, bytes.
    log_marks: BTreeMap<usize, u64>,
}

impl Stage {
    pub(crate) fn new(cluster: LocalCluster, equipment: Equipment) -> Stage {
        Stage { cluster, equipment, log_marks: BTreeMap::new() }
    }

    /// Remembers how long a node's log is now.
    pub(crate) fn mark_log(&mut self, node: usize) {
        self.log_marks.insert(node, log_length(&self.cluster.nodes()[node]));
    }

    /// How long a node's log was when it was last marked, bytes.
    pub(crate) fn log_mark(&self, node: usize) -> u64 {
        self.log_marks.get(&node).copied().unwrap_or(0)
    }

    /// Waits for something, unless a node ends that nobody has killed.
    pub(crate) async fn while_none_dies<T>(
        &mut self,
        awaited: impl Future<Output = T>,
    ) -> Result<T, Trouble> {
        tokio::select! {
            biased;
            (name, how) = self.cluster.exited() => {
                Err(Trouble::found(Verdict::NodeFailed, format!("{name} ended by itself: {how}")))
            }
            outcome = awaited => Ok(outcome),
        }
    }

    /// Waits until a node answers again after `what` happened to it.
    pub(crate) async fn await_service(&mut self, node: usize, what: &str) -> Result<(), Trouble> {
        let NodeProcess { name, client, .. } = self.cluster.nodes()[node].clone();
        let Some(endpoint) = client else { return Ok(()) };
        self.while_none_dies(await_answer(&endpoint, SERVE_MAX)).await?.map_err(|why| {
            let seconds = SERVE_MAX.as_secs();
            let what = format!("{name} did not answer within {seconds} s after {what}: {why}");
            Trouble::found(Verdict::Stuck, what)
        })
    }

    /// Waits until a node answers, or ends because of what its peers know of it: whether it
    /// did, and said `sentence`.
    pub(crate) async fn is_found_out(&mut self, node: usize, sentence: &str) -> Result<bool, Trouble> {
        let NodeProcess { name, client, .. } = self.cluster.nodes()[node].clone();
        let Some(endpoint) = client else { return Ok(false) };
        tokio::select! {
            biased;
            (ended, how) = self.cluster.exited() => {
                if ended == name && how.contains(sentence) {
                    return Ok(true);
                }
                Err(Trouble::found(Verdict::NodeFailed, format!("{ended} ended by itself: {how}")))
            }
            // That it never answers is for the next wait to find.
            _ = await_answer(&endpoint, SERVE_MAX) => Ok(false),
        }
    }

    /// What a partition needs.
    pub(crate) fn network(&mut self) -> Result<&mut Network, Trouble> {
        self.equipment.network.as_mut().ok_or_else(|| missing("links to cut"))
    }

    /// What a fault of a disk needs.
    pub(crate) fn disks(&self) -> Result<&Disks, Trouble> {
        self.equipment.disks.as_ref().ok_or_else(|| missing("disks"))
    }

    /// What a failing sync needs.
    pub(crate) fn failing_syncs(&self) -> Result<&FailingSyncs, Trouble> {
        self.equipment.failing_syncs.as_ref().ok_or_else(|| missing("failing syncs"))
    }
}

/// How long a node's log is, bytes.
pub(crate) fn log_length(node: &NodeProcess) -> u64 {
    std::fs::metadata(&node.log_file).map_or(0, |meta| meta.len())
}

/// What a node's log says since it was `from` bytes long.
pub(crate) fn log_since(node: &NodeProcess, from: u64) -> String {
    let bytes = std::fs::read(&node.log_file).unwrap_or_default();
    let from = usize::try_from(from).unwrap_or(usize::MAX).min(bytes.len());
    String::from_utf8_lossy(&bytes[from..]).into_owned()
}

/// Plans are made of kinds that are there: this is a mistake in the nemesis.
fn missing(what: &str) -> Trouble {
    BenchError::Load(format!("the plan asks for {what}, and this run has none")).into()
}
