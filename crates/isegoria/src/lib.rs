//! Configuration, and the one list of protocols: what the binary is made of, and the
//! place where a protocol's name becomes code.
//!
//! Invariant: every rule of a configuration is checked once, here, before anything is
//! started, and each refusal is one sentence that names the field and the cure.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // L5: it reads configuration files.

mod cluster_config;
mod geo;
mod protocol_spec;
mod registry;
mod rtt_matrix;

pub use cluster_config::{ClusterConfig, ConfigFileError, LimitsConfig, NodeConfig};
pub use geo::GeoConfig;
pub use isegoria_runtime::{LoopError, RunError, Stats};
pub use isegoria_storage::{Durability, StoreError};
pub use isegoria_transport::Endpoint;
pub use protocol_spec::ProtocolSpec;
pub use registry::{AnyProtocol, ProtocolVisitor, Quorums, Running, protocol, protocols, visit_protocol};
pub use rtt_matrix::RttMatrix;
