use crate::checks::Violation;
use crate::machine_node::Process;
use crate::world::{Event, GOSSIP_US, Wire, World};
use isegoria_node::{Effect, Input, Node, Outbox, Protocol};
use isegoria_replica::{ReplicaMessage, ReplicaOutbox};
use isegoria_types::NodeId;
use rand::Rng;

/// What happens at one node: steps, its disk, its replica, its end and its return.
impl<P: Protocol> World<P> {
    pub(crate) fn restart(&mut self, own: NodeId) -> Result<(), Violation> {
        let host = &mut self.hosts[own.index()];
        if host.process.is_some() {
            return Ok(());
        }
        if host.disk.checkpoint.is_some() {
            self.report.checkpoint_restart_count += 1;
        }
        host.incarnation += 1;
        host.syncing = false;
        let applied = host.applied_at_checkpoint.clone();
        host.process = Some(Process::start(own, &self.layout, &self.options, &host.disk, applied));
        let incarnation = host.incarnation;
        self.schedule(GOSSIP_US, Event::Gossip { node: own, incarnation });
        self.hint(own, false);
        self.step(own, Input::Start)
    }

    pub(crate) fn crash(&mut self, node: NodeId) {
        let down = self.hosts.iter().filter(|host| host.process.is_none()).count();
        let spare = self.layout.quorums.phase1.tolerates().min(self.layout.quorums.dependency.tolerates());
        let host = &mut self.hosts[node.index()];
        if host.process.is_none() || down >= spare || self.healed {
            return;
        }
        host.process = None;
        host.disk.crash();
        self.report.crash_count += 1;
        let after = self.rng.random_range(20_000..1_500_000);
        self.schedule(after, Event::Restart { node });
        self.hint(node, true);
    }

    /// The failure detectors of the others notice, or do not.
    pub(crate) fn hint(&mut self, about: NodeId, down: bool) {
        for node in self.layout.nodes().without(about).iter() {
            if !down || self.rng.random_bool(0.5) {
                let after = self.rng.random_range(1_000..100_000);
                self.schedule(after, Event::Hint { node, about, down });
            }
        }
    }

    pub(crate) fn step(&mut self, own: NodeId, input: Input<P::Node>) -> Result<(), Violation> {
        let host = &mut self.hosts[own.index()];
        let Some(process) = &mut host.process else { return Ok(()) };
        self.report.step_count += 1;
        let mut out = Outbox::new(own);
        process.step(input, &mut host.disk, &mut out);
        let incarnation = host.incarnation;
        for wish in std::mem::take(&mut out.timers) {
            let after = self.rng.random_range(wish.after_ms.clone());
            let setting = self.sequence;
            let process = self.hosts[own.index()].process.as_mut().expect("it just stepped");
            process.timers.insert(wish.timer.clone(), setting);
            let event = Event::Timer { node: own, incarnation, timer: wish.timer, setting };
            self.schedule(u64::from(after) * 1000, event);
        }
        let process = self.hosts[own.index()].process.as_mut().expect("it just stepped");
        process.gate.hold(&mut out);
        self.release(own)?;
        self.sync(own);
        Ok(())
    }

    /// Lets out what is durable, and what follows from it at the replica.
    pub(crate) fn release(&mut self, own: NodeId) -> Result<(), Violation> {
        let mut replica_out = ReplicaOutbox::traced();
        loop {
            let Some(process) = &mut self.hosts[own.index()].process else { return Ok(()) };
            let Some(effect) = process.gate.release() else { break };
            match effect {
                Effect::Send(send) => self.send(own, send.to, &Wire::Node(send.message)),
                Effect::Commit(order, batch) => {
                    self.report.checks.committed(own, &order, &batch)?;
                    process.replica.commit(order, batch, &mut replica_out);
                }
                Effect::Refuse(batch, refusal) => self.refuse(&batch, &refusal),
                Effect::Event(event) => self.report.count(&event),
            }
        }
        self.after_replica(own, replica_out)
    }

    pub(crate) fn after_replica(&mut self, own: NodeId, mut out: ReplicaOutbox) -> Result<(), Violation> {
        if let Some(process) = &mut self.hosts[own.index()].process {
            for applied in out.applied.take().unwrap_or_default() {
                self.report.checks.applied(own, &mut process.applied, applied)?;
            }
        }
        for (to, message) in std::mem::take(&mut out.sends) {
            self.send(own, to, &Wire::Replica(message));
        }
        for reply in std::mem::take(&mut out.replies) {
            self.on_reply(&reply)?;
        }
        if let Some(prefix) = out.announce.take() {
            let host = &mut self.hosts[own.index()];
            let position = host.disk.end();
            if let Some(process) = &mut host.process {
                // One that waits for the disk is not replaced.
                process.announcement.get_or_insert((position, prefix));
            }
        }
        let blocked = out.blocked.drain(..).map(Input::Blocked);
        let executed = out.executed.take().map(Input::Executed);
        let collect = out.collect.take().map(Input::Collect);
        let learned = std::mem::take(&mut out.learned).into_iter();
        let inputs: Vec<Input<P::Node>> = blocked
            .chain(executed)
            .chain(collect)
            .chain(learned.map(|(order, batch)| Input::Learned(order, batch)))
            .collect();
        inputs.into_iter().try_for_each(|input| self.step(own, input))
    }

    /// Begins a sync if something waits for one.
    pub(crate) fn sync(&mut self, node: NodeId) {
        let host = &mut self.hosts[node.index()];
        let Some(process) = &host.process else { return };
        let wanted = process.gate.is_waiting() || process.announcement.is_some();
        if !wanted || host.syncing {
            return;
        }
        host.syncing = true;
        let (incarnation, position) = (host.incarnation, host.disk.end());
        let after = self.rng.random_range(50..if self.healed { 500 } else { 5_000 });
        self.schedule(after, Event::Synced { node, incarnation, position });
    }

    pub(crate) fn synced(&mut self, node: NodeId, incarnation: u64, position: u64) -> Result<(), Violation> {
        let host = &mut self.hosts[node.index()];
        if host.incarnation != incarnation {
            return Ok(());
        }
        let Some(process) = &mut host.process else { return Ok(()) };
        host.syncing = false;
        host.disk.sync(position);
        process.gate.durable(position);
        if process.announcement.as_ref().is_some_and(|(wanted, _)| *wanted <= position) {
            let (_, executed) = process.announcement.take().expect("just seen");
            self.announce(node, executed)?;
        }
        self.release(node)?;
        self.sync(node);
        Ok(())
    }

    pub(crate) fn announce(
        &mut self,
        node: NodeId,
        executed: isegoria_types::Prefix,
    ) -> Result<(), Violation> {
        let message = ReplicaMessage::Progress { executed };
        let others = self.layout.nodes().without(node);
        self.send(node, others, &Wire::Replica(message.clone()));
        self.deliver(node, node, Wire::Replica(message))
    }

    pub(crate) fn checkpoint(&mut self, node: NodeId, incarnation: u64) {
        let host = &mut self.hosts[node.index()];
        let Some(process) = &host.process else { return };
        if host.incarnation != incarnation || host.disk.durable() != host.disk.end() {
            return;
        }
        let (mut records, mut snapshot) = (Vec::new(), Vec::new());
        process.node.checkpoint(&mut records);
        process.replica.freeze()(&mut snapshot).expect("writing into memory");
        host.disk.take_checkpoint(records, snapshot);
        host.applied_at_checkpoint = process.applied.clone();
    }

    pub(crate) fn gossip(&mut self, node: NodeId, incarnation: u64) -> Result<(), Violation> {
        let host = &mut self.hosts[node.index()];
        if host.incarnation != incarnation {
            return Ok(());
        }
        let Some(process) = &mut host.process else { return Ok(()) };
        let mut out = ReplicaOutbox::traced();
        process.replica.on_gossip(&mut out);
        self.schedule(GOSSIP_US, Event::Gossip { node, incarnation });
        if self.config.checkpoints && self.rng.random_bool(0.05) {
            let after = self.rng.random_range(0..GOSSIP_US);
            self.schedule(after, Event::Checkpoint { node, incarnation });
        }
        self.after_replica(node, out)?;
        self.sync(node);
        Ok(())
    }
}
