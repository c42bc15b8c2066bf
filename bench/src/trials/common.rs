use crate::{BenchError, ProtocolList};
use isegoria::{ClusterConfig, Durability, ProtocolSpec};
use isegoria_types::NODE_COUNT_MAX;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// What all trials take.
#[derive(Clone, Debug, clap::Args, Serialize)]
pub struct Common {
    /// Protocols, separated by commas; all that are built in, if left out
    #[arg(long, value_name = "A,B")]
    pub protocols: Option<ProtocolList>,
    /// Number of node processes
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub nodes: usize,
    /// The most commands that one vertex or slot may carry; 1 is no batching
    #[arg(long, value_name = "B", default_value_t = 128)]
    pub batch: usize,
    /// Names the run's folder, and is told apart in the index; the trial's name if left out
    #[arg(long, value_name = "NAME")]
    #[serde(skip)]
    pub name: Option<String>,
    /// Print one JSON object and nothing else
    #[arg(long)]
    #[serde(skip)]
    pub json: bool,
    /// Where the run's folder is made
    #[arg(long, value_name = "DIR", default_value = "results")]
    #[serde(skip)]
    pub out: PathBuf,
    /// Where the nodes keep their data during the run; the system's temporary directory if left out
    #[arg(long, value_name = "DIR")]
    #[serde(skip)]
    pub data_dir: Option<PathBuf>,
}

impl Common {
    /// What is tried, one after the other.
    pub(crate) fn protocols(&self) -> Vec<ProtocolSpec> {
        let list = self.protocols.clone().unwrap_or_else(ProtocolList::all);
        list.iter().cloned().collect()
    }

    /// The cluster that `spec` runs on, with made-up ports.
    pub(crate) fn cluster(
        &self,
        spec: &ProtocolSpec,
        durability: Durability,
        data_dir: &Path,
    ) -> Result<ClusterConfig, BenchError> {
        if self.nodes > NODE_COUNT_MAX || self.batch == 0 {
            return Err(BenchError::Usage(format!(
                "nodes = {}, batch = {}: give 1 to {NODE_COUNT_MAX} nodes, and a batch of at least 1 command",
                self.nodes, self.batch
            )));
        }
        let mut config = ClusterConfig::loopback(spec, self.nodes, 1, data_dir)?;
        config.durability = durability;
        config.limits.batch_max = self.batch;
        Ok(config)
    }

    /// Checks every rule before anything is started. `least` nodes are needed.
    pub(crate) fn check(&self, least: usize) -> Result<(), BenchError> {
        if self.nodes < least {
            return Err(BenchError::Usage(format!("nodes = {}: give at least {least}", self.nodes)));
        }
        for spec in self.protocols() {
            self.cluster(&spec, Durability::Fsync, Path::new("data"))?.check()?;
        }
        Ok(())
    }
}

/// Refuses a number below `least`, with its name.
pub(crate) fn at_least(name: &str, found: u64, least: u64) -> Result<(), BenchError> {
    if found >= least {
        return Ok(());
    }
    Err(BenchError::Usage(format!("{name} = {found}: give at least {least}")))
}
