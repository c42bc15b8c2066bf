use crate::{Position, SEAL_BYTES, SegmentHeader, frame};
use std::mem;

/// Frames that go to disk together, with the places where they go.
///
/// Invariant: its first frame is where the frames before it end, so batches that are
/// not yet written can be merged. Whoever writes it writes its pieces in order, and
/// syncs one piece before the next: a segment's opening seal vouches for all of the
/// segment before.
#[derive(Clone, Debug, Default)]
pub struct WriteBatch {
    bytes: Vec<u8>,
    starts: Vec<Start>,
    record_count: u64,
    end: Position,
    /// Whether the first frame is a seal, which a merge has to correct.
    opens_with_seal: bool,
}

#[derive(Clone, Copy, Debug)]
struct Start {
    header: SegmentHeader,
    seed: u32,
    position: Position,
    from: usize,
}

/// A part of a batch that goes into one segment, contiguously.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    /// The segment that it belongs to.
    pub header: SegmentHeader,
    /// Where it goes in the segment, an offset in bytes.
    pub offset: u64,
    /// What goes there.
    pub bytes: &'a [u8],
}

impl WriteBatch {
    /// Whether there is no record in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.record_count == 0
    }

    /// The number of records.
    #[must_use]
    pub fn record_count(&self) -> u64 {
        self.record_count
    }

    /// Bytes to write, frames and seals included.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    /// The position after the last record; meaningless if there is none.
    #[must_use]
    pub fn end(&self) -> Position {
        self.end
    }

    /// What to write, in order.
    pub fn pieces(&self) -> impl Iterator<Item = Piece<'_>> {
        self.starts.iter().enumerate().map(|(number, start)| {
            let until = self.starts.get(number + 1).map_or(self.bytes.len(), |next| next.from);
            Piece {
                header: start.header,
                offset: start.position - start.header.first,
                bytes: &self.bytes[start.from..until],
            }
        })
    }

    /// The seal that says that this batch is durable, once it is: exactly the bytes
    /// with which the next batch opens, so it may be written early, when the log is
    /// idle. None if the segment has no room.
    #[must_use]
    pub fn idle_seal(&self) -> Option<(SegmentHeader, u64, [u8; SEAL_BYTES])> {
        idle_seal(self.starts.last()?.header, self.end)
    }

    /// Appends the batch that follows this one, and empties it. Nothing of both may
    /// have been written.
    ///
    /// # Panics
    /// If `later` does not follow.
    pub fn merge(&mut self, later: &mut WriteBatch) {
        if later.is_empty() {
            return;
        }
        if self.is_empty() {
            self.clear();
            mem::swap(self, later);
            return;
        }
        let (own, next) = (self.starts[0], later.starts[0]);
        assert_eq!(self.end, next.position, "a batch is merged with the one that follows it");
        if later.opens_with_seal {
            // It would vouch for records that are now written together with it.
            let seal = frame::seal(next.seed, next.position, own.position);
            later.bytes[..SEAL_BYTES].copy_from_slice(&seal);
        }
        let shift = self.bytes.len();
        self.bytes.append(&mut later.bytes);
        let rest = later.starts.drain(1..);
        self.starts.extend(rest.map(|start| Start { from: start.from + shift, ..start }));
        self.record_count += later.record_count;
        self.end = later.end;
        later.clear();
    }

    /// Empties it and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.starts.clear();
        self.record_count = 0;
        self.opens_with_seal = false;
    }

    pub(crate) fn is_unopened(&self) -> bool {
        self.starts.is_empty()
    }

    pub(crate) fn start_piece(&mut self, header: SegmentHeader, seed: u32, position: Position) {
        self.starts.push(Start { header, seed, position, from: self.bytes.len() });
    }

    pub(crate) fn opened_with_seal(&mut self) {
        self.opens_with_seal = true;
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    pub(crate) fn count_record(&mut self, end: Position) {
        self.record_count += 1;
        self.end = end;
    }
}

/// The seal at the log's end that says that everything in front of it is durable: where
/// it goes in the last segment, and its bytes. None if the segment has no room.
pub(crate) fn idle_seal(
    last: SegmentHeader,
    end: Position,
) -> Option<(SegmentHeader, u64, [u8; SEAL_BYTES])> {
    let fits = end + ((SEAL_BYTES + frame::END_BYTES) as u64) <= last.after();
    fits.then(|| (last, end - last.first, frame::seal(last.seed(), end, end)))
}
