//! Protocols in which the leader of a vertex chooses it in one round trip by its own durable
//! word, with the answers of a fast quorum that is smaller than the cluster.
//!
//! They share a value, what may be named in a message, and the verbs of `multileader`,
//! `depservice`, `acceptor` and `proposer`, never handlers.

pub mod atlas;
pub mod epaxos;

pub use isegoria_multileader::Value;
