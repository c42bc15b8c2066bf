//! Whether a conflict relation tells the truth: a wrong one lets replicas differ, silently,
//! and nothing else finds it before they do.
//!
//! [`check`] draws commands, brings a machine into a state with some of them, and applies
//! two more in both orders. If they are declared not to conflict, both orders must give equal states
//! *and equal outputs*. A failure is shrunk to the fewest and smallest commands that show it. The
//! reverse is no error and costs parallelism: pairs that are declared to conflict and
//! commuted each time are in the [`Report`].
//!
//! It looks at more: that a relation is symmetric; that an index of one's own finds what it must, beside others
//! and behind what was forgotten; that applying the same commands again, one by one or together, gives the same
//! state and outputs; that commands and outputs survive their encoding; and that nothing panics.
//!
//! It tests, and proves nothing: what the commands drawn do not reach is not seen. Draw keys from a
//! handful, so that commands meet.

mod counterexample;
mod report;
mod trial;

pub use counterexample::Counterexample;
pub use report::{Lost, Report};

use crate::StateMachine;
use proptest::collection::vec;
use proptest::strategy::{BoxedStrategy, Strategy};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use std::cell::RefCell;
use trial::Trial;

/// Commands that bring the machine into a state, at most.
const BEFORE_MAX: usize = 8;

/// Holds the relation of the machine that `fresh` makes against `case_count` draws of commands.
/// Equal arguments give equal results.
///
/// ```
/// use isegoria::{Class, Footprint, StateMachine, commutes};
/// use proptest::prelude::*;
/// # use serde::{Deserialize, Serialize};
///
/// /// A counter to which one only adds, blindly.
/// #[derive(Default, Serialize, Deserialize)]
/// struct Total(u64);
///
/// impl StateMachine for Total {
///     type Command = u64;
///     type Output = ();
///     fn footprint(_: &u64, footprint: &mut Footprint) {
///         footprint.commute(Class::new(1), b"total");
///     }
///     fn apply(&mut self, by: u64) {
///         self.0 = self.0.wrapping_add(by);
///     }
/// }
///
/// let report = commutes::check(Total::default, any::<u64>().boxed(), 200).unwrap_or_else(|found| panic!("{found}"));
/// assert!(report.independent_count > 100 && report.lost.is_empty());
/// ```
///
/// # Errors
/// The smallest case found in which the relation, the index or the machine is wrong.
pub fn check<S: StateMachine>(
    fresh: fn() -> S,
    commands: BoxedStrategy<S::Command>,
    case_count: u32,
) -> Result<Report, Box<Counterexample>>
where
    S::Command: std::fmt::Debug,
{
    let config = Config { cases: case_count, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let cases = (vec(commands.clone(), 0..=BEFORE_MAX), commands.clone(), commands);
    let cases = cases.prop_map(|(before, one, two)| Trial { before, one, two });
    let (tally, found) = (RefCell::new(report::Tally::default()), RefCell::new(None));
    let outcome = runner.run(&cases, |trial| match trial.run(fresh) {
        Ok(met) => {
            tally.borrow_mut().count(&trial, met);
            Ok(())
        }
        Err(counterexample) => {
            let reason = counterexample.to_string();
            // The last one that fails is the smallest.
            *found.borrow_mut() = Some(counterexample);
            Err(TestCaseError::fail(reason))
        }
    });
    match (outcome, found.into_inner()) {
        (Ok(()), _) => Ok(tally.into_inner().report()),
        (Err(TestError::Fail(..)), Some(counterexample)) => Err(Box::new(counterexample)),
        // Nothing was found wrong, and yet it failed: the machine has panicked.
        (Err(TestError::Fail(reason, trial)), None) => Err(Box::new(trial.panics(reason.message()))),
        (Err(TestError::Abort(reason)), _) => panic!("no commands could be drawn: {reason}"),
    }
}
