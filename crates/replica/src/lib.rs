//! The pure replica machine, the same for all protocols: it executes what the node
//! beside it commits, in graph order or log order, exactly once a request; tells the
//! others how far it is; and fetches what it missed.
//!
//! Invariants: conflicting commands are executed in the same order everywhere; a
//! request is applied at most once, whatever is retried where; answers come after
//! execution (protocols.md 2.4); nothing is forgotten that some replica has not
//! durably executed.
//!
//! It runs no timer, stores nothing and knows no protocol. A node absent for longer
//! than values are kept is not caught up here.

mod beside;
mod catch_up;
mod checkpoint;
mod graph;
mod log_order;
mod message;
mod number_set;
mod replica;
mod sessions;
mod snapshot;
mod watermarks;

pub use beside::Beside;
pub use checkpoint::{freeze_process, restore_process};
pub use graph::{BLOCKER_COUNT_MAX, GraphOrder, Progress};
pub use log_order::LogOrder;
pub use message::{ReplicaMessage, ReplicaOutbox};
pub use number_set::NumberSet;
pub use replica::Replica;
pub use sessions::{SessionTable, Verdict};
pub use watermarks::Watermarks;
