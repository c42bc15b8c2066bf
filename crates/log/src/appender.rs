use crate::{
    END_BYTES, FRAME_BYTES, Position, RecordTooLarge, SEAL_BYTES, SegmentHeader, WriteBatch, batch, frame,
};

/// Gives records their positions and collects their frames in a batch.
///
/// Invariant: a record lies in one segment, and every segment keeps room for its end
/// frame and behind every record for a seal, so that an idle log can always say that all
/// of it is durable. It decides where everything goes, but writes nothing.
#[derive(Clone, Debug)]
pub struct Appender {
    header: SegmentHeader,
    seed: u32,
    /// Where the next frame goes.
    next: Position,
    /// After the last record.
    end: Position,
    batch: WriteBatch,
}

impl Appender {
    /// Continues at `end` in the segment of `header`.
    ///
    /// # Panics
    /// If `end` is not in that segment, or leaves no room for an end frame.
    #[must_use]
    pub fn new(header: SegmentHeader, end: Position) -> Appender {
        let range = header.first_frame()..=header.after() - END_BYTES as u64;
        assert!(range.contains(&end), "the log's end {end} in its last segment {header:?}");
        Appender { header, seed: header.seed(), next: end, end, batch: WriteBatch::default() }
    }

    /// The position after the last record.
    #[must_use]
    pub fn end(&self) -> Position {
        self.end
    }

    /// The seal that says that everything so far is durable, while nothing is collected
    /// and once it is so: a log that was just repaired may be damaged again before its
    /// next write, and without a seal that looks like a torn tail.
    #[must_use]
    pub fn idle_seal(&self) -> Option<(SegmentHeader, u64, [u8; SEAL_BYTES])> {
        if self.batch.is_unopened() { batch::idle_seal(self.header, self.end) } else { None }
    }

    /// Whether there are records to take.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.batch.is_empty()
    }

    /// Appends the record that `encode` appends to the vector it gets, which already
    /// holds bytes that it must leave alone. Returns the position after the record.
    ///
    /// # Errors
    /// If the record does not fit into a segment; then nothing was appended.
    ///
    /// # Panics
    /// If `encode` removed bytes.
    pub fn append(&mut self, encode: impl FnOnce(&mut Vec<u8>)) -> Result<Position, RecordTooLarge> {
        if self.batch.is_unopened() {
            self.open_batch();
        }
        let at = self.batch.byte_len();
        let bytes = self.batch.bytes_mut();
        bytes.extend_from_slice(&[0; FRAME_BYTES]);
        encode(bytes);
        let size = bytes.len().checked_sub(at + FRAME_BYTES).expect("an encoder only appends") as u64;
        let limit = self.header.record_bytes_max();
        if size > limit {
            bytes.truncate(at);
            return Err(RecordTooLarge { size, limit });
        }
        let frame_bytes = FRAME_BYTES as u64 + size;
        let at = if self.fits(frame_bytes + SEAL_BYTES as u64) { at } else { self.roll_over(at) };
        frame::close_record(self.batch.bytes_mut(), at, self.seed, self.next);
        self.next += frame_bytes;
        self.end = self.next;
        self.batch.count_record(self.end);
        Ok(self.end)
    }

    /// Moves the records appended so far to the end of `pending`, which holds those
    /// that were taken before and are not yet written.
    pub fn take_into(&mut self, pending: &mut WriteBatch) {
        pending.merge(&mut self.batch);
    }

    fn fits(&self, frame_bytes: u64) -> bool {
        self.next + frame_bytes + END_BYTES as u64 <= self.header.after()
    }

    /// Opens with the seal that says that all before this batch is durable.
    fn open_batch(&mut self) {
        self.batch.start_piece(self.header, self.seed, self.next);
        // There is no room where a log ends that was written before seals were given theirs.
        if self.fits(SEAL_BYTES as u64) {
            self.batch.opened_with_seal();
            self.push_seal();
        }
    }

    fn push_seal(&mut self) {
        frame::push_seal(self.batch.bytes_mut(), self.seed, self.next, self.next);
        self.next += SEAL_BYTES as u64;
    }

    /// Ends the segment before the open frame at `at` and moves that into the next
    /// segment. Returns where it is now.
    fn roll_over(&mut self, at: usize) -> usize {
        // Copied once a segment.
        let record = self.batch.bytes_mut().split_off(at);
        frame::push_end(self.batch.bytes_mut(), self.seed, self.next);
        self.header = self.header.next();
        self.seed = self.header.seed();
        self.next = self.header.first_frame();
        self.batch.start_piece(self.header, self.seed, self.next);
        self.push_seal();
        let at = self.batch.byte_len();
        self.batch.bytes_mut().extend_from_slice(&record);
        at
    }
}
