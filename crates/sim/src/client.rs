use crate::event::Event;
use crate::lists::{Use, element};
use crate::network::chance;
use crate::plan::PATIENT_MS;
use crate::plan::Workload;
use crate::trace::{Mark, What};
use crate::world::World;
use bytes::Bytes;
use isegoria_check::history::{Call, Operation, Outcome as Known};
use isegoria_check::{Submission, Violation};
use isegoria_kv::{Op, Output};
use isegoria_node::{Input, Protocol};
use isegoria_session::{Completion, Options, Outbox, Session, SubmitError, Targets};
use isegoria_types::{Action, Batch, ClientId, Command, NodeId, Outcome, Refusal, Reply, Request, RequestId};
use rand::Rng;
use std::collections::BTreeMap;

/// A client: the session machine itself, and the requests that it still has to make.
pub(crate) struct SimClient {
    session: Session,
    /// Sessions opened so far: each has an id of its own.
    session_count: u64,
    /// Requests not submitted yet.
    left: u64,
    /// Where in the history each open request stands.
    open: BTreeMap<RequestId, usize>,
    /// The last setting of the alarm clock.
    alarm: u64,
}

impl SimClient {
    pub(crate) fn is_done(&self) -> bool {
        self.left == 0 && self.open.is_empty()
    }

    pub(crate) fn describe(&self) -> String {
        let open: Vec<_> = self.open.keys().take(4).collect();
        format!("{:?} for {open:?} with {} to come", self.session.client(), self.left)
    }
}

/// What clients do, and what nodes do with their requests.
impl<P: Protocol> World<P> {
    pub(crate) fn open_clients(&mut self) {
        for index in 0..self.plan.workload.client_count {
            let session = self.open_session(index, 0);
            let left = self.plan.workload.request_count;
            self.clients.push(SimClient { session, session_count: 1, left, open: BTreeMap::new(), alarm: 0 });
            for _ in 0..self.plan.workload.in_flight_max {
                let wait = self.rng.random_range(0..2 * self.plan.workload.think_us);
                self.schedule(wait, Event::Think { client: index });
            }
        }
    }

    fn open_session(&mut self, index: usize, opened_before: u64) -> Session {
        let leaders: Vec<NodeId> = self.plan.layout.leaders.iter().collect();
        let home = leaders[self.rng.random_range(0..leaders.len())];
        let generations = self.hosts.iter().filter_map(|host| Some(host.process.as_ref()?.generation()));
        let generation = generations.max().unwrap_or(0);
        let workload = &self.plan.workload;
        let id = index as u64 + 1 + opened_before * workload.client_count as u64;
        let options = Options {
            in_flight_max: workload.in_flight_max,
            retry_ms: 400,
            retry_ms_max: 2_000,
            refused_ms: 20,
            // One is patient: a history without any answer proves nothing.
            deadline_ms: if index == 0 { PATIENT_MS } else { workload.deadline_ms },
        };
        Session::new(ClientId(id), generation, Targets::new(home, self.plan.layout.leaders), options)
    }

    /// A client has thought of its next command.
    pub(crate) fn think(&mut self, index: usize) {
        if self.clients[index].session.is_expired() && self.clients[index].open.is_empty() {
            self.report.count("a client's session expired");
            let opened_before = self.clients[index].session_count;
            self.clients[index].session = self.open_session(index, opened_before);
            self.clients[index].session_count += 1;
        }
        if self.clients[index].left == 0 {
            return;
        }
        let op = self.draw_op();
        let payload = Bytes::from(postcard::to_stdvec(&op).expect("encoding into memory"));
        let footprint = self.relation.footprint(&payload).expect("an operation of the store");
        let keys = self.keys.footprint(&payload).expect("an operation of the store");
        let (now_ms, mut out) = (self.now_us / 1000, Outbox::default());
        let client = &mut self.clients[index];
        let Ok(request) = client.session.submit(payload.clone(), now_ms, &mut out) else {
            self.schedule(10_000, Event::Think { client: index });
            return;
        };
        client.left -= 1;
        client.open.insert(request, self.history.operations.len());
        let call = Call::Kv(op);
        let operation =
            Operation { client: request.client.0, invoked_us: self.now_us, call, outcome: Known::Unknown };
        self.history.operations.push(operation);
        self.report.command_count += 1;
        self.checks.submitted(request, Submission { payload, footprint, keys });
        self.after_session(index, out);
    }

    fn draw_op(&mut self) -> Op {
        let element = element(self.history.operations.len());
        let Workload { key_count, hot, first_use, .. } = self.plan.workload;
        let rng = &mut self.rng;
        let mut number = || if chance(rng, hot) { 0 } else { rng.random_range(0..key_count) };
        let (one, two) = (number(), number());
        let (used, key) = (Use::of(one + first_use), |number: u64| Use::key(number, first_use));
        match (used, self.rng.random_range(0..20)) {
            (_, 0..3) => Op::MultiGet(vec![key(one), key(two)]),
            (_, 3..7) => Op::Get(key(one)),
            (Use::List, _) => Op::Append(key(one), element),
            (Use::Register, 7..12) => Op::Put(key(one), element),
            // Another key of the same use, beyond the others or among them.
            (Use::Register, 12..15) => {
                Op::MultiPut(vec![(key(one), element.clone()), (key(one + 3), element)])
            }
            (Use::Register, 15..17) => Op::CompareAndSet { key: key(one), expected: None, value: element },
            (Use::Register, _) => Op::Delete(key(one)),
            (Use::Counter, 7..14) => Op::Add(key(one), 1),
            (Use::Counter, _) => Op::Incr(key(one), 1),
        }
    }

    /// Carries out what a session wishes.
    fn after_session(&mut self, index: usize, out: Outbox) {
        for (to, request) in out.sends {
            let away = !self.network.reaches(to, to);
            if away || chance(&mut self.rng, self.network.habits.loss) {
                continue;
            }
            let after = self.rng.random_range(50..2_000);
            self.schedule(after, Event::Request { to, request });
        }
        for Completion { request, result } in out.completions {
            self.complete(index, request, result);
        }
        let client = &mut self.clients[index];
        if let Some(deadline) = client.session.next_deadline() {
            client.alarm += 1;
            let (setting, now_ms) = (client.alarm, self.now_us / 1000);
            let after = deadline.saturating_sub(now_ms) * 1000 + 1000;
            self.schedule(after, Event::Wake { client: index, setting });
        }
    }

    fn complete(&mut self, index: usize, request: RequestId, result: Result<Bytes, SubmitError>) {
        let place = self.clients[index].open.remove(&request).expect("it was open");
        self.trace.line(self.now_us, || What::Note(format!("{request:?} ends: {result:?}")));
        self.history.operations[place].outcome = match result {
            Ok(answer) => {
                let output: Output = postcard::from_bytes(&answer).expect("an output of the store");
                Known::Ok { returned_us: self.now_us, answer: output.into() }
            }
            Err(SubmitError::Unknown(_)) => {
                self.report.count("request of unknown outcome");
                Known::Unknown
            }
            Err(_) => Known::Failed,
        };
        let think = self.rng.random_range(0..2 * self.plan.workload.think_us);
        self.schedule(think, Event::Think { client: index });
    }

    pub(crate) fn wake(&mut self, index: usize, setting: u64) {
        if self.clients[index].alarm != setting {
            return;
        }
        let mut out = Outbox::default();
        self.clients[index].session.on_time(self.now_us / 1000, &mut out);
        if !out.sends.is_empty() {
            self.report.count("request asked again");
        }
        self.after_session(index, out);
    }

    pub(crate) fn on_node_down(&mut self, index: usize, node: NodeId) {
        let mut out = Outbox::default();
        self.clients[index].session.on_node_down(node, self.now_us / 1000, &mut out);
        self.after_session(index, out);
    }

    pub(crate) fn on_client_reply(&mut self, index: usize, reply: Reply) {
        let mut out = Outbox::default();
        self.clients[index].session.on_reply(reply, self.now_us / 1000, &mut out);
        self.after_session(index, out);
    }

    // ---- at the node ----------------------------------------------------------------------------

    /// A request arrives at its entry node.
    pub(crate) fn on_request(&mut self, own: NodeId, request: Request) -> Result<(), Violation> {
        let (now, life) = (self.now_us, self.hosts[own.index()].life);
        let footprint = self.relation.footprint(&request.payload).expect("an operation of the store");
        let host = &mut self.hosts[own.index()];
        let Some(process) = &mut host.process else { return Ok(()) };
        if host.disk.is_space_short() {
            self.report.count("request refused for want of space");
            process.pending.insert(request.id, now);
            self.tell(own, Reply { request: request.id, outcome: Outcome::Refused(Refusal::Overloaded) });
            return Ok(());
        }
        if process.pending.insert(request.id, now).is_some() {
            return Ok(());
        }
        self.trace.note(now, &(own, &request));
        self.trace.line(now, || What::At {
            node: own,
            mark: Mark::Client,
            text: format!("takes {:?} of a client", request.id),
        });
        process.builder.push(&Command {
            request: request.id,
            acked_below: request.acked_below,
            generation: request.generation,
            footprint,
            action: Action::Apply(request.payload),
        });
        if process.builder.len() >= self.plan.workload.batch_max {
            return self.submit_batch(own);
        }
        if process.builder.len() == 1 {
            let wait = self.rng.random_range(0..2_000);
            self.schedule(wait, Event::Flush { node: own, life });
        }
        Ok(())
    }

    pub(crate) fn submit_batch(&mut self, own: NodeId) -> Result<(), Violation> {
        let Some(process) = &mut self.hosts[own.index()].process else { return Ok(()) };
        if process.builder.is_empty() {
            return Ok(());
        }
        let (batch, footprint) = process.builder.finish();
        if batch.len() > 1 {
            self.report.count("batch of several commands");
        }
        self.step(own, Input::Submit { batch, footprint })
    }

    /// A node orders that sessions idle for a whole generation are dropped.
    pub(crate) fn expire_sessions(&mut self, own: NodeId) -> Result<(), Violation> {
        let Some(process) = &self.hosts[own.index()].process else { return Ok(()) };
        let generation = process.generation();
        self.step(own, Input::submit_alone(Command::expire_sessions(generation)))
    }

    /// The replica of an entry node answers.
    pub(crate) fn on_reply(&mut self, own: NodeId, reply: Reply) -> Result<(), Violation> {
        if let Outcome::Done(answer) = &reply.outcome {
            self.checks.answered(reply.request, answer)?;
        }
        self.tell(own, reply);
        Ok(())
    }

    pub(crate) fn refuse(&mut self, own: NodeId, batch: &Batch, refusal: &Refusal) {
        for command in batch.iter() {
            self.tell(own, Reply { request: command.request, outcome: Outcome::Refused(refusal.clone()) });
        }
    }

    /// A reply on its way to the client, if the node still knows who asked.
    fn tell(&mut self, own: NodeId, reply: Reply) {
        let Some(process) = &mut self.hosts[own.index()].process else { return };
        let asked = process.pending.remove(&reply.request).is_some();
        let Some(number) = reply.request.client.0.checked_sub(1).filter(|_| asked) else { return };
        if chance(&mut self.rng, self.network.habits.loss) {
            return;
        }
        let index = usize::try_from(number).expect("few sessions") % self.clients.len();
        let after = self.rng.random_range(50..2_000);
        self.schedule(after, Event::Reply { client: index, reply });
    }
}
