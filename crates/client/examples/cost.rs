//! Measures what the transport costs: processor time per peer call and per command
//! through a client pool, on both sides of a loopback connection, against sinks that
//! only echo. Linux only. `cargo run --release -p isegoria-client --example cost`
#![allow(clippy::disallowed_types, clippy::disallowed_methods, clippy::cast_precision_loss)] // A measurement.

use bytes::{BufMut, Bytes};
use isegoria_client::{ClientOptions, Pool};
use isegoria_transport::client_port::{
    ClientServer, ClientServerOptions, ClientSink, ConnectionId, Opened, ReplySender,
};
use isegoria_transport::peer::{Identity, PeerServerOptions};
use isegoria_transport::{
    Endpoint, Lateness, Link, LinkOptions, LinkState, Listener, PeerServer, PeerSink, WIRE_VERSION,
};
use isegoria_types::{Incarnation, NodeId, NodeSet, Outcome, Reply, Request};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::mpsc;
use std::time::Instant;
use tokio::runtime::{Builder, Runtime};

struct Count;

impl PeerSink for Count {
    fn deliver(&self, _: NodeId, frames: Bytes) -> bool {
        isegoria_transport::frames(&frames).all(|frame| frame.is_ok())
    }
}

#[derive(Default)]
struct Echo(Mutex<BTreeMap<ConnectionId, ReplySender>>);

impl ClientSink for Echo {
    fn welcome(&self) -> Opened {
        let node = NodeId::new(0);
        Opened { cluster: 1, node, relation: 1, generation: 0, payload_bytes_max: 1 << 20, peers: vec![] }
    }

    fn opened(&self, connection: ConnectionId, replies: ReplySender) {
        self.0.lock().insert(connection, replies);
    }

    fn submit(&self, connection: ConnectionId, requests: Vec<Request>) {
        if let Some(sender) = self.0.lock().get(&connection) {
            let echo =
                |request: Request| Reply { request: request.id, outcome: Outcome::Done(request.payload) };
            sender.push(requests.into_iter().map(echo));
            sender.flush();
        }
    }

    fn closed(&self, connection: ConnectionId) {
        self.0.lock().remove(&connection);
    }
}

fn identity(index: usize) -> Identity {
    let (node, members) = (NodeId::new(index), NodeSet::first(2));
    Identity {
        cluster: 1,
        node,
        members,
        relation: 1,
        wire: WIRE_VERSION,
        incarnation: Incarnation { directory: 1, start: 1, nonce: 1 },
        log_end: 0,
        learner: false,
    }
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// Processor time of all threads of this process, ns.
fn cpu_ns() -> f64 {
    let of_thread = |entry: std::io::Result<std::fs::DirEntry>| -> Option<f64> {
        let text = std::fs::read_to_string(entry.ok()?.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse().ok()
    };
    std::fs::read_dir("/proc/self/task").map_or(0.0, |tasks| tasks.filter_map(of_thread).sum())
}

/// A thread with both servers; says where they listen.
fn servers() -> (Endpoint, Endpoint) {
    let (say, hear) = mpsc::channel();
    std::thread::spawn(move || {
        runtime().block_on(async {
            let peer = Listener::bind(&Endpoint::loopback()).await.expect("a port");
            let client = Listener::bind(&Endpoint::loopback()).await.expect("a port");
            let endpoints = (peer.endpoint().expect("bound"), client.endpoint().expect("bound"));
            let _peer = PeerServer::spawn(peer, identity(0), PeerServerOptions::default(), Count);
            let _client = ClientServer::spawn(
                client,
                ClientServerOptions::default(),
                std::sync::Arc::new(Echo::default()),
            );
            say.send(endpoints).expect("the main thread waits");
            std::future::pending::<()>().await;
        });
    });
    hear.recv().expect("the servers start")
}

async fn measure_link(endpoint: &Endpoint, batch: u64) {
    let options = LinkOptions::default();
    let link = Link {
        identity: identity(1),
        to: NodeId::new(0),
        endpoint: endpoint.clone(),
        options,
        lateness: Lateness::default(),
    }
    .spawn();
    link.state().wait_for(LinkState::is_up).await.expect("the link lives");
    let (cpu, wall, calls) = (cpu_ns(), Instant::now(), link.call_count());
    let mut sent = 0;
    while wall.elapsed().as_secs() < 3 {
        for _ in 0..batch {
            let _ = link.send(|out| out.put_bytes(1, 100));
        }
        link.flush();
        sent += batch;
        // As a node that waits for its answers: at most four batches under way.
        while link.sent_count() + 3 * batch < sent {
            tokio::task::yield_now().await;
        }
        tokio::task::yield_now().await;
    }
    let (cpu, calls) = (cpu_ns() - cpu, (link.call_count() - calls) as f64);
    let (seconds, frames) = (wall.elapsed().as_secs_f64(), link.sent_count() as f64);
    println!(
        "link  frames of 100 B, {batch:>3} a flush: {:>6.2} us CPU a call, {:>6.3} us a frame, {:>5.1} frames a call, {:>8.0} frames/s",
        cpu / calls / 1e3,
        cpu / frames / 1e3,
        frames / calls,
        frames / seconds
    );
}

async fn measure_pool(endpoint: &Endpoint, sessions: usize) {
    let mut pool =
        Pool::connect(std::slice::from_ref(endpoint), ClientOptions::default()).await.expect("a node");
    let node = pool.opened().node;
    let payload = Bytes::from_static(&[7; 32]);
    for _ in 0..sessions {
        let session = pool.add_session(node);
        pool.submit(session, payload.clone()).expect("an empty session");
    }
    let (cpu, wall) = (cpu_ns(), Instant::now());
    let (mut commands, mut rounds) = (0, 0);
    while wall.elapsed().as_secs() < 3 {
        let ends = pool.completions().await;
        rounds += 1;
        commands += ends.len();
        for end in ends {
            end.result.expect("an echo");
            pool.submit(end.session, payload.clone()).expect("an empty session");
        }
    }
    let (cpu, seconds) = (cpu_ns() - cpu, wall.elapsed().as_secs_f64());
    println!(
        "pool  {sessions:>5} sessions: {:>6.2} us CPU a command on both sides, {:>6.1} commands a round, {:>8.0} commands/s",
        cpu / commands as f64 / 1e3,
        commands as f64 / f64::from(rounds),
        commands as f64 / seconds
    );
}

fn main() {
    let (peer, client) = servers();
    runtime().block_on(async {
        for batch in [1, 16, 128] {
            measure_link(&peer, batch).await;
        }
        for sessions in [1, 16, 128, 1_000, 10_000] {
            measure_pool(&client, sessions).await;
        }
    });
}
