use crate::message::{ReplicaMessage, ReplicaOutbox};
use crate::watermarks::Watermarks;
use isegoria_types::{NodeId, NodeSet, Prefix};

/// What stands beside a node without a replica: it hears what the replicas have executed
/// and cut, and tells the node once what may be forgotten.
#[derive(Debug)]
pub struct Witness {
    watermarks: Watermarks,
    /// The last cut that the node was told.
    cut: Prefix,
}

impl Witness {
    pub(crate) fn new(replicas: NodeSet) -> Witness {
        Witness { watermarks: Watermarks::new(replicas), cut: Prefix::default() }
    }

    pub(crate) fn on_message(&mut self, from: NodeId, message: ReplicaMessage, out: &mut ReplicaOutbox) {
        match message {
            ReplicaMessage::Progress { executed, cut } => {
                if let Some(everywhere) = self.watermarks.announce(from, &executed) {
                    out.executed = Some(everywhere.clone());
                    out.collect = Some(everywhere.clone());
                }
                // Cuts are a chain: one that does not contain the last is an older one.
                if cut.covers(&self.cut) && cut != self.cut {
                    self.cut.clone_from(&cut);
                    out.cut = Some(cut);
                }
            }
            ReplicaMessage::Follow => {
                self.watermarks.take_back(from);
                out.sends.push((NodeSet::only(from), ReplicaMessage::Following));
            }
            _ => {}
        }
    }

    /// Whether the message is for a node without a replica, of a cluster of `node_count`.
    pub(crate) fn admits(message: &ReplicaMessage, node_count: usize) -> bool {
        match message {
            ReplicaMessage::Progress { executed, cut } => {
                executed.width() <= node_count && cut.width() <= node_count
            }
            ReplicaMessage::Follow => true,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(witness: &mut Witness, cut: &[u64]) -> Option<Prefix> {
        let mut out = ReplicaOutbox::default();
        let message = ReplicaMessage::Progress { executed: Prefix::default(), cut: Prefix::new(cut) };
        witness.on_message(NodeId::new(0), message, &mut out);
        out.cut
    }

    #[test]
    fn a_cut_is_told_once_and_no_older_one_after_it() {
        let mut witness = Witness::new(NodeSet::first(2));
        assert_eq!(told(&mut witness, &[]), None);
        assert_eq!(told(&mut witness, &[4, 2]), Some(Prefix::new(&[4, 2])));
        assert_eq!(told(&mut witness, &[4, 2]), None);
        assert_eq!(told(&mut witness, &[4, 1]), None);
        assert_eq!(told(&mut witness, &[6, 2]), Some(Prefix::new(&[6, 2])));
    }
}
