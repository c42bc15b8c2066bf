use crate::header::FORMAT_VERSION;
use crate::{Identity, Position};
use std::io::{self, Write};

/// The largest block of a checkpoint, bytes; a reader allocates no more for one.
pub const CHUNK_BYTES_MAX: usize = 64 * 1024;

pub(crate) const CHECKPOINT_MAGIC: [u8; 8] = *b"isegockp";
pub(crate) const CHECKPOINT_HEADER_BYTES: usize = 48;
/// Kind, length and checksum.
pub(crate) const BLOCK_BYTES: usize = 9;

/// A section begins; the payload is its tag.
pub(crate) const SECTION: u8 = 1;
/// Bytes of the section.
pub(crate) const DATA: u8 = 2;
/// Nothing follows; the payload is the offset of this block.
pub(crate) const TRAILER: u8 = 3;

/// Writes a checkpoint: a header that names the position from which the log is
/// replayed, then sections of bytes, each with a tag, then a trailer.
///
/// The file is a sequence of blocks `kind u8 | length u32 | crc32 u32 | bytes` behind
/// a header of 48 bytes. A checksum covers the header and the block's offset too. A
/// checkpoint without trailer is not a checkpoint.
///
/// It is a [`Write`] whose bytes go to the section begun last, and to section 0 if
/// none was begun. It does not sync anything.
#[derive(Debug)]
pub struct CheckpointWriter<W: Write> {
    to: W,
    seed: u32,
    offset: u64,
    in_section: bool,
    chunk: Vec<u8>,
}

impl<W: Write> CheckpointWriter<W> {
    /// Begins a checkpoint of everything below `position`.
    ///
    /// # Errors
    /// Those of `to`.
    pub fn new(mut to: W, identity: Identity, position: Position) -> io::Result<CheckpointWriter<W>> {
        let header = encode_header(identity, position);
        to.write_all(&header)?;
        Ok(CheckpointWriter {
            to,
            seed: crc32fast::hash(&header),
            offset: CHECKPOINT_HEADER_BYTES as u64,
            in_section: false,
            chunk: Vec::new(),
        })
    }

    /// Begins a section, and so ends the one before.
    ///
    /// # Errors
    /// Those of the underlying writer.
    pub fn section(&mut self, tag: u8) -> io::Result<()> {
        self.flush_chunk()?;
        self.in_section = true;
        self.block(SECTION, &[tag])
    }

    /// Writes the trailer and hands the writer back, flushed.
    ///
    /// # Errors
    /// Those of the underlying writer.
    pub fn finish(mut self) -> io::Result<W> {
        self.flush_chunk()?;
        self.block(TRAILER, &self.offset.to_le_bytes())?;
        self.to.flush()?;
        Ok(self.to)
    }

    fn flush_chunk(&mut self) -> io::Result<()> {
        if self.chunk.is_empty() {
            return Ok(());
        }
        let mut chunk = std::mem::take(&mut self.chunk);
        let written = self.block(DATA, &chunk);
        chunk.clear();
        self.chunk = chunk;
        written
    }

    fn block(&mut self, kind: u8, bytes: &[u8]) -> io::Result<()> {
        let length = u32::try_from(bytes.len()).expect("a block has at most a chunk");
        let mut start = [kind; BLOCK_BYTES];
        start[1..5].copy_from_slice(&length.to_le_bytes());
        let crc = block_checksum(self.seed, self.offset, &start, bytes);
        start[5..].copy_from_slice(&crc.to_le_bytes());
        self.to.write_all(&start)?;
        self.to.write_all(bytes)?;
        self.offset += (BLOCK_BYTES + bytes.len()) as u64;
        Ok(())
    }
}

impl<W: Write> Write for CheckpointWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.in_section {
            self.section(0)?;
        }
        let taken = bytes.len().min(CHUNK_BYTES_MAX - self.chunk.len());
        self.chunk.extend_from_slice(&bytes[..taken]);
        if self.chunk.len() == CHUNK_BYTES_MAX {
            self.flush_chunk()?;
        }
        Ok(taken)
    }

    /// Does nothing: blocks are written when they are full.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The checksum of a block, whose start needs only kind and length filled in.
pub(crate) fn block_checksum(seed: u32, offset: u64, start: &[u8; BLOCK_BYTES], bytes: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new_with_initial(seed);
    crc.update(&offset.to_le_bytes());
    crc.update(&start[..5]);
    crc.update(bytes);
    crc.finalize()
}

fn encode_header(identity: Identity, position: Position) -> [u8; CHECKPOINT_HEADER_BYTES] {
    let mut bytes = [0; CHECKPOINT_HEADER_BYTES];
    bytes[..8].copy_from_slice(&CHECKPOINT_MAGIC);
    bytes[8..12].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
    bytes[12..16].copy_from_slice(&identity.epoch.to_le_bytes());
    bytes[16..24].copy_from_slice(&identity.cluster.to_le_bytes());
    bytes[24..32].copy_from_slice(&identity.node.to_le_bytes());
    bytes[32..40].copy_from_slice(&position.to_le_bytes());
    let crc = crc32fast::hash(&bytes[..44]);
    bytes[44..].copy_from_slice(&crc.to_le_bytes());
    bytes
}
