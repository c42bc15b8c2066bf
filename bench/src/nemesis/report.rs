use super::disks::DiskKind;
use super::equipment::Skipped;
use super::journal::Counts;
use super::network::PartitionBy;
use super::settings::Settings;
use super::tally::Tally;
use serde::Serialize;
use std::fmt;
use std::path::PathBuf;

/// How a run ended; the gravest last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The history keeps every promise, and everything answered again.
    Pass,
    /// The history could not be judged within the checker's limits.
    Undecided,
    /// Something did not answer again after the faults, or nothing did for very long.
    Stuck,
    /// A node ended by itself, or did not start or stop.
    NodeFailed,
    /// What clients were told fits no order of their operations.
    Violation,
}

/// What `isegoria nemesis` reports.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// What was run; the seed is always there.
    #[serde(flatten)]
    pub settings: Settings,
    /// The most nodes that were down at once.
    pub tolerated: usize,
    /// The operations of all clients, the final reads included.
    #[serde(flatten)]
    pub counts: Counts,
    /// The faults.
    #[serde(flatten)]
    pub tally: Tally,
    /// Faults that were asked for and did not take place, and why.
    pub skipped: Vec<Skipped>,
    /// How links were cut, if any were to be.
    pub partitioned_by: Option<PartitionBy>,
    /// What the nodes' disks were made of, if they had any of their own.
    pub disks: Option<DiskKind>,
    /// Cuts that a node executed since its last start, the most of all nodes.
    pub cuts: u64,
    /// Snapshots of others that nodes took since their last start, of all nodes.
    pub snapshots: u64,
    /// A hash of the state that all replicas came to; none if they could not be compared.
    pub digest: Option<String>,
    /// The longest time in which no operation of any client was answered, s.
    pub longest_unavailability_s: f64,
    /// The longest time in which the clients' process itself stood still, s. If it is as long
    /// as the unavailability, then the machine was overloaded, not the cluster away.
    pub own_pause_s: f64,
    /// After the last fault ended, how long it took until every node answered, s.
    pub answered_again_s: Option<f64>,
    /// How long the history took to judge, s.
    pub check_s: f64,
    /// How it ended.
    pub verdict: Verdict,
    /// What was wrong, a sentence each.
    pub findings: Vec<String>,
    /// The history, if it was kept.
    pub history: Option<PathBuf>,
    /// The nodes' data and logs, if something was wrong.
    pub data: Option<PathBuf>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Settings { protocol, nodes, workload, clients, keys, faults, seed, .. } = &self.settings;
        let Counts { operations, ok, unknown, failed } = self.counts;
        let seed = seed.unwrap_or_default();
        writeln!(
            f,
            "{protocol}, {nodes} nodes, at most {} down, faults {faults}, {} s, seed {seed}",
            self.tolerated, self.settings.duration_s
        )?;
        writeln!(f, "{workload}: {clients} clients on {keys} keys")?;
        writeln!(f, "operations {operations}: {ok} answered, {unknown} unknown, {failed} failed")?;
        write!(f, "{}", self.tally)?;
        if let Some(by) = self.partitioned_by {
            writeln!(f, "links cut by {by}")?;
        }
        for Skipped { fault, why } in &self.skipped {
            writeln!(f, "skipped: {fault} ({why})")?;
        }
        let (cuts, snapshots) = (self.cuts, self.snapshots);
        writeln!(f, "since the nodes last started: {cuts} cuts, {snapshots} snapshots taken")?;
        writeln!(
            f,
            "longest unavailability {:.2} s (the clients themselves stood still for at most {:.2} s)",
            self.longest_unavailability_s, self.own_pause_s
        )?;
        if let Some(seconds) = self.answered_again_s {
            writeln!(f, "every node answered {seconds:.2} s after the last fault")?;
        }
        if let Some(digest) = &self.digest {
            writeln!(f, "all replicas have the same state, {digest}")?;
        }
        for (what, path) in [("history", &self.history), ("data and logs", &self.data)] {
            if let Some(path) = path {
                writeln!(f, "{what} in {}", path.display())?;
            }
        }
        for finding in &self.findings {
            writeln!(f, "found: {finding}")?;
        }
        let verdict = match self.verdict {
            Verdict::Pass => "pass",
            Verdict::Violation => "VIOLATION",
            Verdict::Undecided => "undecided",
            Verdict::NodeFailed => "A NODE FAILED",
            Verdict::Stuck => "STUCK",
        };
        writeln!(f, "verdict: {verdict} (judged in {:.1} s)", self.check_s)
    }
}
