//! The commands of a vertex reach the state machine together, each once.

use bytes::Bytes;
use isegoria_machine::{Erased, StateMachine};
use isegoria_node::OrderKind;
use isegoria_replica::{Replica, ReplicaOutbox};
use isegoria_types::{
    Action, Batch, ClientId, Command, DepSet, Footprint, Layout, NodeId, Order, Outcome, QuorumSystem,
    RequestId, Vertex,
};
use serde::{Deserialize, Serialize};

/// Remembers how many commands came with each.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Batches(Vec<usize>);

impl StateMachine for Batches {
    type Command = u64;
    type Output = (u64, usize);

    fn footprint(_: &u64, footprint: &mut Footprint) {
        footprint.everything();
    }

    fn apply(&mut self, command: u64) -> (u64, usize) {
        self.apply_batch(vec![command])[0]
    }

    fn apply_batch(&mut self, commands: Vec<u64>) -> Vec<(u64, usize)> {
        self.0.push(commands.len());
        commands.iter().map(|command| (*command, self.0.len())).collect()
    }
}

fn command(number: u64) -> Command {
    Command {
        request: RequestId { client: ClientId(7), number },
        acked_below: 0,
        generation: 0,
        footprint: Footprint::Everything,
        action: Action::Apply(postcard::to_stdvec(&number).expect("encodes").into()),
    }
}

fn answers(replica: &mut Replica, number: u64, commands: &[Command]) -> Vec<(u64, Option<(u64, usize)>)> {
    let mut out = ReplicaOutbox::default();
    let vertex = Vertex::new(NodeId::new(0), number);
    replica.commit(Order::Vertex(vertex, DepSet::default()), Batch::of(commands), &mut out);
    let read = |bytes: &Bytes| postcard::from_bytes(bytes).expect("an output");
    let answer = |outcome: &Outcome| match outcome {
        Outcome::Done(output) => Some(read(output)),
        _ => None,
    };
    out.replies.iter().map(|reply| (reply.request.number, answer(&reply.outcome))).collect()
}

#[test]
fn a_vertex_is_one_batch_of_the_machine() {
    let layout = Layout::co_located(3, &QuorumSystem::Majority).expect("a legal layout");
    let machine = Box::new(Erased::<Batches>::default());
    let mut replica = Replica::new(NodeId::new(0), &layout, OrderKind::Graph, machine);
    let first = answers(&mut replica, 0, &[command(0), command(1), command(2)]);
    assert_eq!(first, [(0, Some((0, 1))), (1, Some((1, 1))), (2, Some((2, 1)))]);
    // A request twice in one batch is applied once and answered twice, and so is one from before.
    let second = answers(&mut replica, 1, &[command(3), command(4), command(3), command(1), command(5)]);
    let expected = [(3, (3, 2)), (4, (4, 2)), (3, (3, 2)), (1, (1, 1)), (5, (5, 3))];
    assert_eq!(second, expected.map(|(number, output)| (number, Some(output))));
    assert_eq!(replica.applied_count(), 6);
}
