//! The graph protocols, over one or two vertices: nodes with every role each.
//!
//! * [`Graph`]: a protocol whole. Votes count when they are durable, whoever hears of them;
//!   what votes of ballot 0 choose is counted by the protocol's
//!   [`isegoria_node::FastRule`], which is written down apart from it.
//! * [`dependencies::Dependencies`]: Simple BPaxos's dependency service under abstract consensus.
//!
//! [`Member`] says what the models need to know of each protocol; its models and how they are
//! bounded stand in [`simple`], [`unanimous`], [`atlas`] and [`epaxos`].
//!
//! **Time** is a ticket: a node recovers a leader's vertices when its failure detector
//! says that the leader is down (of itself, too) and a few ticks have passed; a leader gives
//! up waiting for the last answers when it says so of all others. All else that ticks do is to
//! repeat messages.
//!
//! **Left out.** A restarted leader settles the numbers it had in reserve; here there
//! are as many of those as the model uses, not 512, or it would settle 511 vertices of
//! which nobody else has ever heard. Messages about vertices beyond those that the
//! commands get at first are lost: so a batch that a leader submits again after a noop
//! is recorded at the leader alone. Nothing is collected: floors stay empty, but where a node
//! gives up values; that it says so to others (`Gced`) is always lost.

mod atlas;
mod dependencies;
mod epaxos;
mod judge;
mod member;
mod plant;
mod simple;
mod unanimous;

use crate::checker::{
    Claim, Evidence, Fading, Limit, Named, Size, Subject, Ticket, Verdict, node_states, refute,
};
use crate::commands::{Touch, command};
use isegoria_node::{Event, Evidence as Said, FastRule, Input, Node, Outbox, step};
use isegoria_replica::{GraphOrder, Progress};
use isegoria_types::{
    Batch, Footprint, Layout, NodeId, NodeSet, Order, Quorum, QuorumSystem, Quorums, Vertex,
};
use judge::{Cast, Hands};
use member::{Member, Msg, Part, Record};
use plant::Plant;

/// The most ticks that a node needs until an attempt is due that it is told to hurry with.
const TICKS_MAX: usize = 16;

const ALL: [usize; 3] = [0, 1, 2];
const TWO_WRITES: [(usize, Touch); 2] = [(0, Touch::Write), (1, Touch::Write)];

/// The situations of models with a recovery.
const RECOVERED: [Named; 3] = [judge::CHOSEN_AT_ONCE, judge::NOOP_CHOSEN, judge::VALUE_RECOVERED];

/// The situations of models with two conflicting vertices.
const BOTH: [Named; 3] = [judge::CHOSEN_AT_ONCE, judge::BOTH_EXECUTED, judge::CYCLE_EXECUTED];

fn claim(name: &'static str, bound: &'static str, states: usize, depth: usize) -> Claim {
    Claim { name, bound, size: Size { states, depth } }
}

/// A protocol, whole.
struct Graph<P: Member> {
    layout: Layout,
    options: P::Options,
    quorums: Quorums,
    rule: FastRule,
    plant: Plant,
    /// What is submitted, and the vertex that it gets at first.
    submissions: Vec<(Vertex, Batch, Footprint)>,
    tickets: Vec<Ticket>,
    acts: Vec<Act>,
    limits: Vec<Limit>,
    crashers: NodeSet,
    /// They hear nothing but answers: down, as far as anybody can tell, once these are in.
    dying: NodeSet,
    /// They hear nothing: down once their requests have left.
    dead: NodeSet,
    loses_news: bool,
    catches_up: bool,
    fades: bool,
    situations: Vec<Named>,
    rules: Vec<&'static str>,
}

/// What may be forgotten is what nobody would miss.
fn fading_loses_nothing<P: Member>(build: impl Fn() -> Graph<P>) {
    assert_eq!(node_states(build()), node_states(build().unfaded()));
}

/// Of a protocol whose leaders decide at once by their own word: a restart that forgets, and an answer that
/// comes before what it promises is durable.
fn forgetful_restarts_are_found<P: Member>() {
    let restarted = || unheard_of::<P>().recoveries(&[2], 0, 1).crash_of(&[1]);
    for (fault, plant) in [
        ("promises forgotten at a restart", Plant::ForgottenPromises),
        ("promises told before they are durable", Plant::HastyAnswers),
        ("answers forgotten at a restart", Plant::ForgottenIndex),
    ] {
        refute(fault, restarted().planted(plant), judge::AGREEMENT);
    }
}

/// Two commands of one leader: whoever hears of the second alone is to recover the first, of
/// which it knows nothing.
fn unheard_of<P: Member>() -> Graph<P> {
    use Touch::Write;
    Graph::new(&[(0, Write), (0, Write)]).losing_news().catching_up()
}

/// What a ticket does.
#[derive(Clone, Copy, Debug)]
enum Act {
    Submit(usize),
    /// Loses patience with this leader's vertices.
    Recover(NodeId),
    /// Does not wait for anybody's answer any more.
    GiveUp,
    /// Gives up the values of what its replica has executed, as after a cut.
    Cut,
}

impl<P: Member> Graph<P> {
    /// A cluster of three, into which these commands come, each at its leader.
    fn new(commands: &[(usize, Touch)]) -> Graph<P> {
        Graph::of(3, P::unhurried(), commands)
    }

    /// A cluster of so many nodes with these options.
    fn of(node_count: usize, options: P::Options, commands: &[(usize, Touch)]) -> Graph<P> {
        let layout = Layout::co_located(node_count, &QuorumSystem::Majority).expect("a cluster");
        let mut model = Graph {
            quorums: P::quorums(&layout, &options),
            rule: P::fast_rule(&layout, &options),
            layout,
            options,
            plant: Plant::None,
            submissions: Vec::new(),
            tickets: Vec::new(),
            acts: Vec::new(),
            limits: Vec::new(),
            crashers: NodeSet::EMPTY,
            dying: NodeSet::EMPTY,
            dead: NodeSet::EMPTY,
            loses_news: false,
            catches_up: false,
            fades: true,
            situations: Vec::new(),
            rules: Vec::new(),
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
    fn recoveries(mut self, recoverers: &[usize], leader: usize, count_max: u8) -> Graph<P> {
        let (first, leader) = (self.tickets.len(), NodeId::new(leader));
        for own in recoverers.iter().copied().map(NodeId::new) {
            self.ticket(own, format!("{own} recovers the vertex of {leader}"), Act::Recover(leader));
        }
        self.limits.push(Limit { tickets: (first..self.tickets.len()).collect(), count_max });
        self
    }

    /// These leaders may give up waiting for the last answers.
    fn impatient(mut self, leaders: &[usize]) -> Graph<P> {
        for own in leaders.iter().copied().map(NodeId::new) {
            self.ticket(own, format!("{own} waits for nobody"), Act::GiveUp);
        }
        self
    }

    /// These nodes may give up the values of what their replicas have executed.
    fn cuts_at(mut self, nodes: &[usize]) -> Graph<P> {
        for own in nodes.iter().copied().map(NodeId::new) {
            self.ticket(own, format!("{own} gives up what is executed"), Act::Cut);
        }
        self
    }

    /// One crash-restart of one of these nodes.
    fn crash_of(mut self, nodes: &[usize]) -> Graph<P> {
        self.crashers = nodes.iter().copied().map(NodeId::new).collect();
        self
    }

    /// These nodes hear answers alone.
    fn dying(mut self, nodes: &[usize]) -> Graph<P> {
        self.dying = nodes.iter().copied().map(NodeId::new).collect();
        self
    }

    /// These nodes hear nothing.
    fn dead(mut self, nodes: &[usize]) -> Graph<P> {
        self.dead = nodes.iter().copied().map(NodeId::new).collect();
        self
    }

    /// Nobody is told what is chosen, unless by the answer to a request.
    fn losing_news(mut self) -> Graph<P> {
        self.loses_news = true;
        self
    }

    /// Replicas tell each other what is chosen.
    fn catching_up(mut self) -> Graph<P> {
        self.catches_up = true;
        self
    }

    /// What must be reached.
    fn reaching(mut self, situations: &[Named]) -> Graph<P> {
        self.situations.extend_from_slice(situations);
        self
    }

    /// The rules by which some recovery must come to a decision.
    fn resolving(mut self, rules: &[&'static str]) -> Graph<P> {
        self.rules.extend_from_slice(rules);
        self
    }

    /// Keeps every message.
    fn unfaded(mut self) -> Graph<P> {
        self.fades = false;
        self
    }

    /// With a fault: what the rules of fading build on may not hold then.
    fn planted(self, plant: Plant) -> Graph<P> {
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
    fn recover(&self, leader: NodeId, node: &mut P::Node, out: &mut Outbox<P::Node>) -> bool {
        for held in judge::in_the_hands_of::<P>(node).into_values() {
            let Some(value) = held.decided else { continue };
            for (vertex, ..) in self.submissions.iter().filter(|(vertex, ..)| value.deps.contains(*vertex)) {
                step(node, Input::Blocked(*vertex), out);
            }
        }
        step(node, Input::Suspect(leader), out);
        for _ in 0..TICKS_MAX {
            step(node, Input::Timer(P::TICK), out);
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

impl<P: Member> Graph<P> {
    /// Tells the node what its replica has executed, and that this is cut. In truth a majority
    /// of the replicas has executed it; without that there are only more behaviours.
    fn cut(&self, node: &mut P::Node, out: &mut Outbox<P::Node>) -> bool {
        let (mut graph, mut progress) = (GraphOrder::default(), Progress::default());
        for (vertex, held) in judge::in_the_hands_of::<P>(node) {
            if let Some(value) = held.decided {
                graph.commit(vertex, value.deps, &mut progress);
            }
        }
        let executed = graph.executed().clone();
        if executed.is_empty() {
            return false;
        }
        step(node, Input::Executed(executed.clone()), out);
        step(node, Input::Cut(executed), out);
        true
    }
}

impl<P: Member> Subject for Graph<P> {
    type Node = P::Node;
    type Ghost = Cast;
    type Summary = Hands;

    fn node_count(&self) -> usize {
        self.layout.node_count
    }

    fn invariants(&self) -> Vec<Named> {
        use judge::{AGREEMENT, COMMITS, NONTRIVIALITY, ONE_ORDER, ONE_VALUE, VISIBILITY, WORD_IS_GOOD};
        let mut invariants = vec![AGREEMENT, COMMITS, ONE_VALUE, NONTRIVIALITY, VISIBILITY, ONE_ORDER];
        if matches!(self.rule, FastRule::Leader { .. } | FastRule::LeaderNamed { .. }) {
            invariants.push(WORD_IS_GOOD);
        }
        invariants
    }

    fn situations(&self) -> Vec<Named> {
        self.situations.clone()
    }

    fn rules(&self) -> &[&'static str] {
        &self.rules
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

    fn build(&self, own: NodeId) -> P::Node {
        P::build(own, &self.layout, &self.options).expect("legal options")
    }

    fn play(&self, ticket: usize, node: &mut P::Node, out: &mut Outbox<P::Node>) -> bool {
        match self.acts[ticket] {
            Act::Submit(index) => {
                let (_, batch, footprint) = self.submissions[index].clone();
                step(node, Input::Submit { batch, footprint }, out);
                true
            }
            Act::Recover(leader) => self.recover(leader, node, out),
            Act::Cut => self.cut(node, out),
            Act::GiveUp => {
                let others = self.layout.nodes().without(self.tickets[ticket].own);
                others.iter().for_each(|other| step(node, Input::Suspect(other), out));
                true
            }
        }
    }

    fn carries(&self, _: NodeId, to: NodeId, message: &Msg<P>) -> bool {
        let (vertex, part) = P::part(message);
        let is_followed = vertex.is_some_and(|vertex| self.is_followed(vertex));
        let is_news = matches!(part, Part::News | Part::Question);
        let is_deaf = self.dead.contains(to) || (self.dying.contains(to) && part != Part::Answer);
        is_followed && !(is_news && self.loses_news) && !is_deaf
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

    fn fading(&self, message: &Msg<P>) -> Fading {
        match P::part(message).1 {
            Part::Answer => Fading::Ignored,
            Part::Outcome | Part::News => Fading::IgnoredForGood,
            Part::Request | Part::Question => Fading::Settled,
            Part::Other => Fading::Never,
        }
    }

    fn is_settled(&self, hands: &Hands, message: &Msg<P>) -> bool {
        let held = P::part(message).0.and_then(|vertex| hands.get(&vertex));
        held.is_some_and(|held| held.decided.is_some())
    }

    fn is_evidence(&self, message: &Msg<P>) -> bool {
        matches!(P::Node::evidence_of_message(message), Some(Said::Proposed { .. }))
    }

    fn is_claim(&self, message: &Msg<P>) -> bool {
        matches!(P::Node::evidence_of_message(message), Some(Said::Campaigned { .. }))
    }

    fn ghost_of_record(&self, own: NodeId, record: &Record<P>) -> Option<Cast> {
        let said = P::Node::evidence_of_record(record)?;
        let vertex = match &said {
            Said::Voted { order, .. } | Said::FastVoted { order, .. } => order.place(),
            Said::FastChosen { vertex, .. } => *vertex,
            _ => return None,
        };
        self.is_followed(vertex).then_some(Cast { by: own, said })
    }

    fn summarise(&self, node: &P::Node) -> Hands {
        let mut hands = judge::in_the_hands_of::<P>(node);
        hands.retain(|vertex, _| self.is_followed(*vertex));
        hands
    }

    fn keeps_word(&self, earlier: &Hands, later: &Hands) -> bool {
        judge::is_word_kept(earlier, later)
    }

    fn judge(&self, evidence: &Evidence<'_, Graph<P>>) -> Verdict {
        judge::judge(self, evidence)
    }

    fn recall(&self, mut record: Record<P>) -> Option<Record<P>> {
        if P::is_forgotten(self.plant, &record) {
            return None;
        }
        if let Some(below) = P::reserved(&mut record) {
            *below = (*below).min(self.block());
        }
        Some(record)
    }

    fn hear(&self, message: Msg<P>) -> Msg<P> {
        P::heard(self.plant, message)
    }

    fn outbox_of(&self, own: NodeId) -> NodeId {
        if self.plant == Plant::QueuedSelf { NodeId::new(self.layout.node_count) } else { own }
    }

    fn waits_for_disk(&self) -> bool {
        self.plant != Plant::HastyAnswers
    }
}
