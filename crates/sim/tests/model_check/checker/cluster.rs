use super::facts::{FactId, Facts};
use super::restarts::{DiskId, NO_DISK, Restart};
use super::subject::{NODE_COUNT_MAX, Named, Subject, Ticket, Verdict};
use super::tables::{LocalId, Tables, TransitionId};
use isegoria_types::{NodeId, NodeSet};
use parking_lot::Mutex;
use stateright::{Model, Property};
use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicU32, Ordering};

/// The most kinds of tickets in one model.
const TICKET_COUNT_MAX: usize = 8;

/// The invariants of all models, with bits above the subject's.
pub(crate) const WORD: Named = ("S8 promises and votes are not taken back, ballots not used twice", 14);
pub(crate) const ASSERTIONS: Named = ("no assertion of a node fails", 15);

/// Situations of all models with crashes, with bits above the subject's.
pub(crate) const CHOSEN_AFTER_RESTART: Named = ("something chosen after a crash-restart", 6);
pub(crate) const TORN: Named = ("a step of which a crash left only the first records", 7);

/// A whole cluster: its processes, their disks, everything ever sent, what is left of
/// each budget. All of it in numbers of [`Tables`].
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(crate) locals: [LocalId; NODE_COUNT_MAX],
    disks: [DiskId; NODE_COUNT_MAX],
    facts: Facts,
    used: [u8; TICKET_COUNT_MAX],
    has_crashed: bool,
    is_broken: bool,
    is_word_broken: bool,
    /// A function of all the above.
    verdict: Verdict,
}

impl State {
    fn identity(&self) -> impl Hash + PartialEq {
        let flags = [self.has_crashed, self.is_broken, self.is_word_broken];
        (self.locals, self.disks, &self.facts, self.used, flags)
    }
}

impl Eq for State {}

impl PartialEq for State {
    fn eq(&self, other: &State) -> bool {
        self.identity() == other.identity()
    }
}

impl Hash for State {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}

/// What happens next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// A message arrives; it may do so again.
    Deliver { at: usize, fact: FactId, transition: TransitionId },
    /// A node acts on its own account.
    Play { at: usize, ticket: usize, transition: TransitionId },
    /// A process crashes between two steps, loses its last lazy records, and restarts.
    Crash { at: usize, lost: usize },
    /// A process crashes within a step, when only the first records of it are durable,
    /// and restarts.
    Tear { at: usize, transition: TransitionId, kept: usize },
    /// A process has taken a checkpoint, crashes, and restarts from that.
    Rebuild { at: usize },
    /// Something becomes true by itself.
    Happen { fact: FactId },
}

/// The model: [`State`]s of a cluster of the nodes of `S`.
pub(crate) struct Cluster<S: Subject> {
    pub(crate) subject: S,
    tables: Mutex<Tables<S>>,
    /// Situations of which an example was shown already.
    shown: AtomicU32,
    /// Situations that lie in a step, not in a state.
    passed: AtomicU32,
}

impl<S: Subject> Cluster<S> {
    pub(crate) fn new(subject: S) -> Cluster<S> {
        assert!(subject.tickets().len() <= TICKET_COUNT_MAX, "enlarge TICKET_COUNT_MAX");
        Cluster {
            subject,
            tables: Mutex::new(Tables::default()),
            shown: AtomicU32::new(0),
            passed: AtomicU32::new(0),
        }
    }

    /// An action in words.
    pub(crate) fn describe(&self, action: &Action) -> String {
        let tables = self.tables.lock();
        let failure = |transition: &TransitionId| {
            let broken = tables.transition(*transition).broken.as_ref();
            broken.map_or(String::new(), |what| format!(" — fails: {what}"))
        };
        let node = |at: &usize| NodeId::new(*at);
        match action {
            Action::Deliver { fact, transition, .. } => {
                format!("{}{}", tables.book.describe(*fact), failure(transition))
            }
            Action::Play { ticket, transition, .. } => {
                format!("{}{}", self.subject.tickets()[*ticket].name, failure(transition))
            }
            Action::Crash { at, lost } => format!("{} restarts, {lost} lazy records lost", node(at)),
            Action::Tear { at, transition, kept } => {
                let records = &tables.transition(*transition).records;
                let all = records.iter().map(|(record, _)| format!("{record:?}")).collect::<Vec<_>>();
                format!("{} restarts; of {} only {kept} durable", node(at), all.join(", "))
            }
            Action::Rebuild { at } => format!("{} restarts from a checkpoint", node(at)),
            Action::Happen { fact } => tables.book.describe(*fact),
        }
    }

    /// How much was met, for the report.
    pub(crate) fn sizes(&self) -> String {
        self.tables.lock().sizes()
    }

    /// The rules by which recoveries have come to decisions.
    pub(crate) fn resolved(&self) -> BTreeSet<&'static str> {
        self.tables.lock().resolved.clone()
    }

    /// The node state of a number.
    pub(crate) fn identity(&self, local: LocalId) -> Vec<u8> {
        self.tables.lock().identity(local)
    }

    /// Who may still crash.
    fn crashers(&self, state: &State) -> NodeSet {
        if state.has_crashed { NodeSet::EMPTY } else { self.subject.crashers() }
    }

    /// Whether a ticket of this kind is left.
    fn may_play(&self, state: &State, ticket: usize) -> bool {
        let used = |tickets: &[usize]| tickets.iter().map(|ticket| state.used[*ticket]).sum::<u8>();
        let Ticket { count_max, after, .. } = &self.subject.tickets()[ticket];
        let mut limits = self.subject.limits().iter().filter(|limit| limit.tickets.contains(&ticket));
        (after.is_empty() || used(after) > 0)
            && state.used[ticket] < *count_max
            && limits.all(|limit| used(&limit.tickets) < limit.count_max)
    }

    /// The steps of one process that change something, and its crashes.
    fn actions_of(&self, state: &State, at: usize, tables: &mut Tables<S>, actions: &mut Vec<Action>) {
        let (first, own, local) = (actions.len(), NodeId::new(at), state.locals[at]);
        let mail: Vec<FactId> = tables.book.mail(&state.facts, own).collect();
        for fact in mail {
            if let Some(transition) = tables.deliver(&self.subject, local, fact)
                && changes(state, at, tables, transition)
            {
                actions.push(Action::Deliver { at, fact, transition });
            }
        }
        for (ticket, kind) in self.subject.tickets().iter().enumerate() {
            if kind.own == own
                && self.may_play(state, ticket)
                && let Some(transition) = tables.play(&self.subject, local, ticket)
                && changes(state, at, tables, transition)
            {
                actions.push(Action::Play { at, ticket, transition });
            }
        }
        if !self.crashers(state).contains(own) {
            return;
        }
        for index in first..actions.len() {
            let (Action::Deliver { transition, .. } | Action::Play { transition, .. }) = actions[index]
            else {
                continue;
            };
            let torn = &tables.transition(transition).torn;
            // If nothing is durable and nothing got out, it is a crash before the step.
            let first = usize::from(torn.first().is_some_and(Vec::is_empty));
            actions.extend((first..torn.len()).map(|kept| Action::Tear { at, transition, kept }));
        }
        let loose = tables.loose_count(state.disks[at]);
        actions.extend((0..=loose).map(|lost| Action::Crash { at, lost }));
        actions.push(Action::Rebuild { at });
    }

    fn step(&self, state: &mut State, tables: &mut Tables<S>, at: usize, transition: TransitionId) {
        let count = tables.transition(transition).records.len();
        state.disks[at] = tables.append(&self.subject, state.disks[at], transition, count);
        let step = tables.transition(transition);
        state.is_word_broken |= tables.book.claims_again(&state.facts, &step.facts);
        state.locals[at] = step.to;
        state.is_broken |= step.broken.is_some();
        state.is_word_broken |= !step.keeps_word;
        establish(state, tables, &step.facts);
    }

    fn come_back(&self, state: &mut State, tables: &Tables<S>, at: usize, restart: &Restart) {
        let (before, after) = (tables.summary(state.locals[at]), tables.summary(restart.local));
        state.is_broken |= restart.broken.is_some();
        state.is_word_broken |=
            !self.subject.keeps_word(before, after) || tables.book.claims_again(&state.facts, &restart.facts);
        state.locals[at] = restart.local;
        // Nobody crashes any more.
        state.has_crashed = true;
        state.disks = [NO_DISK; NODE_COUNT_MAX];
        establish(state, tables, &restart.facts);
    }

    /// What remains to be done when something has happened.
    fn conclude(&self, state: &mut State, tables: &mut Tables<S>) {
        let lasting = NodeSet::first(self.subject.node_count()).difference(self.crashers(state));
        if self.subject.fades() {
            tables.forget(&self.subject, &mut state.facts, state.locals, lasting);
        }
        let mut verdict = tables.verdict(&self.subject, &state.facts, state.locals);
        verdict.require(ASSERTIONS, !state.is_broken);
        verdict.require(WORD, !state.is_word_broken);
        state.verdict = verdict;
    }

    fn holds<const INVARIANT: u32>(&self, state: &State) -> bool {
        state.verdict.violated >> INVARIANT & 1 == 0
    }

    /// Shows one example: more would only cost time.
    fn shows<const SITUATION: u32>(&self, state: &State) -> bool {
        let there = u32::from(state.verdict.reached) | self.passed.load(Ordering::Relaxed);
        there >> SITUATION & 1 == 1
            && self.shown.fetch_or(1 << SITUATION, Ordering::Relaxed) >> SITUATION & 1 == 0
    }
}

/// Whether a step changes anything that matters to anybody.
fn changes<S: Subject>(state: &State, at: usize, tables: &Tables<S>, transition: TransitionId) -> bool {
    let step = tables.transition(transition);
    step.broken.is_some()
        || step.to != state.locals[at]
        || step.facts.iter().any(|fact| tables.book.is_news(&state.facts, *fact))
}

fn establish<S: Subject>(state: &mut State, tables: &Tables<S>, facts: &[FactId]) {
    for fact in facts {
        if tables.book.is_news(&state.facts, *fact) {
            state.facts.insert(*fact);
        }
    }
}

impl<S: Subject> Model for Cluster<S> {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let tables = &mut *self.tables.lock();
        let mut state = State {
            locals: [0; NODE_COUNT_MAX],
            disks: [NO_DISK; NODE_COUNT_MAX],
            facts: Facts::default(),
            used: [0; TICKET_COUNT_MAX],
            has_crashed: false,
            is_broken: false,
            is_word_broken: false,
            verdict: Verdict::default(),
        };
        for at in 0..self.subject.node_count() {
            let own = NodeId::new(at);
            let boot = tables.boot(&self.subject, own);
            state.locals[at] = boot.local;
            state.disks[at] = if self.subject.crashers().contains(own) { boot.disk } else { NO_DISK };
            establish(&mut state, tables, &boot.facts);
        }
        self.conclude(&mut state, tables);
        vec![state]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.is_broken {
            return;
        }
        let tables = &mut *self.tables.lock();
        for at in 0..self.subject.node_count() {
            self.actions_of(state, at, tables, actions);
        }
        let happenings = tables.book.happenings(&state.facts).into_iter();
        actions.extend(happenings.map(|fact| Action::Happen { fact }));
    }

    fn next_state(&self, before: &State, action: Action) -> Option<State> {
        let tables = &mut *self.tables.lock();
        let mut state = before.clone();
        match action {
            Action::Deliver { at, transition, .. } => self.step(&mut state, tables, at, transition),
            Action::Play { at, ticket, transition } => {
                state.used[ticket] += 1;
                self.step(&mut state, tables, at, transition);
            }
            Action::Crash { at, lost } => {
                let restart = tables.restart(&self.subject, state.disks[at], lost);
                self.come_back(&mut state, tables, at, &restart);
            }
            Action::Tear { at, transition, kept } => {
                let disk = tables.append(&self.subject, state.disks[at], transition, kept);
                let restart = tables.restart(&self.subject, disk, 0);
                establish(&mut state, tables, &tables.transition(transition).torn[kept]);
                self.come_back(&mut state, tables, at, &restart);
                self.passed.fetch_or(u32::from(kept > 0) << TORN.1, Ordering::Relaxed);
            }
            Action::Rebuild { at } => {
                let restart = tables.rebuild(&self.subject, state.locals[at]);
                self.come_back(&mut state, tables, at, &restart);
            }
            Action::Happen { fact } => {
                state.facts.insert(fact);
            }
        }
        self.conclude(&mut state, tables);
        let recovered = before.has_crashed && state.verdict.chosen_count > before.verdict.chosen_count;
        self.passed.fetch_or(u32::from(recovered) << CHOSEN_AFTER_RESTART.1, Ordering::Relaxed);
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        type Condition<S> = fn(&Cluster<S>, &State) -> bool;
        macro_rules! by_bit {
            ($look:ident) => {
                [
                    Self::$look::<0>,
                    Self::$look::<1>,
                    Self::$look::<2>,
                    Self::$look::<3>,
                    Self::$look::<4>,
                    Self::$look::<5>,
                    Self::$look::<6>,
                    Self::$look::<7>,
                ]
            };
        }
        let (holds, shows): ([Condition<S>; 8], [Condition<S>; 8]) = (by_bit!(holds), by_bit!(shows));
        let invariants = self.subject.invariants().into_iter();
        let situations = self.subject.situations().into_iter();
        let mut properties: Vec<Property<Self>> = invariants
            .map(|(name, bit)| Property::always(name, holds[bit as usize]))
            .chain(situations.map(|(name, bit)| Property::sometimes(name, shows[bit as usize])))
            .collect();
        properties.push(Property::always(WORD.0, Self::holds::<{ WORD.1 }>));
        properties.push(Property::always(ASSERTIONS.0, Self::holds::<{ ASSERTIONS.1 }>));
        properties
    }
}
