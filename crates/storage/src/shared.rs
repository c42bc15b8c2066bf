use crate::LogFailure;
use isegoria_log::{Position, WriteBatch};
use parking_lot::{Condvar, Mutex};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// Called by the storage threads when something changed that the event loop may wait
/// for: a batch became durable, the log failed, space ran short, a checkpoint ended.
pub type Waker = Arc<dyn Fn() + Send + Sync>;

/// What the log has done since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogStats {
    /// Batches that became durable.
    pub batch_count: u64,
    /// Records in them.
    pub record_count: u64,
    /// Bytes written, frames and seals included.
    pub written_bytes: u64,
    /// Syncs.
    pub fsync_count: u64,
    /// Time spent in syncs, nanoseconds.
    pub fsync_sum_ns: u64,
    /// The longest sync, nanoseconds.
    pub fsync_max_ns: u64,
}

/// What the event loop and the threads of a log share.
pub(crate) struct Shared {
    pub(crate) queue: Mutex<Queue>,
    /// There is something in the queue.
    pub(crate) work: Condvar,
    /// The durable position moved, or will never move again.
    pub(crate) advanced: Condvar,
    durable: AtomicU64,
    /// The first position that is still kept.
    pub(crate) oldest: AtomicU64,
    /// The log is being closed: long work gives up.
    pub(crate) closing: AtomicBool,
    /// A new segment does not fit on the disk.
    space_short: AtomicBool,
    failure: OnceLock<LogFailure>,
    stats: Mutex<LogStats>,
    waker: Waker,
}

/// What the log thread takes its work from.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    pub(crate) pending: WriteBatch,
    pub(crate) closing: bool,
    /// The log thread has ended.
    pub(crate) stopped: bool,
}

impl Shared {
    pub(crate) fn new(durable: Position, oldest: Position, waker: Waker) -> Shared {
        Shared {
            queue: Mutex::default(),
            work: Condvar::new(),
            advanced: Condvar::new(),
            durable: AtomicU64::new(durable),
            oldest: AtomicU64::new(oldest),
            closing: AtomicBool::new(false),
            space_short: AtomicBool::new(false),
            failure: OnceLock::new(),
            stats: Mutex::default(),
            waker,
        }
    }

    pub(crate) fn durable(&self) -> Position {
        self.durable.load(Ordering::Acquire)
    }

    /// A batch became durable.
    pub(crate) fn advance(&self, batch: &WriteBatch) {
        self.advance_silently(batch);
        self.wake();
    }

    /// The same, where the event loop itself does it.
    pub(crate) fn advance_silently(&self, batch: &WriteBatch) {
        {
            let mut stats = self.stats.lock();
            stats.batch_count += 1;
            stats.record_count += batch.record_count();
            stats.written_bytes += batch.byte_len() as u64;
        }
        self.durable.store(batch.end(), Ordering::Release);
    }

    pub(crate) fn count_fsync(&self, nanoseconds: u64) {
        let mut stats = self.stats.lock();
        stats.fsync_count += 1;
        stats.fsync_sum_ns += nanoseconds;
        stats.fsync_max_ns = stats.fsync_max_ns.max(nanoseconds);
    }

    pub(crate) fn stats(&self) -> LogStats {
        *self.stats.lock()
    }

    pub(crate) fn fail(&self, failure: LogFailure) {
        tracing::error!(%failure, "the log stopped");
        // Only the first counts: what follows is its consequence.
        let _ = self.failure.set(failure);
    }

    pub(crate) fn failure(&self) -> Option<&LogFailure> {
        self.failure.get()
    }

    pub(crate) fn set_space_short(&self, short: bool) {
        if self.space_short.swap(short, Ordering::AcqRel) != short {
            if short {
                tracing::warn!("no space for another log segment; free some space");
            } else {
                tracing::info!("there is space for log segments again");
            }
            self.wake();
        }
    }

    pub(crate) fn is_space_short(&self) -> bool {
        self.space_short.load(Ordering::Acquire)
    }

    pub(crate) fn wake(&self) {
        (self.waker)();
    }

    /// Waits until everything below `position` is durable; false if it never will be.
    pub(crate) fn wait_durable(&self, position: Position) -> bool {
        let mut queue = self.queue.lock();
        while self.durable() < position && !queue.stopped {
            self.advanced.wait(&mut queue);
        }
        self.durable() >= position
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("durable", &self.durable()).field("failure", &self.failure).finish()
    }
}
