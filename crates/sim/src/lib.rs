//! The seeded simulator: a whole cluster, its network, its disks and its clients in one
//! thread, driven by one seed.
//!
//! A seed decides the cluster and the placement of roles, the workload, a mix of faults
//! and the schedule. A run has three phases. Under **chaos** messages are lost, doubled
//! and late, links break in every shape, nodes crash (losing what was not synced, the
//! last write torn), pause, and restart from checkpoints and logs. Then a connected
//! **majority** heals, and every submitted command must be executed within a bounded
//! number of steps; then the **whole** cluster comes back, catches up and forgets what
//! everybody has. Every event goes through [`isegoria_check::Checks`].
//!
//! The simulator drives the very code that runs in production: nodes, `Gate`, replica,
//! the client's `session`, and the bytes of the `log` on a simulated disk.
//!
//! Invariant: a run is a function of its configuration and seed: it reads no clock, and
//! its dice are one seeded generator. It knows no protocol by name.
//!
//! What it does not do: sockets, threads and files (real processes are tested from
//! outside), and membership change.
#![allow(clippy::disallowed_types)] // The generator is the driver's dice.

mod calls;
mod caught;
mod client;
mod config;
pub mod diagram;
mod disk;
mod event;
mod fault;
mod faults;
mod file;
mod hosts;
mod image;
mod lists;
mod network;
mod partition;
mod plan;
mod process;
mod report;
mod scoped;
pub mod script;
mod situations;
mod storage;
mod trace;
mod wide;
mod world;

pub use calls::{InterruptedCall, Interruption};
pub use config::{FaultLimits, SimConfig};
pub use fault::Fault;
pub use image::Rot;
pub use partition::Shape;
pub use plan::FAULT_COUNT_MIN;
pub use report::Report;
pub use situations::expected_situations;
pub use trace::{Line, Mark, Trace, What};
pub use wide::{WideOutcome, WidePlan, run_wide};
pub use world::{Run, run};
