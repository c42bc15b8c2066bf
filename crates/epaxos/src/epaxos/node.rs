use crate::Value;
use crate::epaxos::announcements::Announcements;
use crate::epaxos::instance::Instance;
use crate::epaxos::leader::Leader;
use crate::epaxos::message::{Message, Record, Timer};
use crate::epaxos::options::{Options, Sizes};
use crate::epaxos::past::Past;
use crate::epaxos::recovery::Attempt;
use isegoria_depservice::{Answer, KeyedIndex};
use isegoria_node::{Counts, Evidence, Inadmissible, Input, Node, Outbox};
use isegoria_proposer::Recoveries;
use isegoria_types::{
    Batch, Conflicts, DepSet, Footprint, Layout, NodeId, Order, Prefix, Quorums, Vertex, VertexMap,
};
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// One node, with all roles.
#[derive(Clone, Debug)]
pub struct EpaxosNode {
    pub(crate) own: NodeId,
    pub(crate) layout: Arc<Layout>,
    pub(crate) quorums: Arc<Quorums>,
    pub(crate) options: Options,
    pub(crate) sizes: Sizes,
    pub(crate) instances: VertexMap<Instance>,
    pub(crate) index: KeyedIndex,
    pub(crate) past: Past,
    pub(crate) leader: Leader,
    pub(crate) recovery: Recoveries<Attempt>,
    /// What recoverers of vertices that are not settled here have told: the largest number of
    /// those who had said what the leader knew.
    pub(crate) waiting: BTreeMap<Vertex, usize>,
    pub(crate) announcements: Announcements,
    /// Executed by every replica, or cut; carried by requests. It is forgotten here once all
    /// leaders' requests cover it.
    pub(crate) floor: Prefix,
    /// Ticks since it was told.
    floor_age: u64,
    /// The replica beside this node has executed this.
    pub(crate) executed: Prefix,
}

impl EpaxosNode {
    pub(crate) fn new(
        own: NodeId,
        layout: &Layout,
        (options, conflicts): (&Options, &Conflicts),
    ) -> EpaxosNode {
        EpaxosNode {
            own,
            layout: Arc::new(layout.clone()),
            quorums: Arc::new(options.sizes(layout).quorums()),
            options: options.clone(),
            sizes: options.sizes(layout),
            instances: VertexMap::default(),
            index: KeyedIndex::new(layout.leaders, own.index() as u64, conflicts),
            past: Past::new(layout, own.index() as u64, conflicts),
            leader: Leader::new(own, layout.node_count, options.ticks(options.tail_ms)),
            recovery: Recoveries::new(own, options.patience(layout.node_count)),
            waiting: BTreeMap::new(),
            announcements: Announcements::new(layout.node_count),
            floor: Prefix::default(),
            floor_age: 0,
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
    pub(crate) fn conflicts(
        &mut self,
        vertex: Vertex,
        footprint: &Footprint,
        out: &mut Outbox<Self>,
    ) -> DepSet {
        loop {
            match self.index.compute(vertex, footprint, &self.floor) {
                Answer::Deps(deps) => return deps,
                Answer::StaleFloor(dropped) => self.raise_floor(&dropped, out),
            }
        }
    }

    /// Records a vertex of which the leader's request has not come here.
    pub(crate) fn record(&mut self, vertex: Vertex, batch: &Batch) {
        if !batch.is_noop() {
            self.index.record(vertex, &batch.footprint());
        }
    }

    /// `value` is chosen, as somebody says.
    pub(crate) fn learn(&mut self, vertex: Vertex, value: Value, out: &mut Outbox<Self>) {
        let Some(instance) = self.instance(vertex) else {
            return self.learn_given_up(vertex, &value, out);
        };
        if instance.cell.chosen().is_some() {
            return;
        }
        let is_vote = instance.cell.vote().is_some_and(|(_, voted)| *voted == value);
        let is_asked = instance.asked.as_ref().is_some_and(|asked| asked.value() == value);
        let is_known = instance.asked.is_some();
        out.note(if is_vote {
            Record::ChosenVote { vertex }
        } else if is_asked {
            Record::ChosenAsked { vertex }
        } else {
            Record::Decided { vertex, value: value.clone() }
        });
        if !is_known {
            self.record(vertex, &value.batch);
        }
        self.decide(vertex, value, out);
    }

    /// The value of a vertex that is given up here, which may have been executed by a snapshot:
    /// somebody waits for it, or this node would not have asked.
    fn learn_given_up(&mut self, vertex: Vertex, value: &Value, out: &mut Outbox<Self>) {
        if !self.index.dropped().contains(vertex) && self.is_waited_for(vertex) {
            self.past.learn(vertex, value);
            self.reconsider(out);
        }
    }

    /// `value` is chosen, and that is written.
    pub(crate) fn decide(&mut self, vertex: Vertex, value: Value, out: &mut Outbox<Self>) {
        self.instance(vertex).expect("not forgotten").choose(value.clone());
        self.recovery.settle(vertex);
        self.waiting.remove(&vertex);
        self.settle_own(vertex, &value, out);
        out.commits.push((Order::Vertex(vertex, value.deps), value.batch));
        self.reconsider(out);
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
        self.floor_age += 1;
        if self.floor_age >= self.options.ticks(self.options.repeat_ms) && !self.floor.is_empty() {
            self.tell_floor(out);
        }
        self.release();
        self.repeat_own(out);
        self.tell_waiting(out);
        self.look_for_stuck(out);
    }

    /// Every replica has executed this: requests cover it from now on, and say so.
    fn on_collect(&mut self, floor: &Prefix, out: &mut Outbox<Self>) {
        self.raise_floor(floor, out);
        if self.leader.proposals.owes(&self.floor) {
            self.tell_floor(out);
        }
        self.release();
        self.settle_collected(floor, out);
    }

    /// A majority of the replicas holds this for good, and has agreed so; the one beside this
    /// node has executed it. A leader that is away has not told that its requests cover it: the
    /// values are given up, and what speaks against a vertex of that leader's stays known.
    fn on_cut(&mut self, cut: &Prefix, out: &mut Outbox<Self>) {
        let past = &mut self.past;
        self.instances.take_prefix(cut, |vertex, instance| past.take(vertex, instance));
        self.on_collect(cut, out);
    }

    /// Everybody has to hear this of everybody, or nothing is forgotten: it is told again and again.
    fn tell_floor(&mut self, out: &mut Outbox<Self>) {
        self.floor_age = 0;
        let (floor, from) = (self.floor.clone(), self.leader.proposals.next_number());
        out.send(self.layout.nodes(), Message::Floor { floor, from });
    }

    /// A floor is durable before it is told.
    pub(crate) fn raise_floor(&mut self, floor: &Prefix, out: &mut Outbox<Self>) {
        if !self.floor.covers(floor) {
            self.floor.union(floor);
            out.persist(Record::Floor { floor: self.floor.clone() });
        }
        self.recovery.forget(floor);
    }

    /// Forgets what all leaders' requests cover, of which none is left that does not.
    fn release(&mut self) {
        let index = &mut self.index;
        self.announcements.settle(&self.executed, |leader, floor| index.announce(leader, floor));
        index.collect();
        let dropped = index.dropped().clone();
        self.instances.drop_prefix(&dropped);
        self.past.forget(&dropped);
        self.waiting.retain(|vertex, _| !dropped.contains(*vertex));
    }

    /// With `thrifty` a node that was waited for in vain may not have been asked since.
    fn on_sign_of_life(&mut self, node: NodeId) {
        if self.options.thrifty {
            self.leader.peers.heard(node);
        }
    }

    fn on_message(&mut self, from: NodeId, message: Message, out: &mut Outbox<Self>) {
        self.on_sign_of_life(from);
        match message {
            Message::PreAccept { vertex, batch, deps, floor } => {
                self.on_pre_accept(vertex, (batch, deps), &floor, out);
            }
            Message::PreAcceptOk { vertex, deps } => self.on_pre_accept_ok(from, vertex, deps, out),
            Message::StaleFloor { vertex, floor } => self.on_stale_floor(vertex, &floor, out),
            Message::Floor { floor, from: number } => self.announcements.hear(from, &floor, number),
            Message::Phase1a { vertex, ballot } => self.on_phase1a(vertex, ballot, out),
            Message::Phase1b { vertex, ballot, heard } => {
                self.on_phase1b(from, (vertex, ballot), heard, out);
            }
            Message::Validate { vertex, ballot, value } => self.on_validate((vertex, ballot), value, out),
            Message::ValidateOk { vertex, ballot, conflicts } => {
                self.on_validate_ok(from, (vertex, ballot), conflicts, out);
            }
            Message::Waiting { vertex, unchanged_count } => self.on_waiting(vertex, unchanged_count, out),
            Message::Phase2a { vertex, ballot, value } => self.on_phase2a((vertex, ballot), value, out),
            Message::Phase2b { vertex, ballot } => self.on_phase2b(from, (vertex, ballot), out),
            Message::Nack { vertex, ballot, promised } => self.on_nack(vertex, ballot, promised),
            Message::Commit { vertex, ballot } => self.on_commit(from, (vertex, ballot), out),
            Message::Chosen { vertex, value } => self.learn(vertex, value, out),
            Message::Fetch { vertex } => self.on_fetch(from, vertex, out),
            // What is forgotten by others is for the replica to get.
            Message::Gced { floor } => self.raise_floor(&floor, out),
        }
    }
}

impl Node for EpaxosNode {
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
                self.on_sign_of_life(node);
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
            Input::Collect(prefix) => self.on_collect(&prefix, out),
            Input::Cut(prefix) => self.on_cut(&prefix, out),
            Input::Learned(Order::Vertex(vertex, deps), batch) if self.instances.admits(vertex) => {
                self.learn(vertex, Value { batch, deps }, out);
            }
            Input::Learned(..) => {}
        }
    }

    fn admit(&self, from: NodeId, message: &Message) -> Result<(), Inadmissible> {
        crate::epaxos::admit::admit(self, from, message)
    }

    fn replay(&mut self, record: Record) {
        match record {
            Record::Reserved { below } => self.leader.proposals.restore(below),
            Record::Floor { floor } => self.floor.union(&floor),
            Record::Asked { vertex, asked } => {
                self.index.record(vertex, &asked.batch.footprint());
                if let Some(instance) = self.instance(vertex)
                    && instance.cell.chosen().is_none()
                {
                    instance.asked = Some(asked);
                }
            }
            Record::FastChosen { vertex } | Record::ChosenAsked { vertex } => {
                if let Some(instance) = self.instance(vertex)
                    && let Some(asked) = &instance.asked
                {
                    let value = asked.value();
                    instance.choose(value);
                }
            }
            Record::Promised { vertex, ballot } => {
                if let Some(instance) = self.instance(vertex) {
                    instance.cell.restore_promise(ballot);
                }
            }
            Record::Voted { vertex, ballot, value } => {
                self.record(vertex, &value.batch);
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
                self.record(vertex, &value.batch);
                if let Some(instance) = self.instance(vertex) {
                    instance.choose(value);
                }
            }
            Record::Forgotten { floor } => {
                self.instances.drop_prefix(&floor);
                self.leader.proposals.restore_floor(&floor);
            }
            Record::Index(part) => self.index.absorb(&part),
            Record::Past(part) => self.past.absorb(&part),
            Record::PastNoops(noops) => self.past.absorb_noops(noops),
            Record::Unheard { vertex, asked } => self.past.absorb_unheard(vertex, asked),
        }
    }

    fn checkpoint(&self, records: &mut Vec<Record>) {
        records.push(Record::Floor { floor: self.floor.clone() });
        records.push(Record::Forgotten { floor: self.instances.floor() });
        records.push(Record::Reserved { below: self.leader.proposals.reserved_below() });
        records.extend(self.index.pieces().map(Record::Index));
        let (keys, noops, unheard) = self.past.pieces();
        records.extend(keys.map(Record::Past));
        records.push(Record::PastNoops(noops));
        records.extend(unheard.map(|(vertex, asked)| Record::Unheard { vertex, asked }));
        for (vertex, Instance { cell, asked }) in self.instances.iter() {
            if let Some(value) = cell.chosen() {
                records.push(Record::Decided { vertex, value: value.clone() });
                continue;
            }
            records.extend(asked.clone().map(|asked| Record::Asked { vertex, asked }));
            if let Some((ballot, value)) = cell.vote() {
                records.push(Record::Voted { vertex, ballot, value: value.clone() });
            }
            records.extend(cell.promised().map(|ballot| Record::Promised { vertex, ballot }));
        }
    }

    fn fingerprint(&self, mut state: &mut dyn Hasher) {
        (&self.instances, &self.leader, &self.recovery, &self.waiting).hash(&mut state);
        (&self.announcements, &self.floor, &self.floor_age, &self.executed).hash(&mut state);
        (self.index.checkpoint(), self.past.contents()).hash(&mut state);
    }

    fn evidence_of_record(record: &Record) -> Option<Evidence> {
        crate::epaxos::evidence::of_record(record)
    }

    fn evidence_of_message(message: &Message) -> Option<Evidence> {
        crate::epaxos::evidence::of_message(message)
    }

    fn counts(&self) -> Counts {
        Counts {
            cell_count: self.instances.span(),
            index_count: self.index.len() + self.past.len(),
            proposal_count: self.leader.proposals.count(),
            oldest_ms: self.leader.proposals.tail_age() * u64::from(self.options.tick_ms),
        }
    }

    fn assert_invariants(&self) {
        self.leader.proposals.assert_invariants();
    }
}
