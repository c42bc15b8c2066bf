use crate::Node;
use isegoria_types::{Batch, Command, Footprint, NodeId, Order, Prefix, Vertex};

/// One thing that happens to a node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Input<N: Node> {
    /// The process started; everything durable has been replayed.
    Start,
    /// Clients of this node want these commands executed.
    Submit {
        /// The commands.
        batch: Batch,
        /// The union of what they touch.
        footprint: Footprint,
    },
    /// A message arrived, and [`Node::admit`] let it in.
    Message {
        /// Who sent it; this node itself for its own messages.
        from: NodeId,
        /// What it says.
        message: N::Msg,
    },
    /// A timer that the node set has run out.
    Timer(N::Timer),
    /// The failure detector believes that a node is down. A hint.
    Suspect(NodeId),
    /// The failure detector believes that a node is up again. A hint.
    Trust(NodeId),
    /// The other nodes by their distance, nearest first. A hint, as far as it goes.
    Nearest(Vec<NodeId>),
    /// The replica beside this node waits for this vertex to be chosen.
    Blocked(Vertex),
    /// The replica beside this node has executed all of this.
    Executed(Prefix),
    /// Every replica has durably executed all of this: it is safe to forget.
    Collect(Prefix),
    /// The replicas have agreed that a majority of them durably holds all of this, and
    /// the one beside this node has executed it: it is safe to forget, and whoever lacks
    /// some of it takes a snapshot.
    Cut(Prefix),
    /// Another replica said that this is chosen.
    Learned(Order, Batch),
}

impl<N: Node> Input<N> {
    /// A command of the replicas' own, in a batch of its own.
    #[must_use]
    pub fn submit_alone(command: Command) -> Input<N> {
        let footprint = command.footprint.clone();
        Input::Submit { batch: Batch::of(&[command]), footprint }
    }
}
