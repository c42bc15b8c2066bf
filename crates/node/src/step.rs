use crate::{Input, Node, Outbox};

/// Takes one input, and then every message that the node sends to itself, as one
/// atomic step (protocols.md 1.5 rule 3): with self-delivery queued, a coordinator
/// can put two values into one ballot.
pub fn step<N: Node>(node: &mut N, input: Input<N>, out: &mut Outbox<N>) {
    node.step(input, out);
    while let Some(message) = out.take_own() {
        node.step(Input::Message { from: out.own(), message }, out);
    }
}
