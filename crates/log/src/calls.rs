//! The calls to the disk with which a log is written, repaired and shortened: their
//! order, for whoever has a disk. What a call does, and what its failure means, is the
//! caller's; after an error nothing more is called.

use crate::{Piece, Position, SegmentHeader, Tail, WriteBatch};
use std::ops::Range;

/// What writing a batch asks of a disk.
pub trait WriteCalls {
    /// Why a call did not do what it was to do.
    type Error;
    /// The next segment is there, whole and durable under its name.
    ///
    /// # Errors
    /// If it is not.
    fn create(&mut self, next: SegmentHeader) -> Result<(), Self::Error>;
    /// Writes a piece; it need not be durable.
    ///
    /// # Errors
    /// If not all of it was written.
    fn write(&mut self, piece: &Piece<'_>) -> Result<(), Self::Error>;
    /// What was written last is durable.
    ///
    /// # Errors
    /// If it may not be. Nobody tries again: the system may take lost bytes for written.
    fn sync(&mut self) -> Result<(), Self::Error>;
}

/// Makes a batch durable: one write and one sync, unless it goes over the end of a segment.
///
/// # Errors
/// The first of a call. The batch is not durable then.
pub fn write_batch<C: WriteCalls>(batch: &WriteBatch, calls: &mut C) -> Result<(), C::Error> {
    let mut pieces = batch.pieces().peekable();
    while let Some(piece) = pieces.next() {
        // A segment is ended only when the next one is there.
        if let Some(next) = pieces.peek() {
            calls.create(next.header)?;
        }
        calls.write(&piece)?;
        calls.sync()?;
    }
    Ok(())
}

/// What a repair asks of a disk. Each call names the segment that it is about.
pub trait RepairCalls {
    /// Why a call did not do what it was to do.
    type Error;
    /// Removes a segment behind the log's end.
    ///
    /// # Errors
    /// If it is still there.
    fn remove_segment(&mut self, first: Position) -> Result<(), Self::Error>;
    /// Gives a segment its size again, with zeros.
    ///
    /// # Errors
    /// If it has not.
    fn extend(&mut self, segment: &SegmentHeader) -> Result<(), Self::Error>;
    /// From the position on a segment holds zeros, durably: at once or not at all, so by a
    /// new file. In place a failed sync would leave zeros in the cache, which the next start
    /// would take for the end, over what is on the disk, which a power cut would bring back.
    ///
    /// # Errors
    /// If it is not so.
    fn cut(&mut self, segment: &SegmentHeader, from: Position) -> Result<(), Self::Error>;
    /// Reads a range of a segment and writes it again.
    ///
    /// # Errors
    /// If not all of it was written.
    fn write_again(&mut self, segment: &SegmentHeader, range: Range<Position>) -> Result<(), Self::Error>;
    /// What was written to a segment is durable.
    ///
    /// # Errors
    /// If it may not be.
    fn sync(&mut self, segment: &SegmentHeader) -> Result<(), Self::Error>;
    /// What was removed stays so.
    ///
    /// # Errors
    /// If it may not.
    fn sync_names(&mut self) -> Result<(), Self::Error>;
}

/// Makes the disk say what was decided of `segments`, which were read in order: those
/// behind the log's end go away, the last one first, the torn rest becomes zeros, and what
/// may be in the cache alone is written and synced again (a process that was killed, and a
/// failed sync after which the kernel takes pages for clean, leave what never reached the
/// disk). That may begin in a segment before the last: it ended there, and the next was
/// made already.
///
/// # Errors
/// The first of a call. The log must not be continued then, but may be repaired again.
pub fn settle<C: RepairCalls>(tail: &Tail, segments: &[Position], calls: &mut C) -> Result<(), C::Error> {
    let last = &tail.header;
    let (kept, later) = segments.split_at(segments.partition_point(|first| *first <= last.first));
    for first in later.iter().rev() {
        calls.remove_segment(*first)?;
    }
    let headers = kept.iter().map(|first| SegmentHeader { first: *first, ..*last });
    for segment in headers.filter(|segment| segment.after() > tail.durable) {
        if segment == *last {
            if tail.short {
                calls.extend(last)?;
            }
            if tail.torn {
                calls.cut(last, tail.end)?;
            }
        }
        let range = tail.durable.max(segment.first_frame())..tail.end.min(segment.after());
        calls.write_again(&segment, range)?;
        calls.sync(&segment)?;
    }
    calls.sync_names()
}

/// What removing what a checkpoint replaces asks of a disk.
pub trait RemoveCalls {
    /// Why a call did not do what it was to do.
    type Error;
    /// Removes an older checkpoint.
    ///
    /// # Errors
    /// If it is still there.
    fn remove_checkpoint(&mut self, position: Position) -> Result<(), Self::Error>;
    /// Removes a segment below the checkpoint.
    ///
    /// # Errors
    /// If it is still there.
    fn remove_segment(&mut self, first: Position) -> Result<(), Self::Error>;
    /// What was removed stays so.
    ///
    /// # Errors
    /// If it may not.
    fn sync_names(&mut self) -> Result<(), Self::Error>;
}

/// Removes what a durable checkpoint at `position` replaces. Older checkpoints first:
/// without the log behind them they are of no use. Segments oldest first: a log has no gaps.
///
/// # Errors
/// The first of a call. What is still there does no harm.
pub fn remove_replaced<C: RemoveCalls>(
    (position, segment_bytes): (Position, u64),
    (checkpoints, segments): (&[Position], &[Position]),
    calls: &mut C,
) -> Result<(), C::Error> {
    for older in checkpoints.iter().filter(|older| **older < position) {
        calls.remove_checkpoint(*older)?;
    }
    for first in segments.iter().filter(|first| **first + segment_bytes <= position) {
        calls.remove_segment(*first)?;
    }
    calls.sync_names()
}
