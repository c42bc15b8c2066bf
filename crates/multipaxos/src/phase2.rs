use crate::leader::{InFlight, Role};
use crate::message::{Content, Entry, Message, Record, Timer, Vote};
use crate::node::MultiPaxosNode;
use isegoria_acceptor::LogAccepted;
use isegoria_node::Outbox;
use isegoria_types::{Ballot, Batch, NodeId, NodeSet, Refusal};

/// The most slots repeated at one heartbeat.
const REPEAT_COUNT_MAX: u64 = 256;

/// The ordinary way of a batch: proposed, voted on, and repeated until it is decided.
impl MultiPaxosNode {
    pub(crate) fn on_submit(&mut self, batch: Batch, out: &mut Outbox<Self>) {
        match &mut self.role {
            Role::Leader(leading) if leading.queue.len() >= self.options.queue_max => {
                out.refusals.push((batch, Refusal::Overloaded));
            }
            Role::Leader(leading) => {
                leading.queue.push_back(Entry { origin: leading.ballot, content: Content::Batch(batch) });
                self.propose(out);
            }
            Role::Follower { leader } => {
                out.refusals.push((batch, Refusal::NotLeader { leader: *leader }));
            }
            Role::Prospect { .. } | Role::Candidate(_) => {
                out.refusals.push((batch, Refusal::NotLeader { leader: None }));
            }
        }
    }

    /// Fills the window.
    pub(crate) fn propose(&mut self, out: &mut Outbox<Self>) {
        let asked = if self.options.thrifty {
            self.peers.quorum(self.own, &self.layout.quorums.phase2, self.peers.silent())
        } else {
            self.layout.acceptors
        };
        let Role::Leader(leading) = &mut self.role else { return };
        while let Some(entry) = leading.next_entry(self.options.window) {
            let (ballot, slot) = (leading.ballot, leading.next_slot());
            leading.in_flight.push_back(InFlight {
                entry: entry.clone(),
                asked,
                votes: NodeSet::EMPTY,
                age: 0,
            });
            out.send(asked, Message::Phase2a { ballot, slot, entry });
        }
    }

    pub(crate) fn on_phase2a(&mut self, from: NodeId, vote: Vote, out: &mut Outbox<Self>) {
        let Vote { slot, ballot, entry } = vote;
        self.see(ballot, Some(from), out);
        let Some(acceptor) = &mut self.acceptor else { return };
        match acceptor.accept(ballot, slot, entry) {
            LogAccepted::Voted => {
                let (_, entry) = acceptor.vote(slot).expect("just voted");
                out.persist(Record::Voted(Vote { slot, ballot, entry: entry.clone() }));
            }
            LogAccepted::Repeated => {}
            LogAccepted::Rejected { promised } => {
                out.send_to(from, Message::Nack { ballot, promised });
                return;
            }
            // Executed everywhere, the proposer included: its request is an old one.
            LogAccepted::Gced { .. } | LogAccepted::Beyond { .. } => return,
        }
        out.send_to(from, Message::Phase2b { ballot, slot });
        if self.announced.0 == ballot && slot < self.announced.1 {
            self.learn_votes(ballot, slot, slot + 1, out);
        }
    }

    pub(crate) fn on_phase2b(&mut self, from: NodeId, ballot: Ballot, slot: u64, out: &mut Outbox<Self>) {
        let Role::Leader(leading) = &mut self.role else { return };
        if leading.ballot != ballot {
            return;
        }
        leading.heard_from.insert(from);
        self.peers.heard(from);
        let Some((entry, asked)) = leading.on_vote(slot, from, &self.layout.quorums.phase2) else { return };
        // Whoever was asked holds the value with its vote.
        let mute = self.layout.replicas.difference(asked).without(self.own);
        if !mute.is_empty() {
            out.send(mute, Message::Decided { slot, entry: entry.clone() });
        }
        self.learn(slot, entry, Some(ballot), out);
    }

    /// Speaks, and repeats what a round trip did not settle.
    pub(crate) fn on_heartbeat_timer(&mut self, out: &mut Outbox<Self>) {
        let others = self.others();
        let Role::Leader(leading) = &mut self.role else { return };
        let (ballot, base) = (leading.ballot, leading.base);
        out.set_timer(Timer::Heartbeat, self.options.heartbeat_ms..=self.options.heartbeat_ms);
        out.send(others, Message::Heartbeat { ballot, below: base });
        let silent = self.peers.silent();
        for (slot, place) in (base..).zip(&mut leading.in_flight) {
            let is_early = slot < base + REPEAT_COUNT_MAX;
            place.age += u32::from(is_early);
            let missing = place.asked.difference(place.votes);
            // With `thrifty`: all that wait for one who is known to be silent are asked elsewhere at once.
            let is_short = place.asked != self.layout.acceptors && !missing.intersection(silent).is_empty();
            if (is_early && place.age > 2 || is_short) && !self.learner.is_chosen(slot) {
                place.age = 1;
                self.peers.missed(missing);
                place.asked = self.layout.acceptors;
                let missing = self.layout.acceptors.difference(place.votes);
                out.send(missing, Message::Phase2a { ballot, slot, entry: place.entry.clone() });
            }
        }
    }

    pub(crate) fn on_heartbeat(&mut self, from: NodeId, ballot: Ballot, below: u64, out: &mut Outbox<Self>) {
        if ballot < self.seen {
            out.send_to(from, Message::Nack { ballot, promised: self.seen });
            return;
        }
        self.on_chosen(ballot, below, out);
        out.send_to(from, Message::HeartbeatOk { ballot });
    }

    pub(crate) fn on_heartbeat_ok(&mut self, from: NodeId, ballot: Ballot) {
        if let Role::Leader(leading) = &mut self.role
            && leading.ballot == ballot
        {
            leading.heard_from.insert(from);
            self.peers.heard(from);
        }
    }
}
