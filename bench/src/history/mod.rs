//! Recording what clients asked and were told, as a history that `isegoria check` judges.
//!
//! Invariants: the interval of a recorded operation contains the real one (the clock is
//! read before the submission and after the answer arrived, and rounded outwards); an
//! operation whose outcome is not known is recorded as unknown, never left out; memory
//! is bounded by what is outstanding. Not done here: nothing is judged.

mod clock;
mod files;
mod recorder;

pub(crate) use clock::Clock;
pub(crate) use files::{Files, with_words};
pub(crate) use recorder::{Recorder, outcome_without_answer};
