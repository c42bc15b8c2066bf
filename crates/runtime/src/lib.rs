//! The event loop of a node process: one loop, one log thread; the node, the gate and
//! the replica beside it, fed from links, client connections and timers.
//!
//! Invariants: nothing leaves before the records that it depends on are durable
//! ([`isegoria_node::Gate`]); the loop never waits for the disk; every queue is
//! bounded; no byte from a peer or a client reaches a handler before it was admitted.
//!
//! It names no protocol and does not interpret what it carries.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // L4: it owns the clock and the sockets.

mod admission;
mod asked;
mod batcher;
mod clients;
mod edge;
mod graph;
mod inbox;
mod latencies;
mod learner;
mod metrics;
mod nearness;
mod node_loop;
mod outward;
mod persist;
mod settings;
mod start;
mod stories;
mod timers;
mod wishes;

pub use graph::{Graph, GraphVertex};
pub use isegoria_replica::Retention;
pub use latencies::Latencies;
pub use metrics::Stats;
pub use node_loop::LoopError;
pub use persist::ReplayError;
pub use settings::{Limits, Member, Settings};
pub use start::{RunError, run};
