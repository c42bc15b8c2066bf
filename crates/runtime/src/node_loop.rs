use crate::admission::{Admission, is_over};
use crate::batcher::Batcher;
use crate::clients::{Clients, Intake};
use crate::inbox::{Arrival, Inbox};
use crate::metrics::Stats;
use crate::nearness::Nearness;
use crate::outward::{Outward, Wire};
use crate::persist::Journal;
use crate::settings::Limits;
use crate::stories::Stories;
use crate::timers::Timers;
use bytes::Bytes;
use isegoria_machine::Relation;
use isegoria_node::{Effect, Gate, Input, Node, Outbox, TimerWish};
use isegoria_replica::{Beside, ReplicaMessage, ReplicaOutbox};
use isegoria_storage::{Incarnations, LogFailure, RecordTooLarge};
use isegoria_transport::client_port::ConnectionId;
use isegoria_transport::{LogLimit, frames};
use isegoria_types::{
    Action, Batch, Command, Footprint, NodeId, NodeSet, Order, Outcome, Refusal, Reply, Request, RequestId,
};
use parking_lot::Mutex;
use rand::Rng;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// The most requests of one session whose answers the client has not acknowledged:
/// every replica keeps those answers.
const UNACKNOWLEDGED_MAX: u64 = 65_536;

/// A request that is not answered after this long is given up here.
const GIVE_UP: Duration = Duration::from_secs(60);

/// Why a running node must stop.
#[derive(Debug, thiserror::Error)]
pub enum LoopError {
    /// The log failed: nothing can be promised any more.
    #[error("the log cannot be written: {0}; the node stops, having acknowledged nothing that is lost")]
    Log(#[from] LogFailure),
    /// This node's disk was emptied or set back.
    #[error("{}", amnesia(*by))]
    Amnesia {
        /// Who has met it with more than it has now.
        by: NodeId,
    },
    /// A record is larger than a log segment.
    #[error(transparent)]
    Record(#[from] RecordTooLarge),
}

/// What an operator needs to hear about a node that has lost what it promised.
fn amnesia(by: NodeId) -> String {
    format!(
        "{by} has met this node with another data directory, or with a later state of this one: it has lost what it \
         promised, so it neither votes nor serves; put the newest data directory back in its place"
    )
}

/// What the loop itself waits for, besides the node's timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Chore {
    Gossip,
    ExpireSessions,
}

/// A node process: everything that one loop owns.
pub(crate) struct NodeLoop<N: Node> {
    pub(crate) own: NodeId,
    pub(crate) node_count: usize,
    pub(crate) node: N,
    pub(crate) gate: Gate<N>,
    pub(crate) beside: Beside,
    pub(crate) relation: Arc<dyn Relation>,
    pub(crate) journal: Journal,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) incarnations: Arc<Mutex<Incarnations>>,
    pub(crate) outward: Outward,
    pub(crate) clients: Clients,
    pub(crate) admission: Admission,
    pub(crate) batcher: Batcher,
    pub(crate) limits: Limits,
    pub(crate) stats: Stats,
    pub(crate) stories: Stories,
    /// Peers that there is a link to.
    pub(crate) up: NodeSet,
    out: Outbox<N>,
    pub(crate) replica_out: ReplicaOutbox,
    timers: Timers<N::Timer>,
    chores: Timers<Chore>,
    /// Own progress, told once the log up to this position is durable.
    pub(crate) announcement: Option<(u64, ReplicaMessage)>,
    nearness: Nearness,
    reject_log: LogLimit,
    pub(crate) now: Instant,
}

/// What a loop is made of; see [`NodeLoop`].
pub(crate) struct Parts<N: Node> {
    pub(crate) own: NodeId,
    /// The nodes' names.
    pub(crate) names: Vec<String>,
    pub(crate) node: N,
    pub(crate) beside: Beside,
    pub(crate) relation: Arc<dyn Relation>,
    pub(crate) journal: Journal,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) incarnations: Arc<Mutex<Incarnations>>,
    pub(crate) outward: Outward,
    pub(crate) limits: Limits,
}

impl<N: Node> NodeLoop<N> {
    pub(crate) fn new(parts: Parts<N>) -> NodeLoop<N> {
        let limits = parts.limits;
        let wait = Duration::from_millis(limits.batch_wait_ms);
        NodeLoop {
            own: parts.own,
            node_count: parts.names.len(),
            node: parts.node,
            gate: Gate::default(),
            beside: parts.beside,
            relation: parts.relation,
            journal: parts.journal,
            inbox: parts.inbox,
            incarnations: parts.incarnations,
            outward: parts.outward,
            clients: Clients::new(limits.pending_max, limits.pending_bytes_max),
            admission: Admission::new(limits.commands_per_s_max, Instant::now()),
            batcher: Batcher::new(limits.batch_max, limits.batch_bytes_max, wait),
            limits,
            stats: Stats::default(),
            stories: Stories::new(parts.own, parts.names.clone()),
            up: NodeSet::EMPTY,
            out: Outbox::new(parts.own),
            replica_out: ReplicaOutbox { components: Some(Vec::new()), ..ReplicaOutbox::default() },
            nearness: Nearness::new(parts.own, parts.names.len()),
            timers: Timers::new(),
            chores: Timers::new(),
            announcement: None,
            reject_log: LogLimit::default(),
            now: Instant::now(),
        }
    }

    /// Runs until `stop` resolves.
    pub(crate) async fn run(&mut self, stop: impl Future<Output = ()>) -> Result<(), LoopError> {
        tokio::pin!(stop);
        self.chores.set(Chore::Gossip, self.now);
        let expiry = Duration::from_millis(self.limits.session_expiry_ms);
        self.chores.set(Chore::ExpireSessions, self.now + expiry);
        self.step(Input::Start)?;
        let mut arrivals = Vec::new();
        loop {
            self.finish_round()?;
            let deadline = self.deadline().into();
            let inbox = Arc::clone(&self.inbox);
            tokio::select! {
                () = inbox.arrived() => {}
                () = tokio::time::sleep_until(deadline) => {}
                () = &mut stop => return Ok(()),
            }
            self.now = Instant::now();
            self.inbox.take(&mut arrivals);
            for arrival in arrivals.drain(..) {
                self.on_arrival(arrival)?;
            }
            self.run_timers()?;
        }
    }

    fn deadline(&self) -> Instant {
        let far = self.now + Duration::from_secs(1);
        [self.timers.next(), self.chores.next(), self.batcher.deadline()]
            .into_iter()
            .flatten()
            .fold(far, Instant::min)
    }

    // ---- what comes in ----------------------------------------------------------------------

    fn on_arrival(&mut self, arrival: Arrival) -> Result<(), LoopError> {
        match arrival {
            // The disk does not keep up: what comes is lost, as by a full queue, and asked again.
            Arrival::Frames { .. } if self.journal.refusal().is_some() => Ok(()),
            Arrival::Frames { from, frames: buffer } => self.on_frames(from, &buffer),
            Arrival::Requests { connection, at, requests } => {
                requests.into_iter().try_for_each(|request| self.on_request((connection, at), request))
            }
            Arrival::Opened { connection, replies } => {
                self.clients.opened(connection, replies);
                Ok(())
            }
            Arrival::Closed { connection } => {
                self.clients.closed(connection);
                Ok(())
            }
            Arrival::Link { peer, round_trip: None } => {
                tracing::info!(%peer, "link down");
                self.up = self.up.without(peer);
                self.step(Input::Suspect(peer))
            }
            Arrival::Link { peer, round_trip: Some(round_trip) } => {
                tracing::info!(%peer, ?round_trip, "link up");
                self.up.insert(peer);
                if let Some(others) = self.nearness.heard(peer, round_trip) {
                    self.step(Input::Nearest(others))?;
                }
                self.step(Input::Trust(peer))
            }
            // Whoever asked may be gone.
            Arrival::Asked { answer, .. } if answer.is_closed() => Ok(()),
            Arrival::Asked { question, answer } => {
                let _ = answer.send(self.answer(question));
                Ok(())
            }
            Arrival::Amnesia { by } => Err(LoopError::Amnesia { by }),
            Arrival::Snapshot { number, bytes } => {
                self.beside.on_written(number, bytes);
                Ok(())
            }
        }
    }

    /// Frames of a peer, each admitted before it reaches a handler.
    fn on_frames(&mut self, from: NodeId, buffer: &Bytes) -> Result<(), LoopError> {
        for frame in frames(buffer) {
            let wire = match frame.map(|frame| postcard::from_bytes::<Wire<N>>(&frame)) {
                Ok(Ok(wire)) => wire,
                Ok(Err(_)) | Err(_) => {
                    self.reject(from, "a frame that does not decode");
                    continue;
                }
            };
            match wire {
                Wire::Node(message) => match self.node.admit(from, &message) {
                    Ok(()) => self.step(Input::Message { from, message })?,
                    Err(reason) => self.reject(from, reason.0),
                },
                Wire::Replica(message) if self.beside.admits(&message, self.node_count) => {
                    self.beside.on_message(from, message, &mut self.replica_out);
                    self.after_replica()?;
                }
                Wire::Replica(_) => self.reject(from, "an impossible replica message"),
                Wire::Durable(position) => self.incarnations.lock().hear_durable(from, position),
            }
        }
        Ok(())
    }

    fn reject(&mut self, from: NodeId, reason: &'static str) {
        self.stats.rejected_count += 1;
        if let Some(suppressed) = self.reject_log.permit() {
            tracing::warn!(%from, reason, suppressed, "message rejected");
        }
    }

    fn on_request(&mut self, from: (ConnectionId, Instant), request: Request) -> Result<(), LoopError> {
        let (connection, arrived) = from;
        let (id, size) = (request.id, request.payload.len());
        // Its client has reported its end already, and reads no answer.
        if is_over(arrived, request.patience_ms, self.now) {
            self.stats.expired_count += 1;
            return Ok(());
        }
        if size > self.limits.payload_bytes_max {
            let limit = self.limits.payload_bytes_max as u64;
            self.refuse(connection, id, Refusal::TooLarge { size: size as u64, limit });
            return Ok(());
        }
        if let Some(refusal) = self.journal.refusal().or_else(|| self.overload(&request)) {
            self.refuse(connection, id, refusal);
            return Ok(());
        }
        let footprint = match self.relation.footprint(&request.payload) {
            Ok(footprint) => footprint,
            Err(_) => {
                self.refuse(connection, id, Refusal::Undecodable);
                return Ok(());
            }
        };
        match self.clients.intake(connection, (id, size), self.now) {
            Intake::Wait => return Ok(()),
            Intake::Overloaded => {
                self.refuse(connection, id, Refusal::Overloaded);
                return Ok(());
            }
            Intake::Submit => self.stories.takes(id, self.now),
            Intake::SubmitAgain => {}
        }
        let command = Command {
            request: id,
            acked_below: request.acked_below,
            generation: request.generation,
            footprint,
            action: Action::Apply(request.payload),
        };
        match self.batcher.push(&command, self.now) {
            Some((batch, footprint)) => self.submit(batch, footprint),
            None => Ok(()),
        }
    }

    /// Refuses what is more than the node bears, before it costs anything; what is on its
    /// way already costs nothing more.
    fn overload(&mut self, request: &Request) -> Option<Refusal> {
        let unacknowledged = request.id.number.saturating_sub(request.acked_below);
        let bears = unacknowledged <= UNACKNOWLEDGED_MAX
            && (self.admission.is_unlimited()
                || self.clients.holds(request.id)
                || self.admission.take(self.now));
        (!bears).then_some(Refusal::Overloaded)
    }

    fn refuse(&mut self, connection: ConnectionId, request: RequestId, refusal: Refusal) {
        self.stats.refused_count += 1;
        self.stats.overloaded_count += u64::from(refusal == Refusal::Overloaded);
        self.clients.tell(connection, Reply { request, outcome: Outcome::Refused(refusal) });
    }

    fn submit(&mut self, batch: Batch, footprint: Footprint) -> Result<(), LoopError> {
        self.stories.departs(self.clients.departs(), self.now);
        self.stats.batch_count += 1;
        self.step(Input::Submit { batch, footprint })
    }

    // ---- time ---------------------------------------------------------------------------------

    fn run_timers(&mut self) -> Result<(), LoopError> {
        while let Some(timer) = self.timers.due(self.now) {
            self.step(Input::Timer(timer))?;
        }
        while let Some(chore) = self.chores.due(self.now) {
            match chore {
                Chore::Gossip => {
                    self.chores.set(chore, self.now + Duration::from_millis(self.limits.gossip_ms));
                    self.beside.on_gossip(&mut self.replica_out);
                    self.after_replica()?;
                    if let Some(position) = self.journal.kept() {
                        self.outward.send(self.others(), &Wire::<N>::Durable(position));
                    }
                    if let Some(past) = self.now.checked_sub(GIVE_UP) {
                        self.clients.forget_older(past);
                    }
                }
                Chore::ExpireSessions => {
                    let after = Duration::from_millis(self.limits.session_expiry_ms);
                    self.chores.set(chore, self.now + after);
                    self.expire_sessions()?;
                }
            }
        }
        match self.batcher.ripe(self.clients.in_flight_count(), self.now) {
            Some((batch, footprint)) => self.submit(batch, footprint),
            None => Ok(()),
        }
    }

    /// Orders that sessions idle for a whole generation are dropped. Every node does so;
    /// only the first of a generation has an effect.
    fn expire_sessions(&mut self) -> Result<(), LoopError> {
        let Some(replica) = self.beside.replica() else { return Ok(()) };
        self.step(Input::submit_alone(Command::expire_sessions(replica.generation())))
    }

    // ---- steps and what follows from them --------------------------------------------------------

    pub(crate) fn step(&mut self, input: Input<N>) -> Result<(), LoopError> {
        isegoria_node::step(&mut self.node, input, &mut self.out);
        // Before the commit of the same step, which leaves the gate first.
        self.out.events.iter().for_each(|event| self.stories.hears(event, self.now));
        let gate = &mut self.gate;
        self.journal.append(&mut self.out, |end, weight| gate.wrote(end, weight))?;
        for TimerWish { timer, after_ms } in self.out.timers.drain(..) {
            let after = rand::rng().random_range(after_ms);
            self.timers.set(timer, self.now + Duration::from_millis(u64::from(after)));
        }
        gate.hold(&mut self.out);
        Ok(())
    }

    /// Lets out everything that is durable, until nothing new follows.
    fn release(&mut self) -> Result<(), LoopError> {
        self.gate.durable(self.journal.durable());
        while let Some(effect) = self.gate.release() {
            match effect {
                Effect::Send(send) => self.outward.send(send.to, &Wire::<N>::Node(send.message)),
                Effect::Commit(order, batch) => self.on_commit(order, batch)?,
                Effect::Refuse(batch, refusal) => self.on_refused(&batch, &refusal),
                Effect::Event(event) => self.stats.count(&event, (self.own, self.up)),
            }
        }
        Ok(())
    }

    fn on_commit(&mut self, order: Order, batch: Batch) -> Result<(), LoopError> {
        let place = order.place();
        let may_be_ours = match &order {
            Order::Vertex(vertex, _) => vertex.leader == self.own,
            Order::Slot { .. } => self.clients.pending_count() > 0,
        };
        if may_be_ours {
            let waiting = batch.iter().find_map(|command| self.clients.waiting(command.request));
            if let Some((_, since)) = waiting {
                self.stats.commit.note(self.now - since);
            }
            self.stories.chosen(waiting.map(|(number, _)| number), &order, self.now);
        }
        self.beside.commit(order, batch, &mut self.replica_out);
        self.after_replica()?;
        if may_be_ours
            && self.stories.follows(place)
            && let Some(replica) = self.beside.replica()
        {
            self.stories.waits(place, replica.waits_for(place));
        }
        Ok(())
    }

    fn on_refused(&mut self, batch: &Batch, refusal: &Refusal) {
        for command in batch.iter() {
            self.stats.refused_count += 1;
            self.stats.overloaded_count += u64::from(*refusal == Refusal::Overloaded);
            let outcome = Outcome::Refused(refusal.clone());
            self.clients.reply(Reply { request: command.request, outcome });
        }
    }

    pub(crate) fn others(&self) -> NodeSet {
        NodeSet::first(self.node_count).without(self.own)
    }

    /// The end of a round: everything that may leave leaves, in one piece a peer.
    fn finish_round(&mut self) -> Result<(), LoopError> {
        if let Some(failure) = self.journal.log().error() {
            return Err(failure.into());
        }
        self.release()?;
        self.announce()?;
        // Answers may have made room for the next batch, whose first messages go along.
        if let Some((batch, footprint)) = self.batcher.ripe(self.clients.in_flight_count(), self.now) {
            self.submit(batch, footprint)?;
        }
        self.release()?;
        if self.gate.is_waiting() || self.announcement.is_some() {
            self.journal.flush();
        }
        self.outward.flush();
        self.clients.flush();
        self.journal.tend_checkpoint(&self.node, &mut self.beside);
        if let Some(replica) = self.beside.replica() {
            let generation = replica.generation();
            if self.inbox.generation.swap(generation, Ordering::Relaxed) != generation {
                // Whoever raised it: the next expiry is a whole period away for every node.
                let after = Duration::from_millis(self.limits.session_expiry_ms);
                self.chores.set(Chore::ExpireSessions, self.now + after);
            }
        }
        Ok(())
    }

    /// Closes the log; what was appended is durable afterwards.
    pub(crate) fn close(self) -> Result<(), LoopError> {
        tracing::info!(pending = self.clients.pending_count(), held = self.gate.held_count(), "stopping");
        Ok(self.journal.close()?)
    }
}
