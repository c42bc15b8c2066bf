//! The contract between protocols and their drivers.
//!
//! A protocol is a pure state machine: a [`Node`] takes one [`Input`] and writes its
//! wishes into an [`Outbox`]. Runtime, simulator, golden scripts and model checker
//! are drivers of the same nodes. [`step`] makes a node's messages to itself part of
//! the same atomic step, and [`Gate`] holds back what a step wants the world to see
//! until what it wrote is durable.
//!
//! Nothing here knows a protocol, a clock or a socket.

mod counts;
mod event;
mod evidence;
mod fast_rule;
mod gate;
mod input;
mod outbox;
mod protocol;
mod step;

pub use counts::Counts;
pub use event::Event;
pub use evidence::Evidence;
pub use fast_rule::FastRule;
pub use gate::{Effect, Gate};
pub use input::Input;
pub use outbox::{Outbox, Send, TimerWish, Weight};
pub use protocol::{ConfigError, Inadmissible, Node, OrderKind, Protocol, RoundTrip};
pub use step::step;
