//! The Redis protocol (RESP2 and RESP3) at a node: requests become commands of the store, in one session a
//! connection.
//!
//! Invariants: commands of one connection are executed in the order in which they came, each at most once;
//! a connection has one request in flight, which holds all that came while the one before it was; what one
//! client can make a node hold is bounded; no bytes panic.
//!
//! What is not done here: what commands do and what they conflict with is [`isegoria_kv::redis`]; there is no
//! `WATCH`, no expiry, no scripts, no publishing, and one database.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // L4: clocks and sockets live here.

mod commands;
mod connection;
mod conversation;
mod intake;
mod pack;
mod parser;
mod protocol;
mod rehearsal;
mod server;
mod sessions;

pub use commands::{CONNECTION_COMMANDS, data_commands};
pub use parser::{ParseError, Parser};
pub use protocol::{Protocol, encode};
pub use rehearsal::rehearse;
pub use server::{RespOptions, RespServer};
