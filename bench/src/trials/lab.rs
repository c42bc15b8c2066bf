use super::common::Common;
use super::steps::Steps;
use super::watch::Watch;
use crate::BenchError;
use crate::local_cluster::{ClusterError, LocalCluster};
use crate::runner::{keep, with_free_endpoints};
use isegoria::{ClusterConfig, Durability, Endpoint, ProtocolSpec, Stats};
use isegoria_types::NodeId;
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;

/// Where trials take place.
pub(crate) struct Lab<'a> {
    pub(crate) executable: PathBuf,
    /// Each cluster gets a directory in here.
    pub(crate) data_dir: PathBuf,
    pub(crate) common: &'a Common,
    pub(crate) steps: Steps,
}

/// A cluster on trial, and somebody who watches each of its nodes. Its data is removed
/// with it, unless a node died.
pub(crate) struct Rig {
    pub(crate) cluster: LocalCluster,
    pub(crate) config: ClusterConfig,
    pub(crate) watches: Vec<Watch>,
    protocol: String,
    /// Empty once it is to be kept.
    dir: Option<TempDir>,
}

impl Lab<'_> {
    /// Starts fresh nodes of `spec`, with what `adjust` makes of their configuration.
    pub(crate) async fn start(
        &self,
        spec: &ProtocolSpec,
        durability: Durability,
        adjust: impl FnOnce(&mut ClusterConfig),
    ) -> Result<Rig, BenchError> {
        let dir = tempfile::Builder::new()
            .prefix("isegoria-bench-")
            .tempdir_in(&self.data_dir)
            .map_err(BenchError::io(format!("making a directory in {}", self.data_dir.display())))?;
        let mut config = self.common.cluster(spec, durability, dir.path())?;
        adjust(&mut config);
        let config = with_free_endpoints(config)?;
        let protocol = spec.to_string();
        let cluster = LocalCluster::start(&self.executable, &config).await;
        let cluster = cluster.map_err(|source| BenchError::Cluster { protocol: protocol.clone(), source })?;
        let watches = endpoints(&config).into_iter().map(|(_, endpoint)| Watch::new(endpoint)).collect();
        Ok(Rig { cluster, config, watches, protocol, dir: Some(dir) })
    }
}

/// The client ports of a cluster.
fn endpoints(config: &ClusterConfig) -> Vec<(NodeId, Endpoint)> {
    let port =
        |(index, node): (usize, &isegoria::NodeConfig)| Some((NodeId::new(index), node.client.clone()?));
    config.nodes.iter().enumerate().filter_map(port).collect()
}

impl Rig {
    pub(crate) fn endpoints(&self) -> Vec<(NodeId, Endpoint)> {
        endpoints(&self.config)
    }

    pub(crate) fn name(&self, index: usize) -> String {
        self.config.nodes[index].name.clone()
    }

    /// What a node counts; it is asked until it answers.
    ///
    /// # Errors
    /// If a node died, or it does not answer for half a minute.
    pub(crate) async fn stats(&mut self, index: usize) -> Result<Stats, BenchError> {
        for _ in 0..60 {
            if let Some(stats) = self.watches[index].look().await {
                return Ok(stats);
            }
            self.check().await?;
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        Err(BenchError::Load(format!("{}: {} does not say what it counts", self.protocol, self.name(index))))
    }

    /// An error if a node ended by itself.
    pub(crate) async fn check(&mut self) -> Result<(), BenchError> {
        let Ok((node, how)) = tokio::time::timeout(Duration::ZERO, self.cluster.exited()).await else {
            return Ok(());
        };
        let log = self.cluster.nodes().iter().find(|process| process.name == node);
        let log = log.map(|process| process.log_file.clone()).unwrap_or_default();
        if let Some(dir) = self.dir.take() {
            keep(dir);
        }
        Err(BenchError::NodeDied { protocol: self.protocol.clone(), node, how, log })
    }

    /// An error of the cluster as one of the benchmark.
    pub(crate) fn failed(&self, source: ClusterError) -> BenchError {
        BenchError::Cluster { protocol: self.protocol.clone(), source }
    }
}
