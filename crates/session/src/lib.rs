//! The client's side of exactly-once (protocols.md 2.6): request numbers, retries of
//! the same request elsewhere, redirects, deadlines and acknowledgements.
//!
//! Invariants: a request keeps its number wherever it is sent; every submitted
//! request completes exactly once; `acked_below` never passes a request without a
//! completion; a request that a replica may have executed is never reported as
//! failed, only as [`SubmitError::Unknown`].
//!
//! What is not done here: no clock is read and no dice are thrown (time comes in as
//! milliseconds, jitter from a seed), nothing is sent (the driver empties the
//! [`Outbox`]), and an expired session is not renewed: its owner decides
//! what to do with the requests of unknown outcome.

mod error;
mod jitter;
mod outbox;
mod pending;
mod session;
mod targets;

pub use error::SubmitError;
pub use outbox::{Completion, Options, Outbox};
pub use session::Session;
pub use targets::Targets;
