use super::facts::{Fact, FactBook, FactId, Facts};
use super::process::{Performed, identity, perform};
use super::restarts::{Disk, DiskId, Restart};
use super::subject::{Evidence, NODE_COUNT_MAX, Record, Subject, Verdict};
use hashbrown::HashMap;
use isegoria_node::{Effect, Event, Input, Node, Send, Weight, step};
use isegoria_types::NodeId;
use std::collections::BTreeSet;

pub(crate) type LocalId = u32;
pub(crate) type TransitionId = u32;

/// The state of one node, and what it does next.
pub(crate) struct Local<N> {
    pub(crate) own: NodeId,
    pub(crate) node: N,
    pub(crate) summary: u32,
    on_message: Vec<Reaction>,
    on_ticket: Vec<Reaction>,
    /// By fact; see [`super::fading`].
    pub(crate) faded: Vec<u8>,
}

#[derive(Clone, Copy)]
enum Reaction {
    Unknown,
    /// The same state, and nothing to see.
    Nothing,
    Step(TransitionId),
}

/// One atomic step of one node.
pub(crate) struct Transition<R> {
    pub(crate) to: LocalId,
    /// What becomes true once all that it wrote is durable.
    pub(crate) facts: Vec<FactId>,
    pub(crate) records: Vec<(R, Weight)>,
    /// What becomes true if it crashes after the first so many records became durable.
    pub(crate) torn: Vec<Vec<FactId>>,
    /// The assertion of the node that failed.
    pub(crate) broken: Option<String>,
    /// Whether the node took nothing back.
    pub(crate) keeps_word: bool,
}

/// Everything that was ever met, each thing once: node states, disks, facts, steps. A
/// state of the model is a handful of numbers of these, and a step that was taken once
/// is only looked up from then on.
pub(crate) struct Tables<S: Subject> {
    pub(crate) book: FactBook<S>,
    pub(crate) locals: Vec<Local<S::Node>>,
    local_ids: HashMap<Vec<u8>, LocalId>,
    summaries: Vec<S::Summary>,
    summary_ids: HashMap<S::Summary, u32>,
    pub(crate) transitions: Vec<Transition<Record<S>>>,
    verdicts: HashMap<(Facts, [u32; NODE_COUNT_MAX]), Verdict>,
    pub(crate) disks: Vec<Disk<S::Node>>,
    pub(crate) disk_ids: HashMap<(Vec<u8>, Vec<Record<S>>), DiskId>,
    pub(crate) appended: HashMap<(DiskId, TransitionId, usize), DiskId>,
    pub(crate) restarts: HashMap<(DiskId, usize), Restart>,
    pub(crate) rebuilt: HashMap<LocalId, Restart>,
    /// The rules by which recoveries have come to decisions.
    pub(crate) resolved: BTreeSet<&'static str>,
}

impl<S: Subject> Default for Tables<S> {
    fn default() -> Tables<S> {
        Tables {
            book: FactBook::default(),
            locals: Vec::new(),
            local_ids: HashMap::new(),
            summaries: Vec::new(),
            summary_ids: HashMap::new(),
            transitions: Vec::new(),
            verdicts: HashMap::new(),
            disks: Vec::new(),
            disk_ids: HashMap::new(),
            appended: HashMap::new(),
            restarts: HashMap::new(),
            rebuilt: HashMap::new(),
            resolved: BTreeSet::new(),
        }
    }
}

impl<S: Subject> Tables<S> {
    /// The step that a message leads to, if it leads to anything.
    pub(crate) fn deliver(&mut self, subject: &S, local: LocalId, fact: FactId) -> Option<TransitionId> {
        let place = &mut self.locals[local as usize];
        if place.on_message.len() <= usize::from(fact) {
            place.on_message.resize(usize::from(fact) + 1, Reaction::Unknown);
        }
        match place.on_message[usize::from(fact)] {
            Reaction::Nothing => return None,
            Reaction::Step(transition) => return Some(transition),
            Reaction::Unknown => {}
        }
        let own = place.own;
        let input = match self.book.get(fact) {
            Fact::Message { from, message, .. } => {
                Input::Message { from: *from, message: subject.hear(message.clone()) }
            }
            Fact::Commit { order, batch, .. } => Input::Learned(order.clone(), batch.clone()),
            Fact::Ghost(_) => unreachable!("only messages and commits are in the mail"),
        };
        let performed = perform(subject, own, &place.node, |node, out| {
            if let Input::Message { from, message } = &input
                && let Err(refused) = node.admit(*from, message)
            {
                panic!("{own} refuses {message:?} of {from}: {}", refused.0);
            }
            step(node, input, out);
            true
        });
        let reaction = self.take_down(subject, local, performed);
        self.locals[local as usize].on_message[usize::from(fact)] = reaction;
        self.deliver(subject, local, fact)
    }

    /// The step that a ticket leads to, if it leads to anything.
    pub(crate) fn play(&mut self, subject: &S, local: LocalId, ticket: usize) -> Option<TransitionId> {
        let place = &mut self.locals[local as usize];
        if place.on_ticket.is_empty() {
            place.on_ticket.resize(subject.tickets().len(), Reaction::Unknown);
        }
        match place.on_ticket[ticket] {
            Reaction::Nothing => return None,
            Reaction::Step(transition) => return Some(transition),
            Reaction::Unknown => {}
        }
        let performed = perform(subject, place.own, &place.node, |node, out| subject.play(ticket, node, out));
        let reaction = self.take_down(subject, local, performed);
        self.locals[local as usize].on_ticket[ticket] = reaction;
        self.play(subject, local, ticket)
    }

    pub(crate) fn transition(&self, transition: TransitionId) -> &Transition<Record<S>> {
        &self.transitions[transition as usize]
    }

    pub(crate) fn verdict(
        &mut self,
        subject: &S,
        facts: &Facts,
        locals: [LocalId; NODE_COUNT_MAX],
    ) -> Verdict {
        let relevant = self.book.evidence(facts);
        let key = (relevant, locals.map(|local| self.locals[local as usize].summary));
        if let Some(known) = self.verdicts.get(&key) {
            return *known;
        }
        let (relevant, nodes) = &key;
        let mut evidence = Evidence {
            ghosts: Vec::new(),
            messages: Vec::new(),
            nodes: nodes[..subject.node_count()]
                .iter()
                .map(|summary| &self.summaries[*summary as usize])
                .collect(),
        };
        for fact in relevant.iter() {
            match self.book.get(fact) {
                Fact::Ghost(ghost) => evidence.ghosts.push(ghost),
                Fact::Message { message, .. } => evidence.messages.push(message),
                Fact::Commit { .. } => {}
            }
        }
        let verdict = subject.judge(&evidence);
        self.verdicts.insert(key, verdict);
        verdict
    }

    pub(crate) fn summary(&self, local: LocalId) -> &S::Summary {
        &self.summaries[self.locals[local as usize].summary as usize]
    }

    /// The node state itself.
    pub(crate) fn identity(&self, local: LocalId) -> Vec<u8> {
        let Local { own, node, .. } = &self.locals[local as usize];
        identity(*own, node)
    }

    /// How much was met, for the report.
    pub(crate) fn sizes(&self) -> String {
        let (locals, disks) = (self.locals.len(), self.disks.len());
        format!("{locals} node states, {disks} disks, {} facts", self.book.len())
    }

    /// What becomes true if the first `kept` records of a step become durable.
    pub(crate) fn facts_of(
        &mut self,
        subject: &S,
        own: NodeId,
        performed: &Performed<S::Node>,
        kept: usize,
    ) -> Vec<FactId> {
        let effects = if subject.waits_for_disk() { performed.released(kept) } else { performed.hasty() };
        let durable = performed.records[..kept].iter();
        let mut facts: Vec<FactId> = durable
            .filter_map(|(record, _)| subject.ghost_of_record(own, record))
            .map(|ghost| self.book.id(subject, Fact::Ghost(ghost)))
            .collect();
        for effect in effects {
            let news: Vec<_> = match effect {
                Effect::Send(Send { to, message }) => {
                    let ghost = subject.ghost_of_message(&message).map(Fact::Ghost);
                    let carried = to.iter().filter(|to| subject.carries(own, *to, &message));
                    let copies = carried.map(|to| Fact::Message { from: own, to, message: message.clone() });
                    ghost.into_iter().chain(copies).collect()
                }
                Effect::Commit(order, batch) => {
                    let told = subject.told(&order).without(own);
                    let copy = |to| Fact::Commit { to, order: order.clone(), batch: batch.clone() };
                    told.iter().map(copy).collect()
                }
                Effect::Event(Event::Resolved { by, .. }) => {
                    self.resolved.insert(by);
                    Vec::new()
                }
                Effect::Refuse(..) | Effect::Event(_) => Vec::new(),
            };
            facts.extend(news.into_iter().map(|fact| self.book.id(subject, fact)));
        }
        facts
    }

    /// The number of a node state.
    pub(crate) fn local(&mut self, subject: &S, own: NodeId, node: S::Node) -> LocalId {
        let key = identity(own, &node);
        if let Some(known) = self.local_ids.get(&key) {
            return *known;
        }
        let id = LocalId::try_from(self.locals.len()).expect("few node states");
        let summary = subject.summarise(&node);
        let next = u32::try_from(self.summaries.len()).expect("few summaries");
        let summary = *self.summary_ids.entry(summary).or_insert_with_key(|summary| {
            self.summaries.push(summary.clone());
            next
        });
        self.locals.push(Local {
            own,
            node,
            summary,
            on_message: Vec::new(),
            on_ticket: Vec::new(),
            faded: Vec::new(),
        });
        self.local_ids.insert(key, id);
        id
    }

    fn take_down(
        &mut self,
        subject: &S,
        from: LocalId,
        performed: Result<Option<Performed<S::Node>>, String>,
    ) -> Reaction {
        let own = self.locals[from as usize].own;
        let transition = match performed {
            Ok(None) => return Reaction::Nothing,
            Err(message) => Transition {
                to: from,
                facts: Vec::new(),
                records: Vec::new(),
                torn: Vec::new(),
                broken: Some(message),
                keeps_word: true,
            },
            Ok(Some(performed)) => {
                let count = performed.records.len();
                let facts = self.facts_of(subject, own, &performed, count);
                let torn = if subject.crashers().contains(own) { count } else { 0 };
                let torn = (0..torn).map(|kept| self.facts_of(subject, own, &performed, kept)).collect();
                let to = self.local(subject, own, performed.node);
                if to == from && facts.is_empty() {
                    return Reaction::Nothing;
                }
                let keeps_word = subject.keeps_word(self.summary(from), self.summary(to));
                Transition { to, facts, records: performed.records, torn, broken: None, keeps_word }
            }
        };
        self.transitions.push(transition);
        Reaction::Step(TransitionId::try_from(self.transitions.len() - 1).expect("few"))
    }
}
