use isegoria_node::{Node, Outbox};
use isegoria_types::{NodeId, NodeSet, Order};
use std::fmt::Debug;
use std::hash::Hash;

/// The most nodes of a model; states have room for them.
pub(crate) const NODE_COUNT_MAX: usize = 5;

pub(crate) type Msg<S> = <<S as Subject>::Node as Node>::Msg;
pub(crate) type Record<S> = <<S as Subject>::Node as Node>::Record;

/// Something that a node may do on its own account, a bounded number of times: take a
/// client's command, lose patience and recover, campaign.
#[derive(Clone, Debug)]
pub(crate) struct Ticket {
    /// Where.
    pub(crate) own: NodeId,
    /// What, for traces.
    pub(crate) name: String,
    /// How often.
    pub(crate) count_max: u8,
    /// One of these must have been used before, if any are named: equal commands are
    /// told apart by their order alone.
    pub(crate) after: Vec<usize>,
}

/// These tickets together may be used at most this often.
#[derive(Clone, Debug)]
pub(crate) struct Limit {
    pub(crate) tickets: Vec<usize>,
    pub(crate) count_max: u8,
}

/// When a message can have no effect any more, now or later, so that it need not be
/// kept. The rules are the protocol's. That it has none on its receiver *now* is looked
/// up every time, and [`crate::checker::node_states`] is the same with and without them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fading {
    /// Never, as far as the model cares.
    Never,
    /// Once its receiver ignores it: what waited for it is over, and a restart does not
    /// bring it back.
    Ignored,
    /// Once its receiver ignores it and will not restart.
    IgnoredForGood,
    /// Once both ends know the outcome that it is about and will not restart: it would
    /// be answered with the outcome, which its sender would ignore.
    Settled,
}

/// What is known about a state, for the properties.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// A bit for each invariant that does not hold.
    pub(crate) violated: u16,
    /// A bit for each situation that is there.
    pub(crate) reached: u16,
    /// The number of values chosen.
    pub(crate) chosen_count: u8,
}

impl Verdict {
    pub(crate) fn require(&mut self, (_, invariant): Named, holds: bool) {
        self.violated |= u16::from(!holds) << invariant;
    }

    pub(crate) fn note(&mut self, (_, situation): Named, there: bool) {
        self.reached |= u16::from(there) << situation;
    }
}

/// What a verdict is made of.
pub(crate) struct Evidence<'a, S: Subject> {
    /// What became true for ever, apart from messages.
    pub(crate) ghosts: Vec<&'a S::Ghost>,
    /// The messages sent that [`Subject::is_evidence`] picks.
    pub(crate) messages: Vec<&'a Msg<S>>,
    /// What each node holds now.
    pub(crate) nodes: Vec<&'a S::Summary>,
}

/// A property's name and its bit in a [`Verdict`]: below 8, and below 6 for situations.
pub(crate) type Named = (&'static str, u32);

/// A protocol as the model checker sees it: how its nodes are built and driven, what
/// they are judged by. The last four hooks are where faults are planted; the models
/// proper use one of them, to shorten reservations.
pub(crate) trait Subject: Send + Sync + Sized + 'static {
    type Node: Node;
    /// What becomes true for ever: a durable vote, a chosen value.
    type Ghost: Clone + Debug + Eq + Hash + Send + Sync;
    /// What a node holds, as far as it is judged by it.
    type Summary: Clone + Debug + Eq + Hash + Send + Sync;

    /// The number of nodes: three, with f = 1, if left out.
    fn node_count(&self) -> usize {
        3
    }
    /// What must always hold.
    fn invariants(&self) -> Vec<Named>;
    /// What must be reached, or the model shows nothing.
    fn situations(&self) -> Vec<Named>;
    /// The rules of [`isegoria_node::Event::Resolved`] by which some recovery must come to a decision.
    fn rules(&self) -> &[&'static str] {
        &[]
    }
    fn tickets(&self) -> &[Ticket];
    fn limits(&self) -> &[Limit];
    /// Which nodes may crash and restart; one of them does so once.
    fn crashers(&self) -> NodeSet;

    fn build(&self, own: NodeId) -> Self::Node;
    /// Uses a ticket; false if there is nothing to do at this node now.
    fn play(&self, ticket: usize, node: &mut Self::Node, out: &mut Outbox<Self::Node>) -> bool;
    /// Whether the network keeps the message; it loses all others.
    fn carries(&self, from: NodeId, to: NodeId, message: &Msg<Self>) -> bool;
    /// Whom replicas may tell of a commit.
    fn told(&self, order: &Order) -> NodeSet;
    /// Whether anything is taken out of the network at all.
    fn fades(&self) -> bool;
    fn fading(&self, message: &Msg<Self>) -> Fading;
    /// Whether a node with this in its hands knows the outcome that the message is about.
    fn is_settled(&self, held: &Self::Summary, message: &Msg<Self>) -> bool;

    /// Whether the message counts in [`Subject::judge`].
    fn is_evidence(&self, message: &Msg<Self>) -> bool;
    /// Whether the message claims a ballot, so that no second act of a node, in this life
    /// or the next, may send it.
    fn is_claim(&self, message: &Msg<Self>) -> bool;
    /// What a durable record makes true.
    fn ghost_of_record(&self, own: NodeId, record: &Record<Self>) -> Option<Self::Ghost>;
    /// What a message that left makes true.
    fn ghost_of_message(&self, _message: &Msg<Self>) -> Option<Self::Ghost> {
        None
    }
    /// What may become true by itself at any time after a message was sent.
    fn possible_after(&self, _message: &Msg<Self>) -> Option<Self::Ghost> {
        None
    }
    /// Whether `later` cannot become true once `earlier` is.
    fn excludes(&self, _earlier: &Self::Ghost, _later: &Self::Ghost) -> bool {
        false
    }
    fn summarise(&self, node: &Self::Node) -> Self::Summary;
    /// Whether nothing was taken back that was promised or voted for: `later` is the
    /// same node after a step, or after a restart.
    fn keeps_word(&self, earlier: &Self::Summary, later: &Self::Summary) -> bool;
    fn judge(&self, evidence: &Evidence<'_, Self>) -> Verdict;

    /// What a restarted node reads of a record.
    fn recall(&self, record: Record<Self>) -> Option<Record<Self>> {
        Some(record)
    }
    /// What a node hears of a message.
    fn hear(&self, message: Msg<Self>) -> Msg<Self> {
        message
    }
    /// Whose messages to itself are part of the step.
    fn outbox_of(&self, own: NodeId) -> NodeId {
        own
    }
    /// Whether what a step wants to show waits for what it wrote.
    fn waits_for_disk(&self) -> bool {
        true
    }
}
