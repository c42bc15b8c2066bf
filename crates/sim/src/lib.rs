//! The seeded in-memory driver: a whole cluster, its network, its disks and its
//! clients in one thread, driven by one seed.
//!
//! A run has two phases. Under **chaos** messages are lost, doubled, delayed and
//! reordered, nodes crash (losing what was not synced) and restart from their records.
//! Then everything **heals**, and every submitted command must be executed everywhere
//! within a bounded time. After every step the checks look at what changed.
//!
//! Invariant: a run is a function of its configuration and seed: it reads no clock,
//! and its dice are one seeded generator. It knows no protocol by name.
#![allow(clippy::disallowed_types)] // The generator is the driver's dice.

mod checks;
mod client;
mod config;
mod disk;
mod hosts;
mod machine_node;
mod report;
mod traffic;
mod world;

pub use checks::{Checks, Violation};
pub use config::SimConfig;
pub use report::Report;
pub use world::{World, run};
