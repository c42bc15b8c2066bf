use crate::frame::{Frame, find_seal};
use crate::{Damage, Identity, Position, Segment, SegmentHeader, index};

/// Decides what the segments of a log that was not closed in an orderly way mean.
///
/// Feed it the segments in order of position, from the one that holds the position of
/// the checkpoint on; it keeps none of them. It errs on the side of refusing: it says
/// "torn tail" only where no seal and no checkpoint vouches for what is lost.
#[derive(Debug)]
pub struct Repair {
    identity: Identity,
    replay_from: Position,
    /// Everything below was durable: the checkpoint or a seal says so.
    durable: Position,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// No segment seen yet.
    Start,
    /// The last segment was full; the next begins where it ends.
    Full(SegmentHeader),
    /// The records end in this segment; later ones must not vouch for more.
    Ended { tail: Tail, last: SegmentHeader },
}

/// Where a log ends, and what has to be done before it is continued there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tail {
    /// The segment in which the log ends.
    pub header: SegmentHeader,
    /// Where the next frame goes.
    pub end: Position,
    /// Something stands behind the end that is not a frame of this log any more: the
    /// rest of a write that a crash cut short. It must be cut off, and later segments
    /// must be removed, before anything is appended.
    pub torn: bool,
    /// The segment's file lacks zeros at its end and must be given its size again.
    pub short: bool,
    /// Everything below was known to be durable. What lies between here and `end` was
    /// read, but possibly from a cache: it must be written and synced again before
    /// anybody relies on it.
    pub durable: Position,
}

impl Repair {
    /// Starts to read the log of `identity`, of which everything below `replay_from`
    /// is in a checkpoint; 0 without one.
    #[must_use]
    pub fn new(identity: Identity, replay_from: Position) -> Repair {
        Repair { identity, replay_from, durable: replay_from, state: State::Start }
    }

    /// Takes the next segment: its position by its name, and its bytes.
    ///
    /// # Errors
    /// If the log cannot be read without losing what was durable.
    pub fn segment(&mut self, name: Position, bytes: &[u8]) -> Result<(), Damage> {
        let segment = self.open(name, bytes)?;
        let header = segment.header();
        let found = bytes.len() as u64;
        if found > header.segment_bytes {
            return Err(Damage::Size { segment: name, found, expected: header.segment_bytes });
        }
        if let State::Ended { mut tail, .. } = self.state {
            let start = index(header.first_frame() - header.first);
            self.vouched_behind(&tail, &segment, start)?;
            tail.torn |= !is_zero(&segment.bytes()[start..]);
            self.state = State::Ended { tail, last: header };
            return Ok(());
        }
        self.read(&segment, found < header.segment_bytes)
    }

    /// Says where the log ends; `None` if there is no log yet.
    ///
    /// # Errors
    /// If something that was durable is missing at the end.
    pub fn finish(self) -> Result<Option<Tail>, Damage> {
        match self.state {
            State::Start if self.replay_from == 0 => Ok(None),
            State::Start => Err(Damage::Missing { position: self.replay_from }),
            // A full segment was ended only after the next had its name.
            State::Full(header) => Err(Damage::Missing { position: header.after() }),
            State::Ended { tail, .. } => Ok(Some(Tail { durable: self.durable, ..tail })),
        }
    }

    /// Checks the header and that no segment is missing before this one.
    fn open<'a>(&self, name: Position, bytes: &'a [u8]) -> Result<Segment<'a>, Damage> {
        let expected = match self.state {
            State::Start => None,
            State::Full(before) | State::Ended { last: before, .. } => Some(before),
        };
        match expected {
            None if name > self.replay_from => return Err(Damage::Missing { position: self.replay_from }),
            Some(before) if name != before.after() => {
                return Err(Damage::Missing { position: before.after() });
            }
            _ => {}
        }
        let damage = |source| Damage::Header { segment: name, source };
        let segment = Segment::new(bytes).map_err(damage)?;
        let header = segment.header();
        self.identity.check(header.identity).map_err(damage)?;
        if header.first != name {
            return Err(damage(crate::FormatError::Misplaced { found: header.first, expected: name }));
        }
        if expected.is_some_and(|before| before.segment_bytes != header.segment_bytes) {
            return Err(damage(crate::FormatError::Header));
        }
        Ok(segment)
    }

    /// Walks the frames of a segment.
    fn read(&mut self, segment: &Segment<'_>, short: bool) -> Result<(), Damage> {
        let header = segment.header();
        let mut at = header.first_frame();
        loop {
            let frame = segment.frame(at);
            match frame {
                Frame::Record(_) => {}
                Frame::Seal(durable) => self.durable = self.durable.max(durable),
                Frame::End => {
                    self.state = State::Full(header);
                    return Ok(());
                }
                Frame::Nothing | Frame::Bad => return self.ended(segment, at, short),
            }
            at += frame.size() as u64;
        }
    }

    /// No frame at `end`: the end of the log, a torn tail, or damage?
    fn ended(&mut self, segment: &Segment<'_>, end: Position, short: bool) -> Result<(), Damage> {
        let header = segment.header();
        let offset = index(end - header.first);
        let rest = segment.bytes().get(offset..).unwrap_or_default();
        let clean = is_zero(rest);
        // A log is contiguous: with one zero length behind its end, only zeros can be
        // missing. Otherwise records and their seals may be gone together.
        if short && !(clean && rest.len() >= crate::FRAME_BYTES) {
            let found = segment.bytes().len() as u64;
            return Err(Damage::Size { segment: header.first, found, expected: header.segment_bytes });
        }
        let tail = Tail { header, end, torn: !clean, short, durable: self.durable };
        if self.durable > end {
            return Err(Damage::Middle { segment: header.first, position: end, durable: self.durable });
        }
        self.vouched_behind(&tail, segment, offset)?;
        self.state = State::Ended { tail, last: header };
        Ok(())
    }

    /// Refuses if a seal in `segment`, from `from` on, vouches for more than was read.
    fn vouched_behind(&self, tail: &Tail, segment: &Segment<'_>, from: usize) -> Result<(), Damage> {
        match find_seal(segment.bytes(), from, &segment.header(), tail.end) {
            None => Ok(()),
            Some(durable) => Err(Damage::Middle { segment: tail.header.first, position: tail.end, durable }),
        }
    }
}

/// Whether there are only zeros; the tail of a segment is long, so in blocks.
fn is_zero(bytes: &[u8]) -> bool {
    let mut blocks = bytes.chunks_exact(64);
    blocks.all(|block| block == [0; 64]) && blocks.remainder().iter().all(|byte| *byte == 0)
}
