use crate::{FormatError, Position, SEAL_BYTES, frame};
use std::fmt;

/// The format that this program writes, and the one that it reads.
///
/// 1: the first. 2: a replica's snapshot holds the last cut, commands may be cuts, and
/// behind every record there is room for a seal. 3: a session in a snapshot says since
/// when it has been there. 4: footprints and conflict indexes have scopes.
pub const FORMAT_VERSION: u32 = 4;

/// Size of a segment's header, bytes.
pub const HEADER_BYTES: usize = 64;

/// The smallest segment, bytes.
pub const SEGMENT_BYTES_MIN: u64 = 256;

/// The largest segment, bytes: a frame's length has 32 bits.
pub const SEGMENT_BYTES_MAX: u64 = 1 << 31;

const SEGMENT_MAGIC: [u8; 8] = *b"isegolog";

/// Who writes a log: a log of one node must never be read as another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The epoch of the configuration in which the log was created; not compared.
    pub epoch: u32,
    /// The cluster's id.
    pub cluster: u64,
    /// The node's id in the cluster.
    pub node: u64,
}

impl Identity {
    /// Checks that what `self` reads was written by itself.
    pub(crate) fn check(self, found: Identity) -> Result<(), FormatError> {
        if (found.cluster, found.node) == (self.cluster, self.node) {
            Ok(())
        } else {
            Err(FormatError::Identity { found, expected: self })
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "node n{} of cluster {:x}", self.node + 1, self.cluster)
    }
}

/// What stands at the beginning of a segment. All segments of a log have one size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentHeader {
    /// Who writes the log.
    pub identity: Identity,
    /// The position of the segment's first byte, which also names it.
    pub first: Position,
    /// The segment's size with its header, bytes.
    pub segment_bytes: u64,
}

impl SegmentHeader {
    /// The position of the first byte after the segment.
    #[must_use]
    pub fn after(&self) -> Position {
        self.first + self.segment_bytes
    }

    /// The position of the segment's first frame.
    #[must_use]
    pub fn first_frame(&self) -> Position {
        self.first + HEADER_BYTES as u64
    }

    /// The header of the segment that follows.
    #[must_use]
    pub fn next(&self) -> SegmentHeader {
        SegmentHeader { first: self.after(), ..*self }
    }

    /// The largest record that fits, bytes: a segment opens with a seal and keeps room
    /// for one behind its last record, and for its end frame.
    #[must_use]
    pub fn record_bytes_max(&self) -> u64 {
        self.segment_bytes - (HEADER_BYTES + 2 * SEAL_BYTES + frame::FRAME_BYTES + frame::END_BYTES) as u64
    }

    /// The header as it stands on disk.
    #[must_use]
    pub fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..8].copy_from_slice(&SEGMENT_MAGIC);
        bytes[8..12].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.identity.epoch.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.identity.cluster.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.identity.node.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.first.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.segment_bytes.to_le_bytes());
        let crc = crc32fast::hash(&bytes[..60]);
        bytes[60..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// The checksum with which the checksums of the segment's frames start, so that a
    /// frame of another segment or node is not valid here.
    pub(crate) fn seed(&self) -> u32 {
        crc32fast::hash(&self.encode())
    }

    /// Reads the header at the beginning of a segment.
    ///
    /// # Errors
    /// If there is none, if it is damaged, or if it is of a newer format.
    pub fn decode(bytes: &[u8]) -> Result<SegmentHeader, FormatError> {
        let bytes = checked_start(bytes, HEADER_BYTES, &SEGMENT_MAGIC)?;
        let header = SegmentHeader {
            identity: identity(bytes),
            first: u64_at(bytes, 32),
            segment_bytes: u64_at(bytes, 40),
        };
        let sized = (SEGMENT_BYTES_MIN..=SEGMENT_BYTES_MAX).contains(&header.segment_bytes);
        let ends = header.first.checked_add(2 * SEGMENT_BYTES_MAX).is_some();
        if sized && ends { Ok(header) } else { Err(FormatError::Header) }
    }
}

/// Magic, version and checksum of a header of `size` bytes, which ends with its checksum.
pub(crate) fn checked_start<'a>(
    bytes: &'a [u8],
    size: usize,
    magic: &[u8; 8],
) -> Result<&'a [u8], FormatError> {
    let bytes = bytes.get(..size).ok_or(FormatError::NotOurs)?;
    if bytes[..8] != magic[..] {
        return Err(FormatError::NotOurs);
    }
    // Before the checksum: a newer format may compute it otherwise.
    let found = u32_at(bytes, 8);
    if found > FORMAT_VERSION {
        return Err(FormatError::Version { found, supported: FORMAT_VERSION });
    }
    if crc32fast::hash(&bytes[..size - 4]) != u32_at(bytes, size - 4) {
        return Err(FormatError::Header);
    }
    match found {
        FORMAT_VERSION => Ok(bytes),
        _ => Err(FormatError::Outdated { found, supported: FORMAT_VERSION }),
    }
}

/// The identity in a checked header; segments and checkpoints have it at one place.
pub(crate) fn identity(bytes: &[u8]) -> Identity {
    Identity { epoch: u32_at(bytes, 12), cluster: u64_at(bytes, 16), node: u64_at(bytes, 24) }
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> SegmentHeader {
        let identity = Identity { epoch: 3, cluster: 0xABCD, node: 2 };
        SegmentHeader { identity, first: 4096, segment_bytes: 1024 }
    }

    #[test]
    fn what_goes_in_comes_out_and_no_flipped_bit_passes() {
        let bytes = header().encode();
        assert_eq!(SegmentHeader::decode(&bytes), Ok(header()));
        for bit in 0..HEADER_BYTES * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(SegmentHeader::decode(&flipped).is_err(), "bit {bit}");
        }
        for cut in 0..HEADER_BYTES {
            assert_eq!(SegmentHeader::decode(&bytes[..cut]), Err(FormatError::NotOurs));
        }
    }

    #[test]
    fn the_future_is_refused_with_both_versions() {
        let mut bytes = header().encode();
        bytes[8..12].copy_from_slice(&7u32.to_le_bytes());
        let refused = SegmentHeader::decode(&bytes).unwrap_err();
        assert_eq!(refused, FormatError::Version { found: 7, supported: FORMAT_VERSION });
        assert!(
            refused.to_string().contains("version 7")
                && refused.to_string().contains(&format!("version {FORMAT_VERSION}"))
        );
    }

    #[test]
    fn the_past_is_refused_with_both_versions() {
        let mut bytes = header().encode();
        bytes[8..12].copy_from_slice(&1u32.to_le_bytes());
        let crc = crc32fast::hash(&bytes[..HEADER_BYTES - 4]);
        bytes[HEADER_BYTES - 4..].copy_from_slice(&crc.to_le_bytes());
        let refused = SegmentHeader::decode(&bytes).unwrap_err();
        assert_eq!(refused, FormatError::Outdated { found: 1, supported: FORMAT_VERSION });
        assert!(
            refused.to_string().contains("version 1")
                && refused.to_string().contains(&format!("version {FORMAT_VERSION}"))
        );
    }

    #[test]
    fn sizes_out_of_range_are_refused() {
        for segment_bytes in [0, SEGMENT_BYTES_MIN - 1, SEGMENT_BYTES_MAX + 1, u64::MAX] {
            let bytes = SegmentHeader { segment_bytes, ..header() }.encode();
            assert_eq!(SegmentHeader::decode(&bytes), Err(FormatError::Header));
        }
        let bytes = SegmentHeader { first: u64::MAX - 5, ..header() }.encode();
        assert_eq!(SegmentHeader::decode(&bytes), Err(FormatError::Header));
    }
}
