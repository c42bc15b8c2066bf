//! The driver: nodes of any protocol, their disks and a network, as a `stateright` model.
//!
//! **A step is atomic and goes through the real gate.** `isegoria_node::step` runs the
//! node with its messages to itself; its records are appended and its effects held by
//! `isegoria_node::Gate`. In an ordinary step everything becomes durable, and what the
//! gate releases is sent. A crash may also come *within* the step, when only the first
//! so many of its records are durable: then only what the gate releases by then gets
//! out. Between steps a crash may lose any number of the lazy records since the last
//! gating one. The process comes back from its records, or from a checkpoint, and takes
//! `Start`; being down in between is the same as hearing nothing. That more than one
//! step waits for the disk at a time adds nothing: what the gate holds back nobody sees,
//! so that losing two steps is crashing before the first.
//!
//! **The network is a growing set.** What was sent may arrive at any later time, any
//! number of times, or never; repeating a message adds nothing. Messages that can have
//! no effect any more are taken out ([`subject::Fading`]).
//!
//! **States are small.** Node states, disks, messages and steps are numbered where they
//! are first met ([`tables`]); a node state is known by all the bytes of its fingerprint.
//! Only `stateright`'s set of visited states is a set of 64-bit hashes.
//!
//! Replicas tell each other what their nodes committed, at any time; that they do so in
//! the order of execution is left out, since any order only adds behaviours.
//!
//! Not modelled: time. What a timer would do stands in tickets, which a node may use
//! whenever it likes, a bounded number of times.

mod cluster;
mod facts;
mod fading;
mod process;
mod report;
mod restarts;
mod subject;
mod tables;

pub(crate) use cluster::{CHOSEN_AFTER_RESTART, TORN, WORD};
pub(crate) use report::{Claim, Size, is_full, node_states, refute, verify};
pub(crate) use subject::{Evidence, Fading, Limit, Named, Subject, Ticket, Verdict};
