use crate::leader::{Candidate, Leading, Role};
use crate::message::{Content, Entry, Message, Record, Timer, Vote};
use crate::node::MultiPaxosNode;
use isegoria_acceptor::{LogAcceptor, LogPromise};
use isegoria_node::{Event, Outbox};
use isegoria_proposer::{LogAnswer, log_choice};
use isegoria_types::{Ballot, Batch, NodeId, NodeSet, Refusal};
use std::collections::VecDeque;

/// The most bytes of commands in one report of votes.
const REPORT_BYTES_MAX: usize = 1 << 20;

/// Who leads: waiting, asking, taking over, stepping down.
impl MultiPaxosNode {
    pub(crate) fn on_timer(&mut self, timer: Timer, out: &mut Outbox<Self>) {
        match timer {
            Timer::Election => self.on_election_timer(out),
            Timer::Heartbeat => self.on_heartbeat_timer(out),
        }
    }

    pub(crate) fn on_election_timer(&mut self, out: &mut Outbox<Self>) {
        let patience = self.options.election_ms;
        out.set_timer(Timer::Election, patience..=2 * patience);
        match &mut self.role {
            Role::Leader(leading) => {
                let mut present = std::mem::take(&mut leading.heard_from);
                present.insert(self.own);
                if !self.layout.quorums.phase2.is_quorum(present) {
                    self.step_down(self.seen, None, out);
                }
            }
            _ if std::mem::take(&mut self.heard_leader) => {}
            _ if self.layout.leaders.contains(self.own) => self.canvass(out),
            _ => {}
        }
    }

    /// A hint that the leader is gone: look soon, and at different times.
    pub(crate) fn on_suspect(&mut self, node: NodeId, out: &mut Outbox<Self>) {
        if self.role == (Role::Follower { leader: Some(node) }) {
            self.heard_leader = false;
            out.set_timer(Timer::Election, 10..=self.options.election_ms / 2);
        }
    }

    pub(crate) fn canvass(&mut self, out: &mut Outbox<Self>) {
        let ballot = self.seen.next_for(self.own);
        self.role = Role::Prospect { ballot, supporters: NodeSet::EMPTY };
        out.send(self.layout.acceptors, Message::PreVote { ballot, from_slot: self.learner.below() });
    }

    pub(crate) fn on_pre_vote(
        &mut self,
        from: NodeId,
        ballot: Ballot,
        from_slot: u64,
        out: &mut Outbox<Self>,
    ) {
        // Whoever lacks what is forgotten here has to catch up before it can lead.
        if self.acceptor.as_ref().is_some_and(|acceptor| acceptor.base() > from_slot) {
            return;
        }
        let leads = matches!(self.role, Role::Leader(_));
        if !leads && !self.heard_leader && ballot > self.seen {
            out.send_to(from, Message::PreVoteOk { ballot });
        } else if self.seen >= ballot {
            out.send_to(from, Message::Nack { ballot, promised: self.seen });
        }
    }

    pub(crate) fn on_pre_vote_ok(&mut self, from: NodeId, asked: Ballot, out: &mut Outbox<Self>) {
        let Role::Prospect { ballot, supporters } = &mut self.role else { return };
        if *ballot != asked {
            return;
        }
        supporters.insert(from);
        if self.layout.quorums.phase1.is_quorum(*supporters) {
            self.campaign(out);
        }
    }

    pub(crate) fn campaign(&mut self, out: &mut Outbox<Self>) {
        self.seen = self.seen.next_for(self.own);
        let (ballot, from_slot) = (self.seen, self.learner.below());
        self.role = Role::Candidate(Candidate::new(ballot, from_slot));
        out.persist(Record::Campaigned(ballot));
        out.send(self.layout.acceptors, Message::Phase1a { ballot, from_slot });
    }

    /// Promise iff the ballot is the highest.
    pub(crate) fn on_phase1a(
        &mut self,
        from: NodeId,
        ballot: Ballot,
        from_slot: u64,
        out: &mut Outbox<Self>,
    ) {
        self.see(ballot, None, out);
        let Some(acceptor) = &mut self.acceptor else { return };
        match acceptor.promise(ballot, from_slot) {
            LogPromise::Rejected { promised } => {
                out.send_to(from, Message::Nack { ballot, promised });
                return;
            }
            LogPromise::Granted { .. } => out.persist(Record::Promised(ballot)),
            LogPromise::Repeated { .. } => {}
        }
        let ((votes, next_slot), base) = (report(acceptor, from_slot), acceptor.base());
        out.send_to(from, Message::Phase1b { ballot, from_slot, votes, next_slot, base });
    }

    pub(crate) fn on_phase1b(&mut self, from: NodeId, report: Report, out: &mut Outbox<Self>) {
        let Role::Candidate(candidate) = &mut self.role else { return };
        if candidate.ballot != report.ballot {
            return;
        }
        let (ballot, next_slot) = (report.ballot, report.next_slot);
        candidate.on_report(from, report);
        if let Some(from_slot) = next_slot {
            out.send_to(from, Message::Phase1a { ballot, from_slot });
        } else if self.layout.quorums.phase1.is_quorum(candidate.promised) {
            self.take_over(out);
        }
    }

    /// Phase 1 is complete: propose what it found, unchanged; noops into the holes;
    /// then `StartWorking`.
    pub(crate) fn take_over(&mut self, out: &mut Outbox<Self>) {
        let follower = Role::Follower { leader: None };
        let Role::Candidate(candidate) = std::mem::replace(&mut self.role, follower) else { return };
        let ballot = candidate.ballot;
        // What an acceptor has dropped is chosen, and nothing may be proposed there: it would
        // undo that (trace B11). It is executed here too, hence below this by now, unless
        // this node was away for a cut: then it has to catch up first.
        let from_slot = self.learner.below();
        if candidate.base > from_slot {
            return;
        }
        let found = LogAnswer { base: from_slot, votes: candidate.votes };
        let choice = log_choice(&[found], from_slot);
        let base = choice.first;
        let noop = || Entry { origin: ballot, content: Content::Batch(Batch::noop()) };
        let mut takeover: VecDeque<Entry> =
            choice.entries.into_iter().map(|(_, entry)| entry.unwrap_or_else(noop)).collect();
        let working_slot = base + takeover.len() as u64;
        takeover.push_back(Entry { origin: ballot, content: Content::StartWorking });
        // What it learned as a candidate may come from a higher ballot: then this one is over.
        if self.contradicts(base, &takeover) {
            return;
        }
        if self.options.thrifty {
            // The leader before may be down; whoever has just promised is not.
            self.peers.missed(self.layout.acceptors.difference(candidate.promised));
            candidate.promised.iter().for_each(|node| self.peers.heard(node));
        }
        self.role = Role::Leader(Leading {
            ballot,
            base,
            in_flight: VecDeque::new(),
            takeover,
            queue: VecDeque::new(),
            working_slot,
            heard_from: candidate.promised,
        });
        self.propose(out);
        self.on_heartbeat_timer(out);
    }

    /// Whether something else is chosen, as far as this node knows, where these entries would go.
    fn contradicts(&self, base: u64, entries: &VecDeque<Entry>) -> bool {
        let known = |slot| self.learner.value(slot, self.acceptor.as_ref());
        let mut proposals = (base..).zip(entries);
        proposals.any(|(slot, entry)| self.learner.is_chosen(slot) && known(slot) != Some(entry))
            || self.learner.runs().last().is_some_and(|(_, end)| *end > base + entries.len() as u64)
    }

    /// A higher ballot ends a candidacy or a leadership; a leader's word in the highest
    /// ballot is heard. A candidate's and a leader's own ballot is always `seen`.
    pub(crate) fn see(&mut self, ballot: Ballot, leader: Option<NodeId>, out: &mut Outbox<Self>) {
        if ballot > self.seen {
            self.seen = ballot;
            self.step_down(ballot, leader, out);
        }
        if let Some(leader) = leader.filter(|leader| *leader != self.own && ballot == self.seen) {
            self.heard_leader = true;
            self.role = Role::Follower { leader: Some(leader) };
        }
    }

    /// Stops leading or campaigning. What was queued is refused; what was proposed may
    /// still be chosen, and its clients ask again.
    pub(crate) fn step_down(&mut self, by: Ballot, leader: Option<NodeId>, out: &mut Outbox<Self>) {
        if let Role::Leader(leading) = std::mem::replace(&mut self.role, Role::Follower { leader }) {
            out.events.push(Event::Deposed { by });
            for entry in leading.queue {
                if let Content::Batch(batch) = entry.content {
                    out.refusals.push((batch, Refusal::NotLeader { leader }));
                }
            }
        }
    }
}

/// The fields of `Phase1b`.
pub(crate) struct Report {
    pub(crate) ballot: Ballot,
    pub(crate) from_slot: u64,
    pub(crate) votes: Vec<Vote>,
    pub(crate) next_slot: Option<u64>,
    pub(crate) base: u64,
}

/// The votes from a slot on that fit into one message, and where to ask on.
fn report(acceptor: &LogAcceptor<Entry>, from_slot: u64) -> (Vec<Vote>, Option<u64>) {
    let (mut votes, mut bytes) = (Vec::new(), 0);
    for (slot, ballot, entry) in acceptor.votes_from(from_slot) {
        if bytes > REPORT_BYTES_MAX {
            return (votes, Some(slot));
        }
        if let Content::Batch(batch) = &entry.content {
            bytes += batch.byte_len();
        }
        bytes += 64;
        votes.push(Vote { slot, ballot, entry: entry.clone() });
    }
    (votes, None)
}
