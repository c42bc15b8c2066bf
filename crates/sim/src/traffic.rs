use crate::checks::Violation;
use crate::world::{Event, RETRY_US, Wire, World};
use isegoria_node::{Input, Node, Protocol};
use isegoria_replica::ReplicaOutbox;
use isegoria_types::{Batch, NodeId, NodeSet, Outcome, Refusal, Reply, RequestId};
use rand::Rng;
use std::hash::Hasher;

/// What happens between nodes, and between clients and nodes.
impl<P: Protocol> World<P> {
    pub(crate) fn send(&mut self, from: NodeId, to: NodeSet, wire: &Wire<<P::Node as Node>::Msg>) {
        for to in to.iter() {
            let cut = self.cut.contains(from) || self.cut.contains(to);
            if !self.healed && (cut || self.rng.random_bool(self.config.loss)) {
                self.report.lost_count += 1;
                continue;
            }
            let copies = if !self.healed && self.rng.random_bool(self.config.duplication) { 2 } else { 1 };
            for _ in 0..copies {
                let slow = !self.healed && self.rng.random_bool(0.05);
                let after = self.rng.random_range(100..if slow { 300_000 } else { 3_000 });
                self.schedule(after, Event::Deliver { from, to, wire: wire.clone() });
            }
        }
    }

    pub(crate) fn deliver(
        &mut self,
        from: NodeId,
        to: NodeId,
        wire: Wire<<P::Node as Node>::Msg>,
    ) -> Result<(), Violation> {
        let Some(process) = &mut self.hosts[to.index()].process else { return Ok(()) };
        self.report.delivered_count += 1;
        self.history.write_u64(self.now_us);
        match wire {
            Wire::Node(message) => {
                use std::hash::Hash;
                message.hash(&mut self.history);
                if let Err(reason) = process.node.admit(from, &message) {
                    let what = format!("{to} rejects {message:?} of {from}: {reason:?}");
                    return Err(Violation { invariant: "S8 correct peers are admitted", what });
                }
                self.step(to, Input::Message { from, message })
            }
            Wire::Replica(message) => {
                if !process.replica.admits(&message, self.config.node_count) {
                    let what = format!("{to} rejects {message:?} of {from}");
                    return Err(Violation { invariant: "S8 correct peers are admitted", what });
                }
                let mut out = ReplicaOutbox::traced();
                process.replica.on_message(from, message, &mut out);
                self.after_replica(to, out)
            }
        }
    }

    pub(crate) fn ask(&mut self, client: usize, attempt: u64) -> Result<(), Violation> {
        let asker = &mut self.clients[client];
        if asker.attempt != attempt || asker.number >= self.config.request_count {
            return Ok(());
        }
        asker.attempt += 1;
        let (request, target, next) = (asker.request(), asker.target, asker.attempt);
        self.report.checks.submitted(request.id, &asker.op);
        // Asked again elsewhere, if no answer comes first.
        let other = NodeId::new(self.rng.random_range(0..self.config.node_count));
        asker.target = other;
        self.schedule(RETRY_US, Event::Ask { client, attempt: next });
        let Some(process) = &self.hosts[target.index()].process else { return Ok(()) };
        match process.submission(&request) {
            Ok(input) => self.step(target, input),
            Err(refusal) => Err(Violation { invariant: "S7 nontriviality", what: refusal.to_string() }),
        }
    }

    pub(crate) fn client_of(&mut self, request: RequestId) -> Option<usize> {
        let index = usize::try_from(request.client.0 - 1).ok()?;
        (self.clients[index].number == request.number).then_some(index)
    }

    pub(crate) fn on_reply(&mut self, reply: &Reply) -> Result<(), Violation> {
        let Outcome::Done(answer) = &reply.outcome else { return Ok(()) };
        self.report.checks.answer(reply.request, answer)?;
        if let Some(index) = self.client_of(reply.request) {
            let client = &mut self.clients[index];
            client.number += 1;
            client.attempt += 1;
            client.draw(self.config.key_count, &mut self.rng);
            let attempt = client.attempt;
            let think = self.rng.random_range(0..300_000);
            self.schedule(think, Event::Ask { client: index, attempt });
        }
        Ok(())
    }

    pub(crate) fn refuse(&mut self, batch: &Batch, refusal: &Refusal) {
        for command in batch.iter() {
            let Some(index) = self.client_of(command.request) else { continue };
            let client = &mut self.clients[index];
            if let Refusal::NotLeader { leader: Some(leader) } = refusal {
                client.target = *leader;
            }
            let attempt = client.attempt;
            let pause = self.rng.random_range(1_000..50_000);
            self.schedule(pause, Event::Ask { client: index, attempt });
        }
    }
}
