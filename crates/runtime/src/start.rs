use crate::edge::{Ports, forgot};
use crate::inbox::Inbox;
use crate::learner;
use crate::metrics::Stats;
use crate::node_loop::{LoopError, NodeLoop, Parts};
use crate::outward::Outward;
use crate::persist::{Journal, ReplayError, replay};
use crate::settings::Settings;
use isegoria_machine::{Machine, Relation};
use isegoria_node::{ConfigError, Node, Protocol};
use isegoria_replica::Beside;
use isegoria_storage::{
    Durability, Guard, Identity as LogIdentity, Incarnations, Log, Store, StoreError, StoreOptions,
};
use isegoria_transport::client_port::LocalPort;
use isegoria_transport::{Endpoint, LinkHandle};
use isegoria_types::NodeId;
use parking_lot::Mutex;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// Why a node cannot run, or stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The protocol refuses its options.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The data directory cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is stored cannot be replayed.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// An address cannot be listened on.
    #[error("cannot listen on {endpoint} ({what} port): {source}; {}", way_to_listen(source))]
    Listen {
        /// The address.
        endpoint: Endpoint,
        /// `peer`, `client`, `resp` or `admin`.
        what: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// A running node had to stop.
    #[error(transparent)]
    Loop(#[from] LoopError),
    /// The counters could not be written.
    #[error("writing {path} failed: {source}")]
    Stats {
        /// The file.
        path: String,
        /// What the system says.
        source: io::Error,
    },
}

/// What to do about an address that cannot be listened on.
fn way_to_listen(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "stop whoever uses it, or change the address in the configuration",
        io::ErrorKind::AddrNotAvailable => "give an address of this machine in the configuration",
        io::ErrorKind::PermissionDenied => {
            "choose a port from 1024 on, or a directory that this user may write to, in the configuration"
        }
        _ => "change the address in the configuration",
    }
}

/// Runs one node of protocol `P` until `stop` resolves, on the current tokio runtime,
/// which ought to be a `current_thread` one. `started` is called once both ports listen.
///
/// A node whose data directory turns out to be new, where its peers know another one, goes on
/// as a learner.
///
/// # Errors
/// If it cannot start, or its log fails.
pub async fn run<P: Protocol>(
    settings: Settings,
    options: P::Options,
    machine: Box<dyn Machine>,
    (started, stop): (impl FnOnce(), impl Future<Output = ()>),
) -> Result<Stats, RunError> {
    let relation = machine.relation();
    let node = P::build_with(settings.own, &settings.layout, &options, &relation.conflicts())?;
    let _stops = StopsWithTheNode(settings.local.clone());
    let mut beside = Beside::new(settings.own, &settings.layout, P::ORDER, machine);
    beside.retain(settings.limits.retention);
    tokio::pin!(stop);
    let stats = if settings.learner {
        check_learner(&settings, &beside)?;
        let _guard = Guard::lock(&settings.data_dir)?;
        learner::follow::<P::Node>(&settings, (beside, relation.version()), (started, stop)).await?
    } else {
        tracing::info!(own = %settings.own, protocol = P::NAME, durability = %settings.durability, "starts");
        match serve(&settings, (node, beside, relation.clone()), (started, stop.as_mut())).await? {
            Ended::Stopped(stats) => stats,
            Ended::Lost(beside, _guard) => {
                learner::follow::<P::Node>(&settings, (beside, relation.version()), (|| {}, stop)).await?
            }
        }
    };
    write_stats(&settings, &stats)?;
    Ok(stats)
}

/// However the node ends, nobody within the process waits for it any more.
struct StopsWithTheNode(LocalPort);

impl Drop for StopsWithTheNode {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// How serving ended, if well.
enum Ended {
    Stopped(Stats),
    /// Before it began: the data directory is new and its peers know another one. What is
    /// beside the node is as fresh as the directory, which stays locked.
    Lost(Beside, Log),
}

async fn serve<N: Node>(
    settings: &Settings,
    (mut node, mut beside, relation): (N, Beside, Arc<dyn Relation>),
    (started, mut stop): (impl FnOnce(), Pin<&mut impl Future<Output = ()>>),
) -> Result<Ended, RunError> {
    let own = settings.own;
    let ports = Ports::listen(settings).await?;
    let inbox = Inbox::new(settings.limits.inbox_bytes_max);
    let (recovered, log) = open_store(settings, &inbox)?;
    let (fresh, torn) = (recovered.fresh, recovered.torn.clone());
    let record_count = replay(recovered, &mut node, &mut beside)?;
    tracing::info!(%own, fresh, record_count, ?torn, "started");
    let incarnations = Arc::new(Mutex::new(incarnations(settings)?));
    let edge = ports.open((settings, relation.version()), (false, log.end()), (&inbox, &incarnations));
    started();
    let joined = tokio::select! {
        joined = join(own, &edge.links, &incarnations) => joined?,
        () = stop.as_mut() => return Ok(Ended::Stopped(Stats::default())),
    };
    match joined {
        Joined::Voter => {}
        Joined::Lost { by } if beside.replica().is_none() => return Err(LoopError::Amnesia { by }.into()),
        Joined::Lost { by } => {
            tracing::warn!(%own, %by, "its peers know another data directory of this node; this one is new");
            edge.close().await;
            return Ok(Ended::Lost(beside, log));
        }
    }
    let mut node_loop = NodeLoop::new(Parts {
        own,
        names: settings.members.iter().map(|member| member.name.clone()).collect(),
        node,
        beside,
        relation,
        journal: Journal::new(log, settings.durability, settings.limits.checkpoint_bytes, record_count),
        inbox,
        incarnations,
        outward: Outward::new(edge.links.clone()),
        limits: settings.limits.clone(),
    });
    node_loop.stats.replayed_count = record_count;
    node_loop.run(stop).await?;
    let mut stats = node_loop.stats();
    stats.describe_state(&node_loop.beside);
    node_loop.close()?;
    Ok(Ended::Stopped(stats))
}

/// Without a replica there is nothing to follow with.
fn check_learner(settings: &Settings, beside: &Beside) -> Result<(), RunError> {
    let sentence = "a learner is a replica, and this node has no such role; nothing can follow in its place";
    match beside {
        Beside::Replica(_) => Ok(()),
        Beside::Witness(_) => Err(ConfigError(format!("{}: {sentence}", settings.own)).into()),
    }
}

fn open_store(
    settings: &Settings,
    inbox: &Arc<Inbox>,
) -> Result<(isegoria_storage::Recovered, isegoria_storage::Log), StoreError> {
    let waker = Arc::clone(inbox);
    let options =
        StoreOptions { segment_bytes: settings.limits.segment_bytes, waker: Arc::new(move || waker.wake()) };
    let identity = LogIdentity { epoch: 0, cluster: settings.cluster, node: settings.own.index() as u64 };
    Store::open(&settings.data_dir, identity, settings.durability, options)
}

/// How often a new node says whom it waits for.
const JOIN_PATIENCE: Duration = Duration::from_secs(5);

fn incarnations(settings: &Settings) -> Result<Incarnations, StoreError> {
    if settings.durability == Durability::Memory {
        Ok(Incarnations::in_memory(settings.own, rand::random))
    } else {
        Incarnations::open(&settings.data_dir, settings.own, rand::random)
    }
}

/// What a node may be.
enum Joined {
    Voter,
    /// This peer knows another data directory of it.
    Lost {
        by: NodeId,
    },
}

/// A data directory that never met all peers may be that of a node which lost its disk,
/// and has promised what it does not know: before it takes part, every peer says that it
/// does not know another one.
async fn join(
    own: NodeId,
    links: &[Option<LinkHandle>],
    incarnations: &Mutex<Incarnations>,
) -> Result<Joined, RunError> {
    if incarnations.lock().has_joined() {
        return Ok(Joined::Voter);
    }
    for (index, link) in links.iter().enumerate() {
        let Some(link) = link else { continue };
        let by = NodeId::new(index);
        let mut state = link.state();
        let is_amnesia = loop {
            let met = state.wait_for(|state| state.is_up() || forgot(state));
            match tokio::time::timeout(JOIN_PATIENCE, met).await {
                Ok(Ok(state)) => break forgot(&state),
                Ok(Err(_)) => break false,
                Err(_) => {
                    tracing::warn!(%own, peer = %by, "a new data directory takes part once every peer was met; waiting");
                }
            }
        };
        if is_amnesia {
            return Ok(Joined::Lost { by });
        }
    }
    incarnations.lock().join()?;
    Ok(Joined::Voter)
}

fn write_stats(settings: &Settings, stats: &Stats) -> Result<(), RunError> {
    let path = settings.data_dir.join("stats.json");
    let text = serde_json::to_vec_pretty(stats).expect("counters are JSON");
    std::fs::write(&path, text).map_err(|source| RunError::Stats { path: path.display().to_string(), source })
}
