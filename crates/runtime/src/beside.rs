use isegoria_replica::{Replica, ReplicaMessage, ReplicaOutbox, Watermarks};
use isegoria_types::{Batch, NodeId, Order};

/// What stands beside the node and tells it what may be forgotten.
#[derive(Debug)]
pub(crate) enum Beside {
    /// A replica that executes.
    Replica(Box<Replica>),
    /// The node has no replica: only what the others have executed is followed.
    Witness(Watermarks),
}

impl Beside {
    pub(crate) fn commit(&mut self, order: Order, batch: Batch, out: &mut ReplicaOutbox) {
        if let Beside::Replica(replica) = self {
            replica.commit(order, batch, out);
        }
    }

    pub(crate) fn on_message(&mut self, from: NodeId, message: ReplicaMessage, out: &mut ReplicaOutbox) {
        match self {
            Beside::Replica(replica) => replica.on_message(from, message, out),
            Beside::Witness(watermarks) => {
                if let ReplicaMessage::Progress { executed } = message
                    && let Some(everywhere) = watermarks.announce(from, &executed)
                {
                    out.executed = Some(everywhere.clone());
                    out.collect = Some(everywhere.clone());
                }
            }
        }
    }

    pub(crate) fn admits(&self, message: &ReplicaMessage, node_count: usize) -> bool {
        match (self, message) {
            (Beside::Replica(replica), message) => replica.admits(message, node_count),
            (Beside::Witness(_), ReplicaMessage::Progress { executed }) => executed.width() <= node_count,
            (Beside::Witness(_), _) => false,
        }
    }

    pub(crate) fn on_gossip(&mut self, out: &mut ReplicaOutbox) {
        if let Beside::Replica(replica) = self {
            replica.on_gossip(out);
        }
    }

    pub(crate) fn replica(&self) -> Option<&Replica> {
        match self {
            Beside::Replica(replica) => Some(replica),
            Beside::Witness(_) => None,
        }
    }
}
