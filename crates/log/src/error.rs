use crate::{Identity, Position};

/// Bytes that are not what their place says they are.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// Shorter than a header, or without its magic.
    #[error("it does not begin with the header of a log segment or checkpoint")]
    NotOurs,
    /// The header's checksum or one of its fields is impossible.
    #[error("its header is damaged")]
    Header,
    /// Written by a newer program.
    #[error(
        "it has format version {found} and this program reads up to version {supported}; \
         use the newer program that wrote it"
    )]
    Version {
        /// The version in the header.
        found: u32,
        /// The newest version this program reads.
        supported: u32,
    },
    /// Written by an older program.
    #[error(
        "it has format version {found} and this program reads version {supported} only; \
         use the program that wrote it, or start a fresh node"
    )]
    Outdated {
        /// The version in the header.
        found: u32,
        /// The version this program reads.
        supported: u32,
    },
    /// Written by another node or for another cluster.
    #[error("it belongs to {found}, and this is {expected}; {}", cure(*found, *expected))]
    Identity {
        /// Who wrote it.
        found: Identity,
        /// Who reads it.
        expected: Identity,
    },
    /// The header names another position than the file does.
    #[error("it says that it begins at position {found}, and its place is {expected}")]
    Misplaced {
        /// The position in the header.
        found: Position,
        /// The position that the name or the segment before it says.
        expected: Position,
    },
}

fn cure(found: Identity, expected: Identity) -> &'static str {
    if found.cluster == expected.cluster {
        "give the node its own data directory"
    } else {
        "a cluster is its name, its protocol, the names, order and roles of its nodes, and its quorums (f and e with \
         them), none of which can be changed later: put the configuration back as it was, or give the right data \
         directory"
    }
}

/// Why a log cannot be read without losing something that was durable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// A segment whose header does not fit. Headers are durable before a segment gets
    /// its name, so this is never the work of a crash.
    #[error("the segment at position {segment} cannot be used: {source}")]
    Header {
        /// The first position of the segment, from its name.
        segment: Position,
        /// What is wrong with it.
        source: FormatError,
    },
    /// A bad frame below a position that was durable.
    #[error("damaged at position {position}, although everything below {durable} was durable")]
    Middle {
        /// The first position of the segment with the damage.
        segment: Position,
        /// Where the first frame that does not read begins.
        position: Position,
        /// A position that a seal or a checkpoint vouches for.
        durable: Position,
    },
    /// A segment that must be there is not.
    #[error("the segment with position {position} is missing")]
    Missing {
        /// A position of the missing segment.
        position: Position,
    },
    /// A segment's file does not have its size and records may have gone with the rest.
    /// A crash cannot do that: segments have their full size before they are used.
    #[error("the segment at position {segment} has {found} bytes instead of {expected}")]
    Size {
        /// The first position of the segment.
        segment: Position,
        /// Its size, bytes.
        found: u64,
        /// The size its header says, bytes.
        expected: u64,
    },
}

impl Damage {
    /// The segment that is damaged and the offset in it, in bytes; for a missing
    /// segment a position of it and 0.
    #[must_use]
    pub fn place(&self) -> (Position, u64) {
        match *self {
            Damage::Header { segment, .. } => (segment, 0),
            Damage::Middle { segment, position, .. } => (segment, position - segment),
            Damage::Missing { position } => (position, 0),
            Damage::Size { segment, found, expected } => (segment, found.min(expected)),
        }
    }
}

/// A record that does not fit into a segment. Nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a record of {size} bytes is larger than the {limit} bytes that fit into a log segment")]
pub struct RecordTooLarge {
    /// Size of the encoded record, bytes.
    pub size: u64,
    /// The largest size, bytes.
    pub limit: u64,
}
