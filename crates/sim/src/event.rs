use bytes::Bytes;
use isegoria_node::Node;
use isegoria_replica::ReplicaMessage;
use isegoria_types::{NodeId, Reply, Request};

/// A protocol's message or a replica's.
#[derive(Clone, Debug, Hash)]
pub(crate) enum Wire<M> {
    Node(M),
    Replica(ReplicaMessage),
}

/// What is to happen at a moment. `life` is the node's at the time of planning: what
/// belongs to an earlier one is void.
pub(crate) enum Event<N: Node> {
    Deliver {
        from: NodeId,
        to: NodeId,
        wire: Wire<N::Msg>,
    },
    Timer {
        node: NodeId,
        life: u64,
        timer: N::Timer,
        setting: u64,
    },
    Gossip {
        node: NodeId,
        life: u64,
    },
    Written {
        node: NodeId,
        life: u64,
    },
    Checkpointed {
        node: NodeId,
        life: u64,
    },
    /// A snapshot for others is written.
    Snapshot {
        node: NodeId,
        life: u64,
        number: u64,
        bytes: Option<Bytes>,
    },
    Flush {
        node: NodeId,
        life: u64,
    },
    Hint {
        node: NodeId,
        about: NodeId,
        down: bool,
    },
    Fault(usize),
    FaultEnds(usize),
    Start {
        node: NodeId,
    },
    /// Somebody puts the files of a damaged disk right.
    Mend {
        node: NodeId,
    },
    /// There is space on a disk again.
    SpaceReturns {
        node: NodeId,
    },
    Think {
        client: usize,
    },
    Wake {
        client: usize,
        setting: u64,
    },
    Request {
        to: NodeId,
        request: Request,
    },
    Reply {
        client: usize,
        reply: Reply,
    },
    NodeDown {
        client: usize,
        node: NodeId,
    },
    Heal,
}

impl<N: Node> Event<N> {
    /// The node at which this happens, if it does nothing while the node's process pauses.
    pub(crate) fn at_process(&self) -> Option<NodeId> {
        match self {
            Event::Deliver { to, .. } | Event::Request { to, .. } => Some(*to),
            Event::Timer { node, .. }
            | Event::Gossip { node, .. }
            | Event::Written { node, .. }
            | Event::Checkpointed { node, .. }
            | Event::Snapshot { node, .. }
            | Event::Flush { node, .. }
            | Event::Hint { node, .. } => Some(*node),
            _ => None,
        }
    }
}
