use crate::checks::{Applied, Violation};
use crate::client::SimClient;
use crate::config::SimConfig;
use crate::disk::Disk;
use crate::machine_node::Process;
use crate::report::Report;
use isegoria_node::{Input, Node, Protocol};
use isegoria_replica::ReplicaMessage;
use isegoria_types::{Layout, NodeId, NodeSet};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use std::hash::Hasher;

/// Replicas tell their progress this often, µs.
pub(crate) const GOSSIP_US: u64 = 50_000;
/// A client asks again elsewhere after this long, µs.
pub(crate) const RETRY_US: u64 = 700_000;

/// A protocol's message or a replica's.
#[derive(Clone, Debug)]
pub(crate) enum Wire<M> {
    Node(M),
    Replica(ReplicaMessage),
}

pub(crate) enum Event<N: Node> {
    Deliver { from: NodeId, to: NodeId, wire: Wire<N::Msg> },
    Timer { node: NodeId, incarnation: u64, timer: N::Timer, setting: u64 },
    Gossip { node: NodeId, incarnation: u64 },
    Synced { node: NodeId, incarnation: u64, position: u64 },
    Checkpoint { node: NodeId, incarnation: u64 },
    Crash { node: NodeId },
    Restart { node: NodeId },
    Hint { node: NodeId, about: NodeId, down: bool },
    Cut { node: NodeId },
    Join { node: NodeId },
    Ask { client: usize, attempt: u64 },
    Heal,
}

pub(crate) struct Host<P: Protocol> {
    pub(crate) process: Option<Process<P>>,
    pub(crate) disk: Disk<P::Node>,
    pub(crate) incarnation: u64,
    pub(crate) syncing: bool,
    /// The checker's view of the replica at the disk's checkpoint.
    pub(crate) applied_at_checkpoint: Applied,
}

/// One simulated cluster.
pub struct World<P: Protocol> {
    pub(crate) config: SimConfig,
    pub(crate) options: P::Options,
    pub(crate) layout: Layout,
    pub(crate) rng: ChaCha8Rng,
    pub(crate) now_us: u64,
    pub(crate) sequence: u64,
    events: BTreeMap<(u64, u64), Event<P::Node>>,
    pub(crate) hosts: Vec<Host<P>>,
    pub(crate) clients: Vec<SimClient>,
    /// Nodes cut off from all others.
    pub(crate) cut: NodeSet,
    pub(crate) healed: bool,
    pub(crate) report: Report,
    pub(crate) history: std::hash::DefaultHasher,
}

/// Runs one seed to its end.
///
/// # Errors
/// The first violation, or `L1 progress` if something is not done in time.
pub fn run<P: Protocol>(config: &SimConfig, options: &P::Options, seed: u64) -> Result<Report, Violation> {
    World::<P>::new(config, options, seed).run()
}

impl<P: Protocol> World<P> {
    /// A cluster that is about to start.
    ///
    /// # Panics
    /// If the configuration is not a legal cluster.
    #[must_use]
    pub fn new(config: &SimConfig, options: &P::Options, seed: u64) -> World<P> {
        let layout = Layout::co_located(config.node_count, &config.quorums).expect("a legal layout");
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let clients = (0..config.client_count)
            .map(|index| SimClient::new(index, config.node_count, &mut rng))
            .collect();
        let host = || Host {
            process: None,
            disk: Disk::default(),
            incarnation: 0,
            syncing: false,
            applied_at_checkpoint: Applied::default(),
        };
        World {
            config: config.clone(),
            options: options.clone(),
            hosts: (0..config.node_count).map(|_| host()).collect(),
            layout,
            rng,
            now_us: 0,
            sequence: 0,
            events: BTreeMap::new(),
            clients,
            cut: NodeSet::EMPTY,
            healed: false,
            report: Report::default(),
            history: std::hash::DefaultHasher::new(),
        }
    }

    fn run(mut self) -> Result<Report, Violation> {
        self.plan();
        while let Some(((time, _), event)) = self.events.pop_first() {
            self.now_us = time;
            let gossip = matches!(event, Event::Gossip { .. });
            self.happen(event)?;
            if gossip && self.healed && self.is_done() {
                return self.finish();
            }
            if self.now_us > (self.config.chaos_ms + self.config.patience_ms) * 1000 {
                return Err(Violation { invariant: "L1 progress", what: self.describe() });
            }
        }
        unreachable!("gossip never ends")
    }

    /// Starts nodes and clients, and lays out the faults.
    fn plan(&mut self) {
        for node in self.layout.nodes().iter() {
            self.schedule(0, Event::Restart { node });
        }
        for client in 0..self.clients.len() {
            self.clients[client].draw(self.config.key_count, &mut self.rng);
            let wait = self.rng.random_range(0..200_000);
            self.schedule(wait, Event::Ask { client, attempt: 0 });
        }
        for _ in 0..self.config.crash_count {
            let at = self.rng.random_range(0..self.config.chaos_ms * 1000);
            let node = NodeId::new(self.rng.random_range(0..self.config.node_count));
            self.schedule(at, Event::Crash { node });
        }
        for _ in 0..self.config.cut_count {
            let at = self.rng.random_range(0..self.config.chaos_ms * 1000);
            let length = self.rng.random_range(100_000..2_000_000);
            let node = NodeId::new(self.rng.random_range(0..self.config.node_count));
            self.schedule(at, Event::Cut { node });
            self.schedule(at + length, Event::Join { node });
        }
        // The failure detectors err, too.
        for _ in 0..2 * self.config.crash_count {
            let at = self.rng.random_range(0..self.config.chaos_ms * 1000);
            let [node, about] = [0; 2].map(|_| NodeId::new(self.rng.random_range(0..self.config.node_count)));
            self.schedule(at, Event::Hint { node, about, down: true });
            self.schedule(at + 500_000, Event::Hint { node, about, down: false });
        }
        self.schedule(self.config.chaos_ms * 1000, Event::Heal);
    }

    pub(crate) fn schedule(&mut self, after_us: u64, event: Event<P::Node>) {
        self.sequence += 1;
        self.events.insert((self.now_us + after_us, self.sequence), event);
    }

    fn happen(&mut self, event: Event<P::Node>) -> Result<(), Violation> {
        match event {
            Event::Deliver { from, to, wire } => self.deliver(from, to, wire),
            Event::Timer { node, incarnation, timer, setting } => {
                let host = &self.hosts[node.index()];
                let current = host.process.as_ref().and_then(|process| process.timers.get(&timer)).copied();
                if host.incarnation == incarnation && current == Some(setting) {
                    self.step(node, Input::Timer(timer))?;
                }
                Ok(())
            }
            Event::Gossip { node, incarnation } => self.gossip(node, incarnation),
            Event::Synced { node, incarnation, position } => self.synced(node, incarnation, position),
            Event::Checkpoint { node, incarnation } => {
                self.checkpoint(node, incarnation);
                Ok(())
            }
            Event::Crash { node } => {
                self.crash(node);
                Ok(())
            }
            Event::Restart { node } => self.restart(node),
            Event::Hint { node, about, down } => {
                self.step(node, if down { Input::Suspect(about) } else { Input::Trust(about) })
            }
            Event::Cut { node } => {
                self.cut.insert(node);
                self.hint(node, true);
                Ok(())
            }
            Event::Join { node } => {
                self.cut = self.cut.without(node);
                self.hint(node, false);
                Ok(())
            }
            Event::Ask { client, attempt } => self.ask(client, attempt),
            Event::Heal => {
                self.healed = true;
                let down: Vec<NodeId> =
                    self.layout.nodes().iter().filter(|n| self.hosts[n.index()].process.is_none()).collect();
                down.into_iter().try_for_each(|node| self.restart(node))
            }
        }
    }

    /// All requests answered, all replicas equally far, nothing waiting.
    fn is_done(&self) -> bool {
        let answered = self.clients.iter().all(|client| client.number >= self.config.request_count);
        let processes: Vec<&Process<P>> =
            self.hosts.iter().filter_map(|host| host.process.as_ref()).collect();
        let first = processes[0].replica.executed();
        answered
            && processes.iter().map(|process| &process.replica).all(|replica| {
                replica.executed() == first && replica.waiting_count() == 0 && replica.extras().is_empty()
            })
    }

    fn finish(mut self) -> Result<Report, Violation> {
        let mut digests = Vec::new();
        for (index, host) in self.hosts.iter().enumerate() {
            let process = host.process.as_ref().expect("healed");
            self.report.checks.durable(NodeId::new(index), &process.applied)?;
            digests.push(process.replica.digest());
        }
        if digests.windows(2).any(|pair| pair[0] != pair[1]) {
            return Err(Violation { invariant: "S3 digests", what: format!("{digests:?}") });
        }
        self.report.fingerprint = self.history.finish();
        self.report.simulated_ms = self.now_us / 1000;
        Ok(self.report)
    }

    fn describe(&self) -> String {
        let waiting: Vec<_> =
            self.clients.iter().filter(|client| client.number < self.config.request_count).collect();
        let replicas: Vec<_> = self
            .hosts
            .iter()
            .filter_map(|host| host.process.as_ref())
            .map(|process| (process.replica.executed(), process.replica.waiting_count()))
            .collect();
        format!(
            "{} answered; clients waiting: {:?}; executed and waiting by replica: {replicas:?}",
            self.report.checks.answered_count(),
            waiting.iter().map(|client| client.request_id()).collect::<Vec<_>>()
        )
    }
}
