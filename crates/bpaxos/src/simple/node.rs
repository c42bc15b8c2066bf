use crate::Value;
use crate::simple::leader::Stage;
use crate::simple::message::{Message, Record, Timer};
use crate::simple::options::Options;
use isegoria_acceptor::Cell;
use isegoria_depservice::KeyedIndex;
use isegoria_multileader::Proposals;
use isegoria_node::{Counts, Evidence, Inadmissible, Input, Node, Outbox};
use isegoria_proposer::{Peers, Progress, Recoveries};
use isegoria_types::{Conflicts, Layout, NodeId, NodeSet, Order, Prefix, Vertex, VertexMap};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// One node: whatever roles the layout places there.
#[derive(Clone, Debug)]
pub struct SimpleNode {
    pub(crate) own: NodeId,
    pub(crate) layout: Arc<Layout>,
    pub(crate) options: Options,
    /// Votes and chosen values; nodes that are not acceptors only learn here.
    pub(crate) cells: VertexMap<Cell<Value>>,
    pub(crate) index: Option<KeyedIndex>,
    /// Own vertices that are not chosen yet.
    pub(crate) proposals: Proposals<Stage>,
    pub(crate) peers: Peers,
    pub(crate) recovery: Recoveries<Progress<Value>>,
    /// Executed by every replica, or cut; carried by requests. What the replica beside
    /// this node has executed of it is forgotten here.
    pub(crate) floor: Prefix,
    /// The replica beside this node has executed this.
    pub(crate) executed: Prefix,
}

impl SimpleNode {
    pub(crate) fn new(
        own: NodeId,
        layout: &Layout,
        (options, conflicts): (&Options, &Conflicts),
    ) -> SimpleNode {
        let indexes = layout.dependency.contains(own);
        SimpleNode {
            own,
            layout: Arc::new(layout.clone()),
            options: options.clone(),
            cells: VertexMap::default(),
            index: indexes.then(|| KeyedIndex::new(layout.leaders, own.index() as u64, conflicts)),
            proposals: Proposals::new(own),
            peers: Peers::new(own, layout.node_count),
            recovery: Recoveries::new(own, options.patience(layout.node_count)),
            floor: Prefix::default(),
            executed: Prefix::default(),
        }
    }

    /// The cell of a vertex that is not forgotten.
    pub(crate) fn cell(&mut self, vertex: Vertex) -> Option<&mut Cell<Value>> {
        Some(self.cells.place(vertex)?.get_or_insert_with(Cell::default))
    }

    pub(crate) fn chosen(&self, vertex: Vertex) -> Option<&Value> {
        self.cells.get(vertex)?.chosen()
    }

    /// Whether the vertex needs nothing more from this node.
    pub(crate) fn is_settled(&self, vertex: Vertex) -> bool {
        self.executed.contains(vertex) || self.floor.contains(vertex) || self.chosen(vertex).is_some()
    }

    /// Nodes that learn values but cast no votes.
    pub(crate) fn mute(&self) -> NodeSet {
        self.layout.replicas.union(self.layout.leaders).difference(self.layout.acceptors)
    }

    /// `value` is chosen. `voted`: this node's vote carries it already.
    pub(crate) fn learn(&mut self, vertex: Vertex, value: Value, voted: bool, out: &mut Outbox<Self>) {
        let Some(cell) = self.cell(vertex) else { return };
        if cell.chosen().is_some() {
            return;
        }
        cell.choose(value.clone());
        out.note(if voted {
            Record::ChosenVote { vertex }
        } else {
            Record::Decided { vertex, value: value.clone() }
        });
        self.recovery.settle(vertex);
        self.settle_own(vertex, &value, out);
        out.commits.push((Order::Vertex(vertex, value.deps), value.batch));
    }

    fn on_start(&mut self, out: &mut Outbox<Self>) {
        for (vertex, cell) in self.cells.iter() {
            if let Some(Value { batch, deps }) = cell.chosen() {
                out.commits.push((Order::Vertex(vertex, deps.clone()), batch.clone()));
            }
        }
        self.set_tick(out);
        self.settle_reserved(out);
    }

    pub(crate) fn set_tick(&self, out: &mut Outbox<Self>) {
        let tick = self.options.tick_ms;
        out.set_timer(Timer::Tick, tick - tick / 8..=tick + tick / 8);
    }

    fn on_tick(&mut self, out: &mut Outbox<Self>) {
        self.set_tick(out);
        self.repeat_own(out);
        self.look_for_stuck(out);
    }

    /// Every replica has executed this: forget it.
    fn on_collect(&mut self, floor: &Prefix, out: &mut Outbox<Self>) {
        self.floor.union(floor);
        self.cells.drop_prefix(floor);
        self.recovery.forget(floor);
        if let Some(index) = &mut self.index {
            index.collect();
        }
        self.tell_floor(out);
        self.settle_collected(floor, out);
    }

    /// A majority of the replicas holds this for good, and has agreed so: forget it,
    /// although a leader that is away has not announced it.
    fn on_cut(&mut self, cut: &Prefix, out: &mut Outbox<Self>) {
        if let Some(index) = &mut self.index {
            index.cut(cut);
        }
        self.on_collect(cut, out);
    }

    /// What is forgotten by others is for the replica to get: nothing to do here.
    fn on_gced(&mut self, floor: &Prefix) {
        self.floor.union(floor);
        self.recovery.forget(floor);
    }

    fn on_message(&mut self, from: NodeId, message: Message, out: &mut Outbox<Self>) {
        self.peers.heard(from);
        match message {
            Message::DepRequest { vertex, footprint, floor } => {
                self.on_dep_request(vertex, footprint, &floor, out);
            }
            Message::DepReply { vertex, deps } => self.on_dep_reply(from, vertex, &deps, out),
            Message::StaleFloor { vertex, floor } => self.on_stale_floor(from, vertex, &floor, out),
            Message::Floor { floor } => self.on_floor(from, &floor),
            Message::Phase1a { vertex, ballot } => self.on_phase1a(vertex, ballot, out),
            Message::Phase1b { vertex, ballot, vote } => {
                self.on_phase1b(from, (vertex, ballot), vote, out);
            }
            Message::Phase2a { vertex, ballot, value } => self.on_phase2a((vertex, ballot), value, out),
            Message::Phase2b { vertex, ballot } => self.on_phase2b(from, vertex, ballot, out),
            Message::Nack { vertex, ballot, promised } => self.on_nack(vertex, ballot, promised),
            Message::Commit { vertex, ballot } => self.on_commit(from, vertex, ballot, out),
            Message::Chosen { vertex, value } => self.learn(vertex, value, false, out),
            Message::Fetch { vertex } => self.on_fetch(from, vertex, out),
            Message::Gced { floor } => self.on_gced(&floor),
        }
    }
}

impl Node for SimpleNode {
    type Msg = Message;
    type Timer = Timer;
    type Record = Record;

    fn step(&mut self, input: Input<Self>, out: &mut Outbox<Self>) {
        match input {
            Input::Start => self.on_start(out),
            Input::Submit { batch, footprint } => self.on_submit(batch, footprint, out),
            Input::Message { from, message } => self.on_message(from, message, out),
            Input::Timer(Timer::Tick) => self.on_tick(out),
            Input::Suspect(node) => self.recovery.suspect(node, true),
            Input::Trust(node) => {
                self.recovery.suspect(node, false);
                self.peers.heard(node);
            }
            Input::Nearest(others) => self.peers.on_nearest(&others),
            Input::Blocked(vertex) => {
                // Makes the vertex known, so that it is looked after. One that is too far away
                // is waited for by a replica that has much to catch up on.
                if self.cells.admits(vertex) {
                    let _ = self.cell(vertex);
                }
            }
            Input::Executed(prefix) => self.executed.union(&prefix),
            Input::Collect(prefix) => self.on_collect(&prefix, out),
            Input::Cut(prefix) => self.on_cut(&prefix, out),
            Input::Learned(Order::Vertex(vertex, deps), batch) if self.cells.admits(vertex) => {
                self.learn(vertex, Value { batch, deps }, false, out);
            }
            Input::Learned(..) => {}
        }
    }

    fn admit(&self, from: NodeId, message: &Message) -> Result<(), Inadmissible> {
        crate::simple::admit::admit(self, from, message)
    }

    fn replay(&mut self, record: Record) {
        match record {
            Record::Reserved { below } => self.proposals.restore(below),
            Record::Recorded { vertex, footprint } => {
                if let Some(index) = &mut self.index {
                    index.record(vertex, &footprint);
                }
                let _ = self.cell(vertex);
            }
            Record::Attempted { vertex, ballot } => self.recovery.used(vertex, ballot),
            Record::Promised { vertex, ballot } => {
                if let Some(cell) = self.cell(vertex) {
                    cell.restore_promise(ballot);
                }
            }
            Record::Voted { vertex, ballot, value } => {
                if let Some(cell) = self.cell(vertex) {
                    cell.restore_vote(ballot, value);
                }
            }
            Record::ChosenVote { vertex } => {
                if let Some(cell) = self.cell(vertex)
                    && let Some((_, value)) = cell.vote()
                {
                    let value = value.clone();
                    cell.choose(value);
                }
            }
            Record::Decided { vertex, value } => {
                if let Some(cell) = self.cell(vertex) {
                    cell.choose(value);
                }
            }
            Record::Collected { floor } => {
                self.floor.union(&floor);
                self.cells.drop_prefix(&floor);
                self.proposals.restore_floor(&floor);
            }
            Record::Index(part) => {
                if let Some(index) = &mut self.index {
                    index.absorb(&part);
                }
            }
        }
    }

    fn checkpoint(&self, records: &mut Vec<Record>) {
        // What others have told to be forgotten may be all that this node's replica goes on with.
        records.push(Record::Collected { floor: self.cells.floor() });
        records.push(Record::Reserved { below: self.proposals.reserved_below() });
        if let Some(index) = &self.index {
            records.extend(index.pieces().map(Record::Index));
        }
        records.extend(
            self.recovery.used_ballots().map(|(vertex, ballot)| Record::Attempted { vertex, ballot }),
        );
        for (vertex, cell) in self.cells.iter() {
            if let Some(value) = cell.chosen() {
                records.push(Record::Decided { vertex, value: value.clone() });
                continue;
            }
            if let Some((ballot, value)) = cell.vote() {
                records.push(Record::Voted { vertex, ballot, value: value.clone() });
            }
            records.extend(cell.promised().map(|ballot| Record::Promised { vertex, ballot }));
        }
    }

    fn fingerprint(&self, mut state: &mut dyn Hasher) {
        (&self.cells, &self.proposals, &self.peers, &self.recovery, &self.floor, &self.executed)
            .hash(&mut state);
        if let Some(index) = &self.index {
            index.checkpoint().hash(&mut state);
        }
    }

    fn evidence_of_record(record: &Record) -> Option<Evidence> {
        crate::simple::evidence::of_record(record)
    }

    fn evidence_of_message(message: &Message) -> Option<Evidence> {
        crate::simple::evidence::of_message(message)
    }

    fn counts(&self) -> Counts {
        Counts {
            cell_count: self.cells.span(),
            index_count: self.index.as_ref().map_or(0, KeyedIndex::len),
            proposal_count: self.proposals.count(),
            ..Counts::default()
        }
    }

    fn assert_invariants(&self) {
        self.proposals.assert_invariants();
    }
}
