use crate::inbox::{Arrival, FromClients, FromPeers, Inbox};
use crate::metrics::Stats;

use crate::node_loop::{LoopError, NodeLoop, Parts};
use crate::outward::Outward;
use crate::persist::{Journal, ReplayError, replay};
use crate::settings::Settings;
use isegoria_machine::Machine;
use isegoria_node::{ConfigError, Protocol};
use isegoria_replica::Beside;
use isegoria_storage::{Durability, Identity as LogIdentity, Incarnations, Store, StoreError, StoreOptions};
use isegoria_transport::client_port::{ClientServer, ClientServerOptions, Opened, PeerAddress};
use isegoria_transport::peer::{Identity, PeerServerOptions};
use isegoria_transport::{
    Endpoint, Link, LinkHandle, LinkOptions, LinkState, Listener, Mismatch, PeerServer, WIRE_VERSION,
};
use isegoria_types::{Incarnation, NodeId};
use parking_lot::Mutex;
use std::io;
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
    #[error(
        "cannot listen on {endpoint} ({what} port): {source}; stop whoever uses it, or change the address in the configuration"
    )]
    Listen {
        /// The address.
        endpoint: Endpoint,
        /// `peer` or `client`.
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

/// Runs one node of protocol `P` until `stop` resolves, on the current tokio runtime,
/// which ought to be a `current_thread` one. `started` is called once both ports listen.
///
/// # Errors
/// If it cannot start, or its log fails.
pub async fn run<P: Protocol>(
    settings: Settings,
    options: P::Options,
    machine: Box<dyn Machine>,
    (started, stop): (impl FnOnce(), impl Future<Output = ()>),
) -> Result<Stats, RunError> {
    let own = settings.own;
    let mut node = P::build(own, &settings.layout, &options)?;
    let (peer_port, client_port) = listen(&settings).await?;
    let inbox = Inbox::new(settings.limits.inbox_bytes_max);
    let relation = machine.relation();
    let mut beside = Beside::new(own, &settings.layout, P::ORDER, machine);
    beside.retain(settings.limits.retention);
    let (recovered, log) = open_store(&settings, &inbox)?;
    let (fresh, torn) = (recovered.fresh, recovered.torn.clone());
    let record_count = replay(recovered, &mut node, &mut beside)?;
    tracing::info!(%own, protocol = P::NAME, durability = %settings.durability, fresh, record_count, ?torn, "started");
    let incarnations = Arc::new(Mutex::new(incarnations(&settings)?));
    let identity = identity(&settings, relation.version(), incarnations.lock().own());
    let links = links(&settings, identity, (&inbox, &incarnations));
    let sink = FromPeers { inbox: Arc::clone(&inbox), incarnations: Arc::clone(&incarnations) };
    let _peers = PeerServer::spawn(peer_port, identity, PeerServerOptions::default(), sink);
    let opened = opened(&settings, relation.version());
    let _clients = client_port.map(|listener| {
        let sink = FromClients { inbox: Arc::clone(&inbox), opened };
        ClientServer::spawn(listener, ClientServerOptions::default(), sink)
    });
    let journal = Journal::new(log, settings.durability, settings.limits.checkpoint_bytes);
    started();
    tokio::pin!(stop);
    tokio::select! {
        joined = join(own, &links, &incarnations) => joined?,
        () = &mut stop => return Ok(Stats::default()),
    }
    let mut node_loop = NodeLoop::new(Parts {
        own,
        node_count: settings.layout.node_count,
        node,
        beside,
        relation,
        journal,
        inbox,
        outward: Outward::new(links),
        limits: settings.limits.clone(),
    });
    node_loop.run(&mut stop).await?;
    let stats = node_loop.stats();
    node_loop.close()?;
    write_stats(&settings, &stats)?;
    Ok(stats)
}

async fn listen(settings: &Settings) -> Result<(Listener, Option<Listener>), RunError> {
    let member = &settings.members[settings.own.index()];
    let bind = async |endpoint: &Endpoint, what| {
        Listener::bind(endpoint).await.map_err(|source| RunError::Listen {
            endpoint: endpoint.clone(),
            what,
            source,
        })
    };
    let peer = bind(&member.peer, "peer").await?;
    let client = match &member.client {
        Some(endpoint) => Some(bind(endpoint, "client").await?),
        None => None,
    };
    Ok((peer, client))
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

/// A data directory that never met all peers may be that of a node which lost its disk,
/// and has promised what it does not know: before it takes part, every peer says that it
/// does not know another one.
async fn join(
    own: NodeId,
    links: &[Option<LinkHandle>],
    incarnations: &Mutex<Incarnations>,
) -> Result<(), RunError> {
    if incarnations.lock().has_joined() {
        return Ok(());
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
            return Err(LoopError::Amnesia { by }.into());
        }
    }
    Ok(incarnations.lock().join()?)
}

/// Whether the peer knows that this node has lost what it promised.
fn forgot(state: &LinkState) -> bool {
    matches!(state, LinkState::Refused(Mismatch::Amnesia { .. }))
}

/// Who this node is for its peers.
fn identity(settings: &Settings, relation: u64, incarnation: Incarnation) -> Identity {
    Identity {
        cluster: settings.cluster,
        node: settings.own,
        members: settings.layout.nodes(),
        relation,
        wire: WIRE_VERSION,
        incarnation,
    }
}

fn opened(settings: &Settings, relation: u64) -> Opened {
    let address = |(index, member): (usize, &crate::Member)| {
        member.client.as_ref().map(|client| PeerAddress {
            node: NodeId::new(index),
            name: member.name.clone(),
            client: client.to_string(),
        })
    };
    Opened {
        cluster: settings.cluster,
        node: settings.own,
        relation,
        generation: 0,
        payload_bytes_max: settings.limits.payload_bytes_max as u64,
        peers: settings.members.iter().enumerate().filter_map(address).collect(),
    }
}

/// A link to every other node, whose state becomes hints for the failure detector.
fn links(
    settings: &Settings,
    identity: Identity,
    (inbox, incarnations): (&Arc<Inbox>, &Arc<Mutex<Incarnations>>),
) -> Vec<Option<LinkHandle>> {
    let connect = |(index, member): (usize, &crate::Member)| {
        let to = NodeId::new(index);
        if to == settings.own {
            return None;
        }
        let link = Link { identity, to, endpoint: member.peer.clone(), options: LinkOptions::default() };
        let handle = link.spawn();
        let (mut state, inbox, incarnations) = (handle.state(), Arc::clone(inbox), Arc::clone(incarnations));
        tokio::spawn(async move {
            // A peer that is down from the start is suspected, too.
            let mut was_up = None;
            while state.changed().await.is_ok() {
                let now = state.borrow_and_update().clone();
                match &now {
                    state if forgot(state) => inbox.push(Arrival::Amnesia { by: to }),
                    // A peer that has lost its promises is told so when it calls here.
                    LinkState::Up(welcome) => {
                        if let Err(error) = incarnations.lock().meet(to, welcome.incarnation) {
                            tracing::warn!(%to, %error, "a peer is not remembered");
                        }
                    }
                    _ => {}
                }
                let up = now.is_up();
                if was_up.replace(up) != Some(up) {
                    inbox.push(Arrival::Link { peer: to, up });
                }
            }
        });
        Some(handle)
    };
    settings.members.iter().enumerate().map(connect).collect()
}

fn write_stats(settings: &Settings, stats: &Stats) -> Result<(), RunError> {
    let path = settings.data_dir.join("stats.json");
    let text = serde_json::to_vec_pretty(stats).expect("counters are JSON");
    std::fs::write(&path, text).map_err(|source| RunError::Stats { path: path.display().to_string(), source })
}
