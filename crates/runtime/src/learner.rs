//! A process in the place of a node that has lost its state: it follows the others.
//!
//! Invariant: it promises nothing. There is no node of a protocol in it, so it cannot vote,
//! propose or answer for what is forgotten, whatever it is asked; requests of clients are
//! refused, and go elsewhere. It stores nothing either: each start begins anew.
//!
//! It does not become a voter again: that needs the data directory that was lost, or
//! another membership.

use crate::clients::Clients;
use crate::edge::{Edge, Ports};
use crate::graph::Graph;
use crate::inbox::{Arrival, Inbox};
use crate::metrics::Stats;
use crate::outward::{Outward, Wire};
use crate::settings::Settings;
use crate::start::RunError;
use bytes::Bytes;
use isegoria_node::Node;
use isegoria_replica::{Beside, ReplicaOutbox};
use isegoria_storage::Incarnations;
use isegoria_transport::client_port::Question;
use isegoria_transport::frames;
use isegoria_types::{NodeId, Outcome, Refusal, Reply};
use parking_lot::Mutex;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::MissedTickBehavior;

/// Follows the other nodes of a protocol with nodes `N` until `stop` resolves. `beside` is
/// fresh; `started` is called once both ports listen.
///
/// # Errors
/// If a port cannot be listened on.
pub(crate) async fn follow<N: Node>(
    settings: &Settings,
    (beside, relation): (Beside, u64),
    (started, stop): (impl FnOnce(), impl Future<Output = ()>),
) -> Result<Stats, RunError> {
    let ports = Ports::listen(settings).await?;
    let inbox = Inbox::new(settings.limits.inbox_bytes_max);
    // Whom it meets it need not remember: it is the others that may not act on what it lost.
    let incarnations = Arc::new(Mutex::new(Incarnations::in_memory(settings.own, rand::random)));
    let edge = ports.open((settings, relation), (true, 0), (&inbox, &incarnations));
    tracing::warn!(own = %settings.own, "this node follows as a learner: it neither votes nor serves clients");
    started();
    let mut learner = Learner::<N>::new(settings, beside, (inbox, &edge));
    learner.run(stop).await;
    Ok(learner.stats)
}

struct Learner<N> {
    node_count: usize,
    gossip: Duration,
    beside: Beside,
    inbox: Arc<Inbox>,
    outward: Outward,
    clients: Clients,
    out: ReplicaOutbox,
    stats: Stats,
    _speaks: PhantomData<fn() -> N>,
}

impl<N: Node> Learner<N> {
    fn new(settings: &Settings, mut beside: Beside, (inbox, edge): (Arc<Inbox>, &Edge)) -> Learner<N> {
        beside.become_learner();
        Learner {
            node_count: settings.layout.node_count,
            gossip: Duration::from_millis(settings.limits.gossip_ms),
            beside,
            inbox,
            outward: Outward::new(edge.links.clone()),
            clients: Clients::new(0, 0),
            out: ReplicaOutbox::default(),
            stats: Stats { is_learner: true, ..Stats::default() },
            _speaks: PhantomData,
        }
    }

    async fn run(&mut self, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        let mut gossip = tokio::time::interval(self.gossip);
        gossip.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut arrivals = Vec::new();
        loop {
            let inbox = Arc::clone(&self.inbox);
            tokio::select! {
                () = inbox.arrived() => {}
                _ = gossip.tick() => {
                    self.beside.on_gossip(&mut self.out);
                    self.carry_out();
                }
                () = &mut stop => break,
            }
            self.inbox.take(&mut arrivals);
            for arrival in arrivals.drain(..) {
                self.on_arrival(arrival);
            }
            self.outward.flush();
            self.clients.flush();
        }
        self.stats.count_replica(&self.beside);
        self.stats.describe_state(&self.beside);
    }

    fn on_arrival(&mut self, arrival: Arrival) {
        match arrival {
            Arrival::Frames { from, frames } => self.on_frames(from, &frames),
            Arrival::Requests { connection, requests, .. } => {
                for request in requests {
                    self.stats.refused_count += 1;
                    let outcome = Outcome::Refused(Refusal::Unavailable);
                    self.clients.tell(connection, Reply { request: request.id, outcome });
                }
            }
            Arrival::Opened { connection, replies } => self.clients.opened(connection, replies),
            Arrival::Closed { connection } => self.clients.closed(connection),
            Arrival::Asked { question, answer } => {
                self.stats.count_replica(&self.beside);
                // It is shown what it has executed alone: nothing enters at a learner.
                let _ = answer.send(match question {
                    Question::Status => self.stats.to_json(),
                    Question::Graph => Graph::default().to_json(),
                    Question::Explain(_) => "null".to_owned(),
                });
            }
            Arrival::Snapshot { number, bytes } => self.beside.on_written(number, bytes),
            // Nobody suspects on its word, and it has nothing left to lose.
            Arrival::Link { .. } | Arrival::Amnesia { .. } => {}
        }
    }

    /// What is meant for a voter is not even looked at.
    fn on_frames(&mut self, from: NodeId, buffer: &Bytes) {
        for frame in frames(buffer) {
            let Ok(Ok(wire)) = frame.map(|frame| postcard::from_bytes::<Wire<N>>(&frame)) else {
                self.stats.rejected_count += 1;
                continue;
            };
            match wire {
                Wire::Replica(message) if self.beside.admits(&message, self.node_count) => {
                    self.beside.on_message(from, message, &mut self.out);
                    self.carry_out();
                }
                Wire::Replica(_) => self.stats.rejected_count += 1,
                Wire::Node(_) | Wire::Durable(_) => {}
            }
        }
    }

    /// Carries out what the replica wishes of a driver without a node.
    fn carry_out(&mut self) {
        loop {
            for (to, message) in self.out.sends.drain(..) {
                self.outward.send(to, &Wire::<N>::Replica(message));
            }
            if let Some(installed) = self.out.installed.take() {
                self.stats.snapshot_count += 1;
                tracing::info!(from = %installed.from, "took a snapshot, and follows from there");
            }
            self.stats.cut_count += u64::from(std::mem::take(&mut self.out.cut_agreed));
            let learned = std::mem::take(&mut self.out.learned);
            // The rest is for a node: what may be forgotten, proposed, recovered, and clients' answers.
            self.out = ReplicaOutbox::default();
            if learned.is_empty() {
                return;
            }
            for (order, batch) in learned {
                self.beside.commit(order, batch, &mut self.out);
            }
        }
    }
}
