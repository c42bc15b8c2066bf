use crate::message::ReplicaMessage;
use isegoria_types::{NodeId, NodeSet};

/// What a replica is to the others.
///
/// A **learner** stands where a member has lost its state. What that member had announced
/// holds no longer, so the learner begins only when all other nodes have taken it back: what
/// none of them forgets from then on is in every snapshot taken from then on. It takes
/// one, and follows by fetching. It announces nothing, so to the others it is one that is
/// away: they forget by cuts alone (ADR 5), and the member may come back at any time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It has all that it ever announced.
    #[default]
    Member,
    /// A learner that these nodes have not answered yet.
    Newcomer {
        /// Who may still act on what was announced.
        unanswered: NodeSet,
    },
    /// A learner that has nothing yet, and executes nothing before it has a snapshot.
    Empty,
    /// A learner that has become a snapshot.
    Follower,
}

impl Standing {
    /// A learner among `others`.
    pub(crate) fn learner(others: NodeSet) -> Standing {
        Standing::Newcomer { unanswered: others }
    }

    /// What is asked again once a gossip period, until all have answered.
    pub(crate) fn question(self) -> Option<(NodeSet, ReplicaMessage)> {
        match self {
            Standing::Newcomer { unanswered } => Some((unanswered, ReplicaMessage::Follow)),
            Standing::Member | Standing::Empty | Standing::Follower => None,
        }
    }

    /// A node has taken back what was announced.
    pub(crate) fn on_following(&mut self, from: NodeId) {
        let Standing::Newcomer { unanswered } = self else { return };
        *unanswered = unanswered.without(from);
        if unanswered.is_empty() {
            *self = Standing::Empty;
        }
    }

    /// A snapshot was installed, or contained nothing.
    pub(crate) fn on_snapshot(&mut self) {
        if *self == Standing::Empty {
            *self = Standing::Follower;
        }
    }

    /// Whether the others may build on what it has executed.
    pub(crate) fn announces(self) -> bool {
        self == Standing::Member
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_learner_waits_for_all_others_and_then_for_a_snapshot() {
        let [a, b] = [NodeId::new(0), NodeId::new(1)];
        let mut standing = Standing::learner(NodeSet::first(2));
        standing.on_snapshot();
        standing.on_following(a);
        assert_eq!(standing.question(), Some((NodeSet::only(b), ReplicaMessage::Follow)));
        standing.on_following(a);
        standing.on_following(b);
        assert_eq!((standing, standing.question()), (Standing::Empty, None));
        standing.on_snapshot();
        assert_eq!(standing, Standing::Follower);
        assert!(!standing.announces() && Standing::Member.announces());
    }
}
