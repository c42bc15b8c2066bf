//! The log as bytes: record frames, checksums, seals, the decision what a damaged
//! log means, and the checkpoint format.
//!
//! A log is one logical sequence of bytes, addressed by [`Position`], cut into
//! segments of one fixed size. A segment is preallocated and zero-filled, and starts
//! with a [`SegmentHeader`]; a zero length where a frame could begin means "nothing
//! here yet". A frame is `length u32 | crc32 u32 | kind u8 | payload`, little endian;
//! the length counts kind and payload. The checksum covers the identity of the
//! segment, the frame's position and its length too, so that a frame in a wrong place
//! is not a frame.
//!
//! | Kind | Meaning |
//! |---|---|
//! | record | bytes of the caller |
//! | seal | everything below the position in the payload is durable |
//! | end | the segment ends here; the log goes on in the next |
//!
//! Every batch of records opens with a seal. A batch is written only when the one
//! before it is durable, so a seal is true when it is written, and costs neither a
//! write nor a sync of its own. Seals decide what damage means ([`Repair`]):
//!
//! * at or above every sealed position it is the **torn tail** of a last write that a
//!   crash cut short: nothing there was promised to anybody, and it is cut off;
//! * below a sealed position it is a **damaged middle**: something promised is lost,
//!   and the node must not start as if it had never promised it.
//!
//! Invariant: reading any bytes ends in a prefix of the records that were written,
//! which reaches at least the highest sealed position, or in an error; never in a
//! panic or in bytes that nobody wrote.
//!
//! This crate opens no file and starts no thread; `storage` does, and the simulator
//! runs the same decisions, and the same calls in the same order ([`write_batch`],
//! [`settle`], [`remove_replaced`]), on a simulated disk. It does not know what a record means.

mod appender;
mod batch;
mod calls;
mod checkpoint_read;
mod checkpoint_write;
mod error;
mod frame;
mod header;
mod repair;
mod segment;

pub use appender::Appender;
pub use batch::{Piece, WriteBatch};
pub use calls::{RemoveCalls, RepairCalls, WriteCalls, remove_replaced, settle, write_batch};
pub use checkpoint_read::{CheckpointError, CheckpointReader};
pub use checkpoint_write::{CHUNK_BYTES_MAX, CheckpointWriter};
pub use error::{Damage, FormatError, RecordTooLarge};
pub use frame::{END_BYTES, FRAME_BYTES, SEAL_BYTES};
pub use header::{
    FORMAT_VERSION, HEADER_BYTES, Identity, SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN, SegmentHeader,
};
pub use repair::{Repair, Tail};
pub use segment::{Record, Segment, SegmentRecords};

/// A place in the log: the offset in bytes from the log's beginning, over all
/// segments and including their headers. The first record of an empty log is above 0.
pub type Position = u64;

/// An offset that was checked to lie inside a segment held in memory.
fn index(offset: u64) -> usize {
    usize::try_from(offset).expect("an offset inside a segment that is in memory")
}
