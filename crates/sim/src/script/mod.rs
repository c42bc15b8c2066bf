//! Golden scripts: a small driver of whole nodes in which a script decides everything.
//!
//! A [`Script`] holds a few nodes with their gates, replicas and disks, and the messages
//! in flight between them. Nothing moves by itself: the script says which request is
//! submitted, which message arrives, is lost or doubled, when a disk syncs, who crashes.
//! Every command, and every effect that the nodes let out, becomes one line of an exact
//! trace, which a test compares with the one on file. An **observer** sees all that
//! happens anywhere and judges it by the plain sentences of the invariants, pair by pair
//! and from the operations themselves: a blessed trace cannot hide a broken property.
//!
//! Invariants: no clock and no dice, equal scripts give equal traces; nothing leaves a
//! node but through its [`isegoria_node::Gate`], as in production.
//!
//! What is not here: a world that goes on by itself (that is the simulator), and the
//! names of protocols. How one speaks of its messages and records is a [`Dialect`], which
//! tests bring along. Timers are fired by the script; when they were set is not traced.

mod dialect;
mod difference;
mod effects;
mod host;
mod network;
mod observer;
mod property;
mod relation;
mod text;
mod trace;
mod verbs;

pub use dialect::Dialect;
pub use difference::first_difference;
pub use property::Property;
pub use text::{footprint, names, value};
pub use verbs::{Ask, Script, nodes};
