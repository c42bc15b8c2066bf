//! The acceptor: what a Paxos voter remembers of one vertex or of a log, and what
//! it may say (protocols.md 1.5 and 3.1).
//!
//! Invariant (S8): the promised ballot is never below the voted one, neither ever
//! falls, and one ballot carries one value. A promise never touches the vote.
//!
//! What is not here: messages and durability. Every verb says whether state changed;
//! what changed must be durable before the answer leaves. Nor quorums: an acceptor
//! knows nothing of the others.

mod cell;
mod log;

#[cfg(test)]
mod tests;

pub use cell::{Accepted, Cell, Promise};
pub use log::{LogAccepted, LogAcceptor, LogPromise, LogVotes};
