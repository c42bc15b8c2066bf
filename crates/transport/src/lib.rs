//! Bytes between processes: tarpc calls with a postcard codec over TCP, Unix
//! sockets and memory. Two services: the **peer port** carries opaque frames from
//! node to node, the **client port** carries requests and replies.
//!
//! Invariants: what one [`LinkHandle`] sends arrives in order, at most once, and
//! every frame is counted exactly once, as sent or as dropped; no byte that comes
//! in panics the process or allocates before its length is checked; every queue
//! has a limit.
//!
//! What is not done here: frames are not looked into (no protocol has a name in
//! this crate), lost frames are not sent again (protocols do that), and
//! nothing is decided about a peer that does not answer beyond saying so.
//!
//! # Why not plain `#[tarpc::service]` servers and stubs
//! * A stub panics on an answer of the wrong kind, so calls go through
//!   [`tarpc::client::Channel`] and the answer is matched.
//! * A decoded deadline can overflow the clock, and the log line of an expired
//!   call cannot be limited, so deadlines do not cross the wire: the server has
//!   its own.
//! * Handlers that are spawned lose the order, so connections read and answer
//!   calls in one task ([`tarpc::server::BaseChannel`] as a stream and a sink).
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // L4: sockets and clocks live here.

mod alarm;
mod backoff;
mod calls;
pub mod client_port;
mod codec;
mod distance;
mod endpoint;
mod frames;
mod lateness;
mod log_limit;
mod memory;
mod mismatch;
pub mod peer;
pub mod probe;
mod road;
mod stream;

pub use alarm::Alarm;
pub use backoff::Backoff;
pub use codec::FRAME_BYTES_MAX;
pub use distance::Distance;
pub use endpoint::{Endpoint, EndpointError};
pub use frames::{FrameError, Frames, frames};
pub use lateness::{Lateness, LatenessSummary};
pub use log_limit::LogLimit;
pub use mismatch::Mismatch;
pub use peer::{Link, LinkHandle, LinkOptions, LinkState, PeerServer, PeerSink};
pub use road::Road;
pub use stream::{Listener, Stream, dial};

/// The version of the bytes on the wire. Raised with every change of a service,
/// a frame or the codec; two versions do not talk to each other.
pub const WIRE_VERSION: u32 = 5;
