use crate::message::{ReplicaMessage, Rest};
use crate::offer::{Taken, Taking};
use crate::watermarks::Watermarks;
use isegoria_types::{NodeId, NodeSet, Prefix};

/// Gossip periods after which an unanswered question is given up.
const PATIENCE: u32 = 10;
/// Gossip periods after which a question about a snapshot is repeated.
const REPEAT: u32 = 2;

/// When to ask whom for what was missed.
///
/// A replica asks when another has announced more than it has executed, and its own
/// prefix has not moved since the last look: what is merely in flight is left alone.
/// Values that the other has forgotten come as its snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct CatchUp {
    last: Prefix,
    asked: Asked,
    /// Gossip periods since the last answer.
    periods: u32,
    turn: usize,
    /// The last snapshot that was of no use.
    useless: Option<u64>,
}

/// What was asked and not answered yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
enum Asked {
    #[default]
    Nothing,
    Fetch(NodeId),
    Snapshot(Taking),
}

/// Whether a question is open.
enum Waits {
    /// It is, and this is to be said again.
    For(Option<Sending>),
    ForNothing,
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
        if let Waits::For(question) = self.wait() {
            return question;
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
        let peer = self.next_of(&ahead)?;
        Some(self.fetch(peer, executed.clone()))
    }

    /// Looks once a gossip period, of a replica that has nothing and may not begin with
    /// values: any other's snapshot will do.
    pub(crate) fn on_gossip_empty(&mut self, marks: &Watermarks) -> Option<Sending> {
        if let Waits::For(question) = self.wait() {
            return question;
        }
        let others: Vec<NodeId> = marks.iter().map(|(node, _)| node).collect();
        let peer = self.next_of(&others)?;
        Some(self.take_from(peer))
    }

    /// A period has passed: whether a question is still open, and what to repeat of it.
    fn wait(&mut self) -> Waits {
        self.periods += 1;
        match &self.asked {
            Asked::Snapshot(taking) if self.periods < PATIENCE => {
                Waits::For(self.periods.is_multiple_of(REPEAT).then(|| taking.question()))
            }
            Asked::Fetch(_) if self.periods < PATIENCE => Waits::For(None),
            _ => {
                self.asked = Asked::Nothing;
                Waits::ForNothing
            }
        }
    }

    fn next_of(&mut self, peers: &[NodeId]) -> Option<NodeId> {
        self.turn = self.turn.wrapping_add(1);
        peers.get(self.turn % peers.len().max(1)).copied()
    }

    /// An answer arrived; goes on while there is more, by a snapshot if need be.
    pub(crate) fn on_commits(&mut self, from: NodeId, have: Prefix, rest: Rest) -> Option<Sending> {
        if self.asked != Asked::Fetch(from) {
            return None;
        }
        self.asked = Asked::Nothing;
        match rest {
            Rest::Nothing => None,
            Rest::More => Some(self.fetch(from, have)),
            Rest::Forgotten => Some(self.take_from(from)),
        }
    }

    fn take_from(&mut self, peer: NodeId) -> Sending {
        let taking = Taking::begin(peer, self.useless);
        let question = taking.question();
        (self.asked, self.periods) = (Asked::Snapshot(taking), 0);
        question
    }

    fn fetch(&mut self, peer: NodeId, have: Prefix) -> Sending {
        (self.asked, self.periods) = (Asked::Fetch(peer), 0);
        (NodeSet::only(peer), ReplicaMessage::Fetch { have })
    }

    /// A snapshot that came was of no use.
    pub(crate) fn on_useless(&mut self, snapshot: u64) {
        self.useless = Some(snapshot);
    }

    /// A holder says something about a snapshot.
    pub(crate) fn on_snapshot(&mut self, from: NodeId, message: &ReplicaMessage) -> Taken {
        let Asked::Snapshot(taking) = &mut self.asked else { return Taken::Nothing };
        if taking.from() != from {
            return Taken::Nothing;
        }
        let taken = match message {
            ReplicaMessage::Piece { snapshot, offset, size, bytes } => {
                taking.on_piece((*snapshot, *offset, *size), bytes)
            }
            ReplicaMessage::Withdrawn { snapshot } => taking.on_withdrawn(*snapshot),
            ReplicaMessage::Preparing => {
                self.periods = 0;
                Taken::Nothing
            }
            _ => Taken::Nothing,
        };
        match &taken {
            Taken::Nothing => {}
            Taken::Ask(..) => self.periods = 0,
            Taken::Whole { .. } => self.asked = Asked::Nothing,
        }
        taken
    }
}
