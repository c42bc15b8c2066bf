use crate::frame::{self, Frame};
use crate::{FormatError, Position, SegmentHeader, index};

/// A segment's bytes behind a header that was checked.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    header: SegmentHeader,
    seed: u32,
    bytes: &'a [u8],
}

/// A record as it stands in a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Where its frame begins.
    pub position: Position,
    /// Where its frame ends: what appending it returned.
    pub end: Position,
    /// The bytes that were appended.
    pub payload: &'a [u8],
}

impl<'a> Segment<'a> {
    /// The segment whose file has these bytes.
    ///
    /// # Errors
    /// If the header does not read.
    pub fn new(bytes: &'a [u8]) -> Result<Segment<'a>, FormatError> {
        let header = SegmentHeader::decode(bytes)?;
        let bytes = &bytes[..bytes.len().min(index(header.segment_bytes))];
        Ok(Segment { header, seed: header.seed(), bytes })
    }

    /// The header.
    #[must_use]
    pub fn header(&self) -> SegmentHeader {
        self.header
    }

    /// The records in it, up to the first frame that does not read. Only [`Repair`]
    /// can say whether that is the end of the log.
    ///
    /// [`Repair`]: crate::Repair
    #[must_use]
    pub fn records(self) -> SegmentRecords<'a> {
        SegmentRecords { at: self.header.first_frame(), full: false, segment: self }
    }

    pub(crate) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// What stands at a position of this segment.
    pub(crate) fn frame(&self, position: Position) -> Frame<'a> {
        frame::parse(self.bytes, index(position - self.header.first), &self.header, self.seed)
    }
}

/// Walks the records of a segment.
#[derive(Clone, Debug)]
pub struct SegmentRecords<'a> {
    segment: Segment<'a>,
    at: Position,
    full: bool,
}

impl SegmentRecords<'_> {
    /// How far it has walked: everything below is frames that read.
    #[must_use]
    pub fn position(&self) -> Position {
        self.at
    }

    /// Whether it met the frame that ends the segment.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.full
    }
}

impl<'a> Iterator for SegmentRecords<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        loop {
            let frame = self.segment.frame(self.at);
            let position = self.at;
            match frame {
                Frame::End => {
                    self.full = true;
                    return None;
                }
                Frame::Nothing | Frame::Bad => return None,
                Frame::Record(_) | Frame::Seal(_) => self.at += frame.size() as u64,
            }
            if let Frame::Record(payload) = frame {
                return Some(Record { position, end: self.at, payload });
            }
        }
    }
}
