use crate::message::ReplicaMessage;
use crate::watermarks::Watermarks;
use isegoria_types::{NodeId, NodeSet, Prefix};

/// Gossip periods after which an unanswered `Fetch` is given up.
const PATIENCE: u32 = 10;

/// When to ask whom for what was missed.
///
/// A replica asks when another has announced more than it has executed, and its own
/// prefix has not moved since the last look: what is merely in flight is left alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct CatchUp {
    last: Prefix,
    /// Whom an unanswered `Fetch` went to, and how many periods ago.
    asked: Option<(NodeId, u32)>,
    turn: usize,
}

type Sending = (NodeSet, ReplicaMessage);

impl CatchUp {
    /// Looks once a gossip period.
    pub(crate) fn on_gossip(
        &mut self,
        own: NodeId,
        executed: &Prefix,
        marks: &Watermarks,
    ) -> Option<Sending> {
        let last = std::mem::replace(&mut self.last, executed.clone());
        if let Some((_, periods)) = &mut self.asked {
            *periods += 1;
            if *periods < PATIENCE {
                return None;
            }
        }
        let stuck_behind = |theirs: &Prefix| {
            theirs.iter().any(|(leader, below)| {
                let reached = executed.below(leader);
                below > reached && reached == last.below(leader)
            })
        };
        let ahead: Vec<NodeId> = marks
            .iter()
            .filter(|(node, theirs)| *node != own && stuck_behind(theirs))
            .map(|(node, _)| node)
            .collect();
        self.turn = self.turn.wrapping_add(1);
        let peer = *ahead.get(self.turn % ahead.len().max(1))?;
        Some(self.ask(peer, executed.clone()))
    }

    /// An answer arrived; goes on while there is more.
    pub(crate) fn on_commits(&mut self, from: NodeId, have: Prefix, more: bool) -> Option<Sending> {
        if self.asked.is_none_or(|(peer, _)| peer != from) {
            return None;
        }
        self.asked = None;
        more.then(|| self.ask(from, have))
    }

    fn ask(&mut self, peer: NodeId, have: Prefix) -> Sending {
        self.asked = Some((peer, 0));
        (NodeSet::only(peer), ReplicaMessage::Fetch { have })
    }
}
