//! The BPaxos family: protocols in which a dependency service says what a command
//! depends on and consensus decides each vertex of the graph (Whittaker et al., "SoK:
//! A Generalized Multi-Leader State Machine Replication Tutorial", JSys 2021).
//!
//! Members share a value, what may be named in a message, and the verbs of `depservice`,
//! `acceptor` and `proposer`, never handlers.

pub mod simple;
pub mod unanimous;

pub use isegoria_multileader::Value;
