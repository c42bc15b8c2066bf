//! Model check: every reachable state of small clusters (f = 1; five nodes with f = 2 where
//! two are dead), of the very nodes that
//! run in production, with `stateright`; and the execution engine on every small digraph.
//!
//! What is driven is `isegoria_node::step` and the real `Gate`, on a network that loses,
//! doubles and reorders at will, with crashes between and within steps: see [`checker`].
//! What each protocol is judged by, and what its models leave out, stands in [`graph`]
//! and [`multipaxos`]. A model asserts its exact number of states and its depth, names
//! situations that must be reached, and has siblings with a planted fault that must be
//! found.
//!
//! The short size runs with every `cargo test`, within a minute of CPU time. The
//! long one takes some fifteen minutes and up to 8 GB; what it printed is kept in
//! `results/model-check/full.md`:
//!
//! ```text
//! MODEL_CHECK=full cargo test --release -p isegoria-sim --test model_check -- --nocapture
//! ```
//!
//! Not here: liveness, collecting what is executed everywhere, snapshots, more than
//! five nodes, more than one crash. The simulator goes there, by sampling.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // It is told by the environment how far to go.

mod checker;
mod commands;
mod execution;
mod graph;
mod multipaxos;
mod order;
