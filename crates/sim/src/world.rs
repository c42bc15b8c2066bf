use crate::calls::InterruptedCall;
use crate::caught::caught;
use crate::client::SimClient;
use crate::config::SimConfig;
use crate::disk::Disk;
use crate::event::Event;
use crate::image::{Damaged, Image};
use crate::network::Network;
use crate::plan::Plan;
use crate::process::Process;
use crate::report::Report;
use crate::scoped::Scoped;
use crate::trace::{Trace, What};
use isegoria_check::history::{History, Model};
use isegoria_check::{Applied, Checks, Violation};
use isegoria_kv::Kv;
use isegoria_machine::{Erased, Machine, Relation};
use isegoria_node::{Evidence, Input, Node, Protocol};
use isegoria_replica::Replica;
use isegoria_types::{Layout, NodeId, NodeSet, Prefix};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Replicas tell their progress this often, µs.
pub(crate) const GOSSIP_US: u64 = 50_000;
/// After everything is done, the cluster runs on for this long, so that what everybody
/// has executed is forgotten, µs.
const QUIET_US: u64 = 2_000_000;

/// A machine of the cluster, with or without a running process.
pub(crate) struct Host<P: Protocol> {
    pub(crate) process: Option<Process<P>>,
    pub(crate) disk: Disk,
    pub(crate) life: u64,
    /// What came while the process pauses.
    pub(crate) paused: Option<Vec<Event<P::Node>>>,
    pub(crate) disk_is_slow: bool,
    /// How long a second of its timers takes now, in thousandths of a second.
    pub(crate) clock_rate: u64,
    /// A checkpoint that is being written: its position, its bytes, and the checks' view.
    pub(crate) checkpoint: Option<(u64, Vec<u8>, Applied)>,
    /// Of the process that died: what its records say that were not synced, with their ends.
    pub(crate) unsynced: VecDeque<(u64, Evidence)>,
    /// How far its log was synced.
    pub(crate) synced: u64,
    /// What its replica told that it has executed, and can execute again after a restart.
    pub(crate) told: Prefix,
    /// The checks' view of each snapshot that was written here for others, by number.
    pub(crate) snapshots: BTreeMap<u64, Applied>,
    /// The files as they were earlier.
    pub(crate) old_image: Option<Image>,
    /// The files are damaged, and nobody has mended them.
    pub(crate) damaged: Option<Damaged>,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Faults happen.
    Chaos,
    /// A connected majority is healed, the others are away.
    Majority,
    /// Everybody is back.
    Whole,
    /// Everything is done; garbage goes, until this time, µs.
    Quiet { until: u64 },
}

/// One simulated cluster.
pub(crate) struct World<P: Protocol> {
    pub(crate) config: SimConfig,
    pub(crate) options: P::Options,
    pub(crate) plan: Plan,
    pub(crate) rng: ChaCha8Rng,
    pub(crate) now_us: u64,
    pub(crate) sequence: u64,
    events: BTreeMap<(u64, u64), Event<P::Node>>,
    pub(crate) hosts: Vec<Host<P>>,
    pub(crate) network: Network,
    pub(crate) clients: Vec<SimClient>,
    /// How commands conflict, for nodes.
    pub(crate) relation: Arc<dyn Relation>,
    /// The same by keys alone, for checks.
    pub(crate) keys: Arc<dyn Relation>,
    pub(crate) stage: Stage,
    /// When the current stage began, µs.
    stage_began: u64,
    pub(crate) checks: Checks,
    pub(crate) history: History,
    pub(crate) report: Report,
    pub(crate) trace: Trace,
}

/// A finished run.
#[derive(Debug)]
pub struct Run {
    /// What it came to: a report, or the first violation.
    pub outcome: Result<Report, Violation>,
    /// What was counted until then.
    pub report: Report,
    /// What happened; lines only if the configuration asks for them.
    pub trace: Trace,
    /// Who did what in the cluster.
    pub layout: Layout,
    /// What the clients saw.
    pub history: History,
    /// By node: calls to its storage.
    pub storage_call_counts: Vec<u64>,
    /// The call that was to be interrupted was reached.
    pub interrupted: bool,
}

/// Runs one seed to its end, or to its first violation.
#[must_use]
pub fn run<P: Protocol>(config: &SimConfig, options: &P::Options, seed: u64) -> Run {
    let mut world = World::<P>::new(config, options, seed);
    // Behind a panic the cluster is only counted and thrown away.
    let outcome = caught(|| world.run());
    world.close();
    Run {
        outcome: outcome.map(|()| world.report.clone()),
        report: world.report,
        trace: world.trace,
        layout: world.plan.layout,
        history: world.history,
        storage_call_counts: world.hosts.iter().map(|host| host.disk.calls.count).collect(),
        interrupted: world.hosts.iter().any(|host| host.disk.calls.interrupted),
    }
}

impl<P: Protocol> World<P> {
    fn new(config: &SimConfig, options: &P::Options, seed: u64) -> World<P> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let quorums = |layout: &Layout| {
            let is_accepted = P::build(NodeId::new(0), layout, options).is_ok();
            is_accepted.then(|| P::quorums(layout, options))
        };
        let plan = Plan::draw(config, quorums, &mut rng);
        let mut host = |node: NodeId| Host {
            process: None,
            disk: Disk::new(node.index(), plan.segment_bytes, rng.random()),
            life: 0,
            paused: None,
            disk_is_slow: false,
            clock_rate: plan.clock_rates[node.index()],
            checkpoint: None,
            unsynced: VecDeque::new(),
            synced: 0,
            told: Prefix::default(),
            snapshots: BTreeMap::new(),
            old_image: None,
            damaged: None,
        };
        let mut hosts: Vec<Host<P>> = plan.layout.nodes().iter().map(&mut host).collect();
        if let Some(InterruptedCall { node, number, how }) = config.interrupted_call {
            let index = node % hosts.len();
            hosts[index].disk.calls.interruption = Some((number, how));
        }
        let keys = Erased::<Kv>::default().relation();
        let relation: Arc<dyn Relation> = match plan.scoped {
            Some(kind) => Arc::new(Scoped { kind, keys: Arc::clone(&keys) }),
            None => Arc::clone(&keys),
        };
        World {
            config: config.clone(),
            options: options.clone(),
            hosts,
            network: Network::new(plan.habits.clone()),
            clients: Vec::new(),
            checks: Checks::new(
                (plan.layout.quorums.phase2.clone(), P::fast_rule(&plan.layout, options)),
                relation.conflicts(),
            ),
            relation,
            keys,
            stage: Stage::Chaos,
            stage_began: 0,
            history: History { model: Model::Kv, operations: Vec::new() },
            report: Report::default(),
            trace: Trace::new(config.record),
            rng,
            now_us: 0,
            sequence: 0,
            events: BTreeMap::new(),
            plan,
        }
    }

    fn run(&mut self) -> Result<(), Violation> {
        self.begin();
        while let Some(((time, _), event)) = self.events.pop_first() {
            self.now_us = time;
            let gossip = matches!(event, Event::Gossip { .. });
            self.happen(event)?;
            if gossip && self.stage != Stage::Chaos && self.advance()? {
                return self.finish();
            }
        }
        unreachable!("gossip never ends")
    }

    /// Starts nodes and clients, and lays out the faults.
    fn begin(&mut self) {
        for node in self.plan.layout.nodes().iter() {
            self.schedule(0, Event::Start { node });
        }
        self.open_clients();
        for number in 0..self.plan.faults.len() {
            let at = self.plan.faults[number].0;
            self.schedule(at, Event::Fault(number));
        }
        self.schedule(self.config.chaos_ms * 1000, Event::Heal);
        if let Some(kind) = self.plan.scoped {
            self.report.count(kind.situation());
        }
    }

    pub(crate) fn schedule(&mut self, after_us: u64, event: Event<P::Node>) {
        self.sequence += 1;
        self.events.insert((self.now_us + after_us, self.sequence), event);
    }

    fn happen(&mut self, event: Event<P::Node>) -> Result<(), Violation> {
        if let Some(node) = event.at_process()
            && let Some(held) = &mut self.hosts[node.index()].paused
        {
            held.push(event);
            return Ok(());
        }
        match event {
            Event::Deliver { from, to, wire } => self.deliver(from, to, wire),
            Event::Timer { node, life, timer, setting } => self.on_timer((node, life), timer, setting),
            Event::Gossip { node, life } => self.on_gossip(node, life),
            Event::Written { node, life } => self.on_written(node, life),
            Event::Checkpointed { node, life } => self.on_checkpointed(node, life),
            Event::Snapshot { node, life, number, bytes } => {
                self.on_snapshot((node, life), number, bytes);
                Ok(())
            }
            Event::Flush { node, life } if self.hosts[node.index()].life == life => self.submit_batch(node),
            Event::Flush { .. } => Ok(()),
            Event::Hint { node, about, down } => {
                self.step(node, if down { Input::Suspect(about) } else { Input::Trust(about) })
            }
            Event::Fault(number) => self.begin_fault(number),
            Event::FaultEnds(number) => self.end_fault(number),
            // Whoever is away comes back with everybody.
            Event::Start { node } if self.stage == Stage::Majority && self.plan.away.contains(node) => Ok(()),
            Event::Start { node } => self.start(node),
            Event::Mend { node } => self.mend(node),
            Event::SpaceReturns { node } => {
                self.hosts[node.index()].disk.calls.is_full = false;
                Ok(())
            }
            Event::Think { client } => {
                self.think(client);
                Ok(())
            }
            Event::Wake { client, setting } => {
                self.wake(client, setting);
                Ok(())
            }
            Event::Request { to, request } => self.on_request(to, request),
            Event::Reply { client, reply } => {
                self.on_client_reply(client, reply);
                Ok(())
            }
            Event::NodeDown { client, node } => {
                self.on_node_down(client, node);
                Ok(())
            }
            Event::Heal => self.heal(),
        }
    }

    /// Faults stop, a connected majority comes up, the others stay away.
    fn heal(&mut self) -> Result<(), Violation> {
        let away = self.plan.away;
        self.network.heal(away);
        if !away.is_empty() {
            self.report.count("healed without a minority");
        }
        self.enter(if away.is_empty() { Stage::Whole } else { Stage::Majority });
        self.trace.line(self.now_us, || What::Note(format!("healed; away: {away:?}")));
        for node in away.iter() {
            self.crash(node, true);
        }
        self.plan.layout.nodes().difference(away).iter().try_for_each(|node| self.revive(node))
    }

    fn enter(&mut self, stage: Stage) {
        self.stage = stage;
        self.stage_began = self.now_us;
    }

    /// Goes on to the next stage if this one is done; whether the run is over.
    fn advance(&mut self) -> Result<bool, Violation> {
        match self.stage {
            // A call to the storage was interrupted that late: who died comes back first.
            Stage::Quiet { .. } if !self.is_up() => self.enter(Stage::Whole),
            Stage::Quiet { until } => return Ok(self.now_us >= until),
            Stage::Majority if self.is_done() => {
                self.enter(Stage::Whole);
                self.network.heal(NodeSet::EMPTY);
                self.trace.line(self.now_us, || What::Note("everybody comes back".into()));
                self.plan.away.iter().try_for_each(|node| self.revive(node))?;
            }
            Stage::Whole if self.is_done() => self.enter(Stage::Quiet { until: self.now_us + QUIET_US }),
            _ => {}
        }
        Ok(false)
    }

    /// L1, after every step of a healed cluster.
    pub(crate) fn check_progress(&mut self) -> Result<(), Violation> {
        let healed = matches!(self.stage, Stage::Majority | Stage::Whole);
        if !healed {
            return Ok(());
        }
        let overdue = self.now_us > self.stage_began + self.config.patience_ms * 1000;
        let (clients, hosts) = (&self.clients, &self.hosts);
        self.checks.stepped(overdue, || describe(clients, hosts))
    }

    fn replicas(&self) -> impl Iterator<Item = (NodeId, &Replica)> {
        let up =
            self.hosts.iter().enumerate().filter_map(|(index, host)| Some((index, host.process.as_ref()?)));
        up.filter_map(|(index, process)| Some((NodeId::new(index), process.beside.replica()?)))
    }

    /// Whether everybody is up who is to be up by now.
    fn is_up(&self) -> bool {
        let away = if self.stage == Stage::Majority { self.plan.away } else { NodeSet::EMPTY };
        let expected = self.plan.layout.nodes().difference(away);
        expected.iter().all(|node| self.hosts[node.index()].process.is_some())
    }

    /// Everybody is up, all requests answered, all replicas equally far, nothing waiting.
    fn is_done(&self) -> bool {
        if !self.is_up() {
            return false;
        }
        let mut executed = self.replicas().map(|(_, replica)| replica.executed());
        let Some(first) = executed.next() else { return false };
        self.clients.iter().all(SimClient::is_done)
            && executed.all(|other| other == first)
            && self.replicas().all(|(_, replica)| replica.waiting_count() == 0 && replica.extras().is_empty())
    }

    fn finish(&mut self) -> Result<(), Violation> {
        let cap = self.held_max();
        for index in 0..self.hosts.len() {
            let own = NodeId::new(index);
            self.check_digest(own)?;
            let process = self.hosts[index].process.as_ref().expect("everybody is back");
            let mut records = Vec::new();
            process.node.checkpoint(&mut records);
            self.checks.held(own, "records that a checkpoint would hold", (records.len(), cap))?;
            if let Some(replica) = process.beside.replica() {
                self.checks.held(
                    own,
                    "values that everybody has executed",
                    (replica.history_count(), cap),
                )?;
                self.checks.ended(own, &process.applied)?;
            }
        }
        self.checks.history(&self.history)?;
        self.checks.history(&crate::lists::of(&self.history))
    }

    /// What a node may hold when everything is executed everywhere: what came with the
    /// last gossip, and an index entry or two a key and leader.
    fn held_max(&self) -> usize {
        let keys = usize::try_from(self.plan.workload.key_count).expect("few keys");
        64 + 4 * keys * self.hosts.len()
    }

    /// S3: compares the replica's digest with those of others that executed as much.
    pub(crate) fn check_digest(&mut self, own: NodeId) -> Result<(), Violation> {
        let process = self.hosts[own.index()].process.as_ref();
        let Some(replica) = process.and_then(|process| process.beside.replica()) else { return Ok(()) };
        self.checks.digest(own, (&replica.executed(), replica.extras()), replica.digest())
    }

    /// Adds up what the run came to.
    fn close(&mut self) {
        self.report.simulated_ms = self.now_us / 1000;
        self.report.fingerprint = self.trace.fingerprint();
        self.report.evaluations.extend(self.checks.evaluations());
        let rare = self.checks.situations().into_iter().filter(|(_, count)| *count > 0);
        self.report.situations.extend(rare);
        if self.plan.layout.leaders != self.plan.layout.acceptors {
            self.report.count("roles apart");
        }
    }
}

/// What is not done.
fn describe<P: Protocol>(clients: &[SimClient], hosts: &[Host<P>]) -> String {
    let waiting: Vec<String> =
        clients.iter().filter(|client| !client.is_done()).map(SimClient::describe).collect();
    let replicas: Vec<String> = hosts
        .iter()
        .enumerate()
        .filter_map(|(index, host)| {
            let replica = host.process.as_ref()?.beside.replica()?;
            let (executed, waiting) = (replica.executed(), replica.waiting_count());
            Some(format!("{} has executed {executed:?}, {waiting} wait", NodeId::new(index)))
        })
        .collect();
    format!("clients that wait: [{}]; replicas: [{}]", waiting.join(", "), replicas.join(", "))
}
