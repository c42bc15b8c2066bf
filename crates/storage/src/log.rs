use crate::checkpoint::{CheckpointJob, CheckpointTask, WriteCheckpoint};
use crate::directory::Directory;
use crate::log_thread::LogThread;
use crate::preparer::Preparer;
use crate::segment_file::{SegmentFile, SegmentSource};
use crate::shared::{LogStats, Shared};
use crate::{Durability, LogFailure, Position, RecordTooLarge, StoreError};
use isegoria_log::{Appender, SegmentHeader, WriteBatch};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};

/// The handle with which an event loop appends to its log. It never blocks on the
/// disk: see [`Log::append`], [`Log::flush`] and [`Log::durable`].
///
/// Dropping it writes what was flushed, and loses what was not; a checkpoint that is
/// being written is given up.
#[derive(Debug)]
pub struct Log {
    appender: Appender,
    backend: Backend,
    shared: Arc<Shared>,
    directory: Arc<Directory>,
    header: SegmentHeader,
    checkpoint: Option<CheckpointTask>,
    /// A checkpoint without a thread, of a log in memory.
    checkpoint_in_memory: Option<Position>,
}

#[derive(Debug)]
enum Backend {
    /// Counts, and keeps nothing.
    Memory(WriteBatch),
    Disk(Option<JoinHandle<()>>),
}

/// A log that is ready to be continued.
pub(crate) struct Continue {
    pub(crate) directory: Arc<Directory>,
    pub(crate) header: SegmentHeader,
    pub(crate) end: Position,
    pub(crate) shared: Arc<Shared>,
}

impl Log {
    pub(crate) fn in_memory(from: Continue) -> Log {
        Log::new(from, Backend::Memory(WriteBatch::default()))
    }

    pub(crate) fn on_disk(
        from: Continue,
        durability: Durability,
        file: Box<dyn SegmentFile>,
        source: impl SegmentSource,
    ) -> io::Result<Log> {
        let shared = Arc::clone(&from.shared);
        let preparer = Preparer::start(source, Arc::clone(&shared))?;
        let found = Appender::new(from.header, from.end).idle_seal();
        let thread = LogThread { shared, durability, preparer, header: from.header, file, next: None, found };
        let thread = thread::Builder::new().name("log".to_owned()).spawn(move || thread.run())?;
        Ok(Log::new(from, Backend::Disk(Some(thread))))
    }

    fn new(from: Continue, backend: Backend) -> Log {
        Log {
            appender: Appender::new(from.header, from.end),
            backend,
            shared: from.shared,
            directory: from.directory,
            header: from.header,
            checkpoint: None,
            checkpoint_in_memory: None,
        }
    }

    /// Appends the record that `encode` appends to the vector it gets, which already
    /// holds bytes that it must leave alone. Returns the position after the record:
    /// the record is durable once [`Log::durable`] has reached it.
    ///
    /// # Errors
    /// If the record does not fit into a segment; then nothing was appended.
    ///
    /// # Panics
    /// If `encode` removed bytes.
    pub fn append(&mut self, encode: impl FnOnce(&mut Vec<u8>)) -> Result<Position, RecordTooLarge> {
        let end = self.appender.append(encode)?;
        if let Backend::Memory(scratch) = &mut self.backend {
            self.appender.take_into(scratch);
            self.shared.advance_silently(scratch);
            scratch.clear();
        }
        Ok(end)
    }

    /// Hands what was appended to the log thread. If that is busy, it takes it, and
    /// all that is flushed meanwhile, as its next batch.
    pub fn flush(&mut self) {
        if self.appender.is_empty() {
            return;
        }
        self.appender.take_into(&mut self.shared.queue.lock().pending);
        self.shared.work.notify_one();
    }

    /// Everything below is durable, in the sense of the [`Durability`]. Never goes
    /// back, and stays where it is after a failure.
    #[must_use]
    pub fn durable(&self) -> Position {
        self.shared.durable()
    }

    /// The position after the last record that was appended.
    #[must_use]
    pub fn end(&self) -> Position {
        self.appender.end()
    }

    /// Why the log stopped, if it did. The process must then end, with a non-zero exit
    /// code, and answer nobody.
    #[must_use]
    pub fn error(&self) -> Option<LogFailure> {
        self.shared.failure().cloned()
    }

    /// Whether the disk has no room for the next segment. The log goes on in the one
    /// it has, then waits until there is room: new commands had better be refused.
    #[must_use]
    pub fn is_space_short(&self) -> bool {
        self.shared.is_space_short()
    }

    /// The size of the log that is kept, bytes: what a restart may have to read.
    #[must_use]
    pub fn log_bytes(&self) -> u64 {
        self.end() - self.shared.oldest.load(Ordering::Acquire)
    }

    /// What the log has done since it was opened.
    #[must_use]
    pub fn stats(&self) -> LogStats {
        self.shared.stats()
    }

    /// Starts to write a checkpoint of the state after all records below `position`
    /// (of [`Log::end`] at the time when that state was taken), with `write`, on a
    /// thread of its own. Flushes. Once it is complete and the log is durable up to
    /// `position`, older checkpoints and the segments wholly below are removed.
    /// Returns false, and does nothing, if one is still running or not yet taken from
    /// [`Log::checkpoint_done`]. A log in memory needs none and says it is done.
    ///
    /// # Errors
    /// If no thread can be started. Later errors come from [`Log::checkpoint_done`].
    ///
    /// # Panics
    /// If `position` is above the log's end.
    pub fn checkpoint(&mut self, position: Position, write: WriteCheckpoint) -> Result<bool, StoreError> {
        assert!(position <= self.end(), "a checkpoint at {position} of a log that ends at {}", self.end());
        if self.checkpoint.is_some() || self.checkpoint_in_memory.is_some() {
            return Ok(false);
        }
        if let Backend::Memory(_) = self.backend {
            self.shared.oldest.store(position, Ordering::Release);
            self.checkpoint_in_memory = Some(position);
            return Ok(true);
        }
        self.flush();
        let job = CheckpointJob {
            directory: Arc::clone(&self.directory),
            shared: Arc::clone(&self.shared),
            identity: self.header.identity,
            position,
            segment_bytes: self.header.segment_bytes,
        };
        self.checkpoint = Some(CheckpointTask::start(job, write)?);
        Ok(true)
    }

    /// Whether a checkpoint is being written.
    #[must_use]
    pub fn checkpoint_running(&self) -> bool {
        self.checkpoint.as_ref().is_some_and(|task| !task.is_done())
    }

    /// The position of the checkpoint that ended since the last call, or why there is
    /// none. After an error the older checkpoint and all of the log are still there.
    ///
    /// # Panics
    /// If writing it panicked.
    pub fn checkpoint_done(&mut self) -> Option<Result<Position, StoreError>> {
        if let Some(position) = self.checkpoint_in_memory.take() {
            return Some(Ok(position));
        }
        self.checkpoint.take_if(|task| task.is_done()).map(CheckpointTask::join)
    }

    /// Flushes, waits until everything is durable, and closes the log.
    ///
    /// # Errors
    /// If the log failed.
    pub fn close(mut self) -> Result<(), LogFailure> {
        if matches!(self.backend, Backend::Disk(_)) {
            self.flush();
        }
        self.stop();
        self.error().map_or(Ok(()), Err)
    }

    fn stop(&mut self) {
        let Backend::Disk(thread) = &mut self.backend else { return };
        self.shared.closing.store(true, Ordering::Release);
        self.shared.queue.lock().closing = true;
        self.shared.work.notify_one();
        if let Some(thread) = thread.take() {
            // A panic of the log thread has been reported on standard error.
            let _ = thread.join();
        }
        if let Some(task) = self.checkpoint.take() {
            task.abandon();
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.stop();
    }
}

#[cfg(test)]
#[path = "log_tests.rs"]
mod tests;
