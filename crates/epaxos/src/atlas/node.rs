use crate::Value;
use crate::atlas::acceptor::Request;
use crate::atlas::choose::Collected;
use crate::atlas::leader::Leader;
use crate::atlas::message::{Message, Record, Timer};
use crate::atlas::options::Options;
use crate::atlas::recovery::Attempt;
use isegoria_acceptor::Cell;
use isegoria_depservice::{Answer, KeyedIndex};
use isegoria_node::{Counts, Evidence, Inadmissible, Input, Node, Outbox};
use isegoria_proposer::Recoveries;
use isegoria_types::{
    Conflicts, DepSet, Footprint, Layout, NodeId, Order, Prefix, Quorum, Quorums, Vertex, VertexMap,
};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// One node, with all roles.
#[derive(Clone, Debug)]
pub struct AtlasNode {
    pub(crate) own: NodeId,
    pub(crate) layout: Arc<Layout>,
    pub(crate) quorums: Arc<Quorums>,
    pub(crate) options: Options,
    pub(crate) fast_quorum: Quorum,
    /// How many of its members name a dependency that is chosen in ballot 0.
    pub(crate) named_by: usize,
    pub(crate) instances: VertexMap<Instance>,
    pub(crate) index: KeyedIndex,
    pub(crate) leader: Leader,
    pub(crate) recovery: Recoveries<Attempt>,
    /// Executed by every replica, or cut; carried by requests. What the replica beside
    /// this node has executed of it is forgotten here.
    pub(crate) floor: Prefix,
    /// The replica beside this node has executed this.
    pub(crate) executed: Prefix,
}

/// What a node holds of a vertex.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Instance {
    /// Promises, votes above round 0, and what is chosen.
    pub(crate) cell: Cell<Value>,
    /// What was said in ballot 0; not needed any more once a value is chosen.
    pub(crate) collected: Option<Collected>,
}

impl Instance {
    fn choose(&mut self, value: Value) {
        self.cell.choose(value);
        self.collected = None;
    }
}

impl AtlasNode {
    pub(crate) fn new(
        own: NodeId,
        layout: &Layout,
        (options, conflicts): (&Options, &Conflicts),
    ) -> AtlasNode {
        AtlasNode {
            own,
            layout: Arc::new(layout.clone()),
            quorums: Arc::new(options.quorums(layout)),
            options: options.clone(),
            fast_quorum: options.fast_quorum(layout),
            named_by: options.named_by(layout),
            instances: VertexMap::default(),
            index: KeyedIndex::new(layout.leaders, own.index() as u64, conflicts),
            leader: Leader::new(own, layout.node_count, options.ticks(options.tail_ms)),
            recovery: Recoveries::new(own, options.patience(layout.node_count)),
            floor: Prefix::default(),
            executed: Prefix::default(),
        }
    }

    /// The instance of a vertex that is not forgotten.
    pub(crate) fn instance(&mut self, vertex: Vertex) -> Option<&mut Instance> {
        Some(self.instances.place(vertex)?.get_or_insert_default())
    }

    pub(crate) fn chosen(&self, vertex: Vertex) -> Option<&Value> {
        self.instances.get(vertex)?.cell.chosen()
    }

    /// Whether the vertex needs nothing more from this node.
    pub(crate) fn is_settled(&self, vertex: Vertex) -> bool {
        self.executed.contains(vertex) || self.floor.contains(vertex) || self.chosen(vertex).is_some()
    }

    /// What conflicts here with a vertex, which is then recorded. After a restart this node
    /// may have dropped more than it remembers to be executed everywhere.
    pub(crate) fn conflicts(&mut self, vertex: Vertex, footprint: &Footprint) -> DepSet {
        loop {
            match self.index.compute(vertex, footprint, &self.floor) {
                Answer::Deps(deps) => return deps,
                Answer::StaleFloor(dropped) => self.floor.union(&dropped),
            }
        }
    }

    /// `value` is chosen, as somebody says.
    pub(crate) fn learn(&mut self, vertex: Vertex, value: Value, out: &mut Outbox<Self>) {
        let Some(instance) = self.instance(vertex) else { return };
        if instance.cell.chosen().is_some() {
            return;
        }
        let is_vote = instance.cell.vote().is_some_and(|(_, voted)| *voted == value);
        out.note(if is_vote {
            Record::ChosenVote { vertex }
        } else {
            Record::Decided { vertex, value: value.clone() }
        });
        self.decide(vertex, value, out);
    }

    /// `value` is chosen, and that is written.
    pub(crate) fn decide(&mut self, vertex: Vertex, value: Value, out: &mut Outbox<Self>) {
        self.instance(vertex).expect("not forgotten").choose(value.clone());
        self.recovery.settle(vertex);
        self.settle_own(vertex, &value, out);
        out.commits.push((Order::Vertex(vertex, value.deps), value.batch));
    }

    fn on_start(&mut self, out: &mut Outbox<Self>) {
        for (vertex, instance) in self.instances.iter() {
            if let Some(value) = instance.cell.chosen() {
                out.commits.push(value.at(vertex));
            }
        }
        self.set_tick(out);
        self.settle_reserved(out);
    }

    fn set_tick(&self, out: &mut Outbox<Self>) {
        let tick = self.options.tick_ms;
        out.set_timer(Timer::Tick, tick - tick / 8..=tick + tick / 8);
    }

    fn on_tick(&mut self, out: &mut Outbox<Self>) {
        self.set_tick(out);
        self.repeat_own(out);
        self.look_for_stuck(out);
    }

    /// Every replica has executed this: forget it.
    fn on_collect_floor(&mut self, floor: &Prefix, out: &mut Outbox<Self>) {
        self.floor.union(floor);
        self.instances.drop_prefix(floor);
        self.recovery.forget(floor);
        self.index.collect();
        self.tell_floor(out);
        self.settle_collected(floor, out);
    }

    /// A majority of the replicas holds this for good, and has agreed so: forget it,
    /// although a leader that is away has not announced it.
    fn on_cut(&mut self, cut: &Prefix, out: &mut Outbox<Self>) {
        self.index.cut(cut);
        self.on_collect_floor(cut, out);
    }

    /// What is forgotten by others is for the replica to get: nothing to do here.
    fn on_gced(&mut self, floor: &Prefix) {
        self.floor.union(floor);
        self.recovery.forget(floor);
    }

    fn on_message(&mut self, from: NodeId, message: Message, out: &mut Outbox<Self>) {
        // It may have been waited for in vain, and not been asked since.
        self.leader.peers.heard(from);
        match message {
            Message::Collect { vertex, batch, deps, floor, quorum } => {
                self.on_collect(vertex, Request { batch, deps, floor, quorum }, out);
            }
            Message::CollectAck { vertex, deps } => self.on_collect_ack(from, vertex, deps, out),
            Message::StaleFloor { vertex, floor } => self.on_stale_floor(from, vertex, &floor, out),
            Message::Floor { floor } => self.on_floor(from, &floor),
            Message::Phase1a { vertex, ballot, batch } => self.on_phase1a((vertex, ballot), batch, out),
            Message::Phase1b { vertex, ballot, heard } => {
                self.on_phase1b(from, (vertex, ballot), heard, out);
            }
            Message::Phase2a { vertex, ballot, value } => self.on_phase2a((vertex, ballot), value, out),
            Message::Phase2b { vertex, ballot } => self.on_phase2b(from, (vertex, ballot), out),
            Message::Nack { vertex, ballot, promised } => self.on_nack(vertex, ballot, promised),
            Message::Commit { vertex, ballot, deps } => self.on_commit(from, (vertex, ballot), deps, out),
            Message::Chosen { vertex, value } => self.learn(vertex, value, out),
            Message::Fetch { vertex } => self.on_fetch(from, vertex, out),
            Message::Gced { floor } => self.on_gced(&floor),
        }
    }
}

impl Node for AtlasNode {
    type Msg = Message;
    type Timer = Timer;
    type Record = Record;

    fn step(&mut self, input: Input<Self>, out: &mut Outbox<Self>) {
        match input {
            Input::Start => self.on_start(out),
            Input::Submit { batch, footprint } => self.on_submit(batch, &footprint, out),
            Input::Message { from, message } => self.on_message(from, message, out),
            Input::Timer(Timer::Tick) => self.on_tick(out),
            Input::Suspect(node) => {
                self.recovery.suspect(node, true);
                self.advance_all(out);
            }
            Input::Trust(node) => {
                self.recovery.suspect(node, false);
                self.leader.peers.heard(node);
            }
            Input::Nearest(others) => self.leader.peers.on_nearest(&others),
            Input::Blocked(vertex) => {
                // Makes the vertex known, so that it is looked after. One that is too far away
                // is waited for by a replica that has much to catch up on.
                if self.instances.admits(vertex) {
                    let _ = self.instance(vertex);
                }
            }
            Input::Executed(prefix) => self.on_executed(&prefix, out),
            Input::Collect(prefix) => self.on_collect_floor(&prefix, out),
            Input::Cut(prefix) => self.on_cut(&prefix, out),
            Input::Learned(Order::Vertex(vertex, deps), batch) if self.instances.admits(vertex) => {
                self.learn(vertex, Value { batch, deps }, out);
            }
            Input::Learned(..) => {}
        }
    }

    fn admit(&self, from: NodeId, message: &Message) -> Result<(), Inadmissible> {
        crate::atlas::admit::admit(self, from, message)
    }

    fn replay(&mut self, record: Record) {
        match record {
            Record::Reserved { below } => self.leader.proposals.restore(below),
            Record::Collected { vertex, collected } => {
                self.index.record(vertex, &collected.value.batch.footprint());
                if let Some(instance) = self.instance(vertex)
                    && instance.cell.chosen().is_none()
                {
                    instance.collected = Some(collected);
                }
            }
            Record::FastChosen { vertex, deps, .. } => {
                if let Some(instance) = self.instance(vertex)
                    && let Some(said) = &instance.collected
                {
                    let value = Value { batch: said.value.batch.clone(), deps };
                    instance.choose(value);
                }
            }
            Record::Promised { vertex, ballot } => {
                if let Some(instance) = self.instance(vertex) {
                    instance.cell.restore_promise(ballot);
                }
            }
            Record::Voted { vertex, ballot, value } => {
                if let Some(instance) = self.instance(vertex) {
                    instance.cell.restore_vote(ballot, value);
                }
            }
            Record::ChosenVote { vertex } => {
                if let Some(instance) = self.instance(vertex)
                    && let Some((_, value)) = instance.cell.vote()
                {
                    let value = value.clone();
                    instance.choose(value);
                }
            }
            Record::Decided { vertex, value } => {
                if let Some(instance) = self.instance(vertex) {
                    instance.choose(value);
                }
            }
            Record::Forgotten { floor } => {
                self.floor.union(&floor);
                self.instances.drop_prefix(&floor);
                self.leader.proposals.restore_floor(&floor);
            }
            Record::Index(part) => self.index.absorb(&part),
        }
    }

    fn checkpoint(&self, records: &mut Vec<Record>) {
        // What others have told to be forgotten may be all that this node's replica goes on with.
        records.push(Record::Forgotten { floor: self.instances.floor() });
        records.push(Record::Reserved { below: self.leader.proposals.reserved_below() });
        records.extend(self.index.pieces().map(Record::Index));
        for (vertex, Instance { cell, collected }) in self.instances.iter() {
            if let Some(value) = cell.chosen() {
                records.push(Record::Decided { vertex, value: value.clone() });
                continue;
            }
            records.extend(collected.clone().map(|collected| Record::Collected { vertex, collected }));
            if let Some((ballot, value)) = cell.vote() {
                records.push(Record::Voted { vertex, ballot, value: value.clone() });
            }
            records.extend(cell.promised().map(|ballot| Record::Promised { vertex, ballot }));
        }
    }

    fn fingerprint(&self, mut state: &mut dyn Hasher) {
        (&self.instances, &self.leader, &self.recovery, &self.floor, &self.executed).hash(&mut state);
        self.index.checkpoint().hash(&mut state);
    }

    fn evidence_of_record(record: &Record) -> Option<Evidence> {
        crate::atlas::evidence::of_record(record)
    }

    fn evidence_of_message(message: &Message) -> Option<Evidence> {
        crate::atlas::evidence::of_message(message)
    }

    fn counts(&self) -> Counts {
        Counts {
            cell_count: self.instances.span(),
            index_count: self.index.len(),
            proposal_count: self.leader.proposals.count(),
            oldest_ms: self.leader.proposals.tail_age() * u64::from(self.options.tick_ms),
        }
    }

    fn assert_invariants(&self) {
        self.leader.proposals.assert_invariants();
    }
}
