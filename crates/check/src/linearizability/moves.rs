use crate::linearizability::config::{Closed, Config, Stretch};
use crate::linearizability::goals::Goals;
use crate::linearizability::origin::Origins;
use crate::linearizability::problem::Problem;
use crate::linearizability::search::{Node, Tier, Turn};
use crate::linearizability::step::{Action, Moment, NEVER, Need, Step};
use crate::linearizability::value::{ABSENT, ValueId};

/// How far unlikely moves fall behind, in events: which configurations are looked at
/// first is a matter of speed alone.
mod handicap {
    pub(super) const LESS_LIKELY: u32 = 2;
    pub(super) const EXACT: u32 = 1;
    pub(super) const VAGUE: u32 = 4;
    pub(super) const KNOWN: u32 = 8;
    pub(super) const UNKNOWN: u32 = 64;
}

/// Values with more makers than this are not looked at for dead ends.
const MAKERS_MAX: usize = 8;

/// What a move leads to.
#[derive(Debug)]
pub(crate) enum Move {
    /// The step that returns has taken effect: on to the next event.
    Done(Config, u32),
    /// It has not yet.
    On(Node),
}

/// Where a step takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// At the end of a stretch.
    On(Stretch),
    /// A blind write begins a stretch just before the last blind write.
    Hidden,
    /// A write just before the last removal, which takes it away.
    Removed,
    /// A blind write begins the last stretch.
    Now,
}

/// The moves at a node.
pub(crate) struct Moves<'a> {
    pub(crate) problem: &'a mut Problem,
    pub(crate) origins: &'a Origins,
    pub(crate) node: &'a Node,
    /// The step that returns.
    pub(crate) returning: u32,
    /// What other steps are to lead to.
    goals: Goals,
    /// What was tried before: steps of known outcome that lead to these, without others.
    goals_of_known: Option<Goals>,
    found: Vec<Move>,
}

impl<'a> Moves<'a> {
    pub(crate) fn new(
        problem: &'a mut Problem,
        origins: &'a Origins,
        node: &'a Node,
        returning: u32,
    ) -> Moves<'a> {
        Moves {
            problem,
            origins,
            node,
            returning,
            goals: Goals::Any,
            goals_of_known: None,
            found: Vec::new(),
        }
    }

    /// The moves of the node's tier, and which tier comes next with which handicap.
    pub(crate) fn all(mut self) -> (Vec<Move>, Option<(Tier, u32)>) {
        let handicap = self.node.handicap;
        if self.problem.step(self.returning).action.is_blind() {
            // Nothing needs to come before: for the others there is time until they return.
            self.itself();
            return (self.found, None);
        }
        match self.node.tier {
            Tier::Itself => {
                self.itself();
                if !self.found.is_empty() {
                    return (self.found, Some((Tier::Known, handicap + handicap::KNOWN)));
                }
                self.known();
            }
            Tier::Known => self.known(),
            Tier::Unknown => {
                self.unknown();
                return (self.found, None);
            }
        }
        let is_last = self.problem.unknown_before(self.node.moment).is_empty();
        let more = if self.found.is_empty() { handicap::KNOWN } else { handicap::UNKNOWN };
        (self.found, (!is_last).then_some((Tier::Unknown, handicap + more)))
    }

    /// The step that returns takes effect, wherever it can.
    fn itself(&mut self) {
        let step = self.returning;
        for place in self.places(step) {
            self.play(step, place, self.unlikeliness(step, place));
        }
    }

    /// How many others would rather have the place, or would rather not have it taken.
    fn unlikeliness(&self, step: u32, place: Place) -> u32 {
        let Node { config, .. } = self.node;
        let is_awaited = |value| u32::from(self.is_needed(value, config));
        match (&self.problem.step(step).action, place) {
            (Action::Set(value), Place::Now) => handicap::LESS_LIKELY * (1 - is_awaited(*value)),
            (Action::Set(value), _) => handicap::LESS_LIKELY * is_awaited(*value),
            (action, Place::On(stretch)) => {
                let end = match stretch {
                    Stretch::Last => Closed { before: NEVER, state: config.state },
                    Stretch::Closed(index) => config.closed[index],
                };
                let takers = |end: Closed| {
                    let takes = |other: &&u32| **other != step && self.goes_on(**other, end);
                    u32::try_from(config.open.iter().filter(takes).count()).unwrap_or(u32::MAX)
                };
                let gained = action.outcome().map_or(0, |state| takers(Closed { state, ..end }));
                (handicap::KNOWN / 2 + takers(end)).saturating_sub(gained).min(handicap::KNOWN)
            }
            _ => 0,
        }
    }

    /// Whether a step changes how a stretch ends.
    fn goes_on(&self, step: u32, end: Closed) -> bool {
        let Step { action, invoked, .. } = self.problem.step(step);
        *invoked < end.before && action.is_change() && action.need().is_met(end.state, &self.problem.values)
    }

    fn known(&mut self) {
        self.goals = Goals::of(self.returning, &self.node.config.open, self.problem);
        for step in self.node.config.open.clone() {
            self.other(step, self.vagueness(step));
        }
    }

    fn unknown(&mut self) {
        self.goals_of_known = Some(Goals::of(self.returning, &self.node.config.open, self.problem));
        let available = self.available();
        let all: Vec<u32> = self.node.config.open.iter().copied().chain(available.iter().copied()).collect();
        self.goals = Goals::of(self.returning, &all, self.problem);
        for step in self.node.config.open.clone() {
            self.other(step, self.vagueness(step));
        }
        for step in available {
            self.other(step, handicap::UNKNOWN);
        }
    }

    fn vagueness(&self, step: u32) -> u32 {
        match self.problem.step(step).action.need() {
            Need::Value(_) => handicap::EXACT,
            _ => handicap::VAGUE,
        }
    }

    /// A step other than the one that returns takes effect, for the sake of that.
    fn other(&mut self, step: u32, cost: u32) {
        if step == self.returning {
            return;
        }
        for place in self.places(step) {
            if !self.is_beaten(step, self.before(place)) {
                self.play(step, place, cost);
            }
        }
    }

    /// Whether a step may lead to the one that returns, and was not tried before.
    fn is_of_use(&self, step: u32, end: Closed) -> bool {
        let is_blind = self.problem.step(step).action.is_blind();
        let is_built_on = |others: &[u32]| {
            let builds = |other: &u32| {
                let Step { action, invoked, .. } = self.problem.step(*other);
                *other != step
                    && *invoked < end.before
                    && (*other == self.returning || action.is_change())
                    && action.need().is_met(end.state, &self.problem.values)
            };
            !is_blind || others.iter().any(builds)
        };
        let by_known = is_built_on(&self.node.config.open);
        let Some(goals_of_known) = &self.goals_of_known else {
            return by_known && self.goals.contain(end.state, self.problem);
        };
        let was_tried =
            self.problem.step(step).is_known() && by_known && goals_of_known.contain(end.state, self.problem);
        !was_tried
            && self.goals.contain(end.state, self.problem)
            && (by_known || is_built_on(&self.available()))
    }

    /// Where a step can take effect. All steps of a turn are of one stretch: that of the
    /// step that returns; for others there is time until they return themselves.
    fn places(&self, step: u32) -> Vec<Place> {
        let Node { config, turn, .. } = self.node;
        let Step { action, invoked, .. } = self.problem.step(step);
        if action.is_guard() {
            // Where a state allows it, it has taken effect when that state came.
            return Vec::new();
        }
        if action.is_blind() {
            let hidden = match *invoked < config.hidden_before {
                true => Some(Place::Hidden),
                false => (*invoked < config.kept_before).then_some(Place::Removed),
            };
            return if turn.stretch.is_none() {
                hidden.into_iter().chain([Place::Now]).collect()
            } else {
                Vec::new()
            };
        }
        let is_possible = |(stretch, end): &(Stretch, Closed)| {
            turn.stretch.is_none_or(|turn| turn == *stretch)
                && *invoked < end.before
                && action.need().is_met(end.state, &self.problem.values)
        };
        let possible: Vec<(Stretch, Closed)> = config.stretches().filter(is_possible).collect();
        let is_first = |index: usize| {
            let (stretch, end) = possible[index];
            let alike = |(_, other): &(Stretch, Closed)| other.state == end.state;
            // Of closed stretches that end alike the first one is the tightest fit.
            stretch == Stretch::Last || !possible[..index].iter().any(alike) || self.is_useful(step, end)
        };
        let kept = (0..possible.len()).filter(|index| is_first(*index));
        kept.map(|index| Place::On(possible[index].0)).collect()
    }

    /// Whether, once `step` has gone on with a stretch, somebody can go on after it.
    fn is_useful(&self, step: u32, end: Closed) -> bool {
        let Some(state) = self.problem.step(step).action.outcome() else {
            return true;
        };
        let goes_on = |other: &u32| {
            let Step { action, invoked, .. } = self.problem.step(*other);
            *other != step
                && *invoked < end.before
                && !action.is_blind()
                && action.need().is_met(state, &self.problem.values)
        };
        self.node.config.open.iter().any(goes_on) || self.available().iter().any(goes_on)
    }

    /// Before when a step must have been invoked to take effect there.
    fn before(&self, place: Place) -> Moment {
        match place {
            Place::On(Stretch::Closed(index)) => self.node.config.closed[index].before,
            Place::On(Stretch::Last) | Place::Now => NEVER,
            Place::Hidden => self.node.config.hidden_before,
            Place::Removed => self.node.config.kept_before,
        }
    }

    /// The steps of unknown outcome that may take effect.
    fn available(&self) -> Vec<u32> {
        let before = self.problem.unknown_before(self.node.moment);
        before.iter().copied().filter(|step| !self.node.config.gone.contains(*step)).collect()
    }

    /// Whether another step of the same class should take its place: one that must return
    /// earlier, and that has no other place where this one could not stand for it.
    fn is_beaten(&self, step: u32, before: Moment) -> bool {
        let Node { config, moment, .. } = self.node;
        let one = self.problem.step(step);
        let stands_in = |index: u32| {
            let other = self.problem.step(index);
            let is_free =
                one.action.is_blind() || one.invoked < other.invoked || other.invoked >= config.hidden_before;
            index != step && other.class == one.class && other.invoked < before && is_free
        };
        let earlier = |index: &u32| {
            (self.problem.step(*index).returned, *index) < (one.returned, step) && stands_in(*index)
        };
        // Of unknown ones the last goes first: the others can stand wherever it could.
        let last = |index: &u32| *index > step && stands_in(*index) && !config.gone.contains(*index);
        config.open.iter().any(earlier)
            || (!one.is_known() && self.problem.unknown_before(*moment).iter().any(last))
    }

    /// Whether `step` and the last one commute, and the last one should have come later.
    fn is_out_of_order(&mut self, step: u32, after: ValueId) -> bool {
        let Some((last, before)) = self.node.turn.unseen else { return false };
        // Those of one class are in the order that the rule of the earliest deadline gives.
        let deadline = |step: u32| (self.problem.step(step).returned, self.problem.step(step).class);
        if deadline(step) >= deadline(last) {
            return false;
        }
        let Problem { steps, values, .. } = &mut *self.problem;
        let between = steps[step as usize].action.apply(before, values);
        between.and_then(|state| steps[last as usize].action.apply(state, values)) == Some(after)
    }

    /// `step` takes effect there.
    fn play(&mut self, step: u32, place: Place, cost: u32) {
        let Node { moment, config, handicap, .. } = self.node;
        let before = self.before(place);
        let found = match place {
            Place::On(Stretch::Closed(index)) => config.closed[index].state,
            _ => config.state,
        };
        let Problem { steps, values, .. } = &mut *self.problem;
        let action = &steps[step as usize].action;
        let (is_blind, is_removal) = (action.is_blind(), action.is_removal());
        let Some(state) = action.apply(found, values) else { return };
        if !is_blind && self.is_out_of_order(step, state) {
            return;
        }
        let is_too_early =
            |value, before| self.origins.is_single(value) && self.origins.until(value) >= before;
        if is_too_early(state, before) || (place == Place::Now && is_too_early(config.state, *moment)) {
            return;
        }
        let end = Closed { before, state };
        if step != self.returning && !self.is_of_use(step, end) {
            return;
        }
        let mut next = config.clone();
        let met = next.take(step, end, self.problem);
        let stretch = match place {
            Place::On(Stretch::Closed(index)) => {
                next.closed[index].state = state;
                Stretch::Closed(index)
            }
            Place::On(Stretch::Last) => {
                next.state = state;
                if is_removal {
                    next.kept_before = *moment;
                }
                Stretch::Last
            }
            Place::Hidden => {
                next.closed.push(end);
                Stretch::Closed(next.closed.len() - 1)
            }
            Place::Removed if state == ABSENT || next.is_open(self.returning) => return,
            Place::Removed => Stretch::Last,
            Place::Now => {
                next.closed.push(Closed { before: *moment, state: config.state });
                (next.state, next.hidden_before, next.kept_before) = (state, *moment, *moment);
                Stretch::Last
            }
        };
        if self.is_dead_end(&next, found, step) {
            return;
        }
        if !next.is_open(self.returning) {
            next.tidy(*moment, self.problem);
            self.found.push(Move::Done(next, cost));
            return;
        }
        let unseen = (met == 0 && !is_blind).then_some((step, found));
        let turn = Turn { stretch: Some(stretch), unseen };
        let handicap = handicap + cost;
        self.found.push(Move::On(Node { moment: *moment, config: next, turn, tier: Tier::Itself, handicap }));
    }

    /// Whether the step left, or did not make, a value that is needed and cannot be made again.
    fn is_dead_end(&self, config: &Config, left: ValueId, step: u32) -> bool {
        self.is_lost(left, config)
            || self.origins.made_by(step).iter().any(|value| self.is_lost(*value, config))
    }

    fn is_lost(&self, value: ValueId, config: &Config) -> bool {
        !self.can_be_made(value, config) && self.is_needed_in_vain(value, config)
    }

    fn can_be_made(&self, value: ValueId, config: &Config) -> bool {
        let Some(origin) = self.origins.of(value) else { return true };
        let makes = |maker: &u32| {
            let step = self.problem.step(*maker);
            match step.is_known() {
                true => step.invoked > self.node.moment || config.is_open(*maker),
                false => !config.gone.contains(*maker),
            }
        };
        origin.is_open || origin.makers.len() > MAKERS_MAX || origin.makers.iter().any(makes)
    }

    /// Whether a step that has not taken effect needs this very value.
    fn is_needed(&self, value: ValueId, config: &Config) -> bool {
        self.is_needed_later(value) || config.open.iter().any(|step| self.needs(*step, value))
    }

    fn is_needed_later(&self, value: ValueId) -> bool {
        let last = self.origins.of(value).and_then(|origin| origin.needers.last());
        last.is_some_and(|step| self.problem.step(*step).invoked > self.node.moment)
    }

    fn needs(&self, step: u32, value: ValueId) -> bool {
        self.problem.step(step).action.need().value() == Some(value)
    }

    /// Whether a step needs this very value, and no stretch that it can be of ends with it.
    fn is_needed_in_vain(&self, value: ValueId, config: &Config) -> bool {
        let ends =
            |invoked: Moment| config.stretches().any(|(_, end)| end.state == value && invoked < end.before);
        let in_vain = |step: &u32| self.needs(*step, value) && !ends(self.problem.step(*step).invoked);
        (self.is_needed_later(value) && config.state != value) || config.open.iter().any(in_vain)
    }
}
