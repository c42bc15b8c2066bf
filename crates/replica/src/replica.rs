use crate::catch_up::CatchUp;
use crate::cuts::{Cuts, Retention};
use crate::graph::{GraphOrder, Progress, Unexecuted};
use crate::history::History;
use crate::log_order::LogOrder;
use crate::message::ReplicaOutbox;
use crate::offer::Offer;
use crate::sessions::{SessionTable, Verdict};
use crate::standing::Standing;
use crate::watermarks::Watermarks;
use bytes::Bytes;
use isegoria_machine::Machine;
use isegoria_node::OrderKind;
use isegoria_types::{
    Action, Batch, Command, Layout, NodeId, NodeSet, Order, Outcome, Prefix, Refusal, Reply, RequestId,
    Vertex,
};

/// The order in which this protocol's commits are executed.
#[derive(Clone, Debug)]
pub(crate) enum ExecutionOrder {
    Graph(GraphOrder),
    Log(LogOrder),
}

/// The node at which a commit's commands entered the cluster.
fn entry_node(order: &Order) -> NodeId {
    match order {
        Order::Slot { origin, .. } => origin.owner,
        Order::Vertex(vertex, _) => vertex.leader,
    }
}

/// Whether a restart of this process would bring back what is executed: the log alone
/// does not tell of a snapshot that was installed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Kept {
    /// The log and the last checkpoint have it.
    #[default]
    Durably,
    /// A snapshot was installed: only a checkpoint taken from now on has it.
    Unwritten,
    /// That checkpoint is being written.
    InWriting,
}

/// Fresh commands of one batch, for the machine to apply at once. Empty between batches.
#[derive(Default)]
struct Run {
    requests: Vec<RequestId>,
    payloads: Vec<Bytes>,
    answers: Vec<Bytes>,
}

impl Run {
    fn push(&mut self, request: RequestId, payload: Bytes) {
        self.requests.push(request);
        self.payloads.push(payload);
    }
}

/// What is answered without executing anything; none, if the request is fresh.
fn outcome(verdict: Verdict) -> Option<Outcome> {
    match verdict {
        Verdict::Fresh | Verdict::Running => None,
        Verdict::Done(answer) => Some(Outcome::Done(answer)),
        Verdict::AlreadyAcknowledged => Some(Outcome::AlreadyAcknowledged),
        Verdict::Expired => Some(Outcome::Refused(Refusal::SessionExpired)),
    }
}

/// The components of more than one vertex.
fn larger_than_one(progress: &Progress) -> impl Iterator<Item = &[Vertex]> {
    let mut begin = 0;
    let members = progress
        .components
        .iter()
        .map(move |end| &progress.executed[std::mem::replace(&mut begin, *end)..*end]);
    members.filter(|members| members.len() > 1)
}

/// Executes what the node beside it commits; see the module's documentation.
pub struct Replica {
    pub(crate) own: NodeId,
    others: NodeSet,
    pub(crate) standing: Standing,
    pub(crate) order: ExecutionOrder,
    pub(crate) sessions: SessionTable,
    pub(crate) machine: Box<dyn Machine>,
    /// Committed batches that some replica may still ask for.
    pub(crate) history: History,
    pub(crate) watermarks: Watermarks,
    pub(crate) cuts: Cuts,
    pub(crate) retention: Retention,
    pub(crate) catch_up: CatchUp,
    pub(crate) offer: Offer,
    pub(crate) kept: Kept,
    /// What the node was told to be safe to forget: executed everywhere, and cut.
    pub(crate) told: (Prefix, Prefix),
    progress: Progress,
    run: Run,
    applied_count: u64,
    components: Components,
}

/// What the components were like that this replica has executed.
#[derive(Clone, Copy, Debug, Default)]
struct Components {
    count: u64,
    largest: u64,
}

impl Components {
    /// Takes note of components by where each ends among the vertices executed together.
    fn count(&mut self, ends: &[usize]) {
        let mut begin = 0;
        for end in ends {
            self.count += 1;
            self.largest = self.largest.max((end - begin) as u64);
            begin = *end;
        }
    }
}

impl Replica {
    /// The replica of node `own`, empty, over an empty state machine.
    #[must_use]
    pub fn new(own: NodeId, layout: &Layout, order: OrderKind, machine: Box<dyn Machine>) -> Replica {
        Replica {
            own,
            others: layout.nodes().without(own),
            standing: Standing::default(),
            order: match order {
                OrderKind::Graph => ExecutionOrder::Graph(GraphOrder::default()),
                OrderKind::Log => ExecutionOrder::Log(LogOrder::default()),
            },
            sessions: SessionTable::default(),
            machine,
            history: History::default(),
            watermarks: Watermarks::new(layout.replicas),
            cuts: Cuts::default(),
            retention: Retention::default(),
            catch_up: CatchUp::default(),
            offer: Offer::default(),
            kept: Kept::default(),
            told: Default::default(),
            progress: Progress::default(),
            run: Run::default(),
            applied_count: 0,
            components: Components::default(),
        }
    }

    /// Holds as much for others, instead of [`Retention::default`].
    pub fn retain(&mut self, retention: Retention) {
        self.retention = retention;
    }

    /// Becomes a learner in the place of a node that has lost its state: it follows the
    /// others and has no part in what they may forget. To be called before anything else.
    pub fn become_learner(&mut self) {
        self.standing = Standing::learner(self.others);
    }

    /// Whether it stands where a node has lost its state, and has a state again.
    #[must_use]
    pub fn is_following(&self) -> bool {
        self.standing == Standing::Follower
    }

    /// A batch is chosen: execute whatever has become executable. Repetitions are ignored.
    pub fn commit(&mut self, order: Order, batch: Batch, out: &mut ReplicaOutbox) {
        let vertex = order.place();
        let deps = match &order {
            Order::Vertex(_, deps) => Some(deps.clone()),
            Order::Slot { .. } => None,
        };
        if !self.history.insert(order, batch) {
            return;
        }
        match (&mut self.order, deps) {
            (ExecutionOrder::Graph(graph), Some(deps)) => {
                let mut progress = std::mem::take(&mut self.progress);
                graph.commit(vertex, deps, &mut progress);
                out.blocked.append(&mut progress.blockers);
                self.components.count(&progress.components);
                if let Some(components) = &mut out.components {
                    components.extend(larger_than_one(&progress).map(<[Vertex]>::to_vec));
                }
                for vertex in progress.executed.drain(..) {
                    self.execute(vertex, out);
                }
                progress.clear();
                self.progress = progress;
            }
            (ExecutionOrder::Log(_), None) => self.execute_log(out),
            (_, deps) => panic!("{vertex} is ordered by {deps:?}, which is not how this replica executes"),
        }
    }

    pub(crate) fn execute_log(&mut self, out: &mut ReplicaOutbox) {
        loop {
            let ExecutionOrder::Log(log) = &mut self.order else { return };
            let next = Vertex::new(NodeId::new(0), log.next());
            let Some((Order::Slot { origin, start_working, .. }, _)) = self.history.get(next) else { return };
            if log.pass(*origin, *start_working) {
                self.execute(next, out);
            }
        }
    }

    /// Applies the commands of a vertex or slot whose turn it is.
    pub(crate) fn execute(&mut self, vertex: Vertex, out: &mut ReplicaOutbox) {
        let (order, batch) = self.history.get(vertex).expect("what is executed was committed");
        let answers_here = entry_node(order) == self.own;
        let batch = batch.clone();
        let mut run = std::mem::take(&mut self.run);
        for command in batch.iter() {
            let Command { request, acked_below, generation, action, .. } = command;
            match action {
                Action::Apply(payload) => {
                    let mut verdict = self.sessions.begin(request, acked_below, generation);
                    if verdict == Verdict::Running {
                        // Twice in one batch: the answer is wanted now.
                        self.apply(&mut run, (vertex, answers_here), out);
                        verdict = self.sessions.begin(request, acked_below, generation);
                    }
                    match outcome(verdict) {
                        Some(outcome) if answers_here => out.replies.push(Reply { request, outcome }),
                        Some(_) => {}
                        None => run.push(request, payload),
                    }
                }
                Action::ExpireSessions { generation } => {
                    self.apply(&mut run, (vertex, answers_here), out);
                    self.sessions.expire(generation);
                }
                // What it allows to forget is forgotten at the next look: this batch is being executed.
                Action::Cut(cut) => out.cut_agreed |= self.cuts.agree(&cut),
            }
        }
        self.apply(&mut run, (vertex, answers_here), out);
        self.run = run;
    }

    /// Applies the fresh commands of a run, each exactly once.
    fn apply(&mut self, run: &mut Run, (vertex, answers_here): (Vertex, bool), out: &mut ReplicaOutbox) {
        if run.requests.is_empty() {
            return;
        }
        self.machine.apply_batch(&run.payloads, &mut run.answers);
        self.applied_count += run.requests.len() as u64;
        for (request, answer) in run.requests.drain(..).zip(run.answers.drain(..)) {
            self.sessions.record(request, answer.clone());
            if let Some(applied) = &mut out.applied {
                applied.push((vertex, request, answer.clone()));
            }
            if answers_here {
                out.replies.push(Reply { request, outcome: Outcome::Done(answer) });
            }
        }
        run.payloads.clear();
    }

    /// Everything executed, as a contiguous prefix of each leader's vertices.
    #[must_use]
    pub fn executed(&self) -> Prefix {
        match &self.order {
            ExecutionOrder::Graph(graph) => graph.executed().clone(),
            ExecutionOrder::Log(log) => Prefix::new(&[log.next()]),
        }
    }

    /// Executed vertices above the prefix: they wait for a hole to be filled.
    #[must_use]
    pub fn extras(&self) -> Vec<Vertex> {
        match &self.order {
            ExecutionOrder::Graph(graph) => graph.extras(),
            ExecutionOrder::Log(_) => Vec::new(),
        }
    }

    /// See [`GraphOrder::unexecuted`]; nothing, where a log is executed.
    #[must_use]
    pub fn unexecuted(&self, count_max: usize) -> (Vec<Unexecuted>, usize) {
        match &self.order {
            ExecutionOrder::Graph(graph) => graph.unexecuted(count_max),
            ExecutionOrder::Log(_) => (Vec::new(), 0),
        }
    }

    /// See [`GraphOrder::waits_for`].
    #[must_use]
    pub fn waits_for(&self, vertex: Vertex) -> Option<Vertex> {
        match &self.order {
            ExecutionOrder::Graph(graph) => graph.waits_for(vertex),
            ExecutionOrder::Log(_) => None,
        }
    }

    /// Whether `vertex` is executed.
    pub(crate) fn has_executed(&self, vertex: Vertex) -> bool {
        match &self.order {
            ExecutionOrder::Graph(graph) => graph.is_executed(vertex),
            ExecutionOrder::Log(log) => vertex.number < log.next(),
        }
    }

    /// The nodes that a `Progress` goes to, besides this one.
    #[must_use]
    pub fn others(&self) -> NodeSet {
        self.others
    }

    /// Commands applied to the state machine since the process started.
    #[must_use]
    pub fn applied_count(&self) -> u64 {
        self.applied_count
    }

    /// How many components of the dependency graph it has executed, and the vertices of the largest.
    #[must_use]
    pub fn components(&self) -> (u64, u64) {
        (self.components.count, self.components.largest)
    }

    /// The session generation, for clients that open a session here.
    #[must_use]
    pub fn generation(&self) -> u32 {
        self.sessions.generation()
    }

    /// Sessions that are remembered.
    #[must_use]
    pub fn session_count(&self) -> usize {
        self.sessions.len()
    }

    /// Committed and not executed.
    #[must_use]
    pub fn waiting_count(&self) -> usize {
        match &self.order {
            ExecutionOrder::Graph(graph) => graph.waiting_count(),
            ExecutionOrder::Log(log) => {
                let slots = self.history.end(NodeId::new(0)).saturating_sub(log.next());
                usize::try_from(slots).unwrap_or(usize::MAX)
            }
        }
    }

    /// Vertices or slots whose values are held.
    #[must_use]
    pub fn history_count(&self) -> usize {
        self.history.span()
    }

    /// What the held values take, bytes.
    #[must_use]
    pub fn history_bytes(&self) -> usize {
        self.history.byte_count()
    }

    /// A hash of the state machine's state: equal at equal executed sets.
    #[must_use]
    pub fn digest(&self) -> u64 {
        self.machine.digest()
    }
}

impl std::fmt::Debug for Replica {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Replica")
            .field("own", &self.own)
            .field("executed", &self.executed())
            .field("waiting", &self.waiting_count())
            .finish_non_exhaustive()
    }
}
