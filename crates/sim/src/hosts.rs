use crate::event::{Event, Wire};
use crate::process::Setting;
use crate::trace::{Mark, What};
use crate::world::{GOSSIP_US, World};
use bytes::Bytes;
use isegoria_check::Violation;
use isegoria_machine::Frozen;
use isegoria_node::{Effect, Input, Node, Outbox, Protocol};
use isegoria_replica::{Installed, ReplicaMessage, ReplicaOutbox};
use isegoria_types::{Batch, NodeId, NodeSet, Order, Outcome, Reply};
use rand::Rng;

/// A request that is not answered after this long may be asked again at the same node, µs.
const GIVE_UP_US: u64 = 5_000_000;

/// What happens at one node: steps, its disk, what stands beside it, its time.
impl<P: Protocol> World<P> {
    pub(crate) fn step(&mut self, own: NodeId, input: Input<P::Node>) -> Result<(), Violation> {
        let host = &mut self.hosts[own.index()];
        let (Some(process), disk) = (&mut host.process, &mut host.disk) else { return Ok(()) };
        self.report.step_count += 1;
        let mut out = Outbox::new(own);
        process.step(input, &mut out, |record| disk.append(record));
        let life = host.life;
        for wish in std::mem::take(&mut out.timers) {
            let after_us =
                u64::from(self.rng.random_range(wish.after_ms)) * self.hosts[own.index()].clock_rate;
            let (setting, due_us) = (self.sequence, self.now_us + after_us);
            let process = self.hosts[own.index()].process.as_mut().expect("it just stepped");
            process.timers.insert(wish.timer.clone(), Setting { setting, due_us });
            self.schedule(after_us, Event::Timer { node: own, life, timer: wish.timer, setting });
        }
        let process = self.hosts[own.index()].process.as_mut().expect("it just stepped");
        process.gate.hold(&mut out);
        self.release(own)?;
        self.write(own);
        self.check_progress()
    }

    /// Lets out what is durable, and what follows from it at the replica.
    pub(crate) fn release(&mut self, own: NodeId) -> Result<(), Violation> {
        let mut replica_out = ReplicaOutbox::traced();
        loop {
            let Some(process) = &mut self.hosts[own.index()].process else { return Ok(()) };
            let Some(effect) = process.gate.release() else { break };
            match effect {
                Effect::Send(send) => self.send(own, send.to, &Wire::Node(send.message))?,
                Effect::Commit(order, batch) => self.commit(own, (order, batch), &mut replica_out)?,
                Effect::Refuse(batch, refusal) => self.refuse(own, &batch, &refusal),
                Effect::Event(event) => self.report.count_event(&event),
            }
        }
        self.after_replica(own, replica_out)
    }

    fn commit(
        &mut self,
        own: NodeId,
        (order, batch): (Order, Batch),
        out: &mut ReplicaOutbox,
    ) -> Result<(), Violation> {
        self.trace.line(self.now_us, || What::At {
            node: own,
            mark: Mark::Commit,
            text: format!("commits {order:?} {batch:?}"),
        });
        self.checks.committed(own, &order, &batch)?;
        let process = self.hosts[own.index()].process.as_mut().expect("it commits");
        process.beside.commit(order, batch, out);
        Ok(())
    }

    /// Carries out what the replica wishes.
    pub(crate) fn after_replica(&mut self, own: NodeId, mut out: ReplicaOutbox) -> Result<(), Violation> {
        let applied = out.applied.take().unwrap_or_default();
        let remembered = |reply: &&Reply| {
            matches!(reply.outcome, Outcome::Done(_))
                && !applied.iter().any(|(_, request, _)| *request == reply.request)
        };
        for _ in out.replies.iter().filter(remembered) {
            self.report.count("answer from the session table");
        }
        if let Some(installed) = out.installed.take() {
            self.installed(own, installed);
        }
        if out.cut_agreed {
            self.report.count("cut agreed");
        }
        for (place, request, output) in applied {
            self.trace.line(self.now_us, || What::At {
                node: own,
                mark: Mark::Apply,
                text: format!("applies {request:?} at {place}"),
            });
            let process = self.hosts[own.index()].process.as_mut().expect("its replica speaks");
            self.checks.applied((own, &mut process.applied), (place, request, output))?;
        }
        for (to, message) in std::mem::take(&mut out.sends) {
            if matches!(&message, ReplicaMessage::Commits { commits, .. } if !commits.is_empty()) {
                self.report.count("commits fetched from another replica");
            }
            self.send(own, to, &Wire::Replica(message))?;
        }
        for reply in std::mem::take(&mut out.replies) {
            self.on_reply(own, reply)?;
        }
        let host = &mut self.hosts[own.index()];
        if let (Some(progress), Some(process)) = (out.announce.take(), &mut host.process) {
            // One that waits for the disk is not replaced.
            process.announcement.get_or_insert((host.disk.end(), progress));
        }
        if let Some((number, frozen)) = out.write.take() {
            self.write_snapshot(own, number, frozen);
        }
        let inputs: Vec<Input<P::Node>> = inputs_of(&mut out);
        inputs.into_iter().try_for_each(|input| self.step(own, input))
    }

    // ---- messages -------------------------------------------------------------------------------

    pub(crate) fn send(
        &mut self,
        from: NodeId,
        to: NodeSet,
        wire: &Wire<<P::Node as Node>::Msg>,
    ) -> Result<(), Violation> {
        if let Wire::Node(message) = wire
            && let Some(evidence) = P::Node::evidence_of_message(message)
        {
            self.checks.sent(from, self.hosts[from.index()].life, &evidence)?;
        }
        for to in to.iter() {
            let copies = self.network.copies(from, to, &mut self.rng);
            self.trace.line(self.now_us, || What::Sent {
                from,
                to,
                arrives_us: copies[0].map(|after| self.now_us + after),
                text: describe(wire),
            });
            match copies {
                [None, _] => self.report.count("message lost"),
                [_, Some(_)] => self.report.count("message doubled"),
                _ => {}
            }
            for after in copies.into_iter().flatten() {
                self.schedule(after, Event::Deliver { from, to, wire: wire.clone() });
            }
        }
        Ok(())
    }

    pub(crate) fn deliver(
        &mut self,
        from: NodeId,
        to: NodeId,
        wire: Wire<<P::Node as Node>::Msg>,
    ) -> Result<(), Violation> {
        let host = &mut self.hosts[to.index()];
        let Some(process) = &mut host.process else { return Ok(()) };
        // Without space for the log what comes is lost, but what a node tells itself.
        if host.disk.is_space_short() && from != to {
            self.report.count("message lost for want of space");
            return Ok(());
        }
        self.report.delivered_count += 1;
        self.report.evaluated("admission");
        self.trace.note(self.now_us, &(from, to, &wire));
        self.trace.line(self.now_us, || What::Delivered { from, to, text: describe(&wire) });
        match wire {
            Wire::Node(message) => {
                if let Err(reason) = process.node.admit(from, &message) {
                    return rejected(to, from, format!("{message:?}: {reason:?}"));
                }
                self.step(to, Input::Message { from, message })
            }
            Wire::Replica(message) => {
                if !process.beside.admits(&message, self.plan.layout.node_count) {
                    return rejected(to, from, format!("{message:?}"));
                }
                let mut out = ReplicaOutbox::traced();
                process.beside.on_message(from, message, &mut out);
                self.after_replica(to, out)
            }
        }
    }

    // ---- time -----------------------------------------------------------------------------------

    pub(crate) fn on_timer(
        &mut self,
        (node, life): (NodeId, u64),
        timer: <P::Node as Node>::Timer,
        setting: u64,
    ) -> Result<(), Violation> {
        let host = &self.hosts[node.index()];
        let current = host.process.as_ref().and_then(|process| process.timers.get(&timer));
        if host.life != life || current.map(|current| current.setting) != Some(setting) {
            return Ok(());
        }
        self.trace.line(self.now_us, || What::At {
            node,
            mark: Mark::Timer,
            text: format!("timer {timer:?}"),
        });
        self.step(node, Input::Timer(timer))
    }

    pub(crate) fn on_gossip(&mut self, node: NodeId, life: u64) -> Result<(), Violation> {
        let host = &mut self.hosts[node.index()];
        let (Some(process), true) = (&mut host.process, host.life == life) else { return Ok(()) };
        let mut out = ReplicaOutbox::traced();
        process.beside.on_gossip(&mut out);
        let now = self.now_us;
        process.pending.retain(|_, since| *since + GIVE_UP_US > now);
        let rate = host.clock_rate;
        self.schedule(GOSSIP_US * rate / 1000, Event::Gossip { node, life });
        self.after_replica(node, out)?;
        let process = self.hosts[node.index()].process.as_ref().expect("it gossips");
        if process.beside.wants_checkpoint() || crate::network::chance(&mut self.rng, self.plan.checkpoint) {
            self.begin_checkpoint(node)?;
        }
        self.announce(node)?;
        self.tend_disk(node)?;
        self.write(node);
        self.check_progress()
    }

    // ---- snapshots ------------------------------------------------------------------------------

    /// Writes a snapshot for others; it is complete after a while, or never.
    fn write_snapshot(&mut self, node: NodeId, number: u64, frozen: Frozen) {
        let mut bytes = Vec::new();
        frozen(&mut bytes).expect("writing into memory");
        let host = &mut self.hosts[node.index()];
        let life = host.life;
        let process = host.process.as_ref().expect("its replica speaks");
        host.snapshots.insert(number, process.applied.clone());
        let fails = self.rng.random_bool(0.1) || host.disk.calls.is_full;
        let after = self.rng.random_range(1_000..100_000);
        let bytes = (!fails).then(|| bytes.into());
        self.schedule(after, Event::Snapshot { node, life, number, bytes });
    }

    pub(crate) fn on_snapshot(&mut self, (node, life): (NodeId, u64), number: u64, bytes: Option<Bytes>) {
        let host = &mut self.hosts[node.index()];
        if let (Some(process), true) = (&mut host.process, host.life == life) {
            process.beside.on_written(number, bytes);
        }
    }

    /// A replica became another's snapshot: what that has applied, it has now.
    fn installed(&mut self, node: NodeId, installed: Installed) {
        let Installed { from, snapshot, kept } = installed;
        self.trace.line(self.now_us, || What::At {
            node,
            mark: Mark::Apply,
            text: format!("becomes a snapshot of {from}, and executes {kept:?} again"),
        });
        self.report.count("snapshot installed");
        if !kept.is_empty() {
            self.report.count("snapshot installed with extras kept");
        }
        let applied = self.hosts[from.index()].snapshots[&snapshot].clone();
        self.hosts[node.index()].process.as_mut().expect("its replica speaks").applied = applied;
    }

    /// The failure detectors of the others notice, or do not.
    pub(crate) fn hint(&mut self, about: NodeId, down: bool) {
        for node in self.plan.layout.nodes().without(about).iter() {
            if !down || self.rng.random_bool(0.5) {
                let after = self.rng.random_range(1_000..100_000);
                self.schedule(after, Event::Hint { node, about, down });
            }
        }
    }
}

/// What the node is told of what its replica did, in order.
pub(crate) fn inputs_of<N: Node>(out: &mut ReplicaOutbox) -> Vec<Input<N>> {
    let propose = out.propose.take().map(Input::submit_alone);
    let cut = out.cut.take().map(Input::Cut);
    let blocked = out.blocked.drain(..).map(Input::Blocked);
    let executed = out.executed.take().map(Input::Executed);
    let collect = out.collect.take().map(Input::Collect);
    let learned = std::mem::take(&mut out.learned).into_iter();
    executed
        .into_iter()
        .chain(collect)
        .chain(cut)
        .chain(propose)
        .chain(blocked)
        .chain(learned.map(|(order, batch)| Input::Learned(order, batch)))
        .collect()
}

fn describe<M: std::fmt::Debug>(wire: &Wire<M>) -> String {
    match wire {
        Wire::Node(message) => format!("{message:?}"),
        Wire::Replica(message) => format!("{message:?}"),
    }
}

fn rejected(to: NodeId, from: NodeId, what: String) -> Result<(), Violation> {
    Err(Violation {
        check: "admission",
        invariant: "S8 messages of correct peers are admitted",
        place: None,
        what: format!("{to} rejects a message of {from}: {what}"),
    })
}
