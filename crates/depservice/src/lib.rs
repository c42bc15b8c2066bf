//! Conflict indexes: which vertices seen here a new one must depend on.
//!
//! Invariant (dependency service, protocols.md 1.3 and Q3): of two conflicting
//! vertices recorded in one index, the answer given for the later one contains the
//! earlier one, either by name or through the floor that the request carried. All
//! answers are prefixes: a member stands for all earlier vertices of its leader.
//!
//! What is not here: messages, durability (a vertex must be durably recorded before
//! its answer leaves), and memoised first answers, which protocols need whose
//! answers are votes.

mod answer;
mod checkpoint;
mod entry;
mod floors;
mod keyed;
mod naive;
mod scopes;
mod sweep;

#[cfg(test)]
mod tests;

pub use answer::Answer;
pub use checkpoint::Checkpoint;
pub use keyed::KeyedIndex;
pub use naive::NaiveIndex;
pub use sweep::Collected;
