//! The admin port of a node: what it says of itself over HTTP, for probes, for Prometheus and for people.
//!
//! Invariant: nothing here changes anything, or waits for consensus. Whoever asks is answered by the node's
//! loop in between its work, and few at once are; what has no answer within two seconds is a 503 with a sentence.
//!
//! What is not done here: there is no authentication and no encryption, and nothing is kept: the page
//! remembers what it draws.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // L4: clocks and sockets live here.

mod dot;
mod guest;
mod metrics;
mod picture;
mod server;

pub use dot::dot;
pub use metrics::metrics;
pub use picture::svg;
pub use server::{AdminServer, Shown};
