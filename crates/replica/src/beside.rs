use crate::{Replica, ReplicaMessage, ReplicaOutbox, Retention, Witness};
use bytes::Bytes;
use isegoria_machine::Machine;
use isegoria_node::OrderKind;
use isegoria_types::{Batch, Layout, NodeId, Order};

/// What stands beside the node and tells it what may be forgotten.
#[derive(Debug)]
pub enum Beside {
    /// A replica that executes.
    Replica(Box<Replica>),
    /// The node has no replica: only what the others may forget is followed.
    Witness(Witness),
}

impl Beside {
    /// What stands beside the node `own`.
    #[must_use]
    pub fn new(own: NodeId, layout: &Layout, order: OrderKind, machine: Box<dyn Machine>) -> Beside {
        if layout.replicas.contains(own) {
            Beside::Replica(Box::new(Replica::new(own, layout, order, machine)))
        } else {
            Beside::Witness(Witness::new(layout.replicas))
        }
    }

    /// See [`Replica::retain`].
    pub fn retain(&mut self, retention: Retention) {
        if let Beside::Replica(replica) = self {
            replica.retain(retention);
        }
    }

    /// See [`Replica::become_learner`]; a witness has nothing to follow with.
    pub fn become_learner(&mut self) {
        if let Beside::Replica(replica) = self {
            replica.become_learner();
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
            Beside::Witness(witness) => witness.on_message(from, message, out),
        }
    }

    /// Whether the message can have come from a correct peer of a cluster of `node_count`.
    #[must_use]
    pub fn admits(&self, message: &ReplicaMessage, node_count: usize) -> bool {
        match (self, message) {
            (Beside::Replica(replica), message) => replica.admits(message, node_count),
            (Beside::Witness(_), message) => Witness::admits(message, node_count),
        }
    }

    /// See [`Replica::on_gossip`].
    pub fn on_gossip(&mut self, out: &mut ReplicaOutbox) {
        if let Beside::Replica(replica) = self {
            replica.on_gossip(out);
        }
    }

    /// See [`Replica::on_written`].
    pub fn on_written(&mut self, snapshot: u64, bytes: Option<Bytes>) {
        if let Beside::Replica(replica) = self {
            replica.on_written(snapshot, bytes);
        }
    }

    /// See [`Replica::wants_checkpoint`].
    #[must_use]
    pub fn wants_checkpoint(&self) -> bool {
        self.replica().is_some_and(Replica::wants_checkpoint)
    }

    /// See [`Replica::checkpoint_begun`].
    pub fn checkpoint_begun(&mut self) {
        if let Beside::Replica(replica) = self {
            replica.checkpoint_begun();
        }
    }

    /// See [`Replica::checkpoint_ended`].
    pub fn checkpoint_ended(&mut self, well: bool) {
        if let Beside::Replica(replica) = self {
            replica.checkpoint_ended(well);
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
