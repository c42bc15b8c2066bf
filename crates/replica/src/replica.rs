use crate::catch_up::CatchUp;
use crate::graph::{GraphOrder, Progress};
use crate::log_order::LogOrder;
use crate::message::{ReplicaMessage, ReplicaOutbox};
use crate::sessions::{SessionTable, Verdict};
use crate::watermarks::Watermarks;
use bytes::Bytes;
use isegoria_machine::Machine;
use isegoria_node::OrderKind;
use isegoria_types::{
    Action, Batch, Command, Layout, NodeId, NodeSet, Order, Outcome, Prefix, Refusal, Reply, Vertex,
    VertexMap,
};

/// The most bytes of commands in one answer to a `Fetch`.
const COMMITS_BYTES_MAX: usize = 512 << 10;

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

/// Executes what the node beside it commits; see the module's documentation.
pub struct Replica {
    own: NodeId,
    others: NodeSet,
    pub(crate) order: ExecutionOrder,
    pub(crate) sessions: SessionTable,
    pub(crate) machine: Box<dyn Machine>,
    /// Committed batches that not every replica has executed.
    history: VertexMap<(Order, Batch)>,
    pub(crate) watermarks: Watermarks,
    catch_up: CatchUp,
    progress: Progress,
    applied_count: u64,
}

impl Replica {
    /// The replica of node `own`, empty, over an empty state machine.
    #[must_use]
    pub fn new(own: NodeId, layout: &Layout, order: OrderKind, machine: Box<dyn Machine>) -> Replica {
        Replica {
            own,
            others: layout.nodes().without(own),
            order: match order {
                OrderKind::Graph => ExecutionOrder::Graph(GraphOrder::default()),
                OrderKind::Log => ExecutionOrder::Log(LogOrder::default()),
            },
            sessions: SessionTable::default(),
            machine,
            history: VertexMap::default(),
            watermarks: Watermarks::new(layout.replicas),
            catch_up: CatchUp::default(),
            progress: Progress::default(),
            applied_count: 0,
        }
    }

    /// A batch is chosen: execute whatever has become executable. Repetitions are ignored.
    pub fn commit(&mut self, order: Order, batch: Batch, out: &mut ReplicaOutbox) {
        let vertex = order.place();
        if self.history.is_dropped(vertex) || self.history.get(vertex).is_some() {
            return;
        }
        let deps = match &order {
            Order::Vertex(_, deps) => Some(deps.clone()),
            Order::Slot { .. } => None,
        };
        self.history.insert(vertex, (order, batch));
        match (&mut self.order, deps) {
            (ExecutionOrder::Graph(graph), Some(deps)) => {
                let mut progress = std::mem::take(&mut self.progress);
                graph.commit(vertex, deps, &mut progress);
                out.blocked.append(&mut progress.blockers);
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

    fn execute_log(&mut self, out: &mut ReplicaOutbox) {
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
    fn execute(&mut self, vertex: Vertex, out: &mut ReplicaOutbox) {
        let (order, batch) = self.history.get(vertex).expect("what is executed was committed");
        let answers_here = entry_node(order) == self.own;
        let batch = batch.clone();
        for command in batch.iter() {
            let request = command.request;
            let Some(outcome) = self.apply(command, vertex, out) else { continue };
            if answers_here {
                out.replies.push(Reply { request, outcome });
            }
        }
    }

    /// Applies one command exactly once. `None`: nobody waits for an answer.
    fn apply(&mut self, command: Command, vertex: Vertex, out: &mut ReplicaOutbox) -> Option<Outcome> {
        let Command { request, acked_below, generation, action, .. } = command;
        let payload: Bytes = match action {
            Action::Apply(payload) => payload,
            Action::ExpireSessions { generation } => {
                self.sessions.expire(generation);
                return None;
            }
        };
        Some(match self.sessions.begin(request, acked_below, generation) {
            Verdict::Fresh => {
                let answer = self.machine.apply(&payload);
                self.sessions.record(request, answer.clone());
                self.applied_count += 1;
                if let Some(applied) = &mut out.applied {
                    applied.push((vertex, request, answer.clone()));
                }
                Outcome::Done(answer)
            }
            Verdict::Done(answer) => Outcome::Done(answer),
            Verdict::AlreadyAcknowledged => Outcome::AlreadyAcknowledged,
            Verdict::Expired => Outcome::Refused(Refusal::SessionExpired),
        })
    }

    /// A message from another node, or a `Progress` of its own that became durable.
    pub fn on_message(&mut self, from: NodeId, message: ReplicaMessage, out: &mut ReplicaOutbox) {
        match message {
            ReplicaMessage::Progress { executed } => {
                if let Some(everywhere) = self.watermarks.announce(from, &executed) {
                    let mut collect = everywhere.clone();
                    collect.intersect(&self.executed());
                    self.history.drop_prefix(&collect);
                    out.collect = Some(collect);
                }
            }
            ReplicaMessage::Fetch { have } => {
                let answer = self.commits_beyond(have);
                out.sends.push((NodeSet::only(from), answer));
            }
            ReplicaMessage::Commits { commits, have, more } => {
                out.learned.extend(commits);
                if let Some(fetch) = self.catch_up.on_commits(from, have, more) {
                    out.sends.push(fetch);
                }
            }
        }
    }

    /// Whether a message can have come from a correct peer of a cluster of `node_count`.
    #[must_use]
    pub fn admits(&self, message: &ReplicaMessage, node_count: usize) -> bool {
        let near = |prefix: &Prefix| {
            prefix.width() <= node_count
                && prefix.iter().all(|(leader, below)| {
                    below <= self.history.base(leader).saturating_add(isegoria_types::WINDOW_MAX)
                })
        };
        match message {
            ReplicaMessage::Progress { executed } => executed.width() <= node_count,
            ReplicaMessage::Fetch { have } => have.width() <= node_count,
            ReplicaMessage::Commits { commits, have, .. } => {
                near(have)
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
        }
    }

    /// Executed values beyond `have`, as many as fit into one message.
    fn commits_beyond(&self, mut have: Prefix) -> ReplicaMessage {
        let (mut commits, mut bytes, mut more) = (Vec::new(), 0, false);
        for (leader, below) in self.executed().iter() {
            for number in have.below(leader)..below {
                if bytes > COMMITS_BYTES_MAX {
                    more = true;
                    break;
                }
                // What all replicas have announced is gone; whoever asks for it needs a snapshot.
                let Some((order, batch)) = self.history.get(Vertex::new(leader, number)) else { break };
                bytes += batch.byte_len() + 64;
                commits.push((order.clone(), batch.clone()));
                have.raise(leader, number + 1);
            }
        }
        ReplicaMessage::Commits { commits, have, more }
    }

    /// Time passes: tell how far this replica is, and fetch what it seems to have missed.
    /// Called every gossip period by the driver.
    pub fn on_gossip(&mut self, out: &mut ReplicaOutbox) {
        let executed = self.executed();
        if let Some(fetch) = self.catch_up.on_gossip(self.own, &executed, &self.watermarks) {
            out.sends.push(fetch);
        }
        out.announce = Some(executed.clone());
        out.executed = Some(executed);
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

    /// The session generation, for clients that open a session here.
    #[must_use]
    pub fn generation(&self) -> u32 {
        self.sessions.generation()
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

    /// A hash of the state machine's state: equal at equal executed sets.
    #[must_use]
    pub fn digest(&self) -> u64 {
        self.machine.digest()
    }

    pub(crate) fn drop_history(&mut self, floor: &Prefix) {
        self.history.drop_prefix(floor);
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
