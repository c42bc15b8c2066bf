//! Forgets what nobody can see: a text that was never observed, and that is no beginning
//! of one that was, is as good as any other of its length. Then steps that only differ in
//! such texts are of one class, and configurations that only differ in them are one.

use crate::linearizability::problem::{Problem, classify};
use crate::linearizability::step::{Action, Need, Step};
use crate::linearizability::value::{Numeral, ValueId};
use bytes::Bytes;
use std::collections::BTreeSet;

/// Where the observed texts are longer than this together, bytes, nothing is forgotten:
/// looking for their parts would take too long.
const OBSERVED_BYTES_MAX: usize = 4 << 20;

/// Rewrites the steps of a problem so that they tell only what can be observed.
pub(crate) fn blur(problem: &mut Problem) {
    let observed = observed(&problem.steps);
    let texts: Vec<Bytes> =
        observed.iter().filter_map(|value| problem.values.content(*value).cloned()).collect();
    if texts.iter().map(Bytes::len).sum::<usize>() > OBSERVED_BYTES_MAX {
        return classify(&mut problem.steps);
    }
    let appends = |step: &Step| matches!(step.action, Action::Append(..));
    let counts = |step: &Step| matches!(step.action.need(), Need::Length(_));
    let has_appends = problem.steps.iter().any(appends);
    problem.values.blur(&texts, has_appends, problem.steps.iter().any(counts));
    let tails = tails(&problem.steps);
    let seen = seen_in(&texts, &tails);
    for step in &mut problem.steps {
        let action = match &step.action {
            Action::Set(value) => Action::Set(problem.values.blurred(*value)),
            Action::Become(need, value) => Action::Become(need.clone(), problem.values.blurred(*value)),
            Action::Append(need, tail) if tails.contains(&tail.text) && !seen.contains(&tail.text) => {
                Action::Grow(need.clone(), tail.length())
            }
            _ => continue,
        };
        step.action = action;
    }
    classify(&mut problem.steps);
}

/// The values that some step compares a state with.
fn observed(steps: &[Step]) -> BTreeSet<ValueId> {
    let compared = |step: &Step| match step.action.need() {
        Need::Value(value) | Need::Not(value) => Some(*value),
        _ => None,
    };
    steps.iter().filter_map(compared).collect()
}

/// The texts that are appended, and after which nothing is a number any more.
fn tails(steps: &[Step]) -> BTreeSet<Bytes> {
    let tail = |step: &Step| match &step.action {
        Action::Append(_, tail) if Numeral::is_spoilt_by(&tail.text) => Some(tail.text.clone()),
        _ => None,
    };
    steps.iter().filter_map(tail).collect()
}

/// Those of `tails` that occur in one of `texts`.
fn seen_in(texts: &[Bytes], tails: &BTreeSet<Bytes>) -> BTreeSet<Bytes> {
    let lengths: BTreeSet<usize> = tails.iter().map(Bytes::len).collect();
    let mut seen = BTreeSet::new();
    for text in texts {
        for length in &lengths {
            for part in text.windows(*length) {
                if let Some(tail) = tails.get(part) {
                    seen.insert(tail.clone());
                }
            }
        }
    }
    seen
}
