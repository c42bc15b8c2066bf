//! Whether a replicated system keeps its promises: the properties of a whole cluster,
//! and histories of clients judged from outside.
//!
//! Two views. [`Checks`] is told by a driver what happens *inside* a cluster (durable
//! votes, messages, commits, applications, answers) and compares every event with
//! everything before it; [`properties`] has one property a file. Histories record only
//! what clients asked and were told.
//!
//! Invariant: a check that says nothing has looked: each counts its evaluations, and a
//! driver fails a run in which one never ran. Every check is tested with a planted
//! violation.
//!
//! No protocol is known here by name, no clock is read, no file opened.

mod applied;
mod checks;
mod chosen;
pub mod history;
mod judge;
pub mod linearizability;
pub mod list_append;
#[cfg(test)]
mod planted;
pub mod properties;
mod submissions;
mod violation;

pub use applied::Applied;
pub use checks::Checks;
pub use chosen::{ChosenValue, ChosenValues};
pub use judge::judge;
pub use submissions::{Submission, Submissions};
pub use violation::Violation;
