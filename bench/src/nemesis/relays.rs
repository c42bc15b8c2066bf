use super::network::Way;
use isegoria::{ClusterConfig, Endpoint};
use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// The most that is taken from a connection at once, bytes.
const PIECE_BYTES: usize = 64 << 10;

/// A relay for each node and each other one that it calls. A cut way carries no bytes and no
/// news of a closed connection, and nobody gets connected over it: as a cable that is out.
///
/// What is a machine's network elsewhere is this process here: it costs time, and a
/// connection seems to be accepted where nothing answers.
#[derive(Debug)]
pub(crate) struct Relays {
    /// Whether each way is open.
    ways: BTreeMap<Way, watch::Sender<bool>>,
    /// What each node calls the others by.
    configs: Vec<ClusterConfig>,
    /// End with this.
    _running: JoinSet<()>,
}

impl Relays {
    /// # Errors
    /// If there are no ports left.
    pub(crate) async fn start(config: &ClusterConfig) -> io::Result<Relays> {
        let count = config.nodes.len();
        let pairs = || (0..count).flat_map(|from| (0..count).map(move |to| (from, to)));
        let ways: BTreeMap<Way, watch::Sender<bool>> =
            pairs().filter(|(from, to)| from != to).map(|way| (way, watch::Sender::new(true))).collect();
        let mut configs = vec![config.clone(); count];
        let mut running = JoinSet::new();
        for (from, to) in ways.keys() {
            let target = &config.nodes[*to].peer;
            let listener = listen_beside(target).await?;
            let own = listener.local_addr()?.to_string();
            configs[*from].nodes[*to].peer = own.parse().map_err(io::Error::other)?;
            let relay = Relay {
                target: target.to_string(),
                there: ways[&(*from, *to)].subscribe(),
                back: ways[&(*to, *from)].subscribe(),
            };
            running.spawn(relay.serve(listener));
        }
        Ok(Relays { ways, configs, _running: running })
    }

    /// The configuration of one node.
    pub(crate) fn config(&self, index: usize) -> &ClusterConfig {
        &self.configs[index]
    }

    /// Opens or cuts these ways.
    pub(crate) fn set(&self, ways: &[Way], open: bool) {
        for way in ways {
            if let Some(state) = self.ways.get(way) {
                state.send_replace(open);
            }
        }
    }
}

/// A port beside those of the nodes: not on their address, whose ports are free until they listen.
async fn listen_beside(target: &Endpoint) -> io::Result<TcpListener> {
    let host = match target {
        Endpoint::Tcp { host, .. } => host.parse::<Ipv4Addr>().map_err(io::Error::other)?,
        other => return Err(io::Error::other(format!("{other} is no address of TCP"))),
    };
    let [first, second, third, _] = host.octets();
    match TcpListener::bind((Ipv4Addr::new(first, second, third, 1), 0)).await {
        Ok(listener) => Ok(listener),
        Err(_) => TcpListener::bind((host, 0)).await,
    }
}

/// Carries one node's calls to another, and the answers back.
#[derive(Clone)]
struct Relay {
    target: String,
    there: watch::Receiver<bool>,
    back: watch::Receiver<bool>,
}

impl Relay {
    async fn serve(self, listener: TcpListener) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                    connections.spawn(self.clone().connect(stream));
                },
                Some(_) = connections.join_next() => {}
            }
        }
    }

    /// Both sides of a connection end together, as if the process at the end had.
    async fn connect(mut self, near: TcpStream) {
        if !(is_open(&mut self.there).await && is_open(&mut self.back).await) {
            return;
        }
        let Ok(far) = TcpStream::connect(&self.target).await else { return };
        let delays = [near.set_nodelay(true), far.set_nodelay(true)];
        if delays.iter().any(Result::is_err) {
            return;
        }
        let ((near_reads, near_writes), (far_reads, far_writes)) = (near.into_split(), far.into_split());
        tokio::select! {
            () = carry(near_reads, far_writes, self.there) => {}
            () = carry(far_reads, near_writes, self.back) => {}
        }
    }
}

/// Waits until a way is open; false if all is over.
async fn is_open(way: &mut watch::Receiver<bool>) -> bool {
    way.wait_for(|open| *open).await.is_ok()
}

/// Carries bytes one way until the connection ends.
async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut way: watch::Receiver<bool>) {
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let read = from.read(&mut piece).await.unwrap_or(0);
        if !is_open(&mut way).await || read == 0 || to.write_all(&piece[..read]).await.is_err() {
            return;
        }
    }
}
