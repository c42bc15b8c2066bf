//! Multi-Paxos with three acceptors, of which the first two lead.
//!
//! Every leader begins with a `StartWorking` entry in the slot behind all that it found;
//! the slots of commands come in addition to those.
//!
//! **Time** is a ticket: a node campaigns when its election timer has run out often
//! enough, a leader then steps down first. Pre-votes are granted without asking: they
//! promise nothing, so that this only adds behaviours. For the same reason the
//! heartbeat timer is left out: all that it does is to repeat messages.
//!
//! **Commands** are all alike, so they come in one fixed order, each at whoever leads.
//!
//! **Left out** where a model says so: refusals (`Nack`), heartbeats and news (`Chosen`)
//! may all get lost, and every model with more than one command loses some of them.
//! Answers to heartbeats are always lost: they only keep a leader from stepping down,
//! which it does here at will. Nothing is collected.

mod judge;
mod tests;

use crate::checker::{Evidence, Fading, Limit, Named, Subject, Ticket, Verdict};
use crate::commands::{Touch, command};
use isegoria_multipaxos::{
    Content, Entry, Message, MultiPaxos, MultiPaxosNode, Options, Record, Timer, Vote,
};
use isegoria_node::{Input, Outbox, Protocol, step};
use isegoria_types::{Batch, Footprint, Layout, NodeId, NodeSet, Order, Placement, QuorumSystem, Role};
use judge::{Hands, Voted};

/// How often the election timer runs out until a leader has stepped down and campaigns.
const PATIENCE_MAX: usize = 3;

/// A fault put into the driver, to see that the properties can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plant {
    /// None: the model proper.
    None,
    /// Promises are not found again after a restart.
    ForgottenPromises,
    /// A candidate does not hear what acceptors have voted for.
    DeafCandidate,
    /// A candidate takes what an earlier leader proposed for void (trace B28).
    VoidedGhosts,
}

/// Messages that the network always loses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lost {
    /// `Nack`: a deposed leader learns it from its successor.
    Refusals,
    /// `Heartbeat`: what it says `Chosen` says, too.
    Heartbeats,
    /// `Chosen`: only leaders learn what is chosen.
    News,
    /// Everything between the two leaders.
    BetweenLeaders,
}

/// The protocol.
struct Log {
    layout: Layout,
    options: Options,
    plant: Plant,
    lost: Vec<Lost>,
    commands: Vec<(Batch, Footprint)>,
    tickets: Vec<Ticket>,
    acts: Vec<Act>,
    limits: Vec<Limit>,
    crashers: NodeSet,
    catches_up: bool,
    fades: bool,
    situations: Vec<Named>,
}

/// What a ticket does.
#[derive(Clone, Copy, Debug)]
enum Act {
    Campaign,
    Submit(usize),
}

impl Log {
    /// A log into which so many commands come, and for which the first and the second
    /// leader campaign so many times.
    fn new(command_count: usize, campaign_counts: [u8; 2]) -> Log {
        let full = Placement { roles: Role::ALL.to_vec() };
        let mute = Placement { roles: vec![Role::Acceptor, Role::Replica, Role::Dependency] };
        let layout = Layout::new(&[full.clone(), full, mute], &QuorumSystem::Majority).expect("legal");
        let mut log = Log {
            layout,
            options: Options::default(),
            plant: Plant::None,
            lost: Vec::new(),
            commands: (0..command_count).map(|client| command(client as u64, Touch::Write)).collect(),
            tickets: Vec::new(),
            acts: Vec::new(),
            limits: Vec::new(),
            crashers: NodeSet::EMPTY,
            catches_up: false,
            fades: true,
            situations: Vec::new(),
        };
        let leaders = [0, 1].map(NodeId::new);
        for (own, count_max) in leaders.into_iter().zip(campaign_counts) {
            let name = format!("{own} campaigns");
            log.ticket(Ticket { own, name, count_max, after: Vec::new() }, Act::Campaign);
        }
        for index in 0..command_count {
            let first = log.tickets.len();
            let after = if index == 0 { Vec::new() } else { vec![first - 2, first - 1] };
            for own in leaders {
                let name = format!("{own} takes command {index}");
                log.ticket(Ticket { own, name, count_max: 1, after: after.clone() }, Act::Submit(index));
            }
            log.limits.push(Limit { tickets: vec![first, first + 1], count_max: 1 });
        }
        log
    }

    fn losing(mut self, lost: &[Lost]) -> Log {
        self.lost = lost.to_vec();
        self
    }

    /// One crash-restart of one of these nodes.
    fn crash_of(mut self, nodes: &[usize]) -> Log {
        self.crashers = nodes.iter().copied().map(NodeId::new).collect();
        self
    }

    /// Replicas tell each other what is chosen.
    fn catching_up(mut self) -> Log {
        self.catches_up = true;
        self
    }

    /// What must be reached.
    fn reaching(mut self, situations: &[Named]) -> Log {
        self.situations.extend_from_slice(situations);
        self
    }

    /// Keeps every message.
    fn unfaded(mut self) -> Log {
        self.fades = false;
        self
    }

    /// With a fault: what the rules of fading build on may not hold then.
    fn planted(mut self, plant: Plant) -> Log {
        self.plant = plant;
        self.unfaded()
    }

    fn ticket(&mut self, ticket: Ticket, act: Act) {
        self.tickets.push(ticket);
        self.acts.push(act);
    }

    /// Loses patience until it asks whether it may campaign, and hears that it may.
    fn campaign(&self, node: &mut MultiPaxosNode, out: &mut Outbox<MultiPaxosNode>) -> bool {
        for _ in 0..PATIENCE_MAX {
            step(node, Input::Timer(Timer::Election), out);
            let asked = out.sends.iter().find_map(|send| match send.message {
                Message::PreVote { ballot, .. } => Some(ballot),
                _ => None,
            });
            if let Some(ballot) = asked {
                for from in self.layout.acceptors.iter() {
                    step(node, Input::Message { from, message: Message::PreVoteOk { ballot } }, out);
                }
                return true;
            }
        }
        false
    }
}

impl Subject for Log {
    type Node = MultiPaxosNode;
    type Ghost = Voted;
    type Summary = Hands;

    fn invariants(&self) -> Vec<Named> {
        use judge::{AGREEMENT, COMMITS, GHOSTS, NONTRIVIALITY, ONE_VALUE, SERVICE};
        vec![AGREEMENT, COMMITS, ONE_VALUE, NONTRIVIALITY, SERVICE, GHOSTS]
    }

    fn situations(&self) -> Vec<Named> {
        self.situations.clone()
    }

    fn tickets(&self) -> &[Ticket] {
        &self.tickets
    }

    fn limits(&self) -> &[Limit] {
        &self.limits
    }

    fn crashers(&self) -> NodeSet {
        self.crashers
    }

    fn build(&self, own: NodeId) -> MultiPaxosNode {
        MultiPaxos::build(own, &self.layout, &self.options).expect("legal options")
    }

    fn play(&self, ticket: usize, node: &mut MultiPaxosNode, out: &mut Outbox<MultiPaxosNode>) -> bool {
        match self.acts[ticket] {
            Act::Campaign => self.campaign(node, out),
            Act::Submit(index) => {
                let (batch, footprint) = self.commands[index].clone();
                step(node, Input::Submit { batch, footprint }, out);
                out.refusals.is_empty()
            }
        }
    }

    fn carries(&self, from: NodeId, to: NodeId, message: &Message) -> bool {
        let lost = |what: Lost| self.lost.contains(&what);
        let is_lost = match message {
            Message::PreVote { .. } | Message::PreVoteOk { .. } | Message::HeartbeatOk { .. } => true,
            Message::Nack { .. } => lost(Lost::Refusals),
            Message::Heartbeat { .. } => lost(Lost::Heartbeats),
            Message::Chosen { .. } => lost(Lost::News),
            _ => false,
        };
        let between_leaders = self.layout.leaders.contains(from) && self.layout.leaders.contains(to);
        !(is_lost || between_leaders && lost(Lost::BetweenLeaders))
    }

    fn told(&self, _: &Order) -> NodeSet {
        if self.catches_up { self.layout.replicas } else { NodeSet::EMPTY }
    }

    fn fades(&self) -> bool {
        self.fades
    }

    fn fading(&self, message: &Message) -> Fading {
        match message {
            // Answers: the role that waits for them is taken before they are sent, and
            // never again in that ballot. Requests are ignored where the promise is for
            // a higher ballot and the refusal gets lost.
            Message::Phase1b { .. }
            | Message::Phase2b { .. }
            | Message::Phase1a { .. }
            | Message::Phase2a { .. } => Fading::Ignored,
            Message::Nack { .. } | Message::Chosen { .. } | Message::Heartbeat { .. } => {
                Fading::IgnoredForGood
            }
            _ => Fading::Never,
        }
    }

    fn is_settled(&self, _: &Hands, _: &Message) -> bool {
        false
    }

    fn is_evidence(&self, message: &Message) -> bool {
        matches!(message, Message::Phase2a { .. })
    }

    fn is_claim(&self, message: &Message) -> bool {
        matches!(message, Message::Phase1a { .. })
    }

    fn ghost_of_record(&self, own: NodeId, record: &Record) -> Option<Voted> {
        let Record::Voted(vote) = record else { return None };
        Some(Voted { acceptor: own, vote: vote.clone() })
    }

    fn summarise(&self, node: &MultiPaxosNode) -> Hands {
        judge::in_the_hands_of(node)
    }

    fn keeps_word(&self, earlier: &Hands, later: &Hands) -> bool {
        earlier.is_kept_by(later)
    }

    fn judge(&self, evidence: &Evidence<'_, Log>) -> Verdict {
        judge::judge(self, evidence)
    }

    fn recall(&self, record: Record) -> Option<Record> {
        match record {
            Record::Promised(_) if self.plant == Plant::ForgottenPromises => None,
            record => Some(record),
        }
    }

    fn hear(&self, message: Message) -> Message {
        let Message::Phase1b { ballot, from_slot, mut votes, next_slot, base } = message else {
            return message;
        };
        match self.plant {
            Plant::DeafCandidate => votes.clear(),
            Plant::VoidedGhosts => {
                for Vote { entry, .. } in votes.iter_mut().filter(|vote| judge::is_command(&vote.entry)) {
                    *entry = Entry { origin: ballot, content: Content::Batch(Batch::noop()) };
                }
            }
            Plant::None | Plant::ForgottenPromises => {}
        }
        Message::Phase1b { ballot, from_slot, votes, next_slot, base }
    }
}
