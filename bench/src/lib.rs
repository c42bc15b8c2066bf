//! The benchmark: workloads, load processes, runs on node processes of this machine,
//! and what is kept of them.
//!
//! [`run`] is `isegoria bench`, with its trials, [`load::main`] is the load process that it starts, and
//! [`local_cluster`] is what it and `isegoria cluster` start nodes with.
//!
//! Invariants: every protocol gets fresh nodes, the same clients with the same seeds and
//! the same limits; nothing of the warm-up is in a figure, except where a field says so;
//! a figure that the system or the protocol does not have is none and not 0; of a run everything is kept that is
//! needed to repeat and to doubt it, and nothing that names the machine or its user.
//!
//! Not done here: a load of several machines.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // L5: clocks, files and processes.

mod args;
mod cap;
mod cpu;
mod crash;
mod descriptors;
mod diff;
mod environment;
mod error;
mod figure;
mod fleet;
mod free_endpoints;
mod generator;
mod histogram;
mod history;
mod kept;
mod knobs;
pub mod load;
/// Node processes of this machine.
pub mod local_cluster;
mod measurement;
/// Faults against a cluster while clients record a history.
pub mod nemesis;
mod operation;
/// `isegoria plan`: latencies before anything is deployed.
pub mod plan;
mod progress;
mod protocol_list;
mod reference;
mod report;
/// `isegoria report`: one page of result folders.
pub mod report_page;
mod results;
mod runner;
mod scenario;
mod simulated;
mod table;
mod trials;
mod wide_area;
mod workload;
mod ycsb;
mod zipf;

pub use args::{BenchArgs, BenchCommand};
pub use crash::Crash;
pub use diff::DiffArgs;
pub use environment::Environment;
pub use error::BenchError;
pub use figure::{FigureArgs, figure_runs};
pub use generator::{KeyChooser, PutEncoder};
pub use knobs::Knobs;
pub use load::Second;
pub use measurement::{CpuUs, LatencyUs, Measurement};
pub use protocol_list::ProtocolList;
pub use reference::Reference;
pub use report::{Links, METHOD, METHOD_CAP, METHOD_GEO, METHOD_SIMULATED, Row, SiteRow, Spread};
pub(crate) use runner::print;
pub use runner::run;
pub use scenario::Scenario;
pub use trials::{DurabilityArgs, EnduranceArgs, HotKeyArgs, OverloadArgs, RecoveryArgs, Trial};
pub use wide_area::WideArea;
pub use workload::{Workload, WorkloadError};
pub use ycsb::{Letter, Ycsb};
