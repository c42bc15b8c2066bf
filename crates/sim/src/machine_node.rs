use crate::checks::Applied;
use crate::disk::Disk;
use isegoria_kv::Kv;
use isegoria_machine::{Erased, Relation};
use isegoria_node::{Gate, Input, Node, Outbox, Protocol};
use isegoria_replica::Replica;
use isegoria_types::{BatchBuilder, Command, Footprint, Layout, NodeId, Refusal, Request};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A running process: node, gate, replica and timers.
pub(crate) struct Process<P: Protocol> {
    pub(crate) node: P::Node,
    pub(crate) replica: Replica,
    pub(crate) gate: Gate<P::Node>,
    /// Which setting of each timer is the last: older ones are void.
    pub(crate) timers: BTreeMap<<P::Node as Node>::Timer, u64>,
    /// Own progress, to be told once the log up to the position is durable.
    pub(crate) announcement: Option<(u64, isegoria_types::Prefix)>,
    pub(crate) applied: Applied,
    relation: Arc<dyn Relation>,
}

impl<P: Protocol> Process<P> {
    /// Starts from what the disk holds. `applied` is the checker's view of the checkpoint.
    pub(crate) fn start(
        own: NodeId,
        layout: &Layout,
        options: &P::Options,
        disk: &Disk<P::Node>,
        applied: Applied,
    ) -> Process<P> {
        let mut node = P::build(own, layout, options).expect("options that fit the layout");
        let machine = Box::new(Erased::<Kv>::default());
        let mut replica = Replica::new(own, layout, P::ORDER, machine);
        if let Some(checkpoint) = &disk.checkpoint {
            replica.restore(&mut &checkpoint.snapshot[..]).expect("a snapshot that was just written");
            for record in &checkpoint.records {
                node.replay(record.clone());
            }
        }
        for record in disk.tail() {
            node.replay(record.clone());
        }
        let relation = isegoria_machine::Machine::relation(&Erased::<Kv>::default());
        let mut gate = Gate::default();
        gate.durable(disk.durable());
        Process { node, replica, gate, timers: BTreeMap::new(), announcement: None, applied, relation }
    }

    /// The input that submits a client's request, as an entry node makes it.
    pub(crate) fn submission(&self, request: &Request) -> Result<Input<P::Node>, Refusal> {
        let footprint = self.relation.footprint(&request.payload).map_err(|_| Refusal::Undecodable)?;
        let mut builder = BatchBuilder::default();
        builder.push(&Command {
            request: request.id,
            acked_below: request.acked_below,
            generation: request.generation,
            footprint: footprint.clone(),
            action: isegoria_types::Action::Apply(request.payload.clone()),
        });
        let (batch, footprint): (_, Footprint) = builder.finish();
        Ok(Input::Submit { batch, footprint })
    }

    /// One atomic step; the records go to the disk, the rest to the gate.
    pub(crate) fn step(
        &mut self,
        input: Input<P::Node>,
        disk: &mut Disk<P::Node>,
        out: &mut Outbox<P::Node>,
    ) {
        isegoria_node::step(&mut self.node, input, out);
        for (record, weight) in out.records.drain(..) {
            let end = disk.append(record);
            self.gate.wrote(end, weight);
        }
        self.node.assert_invariants();
    }
}
