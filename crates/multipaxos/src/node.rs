use crate::election::Report;
use crate::leader::Role;
use crate::learner::{Learner, commit, uncommit};
use crate::message::{Entry, Message, Record, Timer, Vote};
use crate::options::Options;
use isegoria_acceptor::LogAcceptor;
use isegoria_node::{Counts, Evidence, Inadmissible, Input, Node, Outbox};
use isegoria_proposer::Peers;
use isegoria_types::{Ballot, Layout, NodeId, NodeSet, WINDOW_MAX};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// The column of a [`Prefix`] that stands for slots.
pub(crate) const LOG_COLUMN: usize = 0;

/// One node: acceptor, learner and, if the layout says so, proposer.
#[derive(Clone, Debug)]
pub struct MultiPaxosNode {
    pub(crate) own: NodeId,
    pub(crate) layout: Arc<Layout>,
    pub(crate) options: Options,
    pub(crate) acceptor: Option<LogAcceptor<Entry>>,
    pub(crate) learner: Learner,
    pub(crate) role: Role,
    /// The highest ballot seen or used.
    pub(crate) seen: Ballot,
    /// Whether a leader spoke since the election timer last ran out.
    pub(crate) heard_leader: bool,
    /// In every slot below, what was proposed in this ballot is chosen.
    pub(crate) announced: (Ballot, u64),
    /// Whether anything was replayed: a first start elects the preferred leader at once.
    restarted: bool,
    pub(crate) peers: Peers,
}

impl MultiPaxosNode {
    pub(crate) fn new(own: NodeId, layout: &Layout, options: &Options) -> MultiPaxosNode {
        let lowest = Ballot::initial(NodeId::new(0));
        MultiPaxosNode {
            own,
            layout: Arc::new(layout.clone()),
            options: options.clone(),
            acceptor: layout.acceptors.contains(own).then(|| LogAcceptor::new(WINDOW_MAX)),
            learner: Learner::default(),
            role: Role::Follower { leader: None },
            seen: lowest,
            heard_leader: false,
            announced: (lowest, 0),
            restarted: false,
            peers: Peers::new(own, layout.node_count),
        }
    }

    pub(crate) fn others(&self) -> NodeSet {
        self.layout.nodes().without(self.own)
    }

    /// Hands everything chosen that is still held to the replica, and waits for a leader.
    fn on_start(&mut self, out: &mut Outbox<Self>) {
        for (from_slot, below) in self.learner.runs() {
            for slot in from_slot..below {
                if let Some(entry) = self.learner.value(slot, self.acceptor.as_ref()) {
                    out.commits.push(commit(slot, entry));
                }
            }
        }
        let preferred = self.own.index() + 1 == self.options.leader && !self.restarted;
        let patience = self.options.election_ms;
        out.set_timer(Timer::Election, if preferred { 1..=5 } else { patience..=2 * patience });
    }
}

impl Node for MultiPaxosNode {
    type Msg = Message;
    type Timer = Timer;
    type Record = Record;

    fn step(&mut self, input: Input<Self>, out: &mut Outbox<Self>) {
        match input {
            Input::Start => self.on_start(out),
            Input::Submit { batch, .. } => self.on_submit(batch, out),
            Input::Timer(timer) => self.on_timer(timer, out),
            Input::Suspect(node) => {
                self.peers.missed(NodeSet::only(node));
                self.on_suspect(node, out);
            }
            Input::Trust(node) => self.peers.heard(node),
            Input::Nearest(others) => self.peers.on_nearest(&others),
            Input::Executed(prefix) => self.on_executed(&prefix, out),
            Input::Collect(prefix) | Input::Cut(prefix) => self.on_collect(&prefix, out),
            Input::Learned(order, batch) => {
                if let Some((slot, entry)) = uncommit(&order, batch) {
                    self.learn(slot, entry, None, out);
                }
            }
            Input::Message { from, message } => match message {
                Message::PreVote { ballot, from_slot } => self.on_pre_vote(from, ballot, from_slot, out),
                Message::PreVoteOk { ballot } => self.on_pre_vote_ok(from, ballot, out),
                Message::Phase1a { ballot, from_slot } => self.on_phase1a(from, ballot, from_slot, out),
                Message::Phase1b { ballot, from_slot, votes, next_slot, base } => {
                    self.on_phase1b(from, Report { ballot, from_slot, votes, next_slot, base }, out);
                }
                Message::Phase2a { ballot, slot, entry } => {
                    self.on_phase2a(from, Vote { slot, ballot, entry }, out);
                }
                Message::Phase2b { ballot, slot } => self.on_phase2b(from, ballot, slot, out),
                Message::Chosen { ballot, below } => self.on_chosen(ballot, below, out),
                Message::Decided { slot, entry } => self.learn(slot, entry, None, out),
                Message::Heartbeat { ballot, below } => self.on_heartbeat(from, ballot, below, out),
                Message::HeartbeatOk { ballot } => self.on_heartbeat_ok(from, ballot),
                Message::Nack { promised, .. } => self.see(promised, None, out),
            },
            // A log has no vertices to wait for, and the leader's silence is judged by its heartbeats.
            Input::Blocked(_) => {}
        }
    }

    fn admit(&self, from: NodeId, message: &Message) -> Result<(), Inadmissible> {
        crate::admit::admit(self, from, message)
    }

    fn replay(&mut self, record: Record) {
        self.restarted = true;
        let acceptor = self.acceptor.as_mut();
        match record {
            Record::Promised(ballot) => {
                self.seen = self.seen.max(ballot);
                if let Some(acceptor) = acceptor {
                    acceptor.restore_promise(ballot);
                }
            }
            Record::Voted(Vote { slot, ballot, entry }) => {
                self.seen = self.seen.max(ballot);
                if let Some(acceptor) = acceptor {
                    let held = acceptor.restore_vote(ballot, slot, entry);
                    assert!(held, "a vote of {ballot} in slot {slot}, beyond the window, cannot be held");
                }
            }
            Record::Campaigned(ballot) => self.seen = self.seen.max(ballot),
            Record::ChosenVotes { from_slot, below } => {
                for slot in from_slot..below {
                    self.learner.mark(slot);
                }
            }
            Record::Decided { slot, entry } => {
                self.learner.mark(slot);
                self.learner.keep(slot, entry);
            }
            Record::Collected { below } => {
                if let Some(acceptor) = acceptor {
                    acceptor.drop_below(below);
                }
                self.learner.drop_below(below);
            }
        }
    }

    fn checkpoint(&self, records: &mut Vec<Record>) {
        records.push(Record::Campaigned(self.seen));
        records.push(Record::Collected { below: self.learner.base() });
        if let Some(acceptor) = &self.acceptor {
            let votes = acceptor.votes_from(0);
            records.extend(
                votes.map(|(slot, ballot, entry)| Record::Voted(Vote { slot, ballot, entry: entry.clone() })),
            );
            records.extend(acceptor.promised().map(Record::Promised));
        }
        let runs = self.learner.runs().into_iter();
        records.extend(runs.map(|(from_slot, below)| Record::ChosenVotes { from_slot, below }));
        let decided = self.learner.decided();
        records.extend(decided.map(|(slot, entry)| Record::Decided { slot, entry: entry.clone() }));
    }

    fn fingerprint(&self, mut state: &mut dyn Hasher) {
        self.acceptor.hash(&mut state);
        (&self.learner, &self.role, self.seen, self.heard_leader, self.announced, &self.peers)
            .hash(&mut state);
    }

    fn evidence_of_record(record: &Record) -> Option<Evidence> {
        crate::evidence::of_record(record)
    }

    fn evidence_of_message(message: &Message) -> Option<Evidence> {
        crate::evidence::of_message(message)
    }

    fn counts(&self) -> Counts {
        let votes = self.acceptor.as_ref().map_or(0, LogAcceptor::span);
        let proposal_count = match &self.role {
            Role::Leader(leading) => leading.in_flight.len() + leading.takeover.len() + leading.queue.len(),
            _ => 0,
        };
        Counts { cell_count: votes + self.learner.decided_count(), proposal_count, ..Counts::default() }
    }

    fn assert_invariants(&self) {
        if let (Role::Leader(leading), Some(acceptor)) = (&self.role, &self.acceptor) {
            assert!(
                acceptor.promised() >= Some(leading.ballot) || leading.in_flight.is_empty(),
                "{} leads in {} and promised {:?}",
                self.own,
                leading.ballot,
                acceptor.promised()
            );
        }
    }
}
