//! What a checkpoint must hold although others have forgotten it.

use isegoria_bpaxos::Value;
use isegoria_bpaxos::simple::{self, SimpleBpaxos};
use isegoria_bpaxos::unanimous::{self, UnanimousBpaxos};
use isegoria_node::{Input, Node, Outbox, Protocol, step};
use isegoria_types::{Ballot, Batch, Command, DepSet, Layout, NodeId, Prefix, QuorumSystem, Vertex};

const VERTEX: u64 = 0;

/// What n2 answers to the last of these messages of n1 (and n3), if it is started anew from a
/// checkpoint before that one.
fn answers<P: Protocol>(messages: Vec<<P::Node as Node>::Msg>) -> Vec<<P::Node as Node>::Msg>
where
    P::Options: Default,
{
    let layout = Layout::co_located(3, &QuorumSystem::Majority).expect("a legal layout");
    let fresh = || P::build(NodeId::new(1), &layout, &P::Options::default()).expect("legal options");
    let (mut node, mut out) = (fresh(), Outbox::new(NodeId::new(1)));
    let (last, first) = messages.split_last().expect("some");
    for message in first {
        step(&mut node, Input::Message { from: NodeId::new(0), message: message.clone() }, &mut out);
    }
    let mut records = Vec::new();
    node.checkpoint(&mut records);
    let mut again = fresh();
    records.into_iter().for_each(|record| again.replay(record));
    let mut out = Outbox::new(NodeId::new(1));
    step(&mut again, Input::Message { from: NodeId::new(2), message: last.clone() }, &mut out);
    out.sends.into_iter().map(|send| send.message).collect()
}

fn vertex() -> Vertex {
    Vertex::new(NodeId::new(0), VERTEX)
}

fn batch() -> Batch {
    Batch::of(&[Command::expire_sessions(1)])
}

/// What is forgotten elsewhere, and not executed here.
fn floor() -> Prefix {
    Prefix::new(&[VERTEX + 1])
}

fn ballot() -> Ballot {
    Ballot { round: 2, owner: NodeId::new(2) }
}

#[test]
fn simple_bpaxos_keeps_votes_for_what_only_others_have_forgotten() {
    use simple::Message;
    let value = Value { batch: batch(), deps: DepSet::default() };
    let first = Ballot::initial(NodeId::new(0));
    let answers = answers::<SimpleBpaxos>(vec![
        Message::Phase2a { vertex: vertex(), ballot: first, value: value.clone() },
        Message::Gced { floor: floor() },
        Message::Phase1a { vertex: vertex(), ballot: ballot() },
    ]);
    let vote = Some((first, value));
    assert_eq!(answers, [Message::Phase1b { vertex: vertex(), ballot: ballot(), vote }]);
}

#[test]
fn unanimous_bpaxos_keeps_votes_for_what_only_others_have_forgotten() {
    use unanimous::Message;
    let answers = answers::<UnanimousBpaxos>(vec![
        Message::FastPropose { vertex: vertex(), batch: batch(), floor: Prefix::default(), base: None },
        Message::Gced { floor: floor() },
        Message::Phase1a { vertex: vertex(), ballot: ballot() },
    ]);
    let found = &answers[..];
    assert!(matches!(found, [Message::Phase1b { vote: Some(_), .. }]), "{found:?}");
}
