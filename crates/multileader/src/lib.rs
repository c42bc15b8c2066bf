//! What protocols share in which every node leads, and consensus decides each vertex of a
//! dependency graph: what is decided, what may be named in a message, a leader's own
//! vertices, and which options make sense.
//!
//! Invariant: a vertex number is used once, and every batch that a leader took in leaves
//! [`Proposals`] as chosen, or to be submitted again.
//!
//! What is not here: messages, records and handlers; those are each protocol's own.

mod admission;
mod answers;
pub mod pace;
mod proposals;
mod tail;
mod value;

pub use admission::Admission;
pub use answers::{tell_added, tell_answers};
pub use proposals::{Proposal, Proposals};
pub use value::Value;
