//! What a dead leader costs: commands of the others that conflict with one that it left behind
//! are executed within half a second, at the default settings of every protocol with many
//! leaders, whoever has heard of it.

use isegoria_bpaxos::simple::{self, SimpleBpaxos};
use isegoria_bpaxos::unanimous::{self, UnanimousBpaxos};
use isegoria_epaxos::atlas::{self, Atlas};
use isegoria_epaxos::epaxos::{self, Epaxos};
use isegoria_node::{Input, Node, Outbox, Protocol, step};
use isegoria_types::{
    Action, Batch, ClientId, Command, Footprint, Layout, NodeId, NodeSet, Order, Prefix, QuorumSystem,
    RequestId, Vertex,
};

/// A tick, with all that it may be late, ms.
const TICK_MS: f64 = 50.0 * 1.125;

/// What conflicting commands may wait for a dead leader, ms.
const WAIT_MS_MAX: f64 = 500.0;

/// Nodes whose messages take no time, but for those of a dead one.
struct Cluster<P: Protocol> {
    nodes: Vec<P::Node>,
    dead: NodeSet,
    travelling: Vec<(NodeId, NodeId, <P::Node as Node>::Msg)>,
    /// What each node has committed, and what of it is executed.
    committed: Vec<Vec<(Vertex, Prefix)>>,
}

impl<P: Protocol> Cluster<P> {
    fn start(count: usize) -> Cluster<P> {
        let layout = Layout::co_located(count, &QuorumSystem::Majority).expect("a legal layout");
        let build = |index| P::build(NodeId::new(index), &layout, &P::Options::default()).expect("defaults");
        let nodes = (0..count).map(build).collect();
        let committed = vec![Vec::new(); count];
        let mut cluster = Cluster { nodes, dead: NodeSet::EMPTY, travelling: Vec::new(), committed };
        (0..count).for_each(|index| cluster.step(NodeId::new(index), Input::Start));
        cluster.settle();
        cluster
    }

    fn step(&mut self, at: NodeId, input: Input<P::Node>) {
        let mut out = Outbox::new(at);
        step(&mut self.nodes[at.index()], input, &mut out);
        for send in out.sends {
            self.travelling.extend(send.to.iter().map(|to| (at, to, send.message.clone())));
        }
        for (order, _) in out.commits {
            let Order::Vertex(vertex, deps) = order else { panic!("{order:?} in a graph") };
            self.committed[at.index()].push((vertex, deps.as_prefix().clone()));
        }
    }

    fn deliver(&mut self, (from, to, message): (NodeId, NodeId, <P::Node as Node>::Msg)) {
        if !self.dead.contains(from) && !self.dead.contains(to) {
            self.nodes[to.index()].admit(from, &message).expect("of a correct peer");
            self.step(to, Input::Message { from, message });
        }
    }

    fn settle(&mut self) {
        while !self.travelling.is_empty() {
            std::mem::take(&mut self.travelling).into_iter().for_each(|letter| self.deliver(letter));
        }
    }

    /// The replica of a node waits for what its commits depend on.
    fn block(&mut self, at: NodeId, vertex: Vertex) {
        let waits = self.committed[at.index()].iter().any(|(_, deps)| deps.contains(vertex));
        if waits && !self.has_committed(at, vertex) {
            self.step(at, Input::Blocked(vertex));
        }
    }

    fn has_committed(&self, at: NodeId, vertex: Vertex) -> bool {
        self.committed[at.index()].iter().any(|(known, _)| *known == vertex)
    }

    fn submit(&mut self, at: NodeId) {
        let mut footprint = Footprint::default();
        footprint.write(b"hot");
        let command = Command {
            request: RequestId { client: ClientId(1 + at.index() as u64), number: 0 },
            acked_below: 0,
            generation: 0,
            footprint: footprint.clone(),
            action: Action::Apply(bytes::Bytes::from_static(b"x")),
        };
        self.step(at, Input::Submit { batch: Batch::of(&[command]), footprint });
    }
}

/// The first node submits x, of which some hear what they are first asked, and dies; all others
/// submit what conflicts, and are told that it is dead. How many ticks pass until all have
/// committed x, if any of them waits for it.
fn ticks_until_recovered<P: Protocol>(
    count: usize,
    heard: NodeSet,
    tick: &<P::Node as Node>::Timer,
) -> usize {
    let mut cluster = Cluster::<P>::start(count);
    let (dead, x) = (NodeId::new(0), Vertex::new(NodeId::new(0), 0));
    let others = NodeSet::first(count).without(dead);
    cluster.submit(dead);
    let asked = std::mem::take(&mut cluster.travelling);
    asked.into_iter().filter(|(_, to, _)| heard.contains(*to)).for_each(|letter| cluster.deliver(letter));
    cluster.dead.insert(dead);
    others.iter().for_each(|node| cluster.step(node, Input::Suspect(dead)));
    others.iter().for_each(|node| cluster.submit(node));
    cluster.settle();
    for ticks in 0..1_000 {
        others.iter().for_each(|node| cluster.block(node, x));
        let waits = |node: NodeId| cluster.committed[node.index()].iter().any(|(_, deps)| deps.contains(x));
        let waiting = others.iter().any(|node| waits(node) && !cluster.has_committed(node, x));
        let undecided = others.iter().any(|node| cluster.committed[node.index()].is_empty());
        if !waiting && !undecided {
            return ticks;
        }
        others.iter().for_each(|node| cluster.step(node, Input::Timer(tick.clone())));
        cluster.settle();
    }
    panic!("{}: {count} nodes, heard by {heard:?}: x is never recovered", P::NAME)
}

fn is_short<P: Protocol>(tick: &<P::Node as Node>::Timer) {
    for count in [3, 5] {
        let mut longest = 0;
        for bits in 0..1usize << (count - 1) {
            let heard = (1..count).filter(|node| bits >> (node - 1) & 1 == 1).map(NodeId::new).collect();
            longest = longest.max(ticks_until_recovered::<P>(count, heard, tick));
        }
        let wait_ms = longest as f64 * TICK_MS;
        assert!(wait_ms <= WAIT_MS_MAX, "{}, {count} nodes: {wait_ms} ms", P::NAME);
        assert!(longest > 0, "{}, {count} nodes: nobody ever waited", P::NAME);
    }
}

#[test]
fn what_a_dead_epaxos_leader_leaves_is_recovered_within_half_a_second() {
    is_short::<Epaxos>(&epaxos::Timer::Tick);
}

#[test]
fn what_a_dead_atlas_leader_leaves_is_recovered_within_half_a_second() {
    is_short::<Atlas>(&atlas::Timer::Tick);
}

#[test]
fn what_a_dead_unanimous_leader_leaves_is_recovered_within_half_a_second() {
    is_short::<UnanimousBpaxos>(&unanimous::Timer::Tick);
}

#[test]
fn what_a_dead_simple_bpaxos_leader_leaves_is_recovered_within_half_a_second() {
    is_short::<SimpleBpaxos>(&simple::Timer::Tick);
}
