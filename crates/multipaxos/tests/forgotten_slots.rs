//! Takeover and collection around slots that some acceptor has forgotten (trace B11).

use isegoria_multipaxos::{Message, MultiPaxos, MultiPaxosNode, Options, Record, Timer};
use isegoria_node::{Input, Node, Outbox, Protocol, step};
use isegoria_types::{
    Action, Batch, ClientId, Command, Footprint, Layout, NodeId, Order, Placement, Prefix, QuorumSystem,
    RequestId, Role,
};

/// A node with everything it ever wrote.
struct Logged {
    node: MultiPaxosNode,
    own: NodeId,
    records: Vec<Record>,
}

impl Logged {
    fn new(index: usize, layout: &Layout) -> Logged {
        let own = NodeId::new(index);
        let node = MultiPaxos::build(own, layout, &Options::default()).expect("default options");
        Logged { node, own, records: Vec::new() }
    }

    fn on(&mut self, input: Input<MultiPaxosNode>) -> Outbox<MultiPaxosNode> {
        let mut out = Outbox::new(self.own);
        step(&mut self.node, input, &mut out);
        self.records.extend(out.records.iter().map(|(record, _)| record.clone()));
        out
    }

    fn hear(&mut self, from: usize, message: &Message) -> Outbox<MultiPaxosNode> {
        self.on(Input::Message { from: NodeId::new(from), message: message.clone() })
    }

    /// What it hands to its replica when it starts again from its log.
    fn commits_after_restart(&self, layout: &Layout) -> Vec<(Order, Batch)> {
        let mut again = Logged::new(self.own.index(), layout);
        for record in self.records.clone() {
            again.node.replay(record);
        }
        again.on(Input::Start).commits
    }
}

/// Delivers what `from` sent, and all that follows, among two nodes only.
fn deliver(nodes: &mut [Logged; 3], among: [usize; 2], from: usize, out: &Outbox<MultiPaxosNode>) {
    for send in &out.sends {
        for to in among.into_iter().filter(|to| *to != from && send.to.contains(NodeId::new(*to))) {
            let next = nodes[to].hear(from, &send.message);
            deliver(nodes, among, to, &next);
        }
    }
}

fn write() -> Batch {
    Batch::of(&[Command {
        request: RequestId { client: ClientId(7), number: 0 },
        acked_below: 0,
        generation: 0,
        footprint: Footprint::Everything,
        action: Action::Apply("x".into()),
    }])
}

fn first(out: &Outbox<MultiPaxosNode>) -> Message {
    out.sends[0].message.clone()
}

/// A candidate learns, between its campaign and the reports, what an acceptor then
/// forgets: it must not fill those slots with something else.
#[test]
fn a_takeover_leaves_forgotten_slots_alone() {
    let layout = Layout::co_located(3, &QuorumSystem::Majority).unwrap();
    let [a, b, c] = [0, 1, 2];
    let mut nodes = [a, b, c].map(|index| Logged::new(index, &layout));
    for node in &mut nodes {
        node.on(Input::Start);
    }
    // A leads with C; B hears nothing. `StartWorking` in slot 0, a write in slot 1.
    let out = nodes[a].on(Input::Timer(Timer::Election));
    deliver(&mut nodes, [a, c], a, &out);
    let out = nodes[a].on(Input::Submit { batch: write(), footprint: Footprint::Everything });
    deliver(&mut nodes, [a, c], a, &out);
    // C stops hearing a leader; B campaigns, from slot 0, once it knows how high ballots are.
    nodes[c].on(Input::Timer(Timer::Election));
    let pre_vote = first(&nodes[b].on(Input::Timer(Timer::Election)));
    let nack = first(&nodes[c].hear(b, &pre_vote));
    nodes[b].hear(c, &nack);
    let pre_vote = first(&nodes[b].on(Input::Timer(Timer::Election)));
    let support = first(&nodes[c].hear(b, &pre_vote));
    let phase1a = first(&nodes[b].hear(c, &support));
    assert!(matches!(phase1a, Message::Phase1a { from_slot: 0, .. }), "{phase1a:?}");
    // Before that reaches A, B catches up from A's replica, all replicas have executed
    // both slots, and A, which alone knows so, forgets them.
    let learned = nodes[a].commits_after_restart(&layout);
    assert_eq!(learned.len(), 2);
    for (order, batch) in learned.clone() {
        nodes[b].on(Input::Learned(order, batch));
    }
    nodes[a].on(Input::Collect(Prefix::new(&[2])));
    let out = nodes[a].hear(b, &phase1a);
    let report =
        out.sends.iter().map(|send| &send.message).find(|sent| matches!(sent, Message::Phase1b { .. }));
    let takeover = nodes[b].hear(a, report.expect("a promise"));
    for send in &takeover.sends {
        if let Message::Phase2a { slot, .. } = &send.message {
            assert!(*slot >= 2, "proposed in slot {slot}, which is chosen and forgotten");
        }
        nodes[c].hear(b, &send.message);
    }
    // C restarts from its log: what it held as chosen is what was chosen.
    let commits = nodes[c].commits_after_restart(&layout);
    assert_eq!(commits[..2], learned[..], "C holds something else than was chosen");
}

/// An acceptor without a replica forgets what is executed everywhere, even if it never
/// heard that it was chosen.
#[test]
fn an_acceptor_that_missed_a_decision_forgets_all_the_same() {
    let replica = Placement { roles: vec![Role::Leader, Role::Replica, Role::Dependency, Role::Acceptor] };
    let acceptor = Placement { roles: vec![Role::Acceptor] };
    let layout = Layout::new(&[replica.clone(), replica, acceptor], &QuorumSystem::Majority).unwrap();
    let mut node = Logged::new(2, &layout);
    node.on(Input::Start);
    node.on(Input::Collect(Prefix::new(&[10])));
    let mut records = Vec::new();
    node.node.checkpoint(&mut records);
    assert!(records.contains(&Record::Collected { below: 10 }), "{records:?}");
}
