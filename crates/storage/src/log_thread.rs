use crate::preparer::Preparer;
use crate::segment_file::SegmentFile;
use crate::shared::Shared;
use crate::{Durability, LogFailure};
use isegoria_log::{Piece, SEAL_BYTES, SegmentHeader, WriteBatch, WriteCalls, write_batch};
use std::mem;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// After how long without work the log is idle and gets its seal.
const IDLE_MS: u64 = 20;

/// Buffers above this size are given back after use, bytes.
const KEPT_BYTES_MAX: usize = 8 << 20;

/// The log thread: takes everything that was flushed, writes it, syncs it, says so.
///
/// Invariant: it takes the next batch only when the one before is durable, which is
/// what the seal at the beginning of a batch claims; and it stops at the first error.
pub(crate) struct LogThread {
    pub(crate) shared: Arc<Shared>,
    pub(crate) durability: Durability,
    pub(crate) preparer: Preparer,
    pub(crate) header: SegmentHeader,
    pub(crate) file: Box<dyn SegmentFile>,
    /// The segment behind it, while the piece that ends this one is written.
    pub(crate) next: Option<(SegmentHeader, Box<dyn SegmentFile>)>,
    /// The seal of what was found when the log was opened.
    pub(crate) found: Option<IdleSeal>,
}

/// The seal that says that the last batch is durable: segment, offset, bytes.
pub(crate) type IdleSeal = (SegmentHeader, u64, [u8; SEAL_BYTES]);

/// Says that the log thread has ended, and how, even if it panicked.
struct Stopped(Arc<Shared>);

impl Drop for Stopped {
    fn drop(&mut self) {
        if thread::panicking() {
            let message = "its thread panicked".to_owned();
            self.0.fail(LogFailure::Io { doing: "running", message });
        }
        self.0.queue.lock().stopped = true;
        self.0.advanced.notify_all();
        self.0.wake();
    }
}

enum Work {
    Write,
    Seal,
    Stop,
}

impl LogThread {
    /// Runs until the log is closed or fails.
    pub(crate) fn run(mut self) {
        let _stopped = Stopped(Arc::clone(&self.shared));
        if let Err(failure) = self.serve() {
            self.shared.fail(failure);
        }
    }

    fn serve(&mut self) -> Result<(), LogFailure> {
        let mut batch = WriteBatch::default();
        let mut seal = self.found.take();
        loop {
            match self.next(&mut batch, seal.is_some()) {
                Work::Write => {
                    self.write(&batch)?;
                    seal = batch.idle_seal();
                    self.shared.advance(&batch);
                    if batch.byte_len() > KEPT_BYTES_MAX {
                        batch = WriteBatch::default();
                    }
                    batch.clear();
                }
                Work::Seal => self.seal(seal.take())?,
                Work::Stop => {
                    if seal.is_some() {
                        self.seal(seal.take())?;
                        return self.sync();
                    }
                    return Ok(());
                }
            }
        }
    }

    /// Waits for work, and takes all there is.
    fn next(&self, batch: &mut WriteBatch, unsealed: bool) -> Work {
        let mut queue = self.shared.queue.lock();
        self.shared.advanced.notify_all();
        loop {
            if !queue.pending.is_empty() {
                mem::swap(batch, &mut queue.pending);
                return Work::Write;
            }
            if queue.closing {
                return Work::Stop;
            }
            if !unsealed {
                self.shared.work.wait(&mut queue);
            } else if self.shared.work.wait_for(&mut queue, Duration::from_millis(IDLE_MS)).timed_out()
                && queue.pending.is_empty()
                && !queue.closing
            {
                return Work::Seal;
            }
        }
    }

    /// Writes the batch, and orders the next segment if this one will soon be full.
    fn write(&mut self, batch: &WriteBatch) -> Result<(), LogFailure> {
        write_batch(batch, self)?;
        if (batch.end() - self.header.first) * 2 > self.header.segment_bytes {
            self.preparer.order(self.header.next());
        }
        Ok(())
    }

    fn sync(&self) -> Result<(), LogFailure> {
        if self.durability != Durability::Fsync {
            return Ok(());
        }
        let start = Instant::now();
        // Never tried again: after a failure the kernel may call lost pages clean.
        self.file.sync().map_err(|error| LogFailure::new("syncing", &error))?;
        self.shared.count_fsync(u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX));
        Ok(())
    }

    /// Not synced: if it gets lost, only the proof is lost.
    fn seal(&self, seal: Option<IdleSeal>) -> Result<(), LogFailure> {
        match seal {
            Some((header, offset, bytes)) if header == self.header => {
                self.file.write_at(&bytes, offset).map_err(|error| LogFailure::new("writing", &error))
            }
            _ => Ok(()),
        }
    }
}

impl WriteCalls for LogThread {
    type Error = LogFailure;

    fn create(&mut self, next: SegmentHeader) -> Result<(), LogFailure> {
        self.next = Some((next, self.preparer.fetch(next)?));
        Ok(())
    }

    fn write(&mut self, piece: &Piece<'_>) -> Result<(), LogFailure> {
        assert_eq!(piece.header, self.header, "pieces go to the open segment, in order");
        let written = self.file.write_at(piece.bytes, piece.offset);
        written.map_err(|error| LogFailure::new("writing", &error))
    }

    fn sync(&mut self) -> Result<(), LogFailure> {
        LogThread::sync(self)?;
        if let Some((header, file)) = self.next.take() {
            self.header = header;
            self.file = file;
        }
        Ok(())
    }
}
