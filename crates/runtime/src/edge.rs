//! The edge of a node process: its two ports and its links.

use crate::inbox::{Arrival, FromClients, FromPeers, Inbox};
use crate::settings::Settings;
use crate::start::RunError;
use isegoria_storage::{Incarnations, Position};
use isegoria_transport::client_port::{
    ClientServer, ClientServerOptions, ClientSink, LocalPort, Opened, PeerAddress,
};
use isegoria_transport::peer::{Identity, PeerServerOptions};
use isegoria_transport::{
    Endpoint, Lateness, Link, LinkHandle, LinkOptions, LinkState, Listener, Mismatch, PeerServer,
    WIRE_VERSION,
};
use isegoria_types::{Incarnation, NodeId};
use parking_lot::Mutex;
use std::sync::Arc;

/// What stands between the event loop and the world; dropping it closes all of it, but for
/// the port within the process, which whoever opened it closes.
pub(crate) struct Edge {
    /// By the index of the other node; none to oneself.
    pub(crate) links: Vec<Option<LinkHandle>>,
    peers: PeerServer,
    clients: Option<ClientServer>,
    local: LocalPort,
}

impl Edge {
    /// Closes the ports, so that they can be listened on again.
    pub(crate) async fn close(self) {
        self.local.close();
        self.peers.close().await;
        if let Some(clients) = self.clients {
            clients.close().await;
        }
    }
}

/// The ports of a node that nobody can reach yet.
pub(crate) struct Ports {
    peer: Listener,
    client: Option<Listener>,
}

impl Ports {
    /// # Errors
    /// If an address cannot be listened on.
    pub(crate) async fn listen(settings: &Settings) -> Result<Ports, RunError> {
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
        Ok(Ports { peer, client })
    }

    /// Lets the world in: what arrives goes into the inbox. Says whether this process only
    /// follows, and where its log ends.
    pub(crate) fn open(
        self,
        (settings, relation): (&Settings, u64),
        (learner, log_end): (bool, Position),
        (inbox, incarnations): (&Arc<Inbox>, &Arc<Mutex<Incarnations>>),
    ) -> Edge {
        let incarnation = incarnations.lock().own();
        let identity = Identity { learner, log_end, ..identity(settings, relation, incarnation) };
        let links = links(settings, identity, (inbox, incarnations));
        let sink = FromPeers { inbox: Arc::clone(inbox), incarnations: Arc::clone(incarnations) };
        let peers = PeerServer::spawn(self.peer, identity, PeerServerOptions::default(), sink);
        let sink: Arc<dyn ClientSink> =
            Arc::new(FromClients::new(Arc::clone(inbox), opened(settings, relation)));
        let local = settings.local.clone();
        local.open(Arc::clone(&sink));
        let clients =
            self.client.map(|listener| ClientServer::spawn(listener, ClientServerOptions::default(), sink));
        Edge { links, peers, clients, local }
    }
}

/// Whether the peer knows that this node has lost what it promised.
pub(crate) fn forgot(state: &LinkState) -> bool {
    matches!(state, LinkState::Refused(Mismatch::Amnesia { .. } | Mismatch::LogLost { .. }))
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
        log_end: 0,
        learner: false,
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
    let lateness = Lateness::default();
    let connect = |(index, member): (usize, &crate::Member)| {
        let to = NodeId::new(index);
        if to == settings.own {
            return None;
        }
        let distance = settings.distances.get(index).copied().unwrap_or_default();
        let options = LinkOptions { distance, ..LinkOptions::default() };
        let (endpoint, lateness) = (member.peer.clone(), lateness.clone());
        let link = Link { identity, to, endpoint, options, lateness };
        let handle = link.spawn();
        let (mut state, inbox, incarnations) = (handle.state(), Arc::clone(inbox), Arc::clone(incarnations));
        tokio::spawn(async move {
            // A peer that is down from the start is suspected, too.
            let mut was_up = None;
            while state.changed().await.is_ok() {
                let now = state.borrow_and_update().clone();
                match &now {
                    state if forgot(state) => inbox.push(Arrival::Amnesia { by: to }),
                    // A peer that has lost its promises is told so when it calls here; a learner has none.
                    LinkState::Up { welcome, .. } if !welcome.learner => {
                        if let Err(error) = incarnations.lock().meet(to, welcome.incarnation) {
                            tracing::warn!(%to, %error, "a peer is not remembered");
                        }
                    }
                    _ => {}
                }
                let round_trip = match now {
                    // A learner is a node that is down: it votes for nothing.
                    LinkState::Up { round_trip, welcome } if !welcome.learner => Some(round_trip),
                    _ => None,
                };
                let up = round_trip.is_some();
                if was_up.replace(up) != Some(up) {
                    inbox.push(Arrival::Link { peer: to, round_trip });
                }
            }
        });
        Some(handle)
    };
    settings.members.iter().enumerate().map(connect).collect()
}
