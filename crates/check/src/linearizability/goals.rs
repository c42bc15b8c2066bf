use crate::linearizability::lengths::{Lengths, TooLong};
use crate::linearizability::problem::Problem;
use crate::linearizability::step::{Action, Need};
use crate::linearizability::value::{ABSENT, ValueId};
use std::collections::BTreeSet;

/// The states from which a step can be reached, by steps that are open: whatever leads
/// elsewhere need not come before it in its stretch.
///
/// Invariant: no state is missing. Where it is hard to say, any state is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Goals {
    /// These values.
    Values(BTreeSet<ValueId>),
    /// Texts of these lengths.
    Lengths(Lengths),
    /// Any state.
    Any,
}

impl Goals {
    /// The states from which `steps` can lead to one in which `step` can take effect.
    pub(crate) fn of(step: u32, steps: &[u32], problem: &Problem) -> Goals {
        let mut goals = match problem.step(step).action.need() {
            Need::Value(value) => Goals::Values(BTreeSet::from([*value])),
            Need::Length(length) => Goals::length(*length),
            _ => return Goals::Any,
        };
        loop {
            let size = goals.size();
            for other in steps.iter().filter(|other| **other != step) {
                goals.add_before(&problem.step(*other).action, problem);
            }
            if goals.size() == size {
                return goals;
            }
        }
    }

    fn length(length: u64) -> Goals {
        let mut lengths = Lengths::default();
        match lengths.insert(length) {
            Ok(()) => Goals::Lengths(lengths),
            Err(TooLong) => Goals::Any,
        }
    }

    pub(crate) fn contain(&self, state: ValueId, problem: &Problem) -> bool {
        match self {
            Goals::Values(values) => values.contains(&state),
            Goals::Lengths(lengths) => lengths.contains(problem.values.length(state)),
            Goals::Any => true,
        }
    }

    fn size(&self) -> usize {
        match self {
            Goals::Values(values) => values.len(),
            Goals::Lengths(lengths) => lengths.len(),
            Goals::Any => usize::MAX,
        }
    }

    /// Adds the states from which the action leads to a goal.
    fn add_before(&mut self, action: &Action, problem: &Problem) {
        let leads_here = |state: ValueId| self.contain(state, problem);
        let need = match action {
            Action::Guard(_) | Action::Set(_) => return,
            Action::Become(need, state) if leads_here(*state) => need,
            Action::Become(..) => return,
            Action::Append(need, tail) => return self.add_before_growth(need, tail.length(), true),
            Action::Grow(need, by) => return self.add_before_growth(need, *by, false),
            // A number has as many digits as it has.
            Action::Add(_) | Action::Increment(_) => &Need::Anything,
        };
        let added = match (&mut *self, need) {
            (Goals::Values(values), Need::Value(value)) => {
                values.insert(*value);
                true
            }
            (Goals::Lengths(lengths), Need::Value(value)) => {
                lengths.insert(problem.values.length(*value)).is_ok()
            }
            (Goals::Lengths(lengths), Need::Length(length)) => lengths.insert(*length).is_ok(),
            _ => false,
        };
        if !added {
            *self = Goals::Any;
        }
    }

    fn add_before_growth(&mut self, need: &Need, by: u64, is_seen: bool) {
        match self {
            // What nobody sees is no value that somebody needs.
            Goals::Values(values) if !is_seen && !values.contains(&ABSENT) => {}
            Goals::Values(_) => *self = Goals::Any,
            Goals::Lengths(lengths) => match need {
                // It is shorter than one that is told from others.
                Need::Length(length) if lengths.contains(length + by) => _ = lengths.insert(*length),
                Need::Length(_) => {}
                _ => lengths.insert_shorter(by),
            },
            Goals::Any => {}
        }
    }
}
