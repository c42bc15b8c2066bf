use crate::{BenchError, Crash, ProtocolList, Reference, Workload};
use isegoria::{Durability, from_toml};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The settings of a run that may be left out: the flags of `bench`, and by the same
/// names the keys of a scenario file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, clap::Args)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Knobs {
    /// Protocols, separated by commas; all that are built in, if left out
    #[arg(long, value_name = "A,B")]
    pub protocols: Option<ProtocolList>,
    /// Systems of others to run in the same way, separated by commas: redis, etcd; one that is not installed is left
    /// out, by name [default: none]
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub references: Option<Vec<Reference>>,
    /// Number of node processes [default: 3]
    #[arg(long, value_name = "N")]
    pub nodes: Option<usize>,
    /// Number of clients in total, spread evenly over the nodes [default: 256]
    #[arg(long, value_name = "C")]
    pub clients: Option<usize>,
    /// How long is measured, s [default: 10]
    #[arg(long, value_name = "S", allow_negative_numbers = true)]
    pub duration: Option<f64>,
    /// How long the load runs before that, s [default: 2]
    #[arg(long, value_name = "S", allow_negative_numbers = true)]
    pub warm_up: Option<f64>,
    /// Operations a second in all, arriving by chance whatever was answered (an open loop), at most --clients of them
    /// outstanding [default: each client begins the next one when the last has ended]
    #[arg(long, value_name = "OPS", allow_negative_numbers = true)]
    pub rate: Option<f64>,
    /// epaxos13, atlas20, zipf or ycsb-a to ycsb-f, with options after a colon [default: epaxos13]
    #[arg(long, value_name = "W")]
    pub workload: Option<Workload>,
    /// Conflict probability, 0 to 1 [default: 0]
    #[arg(long, value_name = "R", allow_negative_numbers = true)]
    pub conflict: Option<f64>,
    /// Size of a value, bytes [default: 100]
    #[arg(long, value_name = "BYTES")]
    pub payload: Option<usize>,
    /// Share of the operations that are reads, 0 to 1; with --history only [default: 0.5]
    #[arg(long, value_name = "R", allow_negative_numbers = true)]
    pub reads: Option<f64>,
    /// The most commands that one vertex or slot may carry; 1 is no batching [default: 128]
    #[arg(long, value_name = "B")]
    pub batch: Option<usize>,
    /// When a write counts as done: memory, os or fsync [default: fsync]
    #[arg(long, value_name = "M")]
    pub durability: Option<Durability>,
    /// Emulate the distance between sites: regions such as configs/regions/epaxos13.toml, or a CSV matrix of
    /// round-trip times such as configs/rtt/aws-2020.csv
    #[arg(long, value_name = "FILE")]
    pub geo: Option<PathBuf>,
    /// The site of each node, separated by commas [default: those of the regions, or the first of the matrix]
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub sites: Option<Vec<String>>,
    /// What each way between sites takes more, at most, ms [default: 0]
    #[arg(long, value_name = "MS", allow_negative_numbers = true)]
    pub jitter_ms: Option<f64>,
    /// Probability that a packet between sites is lost, and sent again a round trip later [default: 0]
    #[arg(long, value_name = "R", allow_negative_numbers = true)]
    pub loss: Option<f64>,
    /// What passes one way between two nodes, Mbit/s [default: no limit]
    #[arg(long, value_name = "MBIT", allow_negative_numbers = true)]
    pub bandwidth_mbit: Option<f64>,
    /// What each node may use of one processor, such as 0.25, by a cgroup of its own [default: no limit]
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true)]
    pub cap_cpu: Option<f64>,
    /// Start no processes: run the same nodes and clients in virtual time, where each message that is read or written
    /// takes its node's processor so many µs
    #[arg(long, value_name = "US", allow_negative_numbers = true)]
    pub simulate: Option<f64>,
    /// Kill this node so many seconds into the measured window, or stop it without a word to anybody (n2@5:silent), and
    /// tell what each second was like
    #[arg(long, value_name = "NODE@S")]
    pub crash: Option<Crash>,
    /// Processes that the clients are spread over [default: 1]
    #[arg(long, value_name = "N")]
    pub load_processes: Option<usize>,
    /// How often each protocol is measured: medians are reported, with the spread [default: 1]
    #[arg(long, value_name = "N")]
    pub repeat: Option<usize>,
    /// Seed of the clients' choices [default: 1]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Names the run's folder; made of the workload, nodes and clients if left out
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
}

impl Knobs {
    /// Reads a scenario file.
    ///
    /// # Errors
    /// If it cannot be read or does not parse: one sentence with the file and line.
    pub fn from_file(file: &Path) -> Result<Knobs, BenchError> {
        let text = std::fs::read_to_string(file)
            .map_err(|error| BenchError::Usage(format!("cannot read {}: {error}", file.display())))?;
        let knobs: Knobs =
            from_toml(&text).map_err(|error| BenchError::Usage(format!("{}: {error}", file.display())))?;
        Ok(knobs.beside(file))
    }

    /// What a file names lies beside it, from wherever it is read.
    pub(crate) fn beside(self, file: &Path) -> Knobs {
        let beside = file.parent().unwrap_or(Path::new(""));
        Knobs { geo: self.geo.map(|geo| beside.join(geo)), ..self }
    }

    /// These settings; where there is none, the other's.
    #[must_use]
    pub fn or(self, other: Knobs) -> Knobs {
        Knobs {
            protocols: self.protocols.or(other.protocols),
            references: self.references.or(other.references),
            nodes: self.nodes.or(other.nodes),
            clients: self.clients.or(other.clients),
            duration: self.duration.or(other.duration),
            warm_up: self.warm_up.or(other.warm_up),
            rate: self.rate.or(other.rate),
            workload: self.workload.or(other.workload),
            conflict: self.conflict.or(other.conflict),
            payload: self.payload.or(other.payload),
            reads: self.reads.or(other.reads),
            batch: self.batch.or(other.batch),
            durability: self.durability.or(other.durability),
            geo: self.geo.or(other.geo),
            sites: self.sites.or(other.sites),
            jitter_ms: self.jitter_ms.or(other.jitter_ms),
            loss: self.loss.or(other.loss),
            bandwidth_mbit: self.bandwidth_mbit.or(other.bandwidth_mbit),
            cap_cpu: self.cap_cpu.or(other.cap_cpu),
            simulate: self.simulate.or(other.simulate),
            crash: self.crash.or(other.crash),
            load_processes: self.load_processes.or(other.load_processes),
            repeat: self.repeat.or(other.repeat),
            seed: self.seed.or(other.seed),
            name: self.name.or(other.name),
        }
    }
}
