//! Clusters over long distances, in virtual time: what latency and throughput a number of sites gives that no
//! machine at hand could run.
//!
//! The nodes, gates and replicas are those that run in production; links are as long as their matrix says, and a node
//! is one processor that takes a fixed time for each message that it reads or writes, in the order in which they came.
//! Durability is that of `memory`: what a step wrote is durable at once. Clients are closed loops beside their node.
//!
//! Invariant: an outcome is a function of its plan, to the byte. Not done here: nothing is lost, jitters or crashes
//! (the seeded simulator does that), a link has no bandwidth, and the frames in which messages travel together are not
//! modelled, so that a fixed time a message is the mean over them.

use crate::hosts::inputs_of;
use bytes::Bytes;
use isegoria_kv::Kv;
use isegoria_machine::{Erased, Machine, Relation};
use isegoria_node::{Effect, Event as NodeEvent, Gate, Input, Node, Outbox, Protocol};
use isegoria_replica::{Beside, ReplicaMessage, ReplicaOutbox};
use isegoria_types::{
    Action, BatchBuilder, ClientId, Command, Layout, NodeId, NodeSet, Outcome, Refusal, Reply, RequestId,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Replicas tell their progress this often, as in production, ns.
const GOSSIP_NS: u64 = 50_000_000;
/// A client whose request was refused asks again after this long, ns.
const RETRY_NS: u64 = 10_000_000;

/// What is simulated.
#[derive(Clone, Debug, PartialEq)]
pub struct WidePlan {
    /// From the node of the row to that of the column, one way, ns.
    pub one_way_ns: Vec<Vec<u64>>,
    /// What a node's processor takes for a message that it reads or writes, ns.
    pub service_ns: u64,
    /// The most commands of one vertex or slot.
    pub batch_max: usize,
    /// How many clients are beside each node.
    pub clients: Vec<usize>,
    /// How long the load runs before it is measured, ns.
    pub warm_up_ns: u64,
    /// How long it is measured, ns.
    pub window_ns: u64,
    /// Seed of the timers' dice.
    pub seed: u64,
}

/// What came of it, within the window.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WideOutcome {
    /// By node: from submission to answer, of its clients, ns.
    pub latencies_ns: Vec<Vec<u64>>,
    /// By node: from taking a command to its decision there, ns.
    pub commits_ns: Vec<Vec<u64>>,
    /// By node: how long its processor was busy, ns.
    pub busy_ns: Vec<u64>,
    /// Own vertices chosen on the fast path, of all nodes, warm-up included.
    pub fast_count: u64,
    /// Those on the slow path.
    pub slow_count: u64,
    /// Own vertices proposed.
    pub proposed_count: u64,
    /// Those that depended on something not executed everywhere.
    pub conflicting_count: u64,
    /// Batches that left, and commands in them.
    pub batch_count: u64,
    /// Commands in them.
    pub command_count: u64,
}

/// Runs a plan. `payload` is asked for each command: the number of the client, over all nodes.
///
/// # Panics
/// If the options do not fit the layout, which who made them has checked, or a payload is none of the store's.
#[must_use]
pub fn run_wide<P: Protocol>(
    plan: &WidePlan,
    (layout, options): (&Layout, &P::Options),
    payload: &mut dyn FnMut(usize) -> Bytes,
) -> WideOutcome {
    let mut world = Wide::<P>::new(plan, layout, options);
    world.begin(payload);
    let end = plan.warm_up_ns + plan.window_ns;
    while let Some(((at, _), event)) = world.events.pop_first() {
        if at > end {
            break;
        }
        world.now_ns = at;
        world.happen(event, payload);
    }
    world.outcome
}

#[derive(Clone, Debug)]
enum Wire<M> {
    Node(M),
    Replica(ReplicaMessage),
}

/// What a node's processor is to do.
enum Work<P: Protocol> {
    Message(NodeId, Wire<<P::Node as Node>::Msg>),
    Request(RequestId, Bytes),
    Timer(<P::Node as Node>::Timer, u64),
    Gossip,
}

enum Event<P: Protocol> {
    /// Something arrives at a node.
    Arrive(NodeId, Work<P>),
    /// The processor of a node has time for the next thing.
    Turn(NodeId),
    /// An answer arrives at a client.
    Answer(usize, Outcome),
    /// A client asks again.
    Again(usize),
}

struct Host<P: Protocol> {
    node: P::Node,
    gate: Gate<P::Node>,
    beside: Beside,
    timers: BTreeMap<<P::Node as Node>::Timer, u64>,
    queue: VecDeque<Work<P>>,
    /// Whether a turn is due.
    is_busy: bool,
    /// Until when the processor has work that was begun, ns.
    free_ns: u64,
    /// Records written: a position of the log.
    written: u64,
    /// Requests taken here, when they were, and whether their decision is known.
    pending: BTreeMap<RequestId, (u64, bool)>,
}

struct Client {
    home: NodeId,
    /// Whom it asks: its home, or who leads.
    asks: NodeId,
    number: u64,
    payload: Bytes,
    began_ns: u64,
}

struct Wide<P: Protocol> {
    plan: WidePlan,
    nodes: NodeSet,
    relation: Arc<dyn Relation>,
    hosts: Vec<Host<P>>,
    clients: Vec<Client>,
    events: BTreeMap<(u64, u64), Event<P>>,
    sequence: u64,
    now_ns: u64,
    rng: ChaCha8Rng,
    outcome: WideOutcome,
}

impl<P: Protocol> Wide<P> {
    fn new(plan: &WidePlan, layout: &Layout, options: &P::Options) -> Wide<P> {
        let host = |own: NodeId| Host {
            node: P::build(own, layout, options).expect("options that fit the layout"),
            gate: Gate::default(),
            beside: Beside::new(own, layout, P::ORDER, Box::new(Erased::<Kv>::default())),
            timers: BTreeMap::new(),
            queue: VecDeque::new(),
            is_busy: false,
            free_ns: 0,
            written: 0,
            pending: BTreeMap::new(),
        };
        let count = layout.node_count;
        let homes = plan.clients.iter().enumerate();
        let client = |(index, clients): (usize, &usize)| {
            std::iter::repeat_n(NodeId::new(index), *clients).map(|home| Client {
                home,
                asks: home,
                number: 0,
                payload: Bytes::new(),
                began_ns: 0,
            })
        };
        Wide {
            nodes: layout.nodes(),
            relation: Erased::<Kv>::default().relation(),
            hosts: layout.nodes().iter().map(host).collect(),
            clients: homes.flat_map(client).collect(),
            events: BTreeMap::new(),
            sequence: 0,
            now_ns: 0,
            rng: ChaCha8Rng::seed_from_u64(plan.seed),
            outcome: WideOutcome {
                latencies_ns: vec![Vec::new(); count],
                commits_ns: vec![Vec::new(); count],
                busy_ns: vec![0; count],
                ..WideOutcome::default()
            },
            plan: plan.clone(),
        }
    }

    /// Starts the nodes, which know each other and the ways between them, and then the clients.
    fn begin(&mut self, payload: &mut dyn FnMut(usize) -> Bytes) {
        for own in self.nodes.iter() {
            self.step(own, Input::Start);
            let mut others: Vec<NodeId> = self.nodes.without(own).iter().collect();
            others.sort_by_key(|other| self.plan.one_way_ns[own.index()][other.index()]);
            self.step(own, Input::Nearest(others));
            for other in self.nodes.without(own).iter() {
                self.step(own, Input::Trust(other));
            }
            self.schedule(self.now_ns + GOSSIP_NS, Event::Arrive(own, Work::Gossip));
        }
        for index in 0..self.clients.len() {
            self.next_command(index, payload);
        }
    }

    fn schedule(&mut self, at_ns: u64, event: Event<P>) {
        self.sequence += 1;
        self.events.insert((at_ns, self.sequence), event);
    }

    fn happen(&mut self, event: Event<P>, payload: &mut dyn FnMut(usize) -> Bytes) {
        match event {
            Event::Arrive(own, work) => self.arrive(own, work),
            Event::Turn(own) => self.turn(own),
            Event::Answer(client, outcome) => self.on_answer(client, outcome, payload),
            Event::Again(client) => self.ask(client),
        }
    }

    // ---- clients --------------------------------------------------------------------------------

    fn next_command(&mut self, index: usize, payload: &mut dyn FnMut(usize) -> Bytes) {
        let client = &mut self.clients[index];
        client.payload = payload(index);
        client.began_ns = self.now_ns;
        self.ask(index);
    }

    fn ask(&mut self, index: usize) {
        let client = &self.clients[index];
        let id = RequestId { client: ClientId(index as u64 + 1), number: client.number };
        let way = self.way(client.home, client.asks);
        let arrival = Event::Arrive(client.asks, Work::Request(id, client.payload.clone()));
        self.schedule(self.now_ns + way, arrival);
    }

    fn on_answer(&mut self, index: usize, outcome: Outcome, payload: &mut dyn FnMut(usize) -> Bytes) {
        match outcome {
            Outcome::Refused(Refusal::NotLeader { leader: Some(leader) }) => {
                self.clients[index].asks = leader;
                self.ask(index);
            }
            Outcome::Refused(_) => self.schedule(self.now_ns + RETRY_NS, Event::Again(index)),
            Outcome::Done(_) | Outcome::AlreadyAcknowledged => {
                let client = &mut self.clients[index];
                if self.now_ns >= self.plan.warm_up_ns {
                    self.outcome.latencies_ns[client.home.index()].push(self.now_ns - client.began_ns);
                }
                client.number += 1;
                self.next_command(index, payload);
            }
        }
    }

    // ---- a node's processor ---------------------------------------------------------------------

    fn arrive(&mut self, own: NodeId, work: Work<P>) {
        let host = &mut self.hosts[own.index()];
        host.queue.push_back(work);
        if !std::mem::replace(&mut host.is_busy, true) {
            let at = host.free_ns.max(self.now_ns);
            self.schedule(at, Event::Turn(own));
        }
    }

    fn turn(&mut self, own: NodeId) {
        let host = &mut self.hosts[own.index()];
        let Some(work) = host.queue.pop_front() else {
            host.is_busy = false;
            return;
        };
        host.free_ns = self.now_ns;
        match work {
            Work::Message(from, Wire::Node(message)) => {
                self.take(own, 1);
                self.step(own, Input::Message { from, message });
            }
            Work::Message(from, Wire::Replica(message)) => {
                self.take(own, 1);
                let mut out = ReplicaOutbox::default();
                self.hosts[own.index()].beside.on_message(from, message, &mut out);
                self.after_replica(own, out);
            }
            Work::Request(id, payload) => self.on_requests(own, (id, payload)),
            Work::Timer(timer, setting) => {
                if self.hosts[own.index()].timers.get(&timer) == Some(&setting) {
                    self.step(own, Input::Timer(timer));
                }
            }
            Work::Gossip => {
                let mut out = ReplicaOutbox::default();
                self.hosts[own.index()].beside.on_gossip(&mut out);
                self.after_replica(own, out);
                self.schedule(self.now_ns + GOSSIP_NS, Event::Arrive(own, Work::Gossip));
            }
        }
        let free = self.hosts[own.index()].free_ns;
        self.schedule(free, Event::Turn(own));
    }

    /// The processor works for so many messages more.
    fn take(&mut self, own: NodeId, messages: u64) {
        let busy = messages * self.plan.service_ns;
        self.hosts[own.index()].free_ns += busy;
        if self.now_ns >= self.plan.warm_up_ns {
            self.outcome.busy_ns[own.index()] += busy;
        }
    }

    /// Takes a request, and those that wait behind it, into one batch.
    fn on_requests(&mut self, own: NodeId, first: (RequestId, Bytes)) {
        let mut requests = vec![first];
        let queue = std::mem::take(&mut self.hosts[own.index()].queue);
        for work in queue {
            match work {
                Work::Request(id, payload) if requests.len() < self.plan.batch_max => {
                    requests.push((id, payload));
                }
                other => self.hosts[own.index()].queue.push_back(other),
            }
        }
        self.take(own, requests.len() as u64);
        let mut builder = BatchBuilder::default();
        for (request, payload) in requests {
            self.hosts[own.index()].pending.insert(request, (self.now_ns, false));
            let footprint = self.relation.footprint(&payload).expect("an operation of the store");
            builder.push(&Command {
                request,
                acked_below: request.number,
                generation: 0,
                footprint,
                action: Action::Apply(payload),
            });
        }
        self.outcome.batch_count += 1;
        self.outcome.command_count += builder.len() as u64;
        let (batch, footprint) = builder.finish();
        self.step(own, Input::Submit { batch, footprint });
    }

    fn step(&mut self, own: NodeId, input: Input<P::Node>) {
        let host = &mut self.hosts[own.index()];
        let mut out = Outbox::new(own);
        isegoria_node::step(&mut host.node, input, &mut out);
        for (_, weight) in out.records.drain(..) {
            host.written += 1;
            host.gate.wrote(host.written, weight);
        }
        host.gate.durable(host.written);
        for wish in std::mem::take(&mut out.timers) {
            let after_ns = u64::from(self.rng.random_range(wish.after_ms)) * 1_000_000;
            self.sequence += 1;
            let setting = self.sequence;
            self.hosts[own.index()].timers.insert(wish.timer.clone(), setting);
            self.schedule(self.now_ns + after_ns, Event::Arrive(own, Work::Timer(wish.timer, setting)));
        }
        self.hosts[own.index()].gate.hold(&mut out);
        let mut replica_out = ReplicaOutbox::default();
        while let Some(effect) = self.hosts[own.index()].gate.release() {
            match effect {
                Effect::Send(send) => self.send(own, send.to, &Wire::Node(send.message)),
                Effect::Commit(order, batch) => {
                    self.note_commits(own, &batch);
                    self.hosts[own.index()].beside.commit(order, batch, &mut replica_out);
                }
                Effect::Refuse(batch, refusal) => {
                    for command in batch.iter() {
                        let outcome = Outcome::Refused(refusal.clone());
                        self.answer(own, Reply { request: command.request, outcome });
                    }
                }
                Effect::Event(event) => self.count(&event),
            }
        }
        self.after_replica(own, replica_out);
    }

    fn note_commits(&mut self, own: NodeId, batch: &isegoria_types::Batch) {
        for command in batch.iter() {
            if let Some((taken_ns, is_known)) = self.hosts[own.index()].pending.get_mut(&command.request)
                && !std::mem::replace(is_known, true)
                && self.now_ns >= self.plan.warm_up_ns
            {
                self.outcome.commits_ns[own.index()].push(self.now_ns - *taken_ns);
            }
        }
    }

    fn count(&mut self, event: &NodeEvent) {
        match event {
            NodeEvent::Path { fast: true, .. } => self.outcome.fast_count += 1,
            NodeEvent::Path { fast: false, .. } => self.outcome.slow_count += 1,
            NodeEvent::Proposed { conflicting, .. } => {
                self.outcome.proposed_count += 1;
                self.outcome.conflicting_count += u64::from(*conflicting);
            }
            _ => {}
        }
    }

    fn after_replica(&mut self, own: NodeId, mut out: ReplicaOutbox) {
        for (to, message) in std::mem::take(&mut out.sends) {
            self.send(own, to, &Wire::Replica(message));
        }
        for reply in std::mem::take(&mut out.replies) {
            self.answer(own, reply);
        }
        if let Some(progress) = out.announce.take() {
            self.send(own, self.nodes.without(own), &Wire::Replica(progress.clone()));
            let mut more = ReplicaOutbox::default();
            self.hosts[own.index()].beside.on_message(own, progress, &mut more);
            self.after_replica(own, more);
        }
        let inputs: Vec<Input<P::Node>> = inputs_of(&mut out);
        inputs.into_iter().for_each(|input| self.step(own, input));
    }

    /// Each copy of a message leaves when the processor has written it.
    fn send(&mut self, own: NodeId, to: NodeSet, wire: &Wire<<P::Node as Node>::Msg>) {
        for to in to.iter() {
            self.take(own, 1);
            let at = self.hosts[own.index()].free_ns + self.way(own, to);
            self.schedule(at, Event::Arrive(to, Work::Message(own, wire.clone())));
        }
    }

    fn answer(&mut self, own: NodeId, reply: Reply) {
        let Some(number) = reply.request.client.0.checked_sub(1) else { return };
        if self.hosts[own.index()].pending.remove(&reply.request).is_none() {
            return;
        }
        self.take(own, 1);
        let index = usize::try_from(number).expect("a client of this run");
        let at = self.hosts[own.index()].free_ns + self.way(own, self.clients[index].home);
        self.schedule(at, Event::Answer(index, reply.outcome));
    }

    fn way(&self, from: NodeId, to: NodeId) -> u64 {
        self.plan.one_way_ns[from.index()][to.index()]
    }
}
