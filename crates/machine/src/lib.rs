//! The state machine contract: [`StateMachine`], typed, for people who write one,
//! and [`Machine`], its object-safe twin over bytes, for the replica.
//!
//! Invariant: applying the same commands in the same order gives the same state and
//! the same outputs on every node; commands whose footprints do not conflict give
//! equal states *and equal outputs* in both orders.
//!
//! Nothing here checks that a footprint tells the truth.

mod erased;
mod snapshot;
mod state_machine;

pub use erased::{Erased, Machine, Relation, Undecodable};
pub use snapshot::{Frozen, Snapshot};
pub use state_machine::StateMachine;
