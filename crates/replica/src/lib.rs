//! The pure replica machine, the same for all protocols: it executes what the node
//! beside it commits, in graph order or log order, exactly once a request; tells the
//! others how far it is; fetches what it missed; and takes another's snapshot where
//! that is forgotten.
//!
//! Invariants: conflicting commands are executed in the same order everywhere; a
//! request is applied at most once, whatever is retried where; answers come after
//! execution (protocols.md 2.4); nothing is forgotten that some replica has not
//! durably executed, unless all have agreed that one majority holds it (ADR 5).
//!
//! It runs no timer, stores nothing and knows no protocol.

mod beside;
mod catch_up;
mod checkpoint;
mod cuts;
mod exchange;
mod graph;
mod history;
mod log_order;
mod message;
mod number_set;
mod offer;
mod replica;
mod sessions;
mod snapshot;
mod standing;
mod watermarks;
mod witness;

pub use beside::Beside;
pub use checkpoint::{freeze_process, restore_process};
pub use cuts::Retention;
pub use graph::{BLOCKER_COUNT_MAX, GraphOrder, Progress, Unexecuted};
pub use log_order::LogOrder;
pub use message::{Installed, ReplicaMessage, ReplicaOutbox, Rest};
pub use number_set::NumberSet;
pub use replica::Replica;
pub use sessions::{SessionTable, Verdict};
pub use watermarks::Watermarks;
pub use witness::Witness;
