//! Isegoria in a program of one's own: a replicated state machine with one's own conflict
//! relation.
//!
//! Implement [`StateMachine`], [`Replica::open`] a node in each process, and
//! [`Replica::submit`] commands at any of them:
//!
//! ```no_run
//! use isegoria::{Config, Footprint, Replica, StateMachine};
//! use serde::{Deserialize, Serialize};
//! use std::collections::BTreeMap;
//!
//! #[derive(Default, Serialize, Deserialize)]
//! struct Words(BTreeMap<String, String>);
//!
//! #[derive(Serialize, Deserialize)]
//! enum Op {
//!     Get(String),
//!     Put(String, String),
//! }
//!
//! impl StateMachine for Words {
//!     type Command = Op;
//!     type Output = Option<String>;
//!     fn footprint(op: &Op, footprint: &mut Footprint) {
//!         match op {
//!             Op::Get(key) => footprint.read(key.as_bytes()),
//!             Op::Put(key, _) => footprint.write(key.as_bytes()),
//!         }
//!     }
//!     fn apply(&mut self, op: Op) -> Option<String> {
//!         match op {
//!             Op::Get(key) => self.0.get(&key).cloned(),
//!             Op::Put(key, value) => self.0.insert(key, value),
//!         }
//!     }
//! }
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let node = Replica::open(Config::from_file("cluster.toml", "n1")?, Words::default()).await?;
//! node.submit(Op::Put("name".into(), "Ada".into())).await?;
//! assert_eq!(node.read(Op::Get("name".into())).await?.as_deref(), Some("Ada"));
//! node.shutdown().await?;
//! # Ok(())
//! # }
//! ```
//!
//! Which commands conflict is said by [`StateMachine::footprint`]: by keys with classes of
//! accesses that commute, or by scopes of one's own, for which [`StateMachine::conflicts`] gives
//! a relation or an index ([`Conflicts`], [`ConflictIndex`]). Whether that is true can be
//! tested: [`commutes::check`].
//!
//! Invariant: every rule of a configuration is checked once, here, before anything is
//! started, and each refusal is one sentence that names the field and the cure.
//!
//! [`registry`] is where a protocol's name becomes code; programs need it only to list them.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // L5: it reads files and starts threads.

mod cluster_config;
pub mod commutes;
mod config;
mod geo;
mod node_thread;
mod open_error;
mod protocol_spec;
mod regions;
pub mod registry;
mod replica;
mod rtt_matrix;
mod submit_error;
mod toml_text;

pub use cluster_config::{ClusterConfig, ConfigFileError, LimitsConfig, NodeConfig};
pub use config::{Config, ConfigBuilder};
pub use geo::GeoConfig;
pub use isegoria_machine::{Frozen, Snapshot, StateMachine};
pub use isegoria_runtime::{LoopError, RunError, Stats};
pub use isegoria_storage::{Durability, StoreError};
pub use isegoria_transport::Endpoint;
pub use isegoria_types::{
    Access, Class, ConflictIndex, Conflicts, Footprint, KeyHash, PairwiseIndex, RequestId, Role,
};
pub use open_error::{OpenError, StopError};
pub use protocol_spec::ProtocolSpec;
pub use regions::{LinkQuality, Regions};
pub use registry::{AnyProtocol, Quorums, Running, protocol, protocols};
pub use replica::{Replica, Status};
pub use rtt_matrix::RttMatrix;
pub use submit_error::SubmitError;
pub use toml_text::from_toml;

/// The programs in the documents, compiled and run as they stand there.
#[cfg(doctest)]
mod documents {
    #[doc = include_str!("../../../docs/embedding.md")]
    struct Embedding;

    #[doc = include_str!("../../../docs/conflict-relations.md")]
    struct ConflictRelations;
}
