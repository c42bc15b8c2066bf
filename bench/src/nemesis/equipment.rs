use super::disks::{DiskKind, Disks};
use super::failing_syncs::FailingSyncs;
use super::fault::FaultKind;
use super::namespaces::Namespaces;
use super::network::{Links, Network, PartitionBy};
use super::relays::Relays;
use super::settings::Settings;
use crate::local_cluster::Launch;
use isegoria::{ClusterConfig, Durability};
use serde::Serialize;
use std::io;
use std::path::Path;

/// A fault that was asked for and that this run does without.
#[derive(Clone, Debug, Serialize)]
pub struct Skipped {
    /// Its name.
    pub fault: String,
    /// What is missing for it.
    pub why: String,
}

/// What faults need that not every machine has, as far as it is asked for and to be had.
#[derive(Debug, Default)]
pub(crate) struct Equipment {
    pub(crate) network: Option<Network>,
    pub(crate) disks: Option<Disks>,
    pub(crate) failing_syncs: Option<FailingSyncs>,
    /// The kinds that there is everything for.
    pub(crate) kinds: Vec<FaultKind>,
    pub(crate) skipped: Vec<Skipped>,
}

impl Equipment {
    /// Makes what the settings ask for, around nodes that keep their data in `dir`; changes
    /// their addresses if need be. Says on standard error what has to be skipped.
    pub(crate) async fn set_up(settings: &Settings, config: &mut ClusterConfig, dir: &Path) -> Equipment {
        let mut all = Equipment::default();
        for kind in settings.faults.kinds() {
            let ready = match kind {
                FaultKind::Kill | FaultKind::Pause | FaultKind::Flip => Ok(()),
                FaultKind::Partition => all.lay_network(settings.partition_by, config).await,
                FaultKind::Power => all.mount_disks(config, dir, DiskKind::Ext4).await,
                FaultKind::DiskFull => match all.mount_disks(config, dir, DiskKind::Ext4).await {
                    Ok(()) => Ok(()),
                    Err(_) => all.mount_disks(config, dir, DiskKind::Tmpfs).await,
                },
                FaultKind::FsyncError => all.prepare_failing_syncs(config, dir).await,
            };
            match ready {
                Ok(()) => all.kinds.push(*kind),
                Err(why) => {
                    let why = why.to_string();
                    eprintln!("skipped: {kind} ({why})");
                    all.skipped.push(Skipped { fault: kind.to_string(), why });
                }
            }
        }
        all
    }

    async fn lay_network(&mut self, by: Option<PartitionBy>, config: &mut ClusterConfig) -> io::Result<()> {
        let links = match by {
            Some(PartitionBy::Namespaces) => Links::Namespaces(Namespaces::create(config.nodes.len()).await?),
            Some(PartitionBy::Relays) => Links::Relays(Relays::start(config).await?),
            None => match Namespaces::create(config.nodes.len()).await {
                Ok(namespaces) => Links::Namespaces(namespaces),
                Err(_) => Links::Relays(Relays::start(config).await?),
            },
        };
        if let Links::Namespaces(namespaces) = &links {
            namespaces.set_addresses(config);
        }
        self.network = Some(Network::new(links));
        Ok(())
    }

    async fn mount_disks(&mut self, config: &ClusterConfig, dir: &Path, kind: DiskKind) -> io::Result<()> {
        if self.disks.as_ref().is_none_or(|disks| disks.kind() != kind) {
            let names: Vec<String> = config.nodes.iter().map(|node| node.name.clone()).collect();
            self.disks = Some(Disks::create(dir, &names, kind).await?);
        }
        Ok(())
    }

    async fn prepare_failing_syncs(&mut self, config: &ClusterConfig, dir: &Path) -> io::Result<()> {
        if config.durability != Durability::Fsync {
            return Err(io::Error::other(format!("with durability {} nothing is synced", config.durability)));
        }
        self.failing_syncs = Some(FailingSyncs::prepare(dir).await?);
        Ok(())
    }

    /// How the node at `index` is started.
    pub(crate) fn launch(&self, index: usize) -> Launch {
        let mut launch = Launch::default();
        match self.network.as_ref().map(Network::links) {
            Some(Links::Namespaces(namespaces)) => launch.wrapper.extend(namespaces.wrapper(index)),
            Some(Links::Relays(relays)) => launch.config = Some(relays.config(index).clone()),
            None => {}
        }
        if let Some(failing_syncs) = &self.failing_syncs {
            launch.wrapper.extend(failing_syncs.wrapper());
        }
        launch
    }
}
