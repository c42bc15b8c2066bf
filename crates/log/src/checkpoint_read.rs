use crate::checkpoint_write::{
    BLOCK_BYTES, CHECKPOINT_HEADER_BYTES, CHECKPOINT_MAGIC, CHUNK_BYTES_MAX, DATA, SECTION, TRAILER,
    block_checksum,
};
use crate::header::{checked_start, identity, u32_at, u64_at};
use crate::{FormatError, Identity, Position};
use std::io::{self, Read};

/// Why a checkpoint cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The header does not fit.
    #[error("the checkpoint cannot be used: {0}")]
    Format(#[from] FormatError),
    /// A block that does not read, or an end without trailer.
    #[error("the checkpoint is damaged or incomplete at offset {offset}")]
    Damaged {
        /// Where the block begins, bytes from the file's beginning.
        offset: u64,
    },
    /// Reading failed.
    #[error("reading the checkpoint failed: {0}")]
    Io(#[from] io::Error),
}

/// Reads what a [`CheckpointWriter`] wrote, section by section.
///
/// It is a [`Read`] over the bytes of the section entered last, and allocates one
/// block at most. Whoever must know that all of a checkpoint is there before using
/// any of it calls [`CheckpointReader::verify`] first and reads it again.
///
/// [`CheckpointWriter`]: crate::CheckpointWriter
#[derive(Debug)]
pub struct CheckpointReader<R: Read> {
    from: R,
    seed: u32,
    position: Position,
    /// Of the next block.
    offset: u64,
    chunk: Vec<u8>,
    /// How much of the chunk was read.
    used: usize,
    /// The block after the current section, if it was met.
    met: Option<Met>,
}

#[derive(Clone, Copy, Debug)]
enum Met {
    Section(u8),
    Trailer,
}

enum Block {
    Data,
    Met(Met),
}

impl<R: Read> CheckpointReader<R> {
    /// Reads the header of a checkpoint that `own` wrote.
    ///
    /// # Errors
    /// If it does not read, or another node wrote it.
    pub fn new(mut from: R, own: Identity) -> Result<CheckpointReader<R>, CheckpointError> {
        let mut bytes = [0; CHECKPOINT_HEADER_BYTES];
        from.read_exact(&mut bytes).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => CheckpointError::Format(FormatError::NotOurs),
            _ => CheckpointError::Io(error),
        })?;
        let header = checked_start(&bytes, CHECKPOINT_HEADER_BYTES, &CHECKPOINT_MAGIC)?;
        own.check(identity(header))?;
        Ok(CheckpointReader {
            from,
            seed: crc32fast::hash(header),
            position: u64_at(header, 32),
            offset: CHECKPOINT_HEADER_BYTES as u64,
            chunk: Vec::new(),
            used: 0,
            met: None,
        })
    }

    /// The position from which the log is replayed.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }

    /// Enters the next section and returns its tag; what was not read of the current
    /// one is skipped. `None` after the last.
    ///
    /// # Errors
    /// If a block does not read.
    pub fn next_section(&mut self) -> Result<Option<u8>, CheckpointError> {
        loop {
            self.used = self.chunk.len();
            let met = match self.met {
                Some(met) => met,
                None => match self.block()? {
                    Block::Data => continue,
                    Block::Met(met) => met,
                },
            };
            return match met {
                Met::Section(tag) => {
                    self.met = None;
                    Ok(Some(tag))
                }
                Met::Trailer => {
                    self.met = Some(Met::Trailer);
                    Ok(None)
                }
            };
        }
    }

    /// Reads everything and checks that it is complete and sound.
    ///
    /// # Errors
    /// If it is not.
    pub fn verify(mut self) -> Result<Position, CheckpointError> {
        while self.next_section()?.is_some() {}
        Ok(self.position)
    }

    fn damaged(&self) -> CheckpointError {
        CheckpointError::Damaged { offset: self.offset }
    }

    /// Reads the next block; data goes to the chunk.
    fn block(&mut self) -> Result<Block, CheckpointError> {
        let mut start = [0; BLOCK_BYTES];
        self.fill(&mut start)?;
        let (kind, length) = (start[0], u32_at(&start, 1) as usize);
        if length > CHUNK_BYTES_MAX {
            return Err(self.damaged());
        }
        let mut bytes = std::mem::take(&mut self.chunk);
        bytes.resize(length, 0);
        self.fill(&mut bytes)?;
        if block_checksum(self.seed, self.offset, &start, &bytes) != u32_at(&start, 5) {
            return Err(self.damaged());
        }
        let block = match (kind, length) {
            (DATA, _) => Block::Data,
            (SECTION, 1) => Block::Met(Met::Section(bytes[0])),
            (TRAILER, 8) if u64_at(&bytes, 0) == self.offset && self.at_end()? => Block::Met(Met::Trailer),
            _ => return Err(self.damaged()),
        };
        if !matches!(block, Block::Data) {
            bytes.clear();
        }
        self.offset += (BLOCK_BYTES + length) as u64;
        self.chunk = bytes;
        self.used = 0;
        Ok(block)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), CheckpointError> {
        match self.from.read_exact(bytes) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(self.damaged()),
            Err(error) => Err(error.into()),
            Ok(()) => Ok(()),
        }
    }

    fn at_end(&mut self) -> Result<bool, CheckpointError> {
        let mut byte = [0];
        match self.from.read_exact(&mut byte) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(true),
            Err(error) => Err(error.into()),
            Ok(()) => Ok(false),
        }
    }
}

impl<R: Read> Read for CheckpointReader<R> {
    /// Reads from the current section; 0 at its end, and before the first section.
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let before_first = self.offset == CHECKPOINT_HEADER_BYTES as u64;
        if before_first || to.is_empty() {
            return Ok(0);
        }
        while self.used == self.chunk.len() {
            if self.met.is_some() {
                return Ok(0);
            }
            if let Block::Met(met) = self.block().map_err(io_error)? {
                self.met = Some(met);
            }
        }
        let taken = to.len().min(self.chunk.len() - self.used);
        to[..taken].copy_from_slice(&self.chunk[self.used..self.used + taken]);
        self.used += taken;
        Ok(taken)
    }
}

fn io_error(error: CheckpointError) -> io::Error {
    match error {
        CheckpointError::Io(error) => error,
        other => io::Error::new(io::ErrorKind::InvalidData, other),
    }
}
