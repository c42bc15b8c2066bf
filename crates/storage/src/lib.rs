//! Log segments, group commit and checkpoints on disk.
//!
//! A data directory holds
//!
//! | Name | What |
//! |---|---|
//! | `LOCK` | locked while a process uses the directory; holds its id |
//! | `log/<position>.seg` | the segments of the log, by the position of their first byte |
//! | `checkpoint-<position>` | the newest checkpoint: replay goes on from there |
//! | `memory-only` | the node ran with durability `memory`, and may not come back |
//!
//! [`Store::open`] repairs what a crash left, hands over the checkpoint and the
//! records behind it, and returns the [`Log`], which the node's event loop owns. The
//! loop never waits for the disk: it appends, flushes, and goes on; a thread writes
//! everything that was flushed with one write and one sync, advances
//! [`Log::durable`], and wakes the loop. What is flushed meanwhile is the next batch.
//!
//! Invariants: a position is durable only when everything below it is on disk in the
//! sense of the [`Durability`]; after one failed write or sync nothing becomes durable
//! any more; no segment with a position at or above the checkpoint's is ever removed.
//!
//! What bytes mean is decided by `isegoria-log`; what a record means, by the caller.

// This crate is the disk: it owns files, threads and the clock that times syncs.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

mod checkpoint;
mod directory;
mod durability;
mod error;
mod incarnations;
mod log;
mod log_thread;
mod preparer;
mod records;
mod segment_file;
mod shared;
mod store;

pub use checkpoint::{CheckpointSink, WriteCheckpoint};
pub use durability::{Durability, UnknownDurability};
pub use error::{LogFailure, StoreError};
pub use incarnations::Incarnations;
pub use isegoria_log::{CheckpointReader, Identity, Position, RecordTooLarge};
pub use log::Log;
pub use records::{Record, Records};
pub use shared::{LogStats, Waker};
pub use store::{Checkpoint, Guard, Recovered, Store, StoreOptions, Torn};
