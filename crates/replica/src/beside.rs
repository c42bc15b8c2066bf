use crate::{Replica, ReplicaMessage, ReplicaOutbox, Watermarks};
use isegoria_machine::Machine;
use isegoria_node::OrderKind;
use isegoria_types::{Batch, Layout, NodeId, Order};

/// What stands beside the node and tells it what may be forgotten.
#[derive(Debug)]
pub enum Beside {
    /// A replica that executes.
    Replica(Box<Replica>),
    /// The node has no replica: only what the others have executed is followed.
    Witness(Watermarks),
}

impl Beside {
    /// What stands beside the node `own`.
    #[must_use]
    pub fn new(own: NodeId, layout: &Layout, order: OrderKind, machine: Box<dyn Machine>) -> Beside {
        if layout.replicas.contains(own) {
            Beside::Replica(Box::new(Replica::new(own, layout, order, machine)))
        } else {
            Beside::Witness(Watermarks::new(layout.replicas))
        }
    }

    /// See [`Replica::commit`].
    pub fn commit(&mut self, order: Order, batch: Batch, out: &mut ReplicaOutbox) {
        if let Beside::Replica(replica) = self {
            replica.commit(order, batch, out);
        }
    }

    /// See [`Replica::on_message`]; a witness only hears how far the replicas are.
    pub fn on_message(&mut self, from: NodeId, message: ReplicaMessage, out: &mut ReplicaOutbox) {
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

    /// Whether the message can have come from a correct peer of a cluster of `node_count`.
    #[must_use]
    pub fn admits(&self, message: &ReplicaMessage, node_count: usize) -> bool {
        match (self, message) {
            (Beside::Replica(replica), message) => replica.admits(message, node_count),
            (Beside::Witness(_), ReplicaMessage::Progress { executed }) => executed.width() <= node_count,
            (Beside::Witness(_), _) => false,
        }
    }

    /// See [`Replica::on_gossip`].
    pub fn on_gossip(&mut self, out: &mut ReplicaOutbox) {
        if let Beside::Replica(replica) = self {
            replica.on_gossip(out);
        }
    }

    /// The replica, if there is one.
    #[must_use]
    pub fn replica(&self) -> Option<&Replica> {
        match self {
            Beside::Replica(replica) => Some(replica),
            Beside::Witness(_) => None,
        }
    }
}
