//! What replicas tell each other: how far they are, what was missed, and snapshots.

use crate::message::{ReplicaMessage, ReplicaOutbox, Rest};
use crate::offer::{PIECE_BYTES_MAX, Taken};
use crate::replica::{ExecutionOrder, Kept, Replica};
use crate::snapshot::Install;
use crate::standing::Standing;
use bytes::Bytes;
use isegoria_types::{Command, NodeId, NodeSet, Order, Prefix, Vertex, WINDOW_MAX};

/// The most bytes of commands in one answer to a `Fetch`.
const COMMITS_BYTES_MAX: usize = 512 << 10;

/// The most vertices of one leader that are asked of the node when others have
/// forgotten their values.
const ASKED_AGAIN_MAX: u64 = 64;

/// The values beyond a snapshot for others are given up when they make this replica hold
/// this many times what it ought to.
const BURDEN_MAX: usize = 4;

impl Replica {
    /// Time passes: tell how far this replica is, fetch what it seems to have missed,
    /// and propose to forget what is held for too long. Called every gossip period by
    /// the driver.
    pub fn on_gossip(&mut self, out: &mut ReplicaOutbox) {
        let executed = self.executed();
        out.sends.extend(self.question(&executed));
        let burdened = self.holds_more_than(BURDEN_MAX) && self.holds_for_a_snapshot();
        self.offer.on_gossip(burdened, self.cuts.agreed(), &self.watermarks);
        let crowd = (self.history.span(), self.holds_more_than(1));
        if let Some(cut) = self.cuts.on_gossip(self.own, crowd, &self.watermarks) {
            out.propose = Some(Command::cut(cut));
        }
        // A snapshot that was installed and not written may be gone after a restart.
        if self.kept == Kept::Durably && self.standing.announces() {
            let cut = self.cuts.agreed().clone();
            out.announce = Some(ReplicaMessage::Progress { executed: executed.clone(), cut });
        }
        out.executed = Some(executed);
        self.collect(out);
    }

    /// What is to be asked now, and whom.
    fn question(&mut self, executed: &Prefix) -> Option<(NodeSet, ReplicaMessage)> {
        match self.standing {
            Standing::Member | Standing::Follower => {
                self.catch_up.on_gossip(self.own, executed, &self.watermarks)
            }
            Standing::Empty => self.catch_up.on_gossip_empty(&self.watermarks),
            Standing::Newcomer { .. } => self.standing.question(),
        }
    }

    fn holds_more_than(&self, times: usize) -> bool {
        let over = |held: usize, max: usize| held > max.saturating_mul(times);
        over(self.history.span(), self.retention.count_max)
            || over(self.history.byte_count(), self.retention.bytes_max)
    }

    /// A message from another node, or a `Progress` of its own that became durable.
    pub fn on_message(&mut self, from: NodeId, message: ReplicaMessage, out: &mut ReplicaOutbox) {
        match message {
            ReplicaMessage::Progress { executed, .. } => {
                self.watermarks.announce(from, &executed);
                self.collect(out);
            }
            ReplicaMessage::Fetch { have } => {
                self.offer.on_fetch();
                let answer = self.commits_beyond(have);
                out.sends.push((NodeSet::only(from), answer));
            }
            ReplicaMessage::Commits { commits, mut have, rest } => {
                out.learned.extend(commits);
                // What was executed since the question, and announced, the other one may have forgotten: asked
                // for it, it would offer a whole snapshot.
                have.union(&self.executed());
                if rest == Rest::Forgotten {
                    self.ask_again(from, &have, out);
                }
                if let Some(question) = self.catch_up.on_commits(from, have, rest) {
                    out.sends.push(question);
                }
            }
            ReplicaMessage::Follow => {
                self.watermarks.take_back(from);
                out.sends.push((NodeSet::only(from), ReplicaMessage::Following));
            }
            ReplicaMessage::Following => self.standing.on_following(from),
            ReplicaMessage::TakeSnapshot { useless } => self.on_take_snapshot(from, useless, out),
            ReplicaMessage::NextPiece { snapshot, offset } => {
                let answer = self.offer.piece(snapshot, offset);
                out.sends.push((NodeSet::only(from), answer));
            }
            ReplicaMessage::Piece { .. } | ReplicaMessage::Withdrawn { .. } | ReplicaMessage::Preparing => {
                match self.catch_up.on_snapshot(from, &message) {
                    Taken::Nothing => {}
                    Taken::Ask(to, question) => out.sends.push((to, question)),
                    Taken::Whole { snapshot, bytes } => self.take_over((from, snapshot), &bytes, out),
                }
            }
        }
    }

    /// Tells the node what may be forgotten, and forgets it here, but for what a snapshot
    /// for others is followed by.
    pub(crate) fn collect(&mut self, out: &mut ReplicaOutbox) {
        let executed = self.executed();
        let (everywhere, cut) = &mut self.told;
        let executed_of = |prefix: &Prefix| {
            let mut both = prefix.clone();
            both.intersect(&executed);
            both
        };
        let grown = |told: &mut Prefix, now: Prefix| {
            let grows = !told.covers(&now);
            told.union(&now);
            grows.then(|| told.clone())
        };
        out.collect = grown(everywhere, executed_of(self.watermarks.everywhere())).or(out.collect.take());
        out.cut = grown(cut, executed_of(self.cuts.agreed())).or(out.cut.take());
        let mut gone = self.forgettable();
        if let Some(offered) = self.offer.keeps_beyond() {
            gone.intersect(offered);
        }
        self.history.drop_prefix(&gone);
    }

    /// What need not be held, but for a snapshot for others.
    fn forgettable(&self) -> Prefix {
        let (everywhere, cut) = &self.told;
        let mut gone = everywhere.clone();
        gone.union(cut);
        gone
    }

    /// Whether values are held only because they are beyond the snapshot that is kept.
    fn holds_for_a_snapshot(&self) -> bool {
        self.offer.keeps_beyond().is_some_and(|offered| !offered.covers(&self.forgettable()))
    }

    /// Executed values beyond `have`, as many as fit into one message.
    fn commits_beyond(&self, mut have: Prefix) -> ReplicaMessage {
        let (mut commits, mut bytes, mut rest) = (Vec::new(), 0, Rest::Nothing);
        let executed = self.executed();
        let forgotten = |(leader, below): (NodeId, u64)| {
            let next = Vertex::new(leader, have.below(leader));
            next.number < below && self.history.get(next).is_none()
        };
        // Whoever needs a snapshot needs nothing that it contains.
        if executed.iter().any(forgotten) {
            return ReplicaMessage::Commits { commits, have, rest: Rest::Forgotten };
        }
        for (leader, below) in executed.iter() {
            for number in have.below(leader)..below {
                if bytes > COMMITS_BYTES_MAX {
                    rest = Rest::More;
                    break;
                }
                let Some((order, batch)) = self.history.get(Vertex::new(leader, number)) else {
                    rest = rest.max(Rest::Forgotten);
                    break;
                };
                bytes += batch.byte_len() + 64;
                commits.push((order.clone(), batch.clone()));
                have.raise(leader, number + 1);
            }
        }
        ReplicaMessage::Commits { commits, have, rest }
    }

    /// The other one has no values of what comes next. A snapshot may have it; what was
    /// forgotten without a cut, because it came with a snapshot itself, the acceptors
    /// still hold.
    fn ask_again(&self, from: NodeId, have: &Prefix, out: &mut ReplicaOutbox) {
        let Some(theirs) = self.watermarks.of(from) else { return };
        for (leader, below) in theirs.iter() {
            let first = have.below(leader);
            let numbers = first..below.min(first.saturating_add(ASKED_AGAIN_MAX));
            let vertices = numbers.map(|number| Vertex::new(leader, number));
            out.blocked.extend(vertices.filter(|vertex| !self.has_executed(*vertex)));
        }
    }

    fn on_take_snapshot(&mut self, from: NodeId, useless: Option<u64>, out: &mut ReplicaOutbox) {
        let mut answer = self.offer.on_take(from, useless);
        // Before more is executed here, another would be of no more use: no answer.
        if answer.is_none() && useless != Some(self.executed_number()) {
            let (snapshot, frozen) = self.freeze_for_others();
            self.offer.begin(snapshot, self.executed());
            out.write = Some((snapshot, frozen));
            answer = Some(ReplicaMessage::Preparing);
        }
        out.sends.extend(answer.map(|answer| (NodeSet::only(from), answer)));
    }

    /// The driver has written the snapshot that [`ReplicaOutbox::write`] wished; `None`
    /// if it could not.
    pub fn on_written(&mut self, snapshot: u64, bytes: Option<Bytes>) {
        self.offer.on_written(snapshot, bytes);
    }

    /// Another's snapshot is here.
    fn take_over(&mut self, (from, snapshot): (NodeId, u64), bytes: &[u8], out: &mut ReplicaOutbox) {
        match self.install((from, snapshot), bytes, out) {
            Ok(Install::Adopted) => {
                self.kept = Kept::Unwritten;
                self.standing.on_snapshot();
            }
            Ok(Install::Useless) => {
                self.catch_up.on_useless(snapshot);
                self.standing.on_snapshot();
            }
            // A later one, or another's, is asked for at the next look.
            Ok(Install::Impossible) => self.catch_up.on_useless(snapshot),
            // Damaged on its way: the same is as good.
            Err(_) => {}
        }
    }

    /// Whether a checkpoint is wanted at once: until one is complete, what others think
    /// that this replica has does not grow.
    #[must_use]
    pub fn wants_checkpoint(&self) -> bool {
        self.kept == Kept::Unwritten
    }

    /// The driver takes a checkpoint of the replica as it is now.
    pub fn checkpoint_begun(&mut self) {
        if self.kept == Kept::Unwritten {
            self.kept = Kept::InWriting;
        }
    }

    /// A checkpoint ended: the one begun last, and well or not.
    pub fn checkpoint_ended(&mut self, well: bool) {
        if self.kept == Kept::InWriting {
            self.kept = if well { Kept::Durably } else { Kept::Unwritten };
        }
    }

    /// Whether a message can have come from a correct peer of a cluster of `node_count`.
    #[must_use]
    pub fn admits(&self, message: &ReplicaMessage, node_count: usize) -> bool {
        let near = |prefix: &Prefix| {
            prefix.width() <= node_count
                && prefix
                    .iter()
                    .all(|(leader, below)| below <= self.history.base(leader).saturating_add(WINDOW_MAX))
        };
        match message {
            ReplicaMessage::Progress { executed, cut } => {
                executed.width() <= node_count && cut.width() <= node_count
            }
            ReplicaMessage::Fetch { have } => have.width() <= node_count,
            ReplicaMessage::Commits { commits, have, .. } => {
                have.width() <= node_count
                    && commits.iter().all(|(order, _)| {
                        let deps_near = match order {
                            Order::Vertex(_, deps) => near(deps.as_prefix()),
                            Order::Slot { .. } => true,
                        };
                        let kind_fits = matches!(
                            (order, &self.order),
                            (Order::Vertex(..), ExecutionOrder::Graph(_))
                                | (Order::Slot { .. }, ExecutionOrder::Log(_))
                        );
                        let vertex = order.place();
                        let known = vertex.epoch.0 == 0
                            && vertex.leader.index() < node_count
                            && self.history.admits(vertex);
                        deps_near && kind_fits && known
                    })
            }
            ReplicaMessage::Piece { offset, size, bytes, .. } => {
                bytes.len() <= PIECE_BYTES_MAX
                    && offset.checked_add(bytes.len() as u64).is_some_and(|end| end <= *size)
            }
            ReplicaMessage::TakeSnapshot { .. }
            | ReplicaMessage::Preparing
            | ReplicaMessage::NextPiece { .. }
            | ReplicaMessage::Withdrawn { .. }
            | ReplicaMessage::Follow
            | ReplicaMessage::Following => true,
        }
    }
}
