//! The nouns every other crate speaks: ids, ballots, commands and batches,
//! footprints, dependency sets, quorum systems and the cluster layout.
//!
//! Invariant: every value here has one normal form, so that equal meanings have
//! equal encodings, and decoding any bytes yields a value or an error, never a
//! panic. This crate does no IO, keeps no clock and throws no dice.

mod ballot;
mod batch;
mod client;
mod command;
mod conflict_index;
mod conflicts;
mod depset;
mod footprint;
mod incarnation;
mod layout;
mod node_id;
mod order;
mod prefix;
mod quorum;
mod vertex;
mod vertex_map;

pub use ballot::Ballot;
pub use batch::{Batch, BatchBuilder, BatchError};
pub use client::{Outcome, Refusal, Reply, Request};
pub use command::{Action, ClientId, Command, RequestId, RequestIdError};
pub use conflict_index::{ConflictIndex, PairwiseIndex};
pub use conflicts::{Conflicts, ScopeIndex};
pub use depset::DepSet;
pub use footprint::{Access, Class, Footprint, KeyHash, Scoped};
pub use incarnation::Incarnation;
pub use layout::{Layout, LayoutError, Placement, Role};
pub use node_id::{NODE_COUNT_MAX, NodeId, NodeSet};
pub use order::Order;
pub use prefix::Prefix;
pub use quorum::{
    GridDependency, Quorum, QuorumError, QuorumSystem, Quorums, check_containment, check_intersection,
};
pub use vertex::{Epoch, Vertex};
pub use vertex_map::{VertexMap, WINDOW_MAX};
