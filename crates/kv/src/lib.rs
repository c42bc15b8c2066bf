//! The key-value state machine, the reference application: [`Op`], [`Output`],
//! [`Kv`] and its conflict relation.
//!
//! Invariant: operations whose footprints do not conflict commute, in state and in
//! outputs; a test holds every pair of operations to it. Values are opaque bytes;
//! numbers are decimal text, as in Redis. Nothing here expires or is ordered by range. [`redis`] has
//! hashes, sets and lists besides.

mod map;
mod op;
pub mod redis;
mod snapshot;
mod store;

pub use map::Map;
pub use op::{ADD, Op, Output};
pub use store::Kv;
