use crate::StoreError;
use crate::directory::{Directory, create_file, publish, remove, sync_directory};
use crate::shared::Shared;
use isegoria_log::{CheckpointWriter, Identity, Position, RemoveCalls, remove_replaced};
use parking_lot::Mutex;
use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};

/// Where a checkpoint is written to: a [`Write`] with sections.
pub type CheckpointSink = CheckpointWriter<Box<dyn Write + Send>>;

/// Writes the content of a checkpoint, on a thread of its own.
pub type WriteCheckpoint = Box<dyn FnOnce(&mut CheckpointSink) -> io::Result<()> + Send>;

/// One checkpoint that is being written, and how it went.
#[derive(Debug)]
pub(crate) struct CheckpointTask {
    thread: JoinHandle<()>,
    result: Arc<Mutex<Option<Result<Position, StoreError>>>>,
}

/// What a checkpoint is of, and where it goes.
pub(crate) struct CheckpointJob {
    pub(crate) directory: Arc<Directory>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) identity: Identity,
    pub(crate) position: Position,
    pub(crate) segment_bytes: u64,
}

impl CheckpointTask {
    pub(crate) fn start(job: CheckpointJob, write: WriteCheckpoint) -> Result<CheckpointTask, StoreError> {
        let result = Arc::new(Mutex::new(None));
        let path = job.directory.path().to_path_buf();
        let slot = Arc::clone(&result);
        let run = move || {
            let done = job.run(write);
            // Last, so that whoever is woken finds the result and the lock released.
            let CheckpointJob { shared, directory, .. } = job;
            drop(directory);
            *slot.lock() = Some(done);
            shared.wake();
        };
        let thread = thread::Builder::new().name("checkpoint".to_owned()).spawn(run);
        Ok(CheckpointTask { thread: thread.map_err(StoreError::io("starting a thread for", &path))?, result })
    }

    pub(crate) fn is_done(&self) -> bool {
        // A thread that panicked is done, too.
        self.result.lock().is_some() || self.thread.is_finished()
    }

    /// Waits for the end, however it ends.
    pub(crate) fn abandon(self) {
        let _ = self.thread.join();
    }

    /// Waits for the end.
    ///
    /// # Panics
    /// If writing the checkpoint panicked.
    pub(crate) fn join(self) -> Result<Position, StoreError> {
        if let Err(panic) = self.thread.join() {
            std::panic::resume_unwind(panic);
        }
        self.result.lock().take().expect("a checkpoint that ended says how")
    }
}

impl CheckpointJob {
    /// Temporary file, content, sync, name, sync of the directory; only then is
    /// anything that it replaces removed.
    fn run(&self, write: WriteCheckpoint) -> Result<Position, StoreError> {
        let file = self.directory.checkpoint(self.position);
        let unfinished = Directory::unfinished(&file);
        let io = |doing| StoreError::io(doing, &unfinished);
        let open = create_file(&unfinished).map_err(io("creating"))?;
        if let Err(error) = self.fill(&open, write) {
            let _ = std::fs::remove_file(&unfinished);
            return if self.shared.closing.load(Ordering::Acquire) {
                Err(StoreError::Stopped)
            } else {
                Err(io("writing")(error))
            };
        }
        // The state may hold what records say that are not durable yet.
        if !self.shared.wait_durable(self.position) {
            let _ = std::fs::remove_file(&unfinished);
            return Err(StoreError::Stopped);
        }
        publish(&unfinished, &file).map_err(io("publishing"))?;
        self.remove_older()?;
        Ok(self.position)
    }

    fn fill(&self, file: &File, write: WriteCheckpoint) -> io::Result<()> {
        let to: Box<dyn Write + Send> =
            Box::new(Stoppable { file: file.try_clone()?, shared: Arc::clone(&self.shared) });
        let mut sink = CheckpointWriter::new(to, self.identity, self.position)?;
        write(&mut sink)?;
        sink.finish()?;
        file.sync_all()
    }

    fn remove_older(&self) -> Result<(), StoreError> {
        let (checkpoints, segments) = (self.directory.checkpoints()?, self.directory.segments()?);
        let at = (self.position, self.segment_bytes);
        remove_replaced(at, (&checkpoints, &segments), &mut Remover(self))
    }
}

/// Removes what the checkpoint of a job replaces.
struct Remover<'a>(&'a CheckpointJob);

impl RemoveCalls for Remover<'_> {
    type Error = StoreError;

    fn remove_checkpoint(&mut self, position: Position) -> Result<(), StoreError> {
        remove(&self.0.directory.checkpoint(position))
    }

    fn remove_segment(&mut self, first: Position) -> Result<(), StoreError> {
        remove(&self.0.directory.segment(first))?;
        self.0.shared.oldest.store(first + self.0.segment_bytes, Ordering::Release);
        Ok(())
    }

    fn sync_names(&mut self) -> Result<(), StoreError> {
        sync_directory(&self.0.directory.log())
    }
}

/// A file that fails once the log is being closed, so that closing need not wait for
/// a large checkpoint.
struct Stoppable {
    file: File,
    shared: Arc<Shared>,
}

impl Write for Stoppable {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.shared.closing.load(Ordering::Acquire) {
            return Err(io::Error::other("the log is being closed"));
        }
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
