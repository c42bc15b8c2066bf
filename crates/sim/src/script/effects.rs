use super::dialect::Dialect;
use super::host::{Host, Process};
use super::network::{Letter, Wire};
use super::text;
use super::verbs::{Msg, NodeOf, Script};
use isegoria_node::{Effect, Event, Evidence, Input, Node, Outbox, Weight};
use isegoria_replica::{Installed, ReplicaOutbox};
use isegoria_types::{Batch, NodeId, NodeSet, Order};

/// What follows from a command: steps, the disk, the gate, the replica.
impl<D: Dialect> Script<D> {
    pub(super) fn process(&mut self, node: NodeId) -> &mut Process<D::Protocol> {
        self.hosts[node.index()].process.as_mut().unwrap_or_else(|| panic!("{node} is down"))
    }

    /// A message arrives.
    pub(super) fn receive(&mut self, letter: Letter<Msg<D>>) {
        let Letter { from, to, text, wire } = letter;
        self.trace.command(&format!("{from} -> {to}: {text}"));
        let node_count = self.layout.node_count;
        match wire {
            Wire::Node(message) => {
                if let Err(reason) = self.process(to).node.admit(from, &message) {
                    panic!("{to} does not admit {text} of {from}: {reason:?}");
                }
                self.step(to, Input::Message { from, message });
            }
            Wire::Replica(message) => {
                let beside = &mut self.process(to).beside;
                assert!(beside.admits(&message, node_count), "{to} does not admit {text} of {from}");
                let mut out = ReplicaOutbox::traced();
                beside.on_message(from, message, &mut out);
                let inputs = self.after_replica(to, out);
                self.steps(to, inputs);
            }
        }
    }

    pub(super) fn steps(&mut self, node: NodeId, inputs: Vec<Input<NodeOf<D>>>) {
        inputs.into_iter().for_each(|input| self.step(node, input));
    }

    /// One atomic step, and all that it leads to at this node.
    pub(super) fn step(&mut self, own: NodeId, input: Input<NodeOf<D>>) {
        let mut out = Outbox::new(own);
        let process = self.process(own);
        isegoria_node::step(&mut process.node, input, &mut out);
        process.node.assert_invariants();
        for (record, weight) in std::mem::take(&mut out.records) {
            let verb = if weight == Weight::Gating { "writes" } else { "notes " };
            self.trace.effect(&format!("{own} {verb} {}", D::record(&record)));
            let end = self.hosts[own.index()].disk.append(record);
            self.process(own).gate.wrote(end, weight);
        }
        self.process(own).gate.hold(&mut out);
        if self.hosts[own.index()].disk.is_held {
            self.release(own);
        } else {
            self.after_sync(own);
        }
    }

    /// Everything written is durable: lets out what waited for it.
    pub(super) fn after_sync(&mut self, own: NodeId) {
        let disk = &mut self.hosts[own.index()].disk;
        let votes = disk.sync().iter().map(NodeOf::<D>::evidence_of_record).collect();
        let end = disk.end();
        self.judge_durable(own, votes);
        self.process(own).gate.durable(end);
        self.release(own);
        let inputs = self.announce(own);
        self.steps(own, inputs);
    }

    /// What these records say is durable now.
    pub(super) fn judge_durable(&mut self, own: NodeId, votes: Vec<Option<Evidence>>) {
        for evidence in votes {
            let judged = self.observer.durable(own, evidence);
            self.judge(judged);
        }
    }

    /// Lets out what is durable.
    fn release(&mut self, own: NodeId) {
        let mut inputs = Vec::new();
        while let Some(effect) = self.process(own).gate.release() {
            match effect {
                Effect::Send(send) => {
                    let judged = self.observer.sent(NodeOf::<D>::evidence_of_message(&send.message));
                    self.judge(judged);
                    let text = D::message(&send.message);
                    self.send(own, send.to, &text, &Wire::Node(send.message));
                }
                Effect::Commit(order, batch) => inputs.extend(self.commit(own, order, batch)),
                Effect::Refuse(batch, refusal) => {
                    let refusal = text::refusal(&refusal);
                    self.trace.effect(&format!("{own} refuses {batch:?}: {refusal}"));
                }
                // These are for whoever asks about a command: traces have the messages themselves.
                Effect::Event(Event::Answered { .. } | Event::Added { .. }) => {}
                Effect::Event(event) => self.trace.effect(&format!("{own} event  {}", text::event(&event))),
            }
        }
        self.steps(own, inputs);
    }

    fn send(&mut self, from: NodeId, to: NodeSet, text: &str, wire: &Wire<Msg<D>>) {
        self.trace.effect(&format!("{from} sends  {}: {text}", text::names(to)));
        for to in to.iter() {
            self.network.send(Letter { from, to, text: text.to_owned(), wire: wire.clone() });
        }
    }

    fn commit(&mut self, own: NodeId, order: Order, batch: Batch) -> Vec<Input<NodeOf<D>>> {
        self.trace.effect(&format!("{own} commits {}", text::commit(&order, &batch)));
        let judged = self.observer.committed(own, &order, &batch);
        self.judge(judged);
        let mut out = ReplicaOutbox::traced();
        self.process(own).beside.commit(order, batch, &mut out);
        self.after_replica(own, out)
    }

    /// What a replica wishes; returns what the node beside it must hear.
    pub(super) fn after_replica(&mut self, own: NodeId, mut out: ReplicaOutbox) -> Vec<Input<NodeOf<D>>> {
        if let Some(Installed { from, kept, .. }) = out.installed.take() {
            let again = if kept.is_empty() { String::new() } else { format!(" and executes {kept:?} again") };
            self.trace.effect(&format!("{own} becomes the snapshot of {from}{again}"));
            self.observer.installed(own, from);
        }
        for (place, request, output) in out.applied.take().unwrap_or_default() {
            self.trace.effect(&format!("{own} applies {request:?} at {place}: {}", text::output(&output)));
            let judged = self.observer.applied(own, (place, request), &output);
            self.judge(judged);
        }
        for reply in &out.replies {
            self.trace.effect(&format!("{own} answers {}", text::reply(reply)));
            let judged = self.observer.answered(reply);
            self.judge(judged);
        }
        for (to, message) in std::mem::take(&mut out.sends) {
            let text = text::replica_message(&message);
            self.send(own, to, &text, &Wire::Replica(message));
        }
        for vertex in &out.blocked {
            self.trace.effect(&format!("{own} waits for {vertex}"));
        }
        if let Some(prefix) = &out.collect {
            self.trace.effect(&format!("{own} forgets {prefix:?}"));
        }
        if let Some(prefix) = &out.cut {
            self.trace.effect(&format!("{own} cuts    {prefix:?}"));
        }
        if let Some((number, frozen)) = out.write.take() {
            self.trace.effect(&format!("{own} writes a snapshot"));
            let mut bytes = Vec::new();
            frozen(&mut bytes).expect("writing into memory");
            self.observer.offered(own);
            self.process(own).beside.on_written(number, Some(bytes.into()));
        }
        let mut inputs: Vec<Input<NodeOf<D>>> = out.blocked.drain(..).map(Input::Blocked).collect();
        inputs.extend(out.executed.take().map(Input::Executed));
        inputs.extend(out.collect.take().map(Input::Collect));
        inputs.extend(out.cut.take().map(Input::Cut));
        inputs.extend(out.propose.take().map(Input::submit_alone));
        inputs.extend(out.learned.drain(..).map(|(order, batch)| Input::Learned(order, batch)));
        if let Some(prefix) = out.announce.take() {
            let end = self.hosts[own.index()].disk.end();
            self.process(own).announcement = Some((end, prefix));
            inputs.extend(self.announce(own));
        }
        inputs
    }

    /// Tells all replicas, this one included, how far it is, if that is durable.
    fn announce(&mut self, own: NodeId) -> Vec<Input<NodeOf<D>>> {
        let Host { disk, process } = &mut self.hosts[own.index()];
        let process = process.as_mut().unwrap_or_else(|| panic!("{own} is down"));
        let Some((_, message)) = process.announcement.take_if(|(end, _)| disk.is_durable(*end)) else {
            return Vec::new();
        };
        let others = self.layout.nodes().without(own);
        let mut out = ReplicaOutbox::traced();
        process.beside.on_message(own, message.clone(), &mut out);
        let text = text::replica_message(&message);
        self.send(own, others, &text, &Wire::Replica(message));
        self.after_replica(own, out)
    }
}
