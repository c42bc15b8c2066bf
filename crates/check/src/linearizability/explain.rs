//! Conflicts in words.

use crate::history::{Anomaly, History, Operation};
use crate::linearizability::conflict::{Conflict, Zone};
use crate::linearizability::problem::Problem;
use crate::linearizability::step::{Action, Moment};
use crate::linearizability::value::ValueId;

/// How many operations around one that no order explains are shown.
const SHOWN_MAX: usize = 12;

/// Puts a conflict at one key into words.
pub(crate) fn anomaly(history: &History, key: &str, problem: &Problem, conflict: &Conflict) -> Anomaly {
    let words = Words { history, problem };
    let (name, culprit, what) = words.explain(conflict);
    let mut involved = words.involved(conflict);
    involved.push(culprit);
    involved.sort_unstable();
    involved.dedup();
    // An operation may stand for several steps of a key no more: each has one a key.
    let operations = involved.into_iter().map(|step| words.operation(step).clone()).collect();
    Anomaly {
        name,
        key: key.to_owned(),
        what,
        culprit: words.operation(culprit).clone(),
        involved: operations,
    }
}

struct Words<'a> {
    history: &'a History,
    problem: &'a Problem,
}

impl Words<'_> {
    fn operation(&self, step: u32) -> &Operation {
        &self.history.operations[self.problem.step(step).operation]
    }

    fn show(&self, value: ValueId) -> String {
        self.problem.values.show(value)
    }

    /// Who and what, such as "client 3's get".
    fn who(&self, step: u32) -> String {
        self.operation(step).who()
    }

    /// What a step shows of the key.
    fn shows(&self, step: u32, value: ValueId) -> String {
        let value = self.show(value);
        match &self.problem.step(step).action {
            Action::Set(_) => format!("{} wrote {value}", self.who(step)),
            Action::Guard(_) => format!("{} saw {value}", self.who(step)),
            _ => format!("{} shows {value}", self.who(step)),
        }
    }

    fn explain(&self, conflict: &Conflict) -> (&'static str, u32, String) {
        match conflict {
            Conflict::Impossible { step } => (
                "impossible answer",
                *step,
                format!("no state whatever makes {} answer that.", self.who(*step)),
            ),
            Conflict::NobodyMade { value, needer } => {
                let name = match self.problem.step(*needer).action {
                    Action::Guard(_) => "phantom read",
                    _ => "wrong result",
                };
                let what = format!(
                    "{} found {}, and no operation that can have taken effect leaves that behind: \
                     something was lost, made up, or applied twice.",
                    self.who(*needer),
                    self.show(*value)
                );
                (name, *needer, what)
            }
            Conflict::FromTheFuture { value, needer, maker } => (
                "read of the future",
                *needer,
                format!(
                    "{} found {} and returned before {}, the first that can have made it, was invoked.",
                    self.who(*needer),
                    self.show(*value),
                    self.who(*maker)
                ),
            ),
            Conflict::ReplacedTooOften { value, makers, replacers } => (
                "lost update",
                *replacers.last().expect("more than makers"),
                self.replaced_too_often(*value, makers.len(), replacers.len()),
            ),
            Conflict::ReplacedBefore { value, replacer, needer } => (
                self.late_name(*needer),
                *needer,
                format!(
                    "{}, but {} had replaced that for good and returned before.",
                    self.shows(*needer, *value),
                    self.who(*replacer)
                ),
            ),
            Conflict::TwoAtOnce { one, other } => {
                (self.late_name(one.until), one.until, format!("{} Yet {}", self.zone(one), self.zone(other)))
            }
            Conflict::Between { zone, step } => {
                let needed = self.problem.step(*step).action.need();
                let why = match needed.is_met(zone.value, &self.problem.values) {
                    true => "replaces it".to_owned(),
                    false => format!("needs {}", needed.show(&self.problem.values)),
                };
                let what = format!(
                    "{} Yet {}, which {why}, began and ended within that time.",
                    self.zone(zone),
                    self.who(*step)
                );
                (self.late_name(zone.until), zone.until, what)
            }
            Conflict::VisitBetween { zone, other, .. } => (
                self.late_name(zone.until),
                zone.until,
                format!("{} Yet {} was there in between.", self.zone(zone), self.show(*other)),
            ),
            Conflict::NoOrder { step, states } => ("no order", *step, self.no_order(*step, states)),
        }
    }

    fn replaced_too_often(&self, value: ValueId, maker_count: usize, replacer_count: usize) -> String {
        let times = match maker_count {
            0 => "at the beginning".to_owned(),
            1 => "once".to_owned(),
            count => format!("{count} times"),
        };
        format!(
            "{replacer_count} operations found {} and replaced it, but it was there only {times}: \
             an update was lost.",
            self.show(value)
        )
    }

    /// How an operation is called that saw a value too late.
    fn late_name(&self, step: u32) -> &'static str {
        match self.problem.step(step).action {
            Action::Guard(_) => "stale read",
            _ => "lost update",
        }
    }

    fn zone(&self, zone: &Zone) -> String {
        let since = match zone.from {
            Some(step) => format!("{}, so it was there when that returned", self.shows(step, zone.value)),
            None => format!("{} is what was there at the beginning", self.show(zone.value)),
        };
        match zone.from {
            Some(step) if step == zone.until => format!("{since}."),
            _ => format!("{since}; {} was invoked later and found it there.", self.who(zone.until)),
        }
    }

    fn no_order(&self, step: u32, states: &[ValueId]) -> String {
        let action = &self.problem.step(step).action;
        let possible: Vec<String> = states.iter().map(|state| self.show(*state)).collect();
        let possible = match possible.is_empty() {
            true => String::new(),
            false => {
                format!("; every order that explains what returned before it left {}", possible.join(", or "))
            }
        };
        format!(
            "no order of the operations explains {}. It needs {}{possible}.",
            self.who(step),
            action.need().show(&self.problem.values)
        )
    }

    fn involved(&self, conflict: &Conflict) -> Vec<u32> {
        let ends = |zone: &Zone| zone.from.into_iter().chain([zone.until]).collect::<Vec<u32>>();
        match conflict {
            Conflict::Impossible { step } => vec![*step],
            Conflict::NobodyMade { needer, .. } => vec![*needer],
            Conflict::FromTheFuture { needer, maker, .. } => vec![*needer, *maker],
            Conflict::ReplacedTooOften { makers, replacers, .. } => {
                makers.iter().chain(replacers).copied().take(SHOWN_MAX).collect()
            }
            Conflict::ReplacedBefore { replacer, needer, .. } => vec![*replacer, *needer],
            Conflict::TwoAtOnce { one, other } => [ends(one), ends(other)].concat(),
            Conflict::Between { zone, step } => [ends(zone), vec![*step]].concat(),
            Conflict::VisitBetween { zone, steps, .. } => {
                [ends(zone), steps.iter().copied().take(SHOWN_MAX).collect()].concat()
            }
            Conflict::NoOrder { step, .. } => self.around(*step),
        }
    }

    /// The last operations that overlap a step.
    fn around(&self, step: u32) -> Vec<u32> {
        let (invoked, returned): (Moment, Moment) =
            (self.problem.step(step).invoked, self.problem.step(step).returned);
        let overlaps = |other: &u32| {
            let other = self.problem.step(*other);
            other.is_known() && other.invoked < returned && invoked < other.returned
        };
        self.problem.indices().rev().filter(overlaps).take(SHOWN_MAX).collect()
    }
}
