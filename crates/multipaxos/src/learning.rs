use crate::leader::Role;
use crate::learner::commit;
use crate::message::{Entry, Message, Record};
use crate::node::{LOG_COLUMN, MultiPaxosNode};
use isegoria_node::{Event, Outbox};
use isegoria_types::{Ballot, NodeId, Prefix};

/// What is chosen: heard from the leader, from another replica, or by one's own count.
impl MultiPaxosNode {
    /// `ballot` has got this far: its votes below are chosen.
    pub(crate) fn on_chosen(&mut self, ballot: Ballot, below: u64, out: &mut Outbox<Self>) {
        self.see(ballot, Some(ballot.owner), out);
        let (announced, known) = self.announced;
        if ballot < announced || (ballot == announced && below <= known) {
            return;
        }
        let from_slot = if ballot == announced { known } else { self.learner.below() };
        self.announced = (ballot, below);
        self.learn_votes(ballot, from_slot, below, out);
    }

    /// The votes cast in `ballot` within these slots are chosen.
    pub(crate) fn learn_votes(&mut self, ballot: Ballot, from_slot: u64, below: u64, out: &mut Outbox<Self>) {
        let Some(acceptor) = &self.acceptor else { return };
        let mut run: Option<(u64, u64)> = None;
        for (slot, voted, entry) in acceptor.votes_from(from_slot).take_while(|(slot, ..)| *slot < below) {
            if voted != ballot || !self.learner.mark(slot) {
                continue;
            }
            out.commits.push(commit(slot, entry));
            run = match run {
                Some((first, end)) if end == slot => Some((first, slot + 1)),
                other => {
                    note_run(other, out);
                    Some((slot, slot + 1))
                }
            };
        }
        note_run(run, out);
        self.lead_on(out);
    }

    /// `entry` is chosen in `slot`, in this ballot if it is known. A vote in that ballot
    /// carries the value already.
    pub(crate) fn learn(&mut self, slot: u64, entry: Entry, ballot: Option<Ballot>, out: &mut Outbox<Self>) {
        if !self.learner.mark(slot) {
            return;
        }
        out.commits.push(commit(slot, &entry));
        let voted = self.acceptor.as_ref().and_then(|acceptor| acceptor.vote(slot));
        if voted.is_some_and(|(voted, _)| Some(voted) == ballot) {
            note_run(Some((slot, slot + 1)), out);
        } else {
            out.note(Record::Decided { slot, entry: entry.clone() });
            self.learner.keep(slot, entry.clone());
        }
        // What a deposed leader proposed here is not chosen, and must not be announced as if it were.
        if matches!(&self.role, Role::Leader(leading) if leading.is_overtaken(slot, &entry)) {
            self.step_down(self.seen, None, out);
        }
        self.lead_on(out);
    }

    /// A leader goes on from where it now knows everything to be chosen.
    pub(crate) fn lead_on(&mut self, out: &mut Outbox<Self>) {
        let Role::Leader(leading) = &mut self.role else { return };
        let served = leading.serves();
        if !leading.advance(self.learner.below()) {
            return;
        }
        let (ballot, below, serves) = (leading.ballot, leading.base, leading.serves());
        out.send(self.others(), Message::Chosen { ballot, below });
        if serves && !served {
            out.events.push(Event::Elected { ballot });
        }
        self.propose(out);
    }

    /// The replica has executed this. Only a snapshot brings it further than this node has
    /// heard: what is chosen there need not be what was voted for here, so the votes go.
    /// They are missed by nobody who could lead: whoever lacks these slots has to catch up
    /// first.
    pub(crate) fn on_executed(&mut self, prefix: &Prefix, out: &mut Outbox<Self>) {
        if prefix.below(NodeId::new(LOG_COLUMN)) > self.learner.below() {
            self.on_collect(prefix, out);
        }
    }

    /// All of this may be forgotten: executed, so chosen, whether this node heard of it or not.
    pub(crate) fn on_collect(&mut self, prefix: &Prefix, out: &mut Outbox<Self>) {
        let below = prefix.below(NodeId::new(LOG_COLUMN));
        if below > self.learner.below() && matches!(self.role, Role::Leader(_)) {
            // Somebody else has led: what is chosen there is not this leader's success.
            self.step_down(self.seen, None, out);
        }
        if let Some(acceptor) = &mut self.acceptor {
            acceptor.drop_below(below);
        }
        self.learner.drop_below(below);
    }
}

fn note_run(run: Option<(u64, u64)>, out: &mut Outbox<MultiPaxosNode>) {
    if let Some((from_slot, below)) = run {
        out.note(Record::ChosenVotes { from_slot, below });
    }
}
