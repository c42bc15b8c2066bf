use crate::StoreError;
use crate::directory::Directory;
use bytes::Bytes;
use isegoria_log::{Damage, Position, Segment};
use std::collections::VecDeque;
use std::fs;
use std::ops::Range;
use std::sync::Arc;

/// A record of the log, as it was appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Where its frame begins.
    pub position: Position,
    /// Where its frame ends: what appending it returned.
    pub end: Position,
    /// The bytes that were appended. They share the memory of their segment: copy what
    /// is kept for long.
    pub payload: Bytes,
}

/// The records to replay, in the order in which they were appended; one segment is in
/// memory at a time.
///
/// The log was checked when it was opened, so an error here means that the disk
/// failed, or that somebody else changed a file, between the two readings.
#[derive(Debug)]
pub struct Records {
    directory: Arc<Directory>,
    segments: VecDeque<Position>,
    from: Position,
    until: Position,
    bytes: Bytes,
    found: std::vec::IntoIter<(Position, Range<usize>)>,
}

impl Records {
    pub(crate) fn new(
        directory: Arc<Directory>,
        segments: VecDeque<Position>,
        range: Range<Position>,
    ) -> Records {
        Records {
            directory,
            segments,
            from: range.start,
            until: range.end,
            bytes: Bytes::new(),
            found: Vec::new().into_iter(),
        }
    }

    fn load(&mut self, first: Position) -> Result<(), StoreError> {
        let file = self.directory.segment(first);
        self.bytes = Bytes::new();
        let bytes = Bytes::from(fs::read(&file).map_err(StoreError::io("reading", &file))?);
        let damage = |damage| StoreError::damage(&damage, file.clone());
        let segment =
            Segment::new(&bytes).map_err(|source| damage(Damage::Header { segment: first, source }))?;
        let mut found = Vec::new();
        let mut records = segment.records();
        for record in records.by_ref().filter(|record| record.position >= self.from) {
            // Behind the end of the last segment the log may have gone on already.
            if record.end > self.until {
                break;
            }
            let end = usize::try_from(record.end - first).expect("an offset in a loaded segment");
            found.push((record.position, end - record.payload.len()..end));
        }
        let position = records.position();
        if !records.is_full() && (position < self.until || !self.segments.is_empty()) {
            return Err(damage(Damage::Middle { segment: first, position, durable: self.until }));
        }
        self.bytes = bytes;
        self.found = found.into_iter();
        Ok(())
    }
}

impl Iterator for Records {
    type Item = Result<Record, StoreError>;

    fn next(&mut self) -> Option<Result<Record, StoreError>> {
        loop {
            if let Some((position, range)) = self.found.next() {
                let end = position + (range.len() + isegoria_log::FRAME_BYTES) as u64;
                return Some(Ok(Record { position, end, payload: self.bytes.slice(range) }));
            }
            let first = self.segments.pop_front()?;
            if let Err(error) = self.load(first) {
                self.segments.clear();
                return Some(Err(error));
            }
        }
    }
}
