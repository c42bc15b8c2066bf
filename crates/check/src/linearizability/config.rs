use crate::linearizability::problem::Problem;
use crate::linearizability::step::{Moment, NEVER, Step};
use crate::linearizability::value::{SOMETHING, ValueId};
use smallvec::SmallVec;
use std::sync::Arc;
use xxhash_rust::xxh3::Xxh3;

/// A partial order: some steps have taken effect, one after the other, others are open.
///
/// Steps come in stretches: each begins with a blind write, so that it does not matter
/// what was before. The last stretch goes on; a closed one still may, as nobody sees how
/// it ends: by steps that were invoked before it was closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Config {
    /// How the last stretch ends: the state now.
    pub(crate) state: ValueId,
    /// The closed stretches that an open step can go on with.
    pub(crate) closed: SmallVec<[Closed; 4]>,
    /// When the last blind write took effect. Just before it there is room for stretches
    /// of steps that were invoked earlier.
    pub(crate) hidden_before: Moment,
    /// When the last removal or blind write took effect. Before a removal there is room
    /// for a write.
    pub(crate) kept_before: Moment,
    /// Known steps that were invoked and have not taken effect, ascending.
    pub(crate) open: Box<[u32]>,
    /// Steps of unknown outcome that have taken effect.
    pub(crate) gone: Arc<Gone>,
}

/// A stretch behind which there is a blind write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Closed {
    /// When that took effect.
    pub(crate) before: Moment,
    /// How it ends.
    pub(crate) state: ValueId,
}

/// One of the stretches of a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stretch {
    Last,
    Closed(usize),
}

/// A set of steps, ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Gone {
    steps: Vec<u32>,
    hash: u128,
}

impl Gone {
    pub(crate) fn contains(&self, step: u32) -> bool {
        self.steps.binary_search(&step).is_ok()
    }

    fn with(&self, step: u32) -> Gone {
        let mut steps = self.steps.clone();
        let place = steps.partition_point(|known| *known < step);
        steps.insert(place, step);
        let mut hasher = Xxh3::new();
        steps.iter().for_each(|step| hasher.update(&step.to_le_bytes()));
        Gone { steps, hash: hasher.digest128() }
    }
}

impl Config {
    pub(crate) fn new(state: ValueId) -> Config {
        Config {
            state,
            closed: SmallVec::new(),
            hidden_before: 0,
            kept_before: 0,
            open: Box::default(),
            gone: Arc::default(),
        }
    }

    pub(crate) fn is_open(&self, step: u32) -> bool {
        self.open.binary_search(&step).is_ok()
    }

    /// Adds the step that was invoked last.
    pub(crate) fn open(&mut self, step: u32) {
        let mut open = Vec::with_capacity(self.open.len() + 1);
        open.extend_from_slice(&self.open);
        open.push(step);
        self.open = open.into_boxed_slice();
    }

    /// All stretches: which, before when a step must have been invoked to go on with it,
    /// and how it ends.
    pub(crate) fn stretches(&self) -> impl Iterator<Item = (Stretch, Closed)> {
        let closed = self.closed.iter().enumerate().map(|(index, closed)| (Stretch::Closed(index), *closed));
        closed.chain([(Stretch::Last, Closed { before: NEVER, state: self.state })])
    }

    /// `step` takes effect and leaves `state` in a stretch for steps invoked `before`; so
    /// do the guards that this meets, at once: they change nothing, so no order needs them
    /// later. Returns how many these were.
    pub(crate) fn take(&mut self, step: u32, Closed { before, state }: Closed, problem: &Problem) -> usize {
        if !problem.step(step).is_known() {
            self.gone = Arc::new(self.gone.with(step));
        }
        let mut met = 0;
        let stays = |open: &u32| {
            if *open == step {
                return false;
            }
            let Step { action, invoked, .. } = problem.step(*open);
            let is_met =
                *invoked < before && action.is_guard() && action.need().is_met(state, &problem.values);
            met += usize::from(is_met);
            !is_met
        };
        self.open = self.open.iter().copied().filter(stays).collect();
        met
    }

    /// Forgets the closed stretches that nobody can go on with, and what nobody can see
    /// of the others.
    pub(crate) fn tidy(&mut self, moment: Moment, problem: &Problem) {
        let (open, gone) = (&self.open, &self.gone);
        let unknown = problem.unknown_before(moment);
        self.closed.retain(|closed| {
            let goes_on = |step: &u32| {
                let Step { action, invoked, .. } = problem.step(*step);
                *invoked < closed.before
                    && action.is_change()
                    && action.need().is_met(closed.state, &problem.values)
            };
            let waits = |step: &u32| {
                let Step { action, invoked, .. } = problem.step(*step);
                *invoked < closed.before && !action.is_blind()
            };
            let by_unknown =
                open.iter().any(waits) && unknown.iter().any(|step| goes_on(step) && !gone.contains(*step));
            let mut by_known = open.iter().filter(|step| goes_on(step)).peekable();
            let stays = by_unknown || by_known.peek().is_some();
            if !by_unknown && by_known.all(|step| problem.step(*step).action.is_removal()) {
                closed.state = SOMETHING;
            }
            stays
        });
        self.closed.sort_unstable();
    }

    /// Feeds everything that tells this configuration from another one at the same moment.
    pub(crate) fn digest(&self, moment: Moment, problem: &Problem, hasher: &mut Xxh3) {
        let slot = |before| self.slot(before, moment, problem);
        let length = |length: usize| u32::try_from(length).expect("fewer than 2^31 steps");
        let counts = [length(self.closed.len()), length(self.open.len())];
        let slots = [slot(self.hidden_before), slot(self.kept_before)];
        for number in [self.state.0].iter().chain(&slots).chain(&counts).chain(&self.open) {
            hasher.update(&number.to_le_bytes());
        }
        for closed in &self.closed {
            hasher.update(&slot(closed.before).to_le_bytes());
            hasher.update(&closed.state.0.to_le_bytes());
        }
        hasher.update(&self.gone.hash.to_le_bytes());
    }

    /// All that matters of a moment is who was invoked before it and may still be placed
    /// there: the last of these.
    fn slot(&self, before: Moment, moment: Moment, problem: &Problem) -> u32 {
        let last = |steps: &[u32]| {
            let count = steps.partition_point(|step| problem.step(*step).invoked < before);
            steps[..count].last().map_or(0, |step| step + 1)
        };
        last(&self.open).max(last(problem.unknown_before(moment)))
    }
}
