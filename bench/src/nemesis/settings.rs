use super::fault::FaultKinds;
use super::network::PartitionBy;
use super::plan::Shape;
use crate::BenchError;
use crate::local_cluster::take_free_endpoints;
use isegoria::{ClusterConfig, Durability, LimitsConfig, ProtocolSpec};
use isegoria_check::history::Model;
use serde::{Serialize, Serializer};
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The longest run, s: a day.
const SECONDS_MAX: f64 = 86_400.0;
/// The most clients: each has connections of its own.
const CLIENTS_MAX: usize = 1000;
/// The most keys, and operations a second.
const MANY_MAX: usize = 1_000_000;

/// `isegoria nemesis`: what is run.
#[derive(Clone, Debug, clap::Args, Serialize)]
pub struct Settings {
    /// The protocol, with options after a colon
    #[arg(long, value_name = "P")]
    #[serde(serialize_with = "as_text")]
    pub protocol: ProtocolSpec,
    /// Number of node processes
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub nodes: usize,
    /// How long clients work and faults happen, s
    #[arg(long = "duration", value_name = "S", default_value_t = 60.0)]
    pub duration_s: f64,
    /// kv (all operations of the store) or list-append (appends, and reads of several lists)
    #[arg(long, value_name = "W", default_value = "kv")]
    #[serde(serialize_with = "as_text")]
    pub workload: Model,
    /// Number of clients, each with connections and a session of its own
    #[arg(long, value_name = "C", default_value_t = 16)]
    pub clients: usize,
    /// Number of keys in use at a time
    #[arg(long, value_name = "K", default_value_t = 9)]
    pub keys: usize,
    /// The most operations a second, of all clients together
    #[arg(long, value_name = "OPS", default_value_t = 2000)]
    pub rate: usize,
    /// kill, pause, partition, power, disk-full, fsync-error, flip; or all, or none. What this machine does not
    /// have is skipped, and said
    #[arg(long, value_name = "A,B", default_value = "kill")]
    #[serde(serialize_with = "as_text")]
    pub faults: FaultKinds,
    /// How links are cut: namespaces (of the network; needs root and `ip`) or relays (in this process)
    /// [default: namespaces where they are to be had]
    #[arg(long, value_name = "W")]
    #[serde(skip)]
    pub partition_by: Option<PartitionBy>,
    /// The most vertices or slots that nodes hold for one that is away, before they forget them and it has to
    /// take a snapshot [default: 65536]
    #[arg(long, value_name = "COUNT")]
    pub retain: Option<usize>,
    /// Seed of the faults and of the clients' choices; drawn, and said, if left out
    #[arg(long, value_name = "X")]
    pub seed: Option<u64>,
    /// When a write counts as done: fsync, os or memory
    #[arg(long, value_name = "M", default_value = "fsync")]
    pub durability: Durability,
    /// Where the history is kept; if left out, it is kept only if something is wrong with it
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    pub history: Option<PathBuf>,
    /// Where the nodes keep their data during the run, in a directory of their own
    #[arg(long, value_name = "DIR")]
    #[serde(skip)]
    pub data_dir: Option<PathBuf>,
}

fn as_text<S: Serializer>(name: &impl Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(name)
}

impl Settings {
    /// The cluster's configuration, with every rule checked.
    ///
    /// # Errors
    /// The first rule that is broken, with the setting's name and the cure.
    pub(crate) fn cluster(&self, data_dir: &Path) -> Result<ClusterConfig, BenchError> {
        self.check()?;
        let mut config = ClusterConfig::loopback(&self.protocol, self.nodes, 1, data_dir)?;
        config.durability = self.durability;
        config.limits.retain_count_max = self.retain.unwrap_or(config.limits.retain_count_max);
        if self.faults.kinds().iter().any(|kind| kind.wants_small_disks()) {
            config.limits = small(config.limits);
        }
        take_free_endpoints(&mut config).map_err(BenchError::io("asking for free ports"))?;
        config.check()?;
        if !self.faults.kinds().is_empty() && tolerated(&config)? == 0 {
            return Err(BenchError::Usage(format!(
                "nodes = {}: the quorums need all of them, so none may be down; give at least 3, or --faults none",
                self.nodes
            )));
        }
        Ok(config)
    }

    fn check(&self) -> Result<(), BenchError> {
        let refuse = |sentence: String| Err(BenchError::Usage(sentence));
        if !(self.duration_s > 0.0 && self.duration_s <= SECONDS_MAX) {
            return refuse(format!("duration = {}: give seconds above 0, at most a day", self.duration_s));
        }
        for (name, found, most) in [
            ("clients", self.clients, CLIENTS_MAX),
            ("keys", self.keys, MANY_MAX),
            ("rate", self.rate, MANY_MAX),
        ] {
            if !(1..=most).contains(&found) {
                return refuse(format!("{name} = {found}: give at least 1 and at most {most}"));
            }
        }
        match &self.history {
            Some(file) if file.file_name().is_none() || file.is_dir() => {
                refuse(format!("history = {}: name a file", file.display()))
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn duration(&self) -> Duration {
        Duration::from_secs_f64(self.duration_s)
    }

    /// The time between two operations of one client, if it is answered in that time.
    #[allow(clippy::cast_precision_loss)] // At most a million.
    pub(crate) fn pace(&self) -> Duration {
        Duration::from_secs_f64(self.clients as f64 / self.rate as f64)
    }

    pub(crate) fn shape(&self, config: &ClusterConfig) -> Result<Shape, BenchError> {
        Ok(Shape { nodes: self.nodes, tolerated: tolerated(config)?, duration: self.duration() })
    }
}

/// Logs in small pieces and many checkpoints: on a small disk, and so that faults of disks
/// meet all kinds of files.
fn small(limits: LimitsConfig) -> LimitsConfig {
    LimitsConfig {
        payload_bytes_max: 16 << 10,
        segment_bytes: 256 << 10,
        checkpoint_bytes: 1 << 20,
        ..limits
    }
}

/// How many nodes may be down, whichever they are, with every kind of quorum left.
fn tolerated(config: &ClusterConfig) -> Result<usize, BenchError> {
    let quorums = config.layout()?.quorums;
    let kinds = [&quorums.phase1, &quorums.phase2, &quorums.dependency];
    Ok(kinds.map(isegoria_types::Quorum::tolerates).into_iter().min().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        settings: Settings,
    }

    fn settings(line: &str) -> Result<Settings, String> {
        let words = ["nemesis", "--protocol"].into_iter().chain(line.split_whitespace());
        Cli::try_parse_from(words).map(|cli| cli.settings).map_err(|error| error.to_string())
    }

    #[test]
    fn as_many_may_be_down_as_the_quorums_bear() {
        for (line, expected) in [
            ("multipaxos", 1),
            ("simple-bpaxos --nodes 5", 2),
            ("multipaxos --nodes 4", 1),
            ("multipaxos:phase1=4,phase2=2 --nodes 5", 1),
            ("multipaxos --nodes 1 --faults none", 0),
        ] {
            let settings = settings(line).unwrap();
            let config = settings.cluster(Path::new("data")).unwrap();
            assert_eq!(tolerated(&config).unwrap(), expected, "{line}");
        }
    }

    #[test]
    fn broken_rules_are_one_sentence_and_exit_code_2() {
        for (line, expected) in [
            ("multipaxos --nodes 2", "--faults none"),
            ("multipaxos --duration 0", "duration = 0"),
            ("multipaxos --clients 0", "clients = 0"),
            ("multipaxos --keys 0", "keys = 0"),
            ("multipaxos --rate 0", "rate = 0"),
            ("multipaxos --nodes 0", "nodes = 0"),
            ("multipaxos --history /", "history = /"),
        ] {
            let error = settings(line).unwrap().cluster(Path::new("data")).unwrap_err();
            let sentence = error.to_string();
            assert!(sentence.contains(expected) && !sentence.contains('\n'), "{line}: {sentence}");
            assert_eq!(error.exit_code(), 2, "{line}");
        }
        for (line, expected) in [
            ("raft-ish", "unknown protocol `raft-ish`"),
            ("multipaxos --faults freeze", "unknown fault `freeze`; choose from kill"),
            ("multipaxos --workload ycsb", "unknown model `ycsb`; choose kv or list-append"),
            ("multipaxos --durability disk", "`disk`"),
        ] {
            let sentence = settings(line).unwrap_err();
            assert!(sentence.contains(expected), "{line}: {sentence}");
        }
    }
}
