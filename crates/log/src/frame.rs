//! One frame: how it is written and when it is believed.

use crate::header::{u32_at, u64_at};
use crate::{Position, SegmentHeader, index};

/// What a frame adds to a record, bytes: length, checksum and kind.
pub const FRAME_BYTES: usize = 9;

/// Size of a seal, bytes.
pub const SEAL_BYTES: usize = FRAME_BYTES + 8;

/// Size of the frame that ends a segment, bytes. Every segment keeps room for it.
pub const END_BYTES: usize = FRAME_BYTES;

const RECORD: u8 = 1;
const SEAL: u8 = 2;
const END: u8 = 3;

/// What stands at a place of a segment where a frame may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Frame<'a> {
    /// Bytes of the caller.
    Record(&'a [u8]),
    /// Everything below the position is durable.
    Seal(Position),
    /// The log goes on in the next segment.
    End,
    /// A zero length: nothing was written here, or it was lost.
    Nothing,
    /// Not a frame.
    Bad,
}

impl Frame<'_> {
    /// The frame's size, bytes; 0 if there is none.
    pub(crate) fn size(&self) -> usize {
        match self {
            Frame::Record(payload) => FRAME_BYTES + payload.len(),
            Frame::Seal(_) => SEAL_BYTES,
            Frame::End => END_BYTES,
            Frame::Nothing | Frame::Bad => 0,
        }
    }
}

fn checksum(seed: u32, position: Position, body: &[u8]) -> u32 {
    let mut place = [0; 16];
    place[..8].copy_from_slice(&position.to_le_bytes());
    place[8..].copy_from_slice(&(body.len() as u64).to_le_bytes());
    let mut crc = crc32fast::Hasher::new_with_initial(seed);
    crc.update(&place);
    crc.update(body);
    crc.finalize()
}

/// Completes the frame of a record whose payload stands at the end of `bytes`, after
/// [`FRAME_BYTES`] bytes of room at `at`.
pub(crate) fn close_record(bytes: &mut [u8], at: usize, seed: u32, position: Position) {
    close(&mut bytes[at..], RECORD, seed, position);
}

/// Appends a seal that stands at `position`.
pub(crate) fn push_seal(bytes: &mut Vec<u8>, seed: u32, position: Position, durable: Position) {
    bytes.extend_from_slice(&seal(seed, position, durable));
}

/// A seal that stands at `position`.
pub(crate) fn seal(seed: u32, position: Position, durable: Position) -> [u8; SEAL_BYTES] {
    let mut frame = [0; SEAL_BYTES];
    frame[FRAME_BYTES..].copy_from_slice(&durable.to_le_bytes());
    close(&mut frame, SEAL, seed, position);
    frame
}

/// Appends the frame that ends a segment.
pub(crate) fn push_end(bytes: &mut Vec<u8>, seed: u32, position: Position) {
    let mut frame = [0; END_BYTES];
    close(&mut frame, END, seed, position);
    bytes.extend_from_slice(&frame);
}

fn close(frame: &mut [u8], kind: u8, seed: u32, position: Position) {
    frame[8] = kind;
    let length = u32::try_from(frame.len() - 8).expect("a frame is smaller than a segment");
    let crc = checksum(seed, position, &frame[8..]);
    frame[..4].copy_from_slice(&length.to_le_bytes());
    frame[4..8].copy_from_slice(&crc.to_le_bytes());
}

/// Reads what stands at offset `at` of a segment.
pub(crate) fn parse<'a>(segment: &'a [u8], at: usize, header: &SegmentHeader, seed: u32) -> Frame<'a> {
    let rest = segment.get(at..).unwrap_or_default();
    if rest.len() < FRAME_BYTES {
        return if rest.iter().all(|byte| *byte == 0) { Frame::Nothing } else { Frame::Bad };
    }
    let length = u32_at(rest, 0) as usize;
    if length == 0 {
        return Frame::Nothing;
    }
    let Some(body) = rest[8..].get(..length) else { return Frame::Bad };
    let frame = match (body[0], length) {
        (RECORD, _) => Frame::Record(&body[1..]),
        (SEAL, 9) => Frame::Seal(u64_at(body, 1)),
        (END, 1) => Frame::End,
        _ => return Frame::Bad,
    };
    // Room for the end frame is kept by every writer; the appender relies on it.
    let room = if frame == Frame::End { 0 } else { END_BYTES };
    let within = at + frame.size() + room <= index(header.segment_bytes);
    let sound = within && checksum(seed, header.first + at as u64, body) == u32_at(rest, 4);
    if sound { frame } else { Frame::Bad }
}

/// Looks at *every* offset from `from` on for a seal that vouches for something above
/// `above`. After a bad frame the places of later frames are not known.
pub(crate) fn find_seal(
    segment: &[u8],
    from: usize,
    header: &SegmentHeader,
    above: Position,
) -> Option<Position> {
    const START: [u8; 4] = [9, 0, 0, 0];
    let seed = header.seed();
    let rest = segment.get(from..).unwrap_or_default();
    rest.windows(SEAL_BYTES).enumerate().find_map(|(offset, window)| {
        if window[0] != START[0] || window[..4] != START || window[8] != SEAL {
            return None;
        }
        match parse(segment, from + offset, header, seed) {
            Frame::Seal(durable) if durable > above => Some(durable),
            _ => None,
        }
    })
}
