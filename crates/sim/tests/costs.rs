//! What a command costs without failures and conflicts: messages between distinct nodes, and
//! one-way delays from submission to the commit at the node that was asked, where it can be
//! executed and answered at once. The figures of the protocols' sheets, counted.

use isegoria_bpaxos::simple::{self, SimpleBpaxos};
use isegoria_bpaxos::unanimous::{self, Fast, UnanimousBpaxos};
use isegoria_epaxos::atlas::{self, Atlas};
use isegoria_epaxos::epaxos::{self, Epaxos};
use isegoria_multipaxos::MultiPaxos;
use isegoria_node::{Input, Node, Outbox, Protocol, step};
use isegoria_types::{
    Action, Batch, ClientId, Command, Footprint, Layout, NodeId, NodeSet, QuorumSystem, RequestId,
};

/// Nodes whose messages take one round each, and whose clocks stand still.
struct Rounds<P: Protocol> {
    nodes: Vec<P::Node>,
    /// What is on its way: from, to, message.
    travelling: Vec<(NodeId, NodeId, <P::Node as Node>::Msg)>,
    message_count: usize,
    /// Timers that run out before all others.
    due: Vec<(NodeId, <P::Node as Node>::Timer)>,
    /// Nothing comes from them or gets there.
    silent: NodeSet,
}

impl<P: Protocol> Rounds<P> {
    fn start(count: usize, options: &P::Options) -> Rounds<P> {
        let layout = Layout::co_located(count, &QuorumSystem::Majority).expect("a legal layout");
        let build = |index| P::build(NodeId::new(index), &layout, options).expect("legal options");
        let nodes = (0..count).map(build).collect();
        let mut rounds = Rounds {
            nodes,
            travelling: Vec::new(),
            message_count: 0,
            due: Vec::new(),
            silent: NodeSet::EMPTY,
        };
        for index in 0..count {
            rounds.step(NodeId::new(index), Input::Start);
        }
        for (at, timer) in std::mem::take(&mut rounds.due) {
            rounds.step(at, Input::Timer(timer));
        }
        while !rounds.travelling.is_empty() {
            rounds.deliver(&Batch::noop());
        }
        rounds.message_count = 0;
        rounds
    }

    /// Takes a step; what it commits.
    fn step(&mut self, at: NodeId, input: Input<P::Node>) -> Vec<Batch> {
        let mut out = Outbox::new(at);
        step(&mut self.nodes[at.index()], input, &mut out);
        assert!(out.refusals.is_empty());
        for wish in out.timers.drain(..) {
            // Before any other timer: the election of the first leader.
            if *wish.after_ms.end() < 10 {
                self.due.push((at, wish.timer));
            }
        }
        for send in out.sends {
            self.message_count += send.to.len();
            self.travelling.extend(send.to.iter().map(|to| (at, to, send.message.clone())));
        }
        out.commits.into_iter().map(|(_, batch)| batch).collect()
    }

    /// Everything that is on its way arrives; who commits this batch.
    fn deliver(&mut self, batch: &Batch) -> Vec<NodeId> {
        let mut committed = Vec::new();
        for (from, to, message) in std::mem::take(&mut self.travelling) {
            if self.silent.contains(to) || self.silent.contains(from) {
                continue;
            }
            self.nodes[to.index()].admit(from, &message).expect("of a correct peer");
            if self.step(to, Input::Message { from, message }).contains(batch) {
                committed.push(to);
            }
        }
        committed
    }

    /// Submits a command; its batch.
    fn submit(&mut self, at: NodeId, number: u64) -> Batch {
        let mut footprint = Footprint::default();
        footprint.write(&number.to_be_bytes());
        let command = Command {
            request: RequestId { client: ClientId(1), number },
            acked_below: 0,
            generation: 0,
            footprint: footprint.clone(),
            action: Action::Apply(bytes::Bytes::from_static(b"x")),
        };
        let batch = Batch::of(&[command]);
        assert!(self.step(at, Input::Submit { batch: batch.clone(), footprint }).is_empty());
        batch
    }

    /// Messages of one command that is submitted at `at`, and delays until it is committed there.
    fn cost(&mut self, at: NodeId, number: u64) -> (usize, u32) {
        let before = self.message_count;
        let batch = self.submit(at, number);
        let (mut delay_count, mut committed_at) = (0, None);
        while !self.travelling.is_empty() {
            delay_count += 1;
            if self.deliver(&batch).contains(&at) {
                committed_at.get_or_insert(delay_count);
            }
        }
        (self.message_count - before, committed_at.expect("it is committed"))
    }
}

/// So many messages a command with so many nodes, at all nodes or at the first.
fn costs<P: Protocol>(options: &P::Options, messages: impl Fn(usize) -> usize, everywhere: bool) {
    for count in [3, 5, 7] {
        let mut rounds = Rounds::<P>::start(count, options);
        for number in 0..20 {
            let at = if everywhere { number % count } else { 0 };
            let found = rounds.cost(NodeId::new(at), number as u64);
            assert_eq!(found, (messages(count), P::DELAY_COUNT), "{}, {count} nodes", P::NAME);
        }
    }
}

#[test]
fn simple_bpaxos_takes_five_messages_a_peer_and_four_delays() {
    costs::<SimpleBpaxos>(&Default::default(), |n| 5 * (n - 1), true);
}

#[test]
fn unanimous_bpaxos_takes_three_messages_a_peer_and_two_delays() {
    for fast in [Fast::Unanimous, Fast::Threshold] {
        let options = unanimous::Options { fast, ..Default::default() };
        costs::<UnanimousBpaxos>(&options, |n| 3 * (n - 1), true);
    }
}

#[test]
fn epaxos_takes_three_messages_a_peer_and_two_delays() {
    costs::<Epaxos>(&Default::default(), |n| 3 * (n - 1), true);
}

/// A fast quorum of ⌊n/2⌋+f, this node among them, is asked and answers; all hear of the outcome.
#[test]
fn atlas_takes_two_messages_for_each_of_its_fast_quorum_and_one_a_peer() {
    costs::<Atlas>(&Default::default(), |n| 2 * (n / 2 + (n - 1) / 2 - 1) + n - 1, true);
    costs::<Atlas>(&atlas::Options { f: Some(1), ..Default::default() }, |n| 2 * (n / 2) + n - 1, true);
}

#[test]
fn multipaxos_takes_three_messages_a_peer_and_two_delays_at_its_leader() {
    costs::<MultiPaxos>(&Default::default(), |n| 3 * (n - 1), false);
}

/// With `thrifty` a quorum is asked and answers; those who were not asked are told the value.
#[test]
fn thrifty_proposers_ask_a_quorum() {
    let epaxos = epaxos::Options { thrifty: true, ..Default::default() };
    let fast = |n| [(3, 2), (5, 3), (7, 5)].into_iter().find(|(nodes, _)| *nodes == n).expect("n − e").1;
    costs::<Epaxos>(&epaxos, |n| 2 * (fast(n) - 1) + n - 1, true);
    let simple = simple::Options { thrifty: true, ..Default::default() };
    costs::<SimpleBpaxos>(&simple, |n| 4 * (n / 2) + n - 1, true);
    let multipaxos = isegoria_multipaxos::Options { thrifty: true, ..Default::default() };
    costs::<MultiPaxos>(&multipaxos, |n| 2 * (n / 2) + (n - 1) + (n - 1 - n / 2), false);
}

/// The node that a thrifty proposer asks first is silent: one command waits for it until the
/// others are asked, `timer` running out so often, and no other; and once it is heard it is asked again.
fn fall_back<P: Protocol>(options: &P::Options, timer: &<P::Node as Node>::Timer, wait: u32) {
    let mut rounds = Rounds::<P>::start(3, options);
    let [leader, near] = [0, 1].map(NodeId::new);
    rounds.silent = NodeSet::only(near);
    let first = rounds.submit(leader, 0);
    let (mut tick_count, mut committed) = (0, false);
    while !committed {
        while !rounds.travelling.is_empty() {
            committed |= rounds.deliver(&first).contains(&leader);
        }
        if !committed {
            tick_count += 1;
            rounds.step(leader, Input::Timer(timer.clone()));
        }
    }
    assert!((wait..=2 * wait).contains(&tick_count), "{}: {tick_count} ticks, not {wait}", P::NAME);
    for number in 1..10 {
        assert_eq!(rounds.cost(leader, number).1, P::DELAY_COUNT, "{}: no wait", P::NAME);
    }
    rounds.silent = NodeSet::EMPTY;
    rounds.step(leader, Input::Trust(near));
    rounds.step(leader, Input::Timer(timer.clone()));
    while !rounds.travelling.is_empty() {
        rounds.deliver(&Batch::noop());
    }
    rounds.submit(leader, 10);
    assert!(rounds.travelling.iter().any(|(_, to, _)| *to == near), "{}: it is asked again", P::NAME);
}

#[test]
fn a_thrifty_proposer_falls_back_once() {
    let epaxos = epaxos::Options { thrifty: true, ..Default::default() };
    fall_back::<Epaxos>(&epaxos, &epaxos::Timer::Tick, epaxos.repeat_ms / epaxos.tick_ms);
    let simple = simple::Options { thrifty: true, ..Default::default() };
    fall_back::<SimpleBpaxos>(&simple, &simple::Timer::Tick, simple.repeat_ms / simple.tick_ms);
    let multipaxos = isegoria_multipaxos::Options { thrifty: true, ..Default::default() };
    fall_back::<MultiPaxos>(&multipaxos, &isegoria_multipaxos::Timer::Heartbeat, 3);
}

/// One of three is silent, and nobody suspects it: one command waits for it, and no other.
#[test]
fn a_silent_node_is_waited_for_once() {
    let options = unanimous::Options::default();
    let mut rounds = Rounds::<UnanimousBpaxos>::start(3, &options);
    rounds.silent = NodeSet::only(NodeId::new(2));
    let leader = NodeId::new(0);
    let first = rounds.submit(leader, 0);
    while !rounds.travelling.is_empty() {
        assert!(rounds.deliver(&first).is_empty(), "it may still be chosen in one round trip");
    }
    let (mut tick_count, mut committed) = (0, false);
    while !committed {
        tick_count += 1;
        rounds.step(leader, Input::Timer(unanimous::Timer::Tick));
        while !rounds.travelling.is_empty() {
            committed |= rounds.deliver(&first).contains(&leader);
        }
    }
    assert_eq!(tick_count, options.slow_ms / options.tick_ms);
    for number in 1..10 {
        assert_eq!(rounds.cost(leader, number).1, 4, "two round trips, and no wait");
    }
    rounds.silent = NodeSet::EMPTY;
    rounds.cost(leader, 10);
    assert_eq!(rounds.cost(leader, 11).1, 2, "it has voted again");
}

/// Some nodes are silent, nobody suspects them, and a leader's clock is slow, a tick in four: another
/// node recovers what the leader waits for them with, and the leader comes to an end all the same.
fn recovered_once<P: Protocol>(count: usize, silent: NodeSet, timer: &<P::Node as Node>::Timer) {
    let mut rounds = Rounds::<P>::start(count, &P::Options::default());
    rounds.silent = silent;
    let [leader, other] = [0, 1].map(NodeId::new);
    let batch = rounds.submit(leader, 0);
    let (mut tick_count, mut committed) = (0, false);
    while tick_count < 1_000 {
        while !rounds.travelling.is_empty() {
            committed |= rounds.deliver(&batch).contains(&leader);
        }
        if committed {
            break;
        }
        tick_count += 1;
        rounds.step(other, Input::Timer(timer.clone()));
        if tick_count % 4 == 0 {
            rounds.step(leader, Input::Timer(timer.clone()));
        }
    }
    assert!(committed, "{}: recovered again and again, and never chosen", P::NAME);
    assert!(tick_count > 20, "{}: the leader did not wait", P::NAME);
}

#[test]
fn a_leader_with_a_slow_clock_is_not_outbid_for_ever() {
    let nodes = |indices: &[usize]| indices.iter().copied().map(NodeId::new).collect::<NodeSet>();
    recovered_once::<Epaxos>(7, nodes(&[4, 5, 6]), &epaxos::Timer::Tick);
    recovered_once::<Atlas>(5, nodes(&[2]), &atlas::Timer::Tick);
    recovered_once::<UnanimousBpaxos>(3, nodes(&[2]), &unanimous::Timer::Tick);
}

/// The nearest node is silent for a while: the other one is asked in its place, and it again once
/// it has said anything.
#[test]
fn a_node_that_is_back_is_asked_again() {
    let options = atlas::Options::default();
    let mut rounds = Rounds::<Atlas>::start(3, &options);
    let [leader, near] = [0, 1].map(NodeId::new);
    rounds.silent = NodeSet::only(near);
    let first = rounds.submit(leader, 0);
    let mut committed = false;
    while !committed {
        rounds.step(leader, Input::Timer(atlas::Timer::Tick));
        while !rounds.travelling.is_empty() {
            committed |= rounds.deliver(&first).contains(&leader);
        }
    }
    let asked = |rounds: &mut Rounds<Atlas>, number| {
        rounds.submit(leader, number);
        let whom: Vec<NodeId> = rounds.travelling.iter().map(|(_, to, _)| *to).collect();
        while !rounds.travelling.is_empty() {
            rounds.deliver(&Batch::noop());
        }
        whom
    };
    assert_eq!(asked(&mut rounds, 1), [NodeId::new(2)]);
    rounds.silent = NodeSet::EMPTY;
    rounds.step(leader, Input::Suspect(near));
    rounds.step(leader, Input::Trust(near));
    assert_eq!(asked(&mut rounds, 2), [near]);
}

/// One of three is down: its votes are not waited for, and two round trips are needed.
#[test]
fn the_slow_path_takes_two_messages_a_peer_more() {
    let mut rounds = Rounds::<UnanimousBpaxos>::start(3, &Default::default());
    rounds.step(NodeId::new(0), Input::Suspect(NodeId::new(2)));
    let whole = Rounds::<UnanimousBpaxos>::start(3, &Default::default()).cost(NodeId::new(0), 0);
    let slow = rounds.cost(NodeId::new(0), 0);
    assert_eq!((whole, slow), ((6, 2), (10, 4)));
}
