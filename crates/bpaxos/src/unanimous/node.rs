use crate::Value;
use crate::unanimous::fast::{Fit, Heard};
use crate::unanimous::leader::Leader;
use crate::unanimous::message::{Message, Record, Timer};
use crate::unanimous::options::Options;
use crate::unanimous::recovery::Attempt;
use isegoria_acceptor::Cell;
use isegoria_depservice::KeyedIndex;
use isegoria_node::{Counts, Evidence, Inadmissible, Input, Node, Outbox};
use isegoria_proposer::Recoveries;
use isegoria_types::{Ballot, Conflicts, Layout, NodeId, Order, Prefix, Vertex, VertexMap};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// One node, with all roles.
#[derive(Clone, Debug)]
pub struct UnanimousNode {
    pub(crate) own: NodeId,
    pub(crate) layout: Arc<Layout>,
    pub(crate) options: Options,
    pub(crate) fit: Fit,
    /// Votes and chosen values.
    pub(crate) cells: VertexMap<Cell<Value>>,
    /// Vertices for which this node voted in ballot 0 as their leaders had (`fast=basic`).
    pub(crate) unchanged: VertexMap<()>,
    pub(crate) index: KeyedIndex,
    pub(crate) leader: Leader,
    pub(crate) recovery: Recoveries<Attempt>,
    /// Executed by every replica, or cut; carried by requests. What the replica beside
    /// this node has executed of it is forgotten here.
    pub(crate) floor: Prefix,
    /// The replica beside this node has executed this.
    pub(crate) executed: Prefix,
}

impl UnanimousNode {
    pub(crate) fn new(
        own: NodeId,
        layout: &Layout,
        (options, conflicts): (&Options, &Conflicts),
    ) -> UnanimousNode {
        UnanimousNode {
            own,
            layout: Arc::new(layout.clone()),
            options: options.clone(),
            fit: Fit::new(options.fast, layout),
            cells: VertexMap::default(),
            unchanged: VertexMap::default(),
            index: KeyedIndex::new(layout.leaders, own.index() as u64, conflicts),
            leader: Leader::new(own, layout.node_count),
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

    /// `value` is chosen.
    pub(crate) fn learn(&mut self, vertex: Vertex, value: Value, out: &mut Outbox<Self>) {
        let Some(cell) = self.cell(vertex) else { return };
        if cell.chosen().is_some() {
            return;
        }
        let is_vote = cell.vote().is_some_and(|(_, voted)| *voted == value);
        cell.choose(value.clone());
        out.note(if is_vote {
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
            if let Some(value) = cell.chosen() {
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
    fn on_collect(&mut self, floor: &Prefix, out: &mut Outbox<Self>) {
        self.floor.union(floor);
        self.cells.drop_prefix(floor);
        self.unchanged.drop_prefix(floor);
        self.recovery.forget(floor);
        self.index.collect();
        self.tell_floor(out);
        self.settle_collected(floor, out);
    }

    /// A majority of the replicas holds this for good, and has agreed so: forget it,
    /// although a leader that is away has not announced it.
    fn on_cut(&mut self, cut: &Prefix, out: &mut Outbox<Self>) {
        self.index.cut(cut);
        self.on_collect(cut, out);
    }

    /// What is forgotten by others is for the replica to get: nothing to do here.
    fn on_gced(&mut self, floor: &Prefix) {
        self.floor.union(floor);
        self.recovery.forget(floor);
    }

    fn on_message(&mut self, from: NodeId, message: Message, out: &mut Outbox<Self>) {
        match message {
            Message::FastPropose { vertex, batch, floor, base } => {
                self.on_fast_propose(vertex, batch, (&floor, base.as_ref()), out);
            }
            Message::FastVote { vertex, deps } => self.on_fast_vote(from, vertex, deps, out),
            Message::StaleFloor { vertex, floor } => self.on_stale_floor(from, vertex, &floor, out),
            Message::Floor { floor } => self.on_floor(from, &floor),
            Message::Phase1a { vertex, ballot } => self.on_phase1a(vertex, ballot, out),
            Message::Phase1b { vertex, ballot, vote, unchanged } => {
                self.on_phase1b(Heard { from, vote, unchanged }, (vertex, ballot), out);
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

impl Node for UnanimousNode {
    type Msg = Message;
    type Timer = Timer;
    type Record = Record;

    fn step(&mut self, input: Input<Self>, out: &mut Outbox<Self>) {
        match input {
            Input::Start => self.on_start(out),
            Input::Submit { batch, .. } => self.on_submit(batch, out),
            Input::Message { from, message } => self.on_message(from, message, out),
            Input::Timer(Timer::Tick) => self.on_tick(out),
            Input::Suspect(node) => {
                self.recovery.suspect(node, true);
                self.advance_all(out);
            }
            Input::Trust(node) => self.recovery.suspect(node, false),
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
                self.learn(vertex, Value { batch, deps }, out);
            }
            Input::Nearest(_) | Input::Learned(..) => {}
        }
    }

    fn admit(&self, from: NodeId, message: &Message) -> Result<(), Inadmissible> {
        crate::unanimous::admit::admit(self, from, message)
    }

    fn replay(&mut self, record: Record) {
        match record {
            Record::Reserved { below } => self.leader.proposals.restore(below),
            Record::FastVoted { vertex, value, unchanged } => {
                if unchanged && !self.unchanged.is_dropped(vertex) {
                    self.unchanged.insert(vertex, ());
                }
                self.index.record(vertex, &value.batch.footprint());
                if let Some(cell) = self.cell(vertex) {
                    cell.restore_vote(Ballot::initial(vertex.leader), value);
                }
            }
            Record::Recorded { vertex, footprint } => {
                self.index.record(vertex, &footprint);
                let _ = self.cell(vertex);
            }
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
            Record::ChosenVote { vertex } | Record::FastChosen { vertex } => {
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
                self.unchanged.drop_prefix(&floor);
                self.leader.proposals.restore_floor(&floor);
            }
            Record::Index(part) => self.index.absorb(&part),
        }
    }

    fn checkpoint(&self, records: &mut Vec<Record>) {
        // What others have told to be forgotten may be all that this node's replica goes on with.
        records.push(Record::Collected { floor: self.cells.floor() });
        records.push(Record::Reserved { below: self.leader.proposals.reserved_below() });
        records.extend(self.index.pieces().map(Record::Index));
        for (vertex, cell) in self.cells.iter() {
            if let Some(value) = cell.chosen() {
                records.push(Record::Decided { vertex, value: value.clone() });
                continue;
            }
            if let Some((ballot, value)) = cell.vote() {
                let value = value.clone();
                records.push(if ballot.round == 0 {
                    Record::FastVoted { vertex, value, unchanged: self.unchanged.get(vertex).is_some() }
                } else {
                    Record::Voted { vertex, ballot, value }
                });
            }
            records.extend(cell.promised().map(|ballot| Record::Promised { vertex, ballot }));
        }
    }

    fn fingerprint(&self, mut state: &mut dyn Hasher) {
        (&self.cells, &self.unchanged, &self.leader, &self.recovery, &self.floor, &self.executed)
            .hash(&mut state);
        self.index.checkpoint().hash(&mut state);
    }

    fn evidence_of_record(record: &Record) -> Option<Evidence> {
        crate::unanimous::evidence::of_record(record)
    }

    fn evidence_of_message(message: &Message) -> Option<Evidence> {
        crate::unanimous::evidence::of_message(message)
    }

    fn counts(&self) -> Counts {
        Counts {
            cell_count: self.cells.span(),
            index_count: self.index.len(),
            proposal_count: self.leader.proposals.count(),
            ..Counts::default()
        }
    }

    fn assert_invariants(&self) {
        self.leader.proposals.assert_invariants();
    }
}
