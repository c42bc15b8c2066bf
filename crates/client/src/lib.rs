//! Clients of a cluster: `session` over `transport`.
//!
//! [`Client`] is one session that any number of tasks may call. [`Pool`] is many
//! sessions over one connection a node, for load generators and gateways.
//!
//! Invariants: a command is executed at most once, however often it is sent; an
//! outcome that is not known is never reported as a failure; all requests that are
//! issued between two flushes travel in one call a node.
//!
//! What is not done here: commands are bytes (the state machine encodes and decodes
//! them), nothing is remembered across a restart of the client, and a command is not
//! repeated on the caller's behalf once its outcome is unknown.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // L4: clocks and dice live here.

mod ask;
mod client;
mod error;
mod inbox;
mod options;
mod place;
mod pool;
mod ways;
mod wire;

pub use ask::ask;
pub use client::Client;
pub use error::ClientError;
pub use isegoria_session::SubmitError;
pub use isegoria_transport::Endpoint;
pub use isegoria_transport::client_port::{LocalPort, Question};
pub use options::ClientOptions;
pub use pool::{Completed, Pool, SessionIndex};
