//! Simple BPaxos with f = 1: three nodes with every role each.
//!
//! * [`Simple`]: the protocol whole, over one or two vertices. Votes count when they are
//!   durable, whoever hears of them.
//! * [`Dependencies`]: its dependency service under abstract consensus.
//!
//! **Split.** The aim is the whole with two conflicting commands, one recovery ballot a
//! vertex and one crash-restart of any node. That was tried up to a depth of 12, where it
//! had 9 million states and still tripled with every step. With one recovery of one of the
//! vertices by one node, and no crash, it is 31 deep and has 12 million. The two parts meet in a vertex's value only: consensus does not look into it,
//! and the dependency service does not care who decides it. So consensus is checked with
//! one vertex and all faults, the dependency service with two and three vertices and
//! crashes, and the whole with two vertices and few faults. What no model has is a
//! crash together with two vertices in the whole protocol.
//!
//! **Time** is a ticket: a node recovers a leader's vertices when its failure detector
//! says that the leader is down (of itself, too) and a few ticks have passed. All else
//! that ticks do is to repeat messages.
//!
//! **Left out.** A restarted leader settles the numbers it had in reserve; here there
//! are as many of those as the model uses, not 512, or it would settle 511 vertices of
//! which nobody else has ever heard. Messages about vertices beyond those that the
//! commands get at first are lost: so a batch that a leader submits again after a noop
//! is recorded at the leader alone. Nothing is collected: floors stay empty.

mod dependencies;
mod judge;
mod plant;
mod tests;

use crate::checker::{Evidence, Fading, Limit, NODE_COUNT, Named, Subject, Ticket, Verdict};
use crate::commands::{Touch, command};
use isegoria_bpaxos::Value;
use isegoria_bpaxos::simple::{Message, Options, Record, SimpleBpaxos, SimpleNode, Timer};
use isegoria_node::{Event, Input, Outbox, Protocol, step};
use isegoria_types::{Batch, Footprint, Layout, NodeId, NodeSet, Order, Quorum, QuorumSystem, Vertex};
use judge::{Hands, Vote};
use plant::Plant;

/// The most ticks that a node needs until an attempt is due that it is told to hurry with.
const TICKS_MAX: usize = 16;

/// A time that never passes, ms.
const NEVER_MS: u32 = 50_000_000;

/// The protocol, whole.
struct Simple {
    layout: Layout,
    options: Options,
    plant: Plant,
    /// What is submitted, and the vertex that it gets at first.
    submissions: Vec<(Vertex, Batch, Footprint)>,
    tickets: Vec<Ticket>,
    acts: Vec<Act>,
    limits: Vec<Limit>,
    crashers: NodeSet,
    loses_news: bool,
    catches_up: bool,
    fades: bool,
    situations: Vec<Named>,
}

/// What a ticket does.
#[derive(Clone, Copy, Debug)]
enum Act {
    Submit(usize),
    /// Loses patience with this leader's vertices.
    Recover(NodeId),
}

impl Simple {
    /// The cluster, into which these commands come, each at its leader.
    fn new(commands: &[(usize, Touch)]) -> Simple {
        let mut model = Simple {
            layout: Layout::co_located(NODE_COUNT, &QuorumSystem::Majority).expect("three nodes"),
            // A suspected leader's vertices are due at the next ticks, all others never.
            options: Options {
                tick_ms: 50,
                suspect_ms: 50,
                recovery_ms: NEVER_MS,
                repeat_ms: NEVER_MS,
                ..Options::default()
            },
            plant: Plant::None,
            submissions: Vec::new(),
            tickets: Vec::new(),
            acts: Vec::new(),
            limits: Vec::new(),
            crashers: NodeSet::EMPTY,
            loses_news: false,
            catches_up: false,
            fades: true,
            situations: Vec::new(),
        };
        for (index, (leader, touch)) in commands.iter().enumerate() {
            let leader = NodeId::new(*leader);
            let earlier = model.submissions.iter().filter(|(vertex, ..)| vertex.leader == leader).count();
            let (batch, footprint) = command(index as u64, *touch);
            model.submissions.push((Vertex::new(leader, earlier as u64), batch, footprint));
            model.ticket(leader, format!("{leader} takes command {index} ({touch:?})"), Act::Submit(index));
        }
        model
    }

    /// Each recoverer may try this leader's vertex once, all of them together `count_max` times.
    fn recoveries(mut self, recoverers: &[usize], leader: usize, count_max: u8) -> Simple {
        let (first, leader) = (self.tickets.len(), NodeId::new(leader));
        for own in recoverers.iter().copied().map(NodeId::new) {
            self.ticket(own, format!("{own} recovers the vertex of {leader}"), Act::Recover(leader));
        }
        self.limits.push(Limit { tickets: (first..self.tickets.len()).collect(), count_max });
        self
    }

    /// One crash-restart of one of these nodes.
    fn crash_of(mut self, nodes: &[usize]) -> Simple {
        self.crashers = nodes.iter().copied().map(NodeId::new).collect();
        self
    }

    /// Nobody is told what is chosen, unless by the answer to a request.
    fn losing_news(mut self) -> Simple {
        self.loses_news = true;
        self
    }

    /// Replicas tell each other what is chosen.
    fn catching_up(mut self) -> Simple {
        self.catches_up = true;
        self
    }

    /// What must be reached.
    fn reaching(mut self, situations: &[Named]) -> Simple {
        self.situations.extend_from_slice(situations);
        self
    }

    /// Keeps every message.
    fn unfaded(mut self) -> Simple {
        self.fades = false;
        self
    }

    /// With a fault: what the rules of fading build on may not hold then.
    fn planted(self, plant: Plant) -> Simple {
        let mut this = self.unfaded();
        this.plant = plant;
        if plant == Plant::FirstAnswer {
            this.layout.quorums.dependency = Quorum::AtLeast { members: this.layout.dependency, count: 1 };
        }
        if plant == Plant::QueuedSelf {
            let recoveries = this.tickets.iter_mut().zip(&this.acts);
            let recoveries = recoveries.filter(|(_, act)| matches!(act, Act::Recover(_)));
            recoveries.for_each(|(ticket, _)| ticket.count_max = 2);
        }
        this
    }

    fn ticket(&mut self, own: NodeId, name: String, act: Act) {
        self.tickets.push(Ticket { own, name, count_max: 1, after: Vec::new() });
        self.acts.push(act);
    }

    /// How many numbers a leader has in reserve.
    fn block(&self) -> u64 {
        let numbers = self.submissions.iter().map(|(vertex, ..)| vertex.number + 1);
        numbers.max().expect("at least one command")
    }

    /// Whether anybody hears of the vertex.
    fn is_followed(&self, vertex: Vertex) -> bool {
        self.submissions.iter().any(|(followed, ..)| *followed == vertex)
    }

    /// Tells the node that its replica waits, that the leader is down, and that time
    /// passes, until it recovers a vertex that the model follows.
    fn recover(&self, leader: NodeId, node: &mut SimpleNode, out: &mut Outbox<SimpleNode>) -> bool {
        for held in judge::in_the_hands_of(node).into_values() {
            let Some(Value { deps, .. }) = held.decided else { continue };
            for (vertex, ..) in self.submissions.iter().filter(|(vertex, ..)| deps.contains(*vertex)) {
                step(node, Input::Blocked(*vertex), out);
            }
        }
        step(node, Input::Suspect(leader), out);
        for _ in 0..TICKS_MAX {
            step(node, Input::Timer(Timer::Tick), out);
            let started = out.events.iter().find_map(|event| match event {
                Event::RecoveryStarted { vertex, .. } => Some(*vertex),
                _ => None,
            });
            if let Some(vertex) = started {
                step(node, Input::Trust(leader), out);
                return self.is_followed(vertex);
            }
        }
        false
    }
}

impl Subject for Simple {
    type Node = SimpleNode;
    type Ghost = Vote;
    type Summary = Hands;

    fn invariants(&self) -> Vec<Named> {
        use judge::{AGREEMENT, COMMITS, NONTRIVIALITY, ONE_ORDER, ONE_VALUE, VISIBILITY};
        vec![AGREEMENT, COMMITS, ONE_VALUE, NONTRIVIALITY, VISIBILITY, ONE_ORDER]
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

    fn build(&self, own: NodeId) -> SimpleNode {
        SimpleBpaxos::build(own, &self.layout, &self.options).expect("legal options")
    }

    fn play(&self, ticket: usize, node: &mut SimpleNode, out: &mut Outbox<SimpleNode>) -> bool {
        match self.acts[ticket] {
            Act::Submit(index) => {
                let (_, batch, footprint) = self.submissions[index].clone();
                step(node, Input::Submit { batch, footprint }, out);
                true
            }
            Act::Recover(leader) => self.recover(leader, node, out),
        }
    }

    fn carries(&self, _: NodeId, _: NodeId, message: &Message) -> bool {
        let is_news = matches!(message, Message::Commit { .. } | Message::Fetch { .. });
        let is_followed = vertex_of(message).is_some_and(|vertex| self.is_followed(vertex));
        is_followed && !(is_news && self.loses_news)
    }

    fn told(&self, order: &Order) -> NodeSet {
        match order {
            Order::Vertex(vertex, _) if self.catches_up && self.is_followed(*vertex) => self.layout.replicas,
            _ => NodeSet::EMPTY,
        }
    }

    fn fades(&self) -> bool {
        self.fades
    }

    fn fading(&self, message: &Message) -> Fading {
        match message {
            // Answers: the stage or attempt that waits for them begins before they are
            // sent, and once it is over it does not begin again: a ballot is used once.
            Message::DepReply { .. } | Message::Phase1b { .. } | Message::Phase2b { .. } => Fading::Ignored,
            Message::Nack { .. } | Message::Commit { .. } | Message::Chosen { .. } => Fading::IgnoredForGood,
            Message::Phase1a { .. } | Message::Phase2a { .. } | Message::Fetch { .. } => Fading::Settled,
            _ => Fading::Never,
        }
    }

    fn is_settled(&self, hands: &Hands, message: &Message) -> bool {
        let held = vertex_of(message).and_then(|vertex| hands.get(&vertex));
        held.is_some_and(|held| held.decided.is_some())
    }

    fn is_evidence(&self, message: &Message) -> bool {
        matches!(message, Message::Phase2a { .. })
    }

    fn is_claim(&self, message: &Message) -> bool {
        matches!(message, Message::Phase1a { .. })
    }

    fn ghost_of_record(&self, own: NodeId, record: &Record) -> Option<Vote> {
        let Record::Voted { vertex, ballot, value } = record else { return None };
        let (vertex, ballot, value) = (*vertex, *ballot, value.clone());
        self.is_followed(vertex).then_some(Vote { acceptor: own, vertex, ballot, value })
    }

    fn summarise(&self, node: &SimpleNode) -> Hands {
        let mut hands = judge::in_the_hands_of(node);
        hands.retain(|vertex, _| self.is_followed(*vertex));
        hands
    }

    fn keeps_word(&self, earlier: &Hands, later: &Hands) -> bool {
        judge::is_word_kept(earlier, later)
    }

    fn judge(&self, evidence: &Evidence<'_, Simple>) -> Verdict {
        judge::judge(self, evidence)
    }

    fn recall(&self, record: Record) -> Option<Record> {
        match record {
            Record::Reserved { .. } if self.plant == Plant::ForgottenNumbers => None,
            Record::Reserved { below } => Some(Record::Reserved { below: below.min(self.block()) }),
            Record::Promised { .. } if self.plant == Plant::ForgottenPromises => None,
            Record::Recorded { .. } | Record::Index(_) if self.plant == Plant::ForgottenIndex => None,
            record => Some(record),
        }
    }

    fn hear(&self, message: Message) -> Message {
        match message {
            Message::Phase1b { vertex, ballot, .. } if self.plant == Plant::DeafRecovery => {
                Message::Phase1b { vertex, ballot, vote: None }
            }
            message => message,
        }
    }

    fn outbox_of(&self, own: NodeId) -> NodeId {
        if self.plant == Plant::QueuedSelf { NodeId::new(NODE_COUNT) } else { own }
    }

    fn waits_for_disk(&self) -> bool {
        self.plant != Plant::HastyAnswers
    }
}

/// The vertex that a message is about.
fn vertex_of(message: &Message) -> Option<Vertex> {
    match message {
        Message::DepRequest { vertex, .. }
        | Message::DepReply { vertex, .. }
        | Message::StaleFloor { vertex, .. }
        | Message::Phase1a { vertex, .. }
        | Message::Phase1b { vertex, .. }
        | Message::Phase2a { vertex, .. }
        | Message::Phase2b { vertex, .. }
        | Message::Nack { vertex, .. }
        | Message::Commit { vertex, .. }
        | Message::Chosen { vertex, .. }
        | Message::Fetch { vertex } => Some(*vertex),
        Message::Floor { .. } | Message::Gced { .. } => None,
    }
}
