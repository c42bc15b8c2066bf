use crate::directory::{Directory, create_file, remove, sync_directory};
use crate::error::REPAIR;
use crate::log::Continue;
use crate::segment_file::{FileSource, SegmentFile, SegmentSource, cut};
use crate::shared::{Shared, Waker};
use crate::{Durability, Log, Position, Records, StoreError};
use isegoria_log::{
    CheckpointError, CheckpointReader, Damage, FormatError, Identity, Repair, RepairCalls, SEGMENT_BYTES_MAX,
    SEGMENT_BYTES_MIN, SegmentHeader, Tail,
};
use std::collections::VecDeque;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A data directory: opening it is all there is to do with it.
#[derive(Clone, Copy, Debug)]
pub struct Store;

/// How a store is opened.
#[derive(Clone)]
pub struct StoreOptions {
    /// The size of a log segment, bytes. A log keeps the size with which it was begun.
    pub segment_bytes: u64,
    /// Called when something changed that the event loop may wait for.
    pub waker: Waker,
}

impl Default for StoreOptions {
    fn default() -> StoreOptions {
        StoreOptions { segment_bytes: 64 << 20, waker: Arc::new(|| {}) }
    }
}

impl fmt::Debug for StoreOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreOptions").field("segment_bytes", &self.segment_bytes).finish_non_exhaustive()
    }
}

/// What a store held when it was opened.
#[derive(Debug)]
pub struct Recovered {
    /// There was no log: the node never ran with this directory, or lost it.
    pub fresh: bool,
    /// The newest checkpoint.
    pub checkpoint: Option<Checkpoint>,
    /// The records behind it. To be read before the log is checkpointed again.
    pub records: Records,
    /// What a crash left of its last write, and what was cut off.
    pub torn: Option<Torn>,
}

/// A checkpoint to restore the state from.
#[derive(Debug)]
pub struct Checkpoint {
    /// The records below are in it.
    pub position: Position,
    /// Its content, by section. All of it was read once, and was sound.
    pub reader: CheckpointReader<BufReader<File>>,
}

/// A last write that a crash cut short. Nothing of what was cut off was durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Torn {
    /// The segment that was cut.
    pub file: PathBuf,
    /// The position where the log now ends.
    pub position: Position,
}

impl Store {
    /// Opens the data directory `dir` of the node `identity`, repairs what a crash
    /// left, and starts the log.
    ///
    /// # Errors
    /// If the directory is in use, belongs to another node or a newer program, lost
    /// something durable, or cannot be read and written.
    pub fn open(
        dir: &Path,
        identity: Identity,
        durability: Durability,
        options: StoreOptions,
    ) -> Result<(Recovered, Log), StoreError> {
        let (min, max) = (SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX);
        if !(min..=max).contains(&options.segment_bytes) {
            return Err(StoreError::SegmentBytes { found: options.segment_bytes, min, max });
        }
        let directory = Arc::new(Directory::open(dir)?);
        if directory.memory_marker().exists() {
            return Err(StoreError::MemoryRestarted { dir: dir.to_path_buf() });
        }
        let first = SegmentHeader { identity, first: 0, segment_bytes: options.segment_bytes };
        if durability == Durability::Memory {
            open_in_memory(&directory, first, options.waker)
        } else {
            open_on_disk(directory, first, (durability, options.waker))
        }
    }
}

/// A data directory that is locked and otherwise left alone.
#[derive(Debug)]
pub struct Guard {
    _directory: Directory,
}

impl Guard {
    /// Locks a data directory, which is made if it is not there.
    ///
    /// # Errors
    /// If it is in use, or cannot be made.
    pub fn lock(dir: &Path) -> Result<Guard, StoreError> {
        Ok(Guard { _directory: Directory::open(dir)? })
    }
}

fn open_in_memory(
    directory: &Arc<Directory>,
    header: SegmentHeader,
    waker: Waker,
) -> Result<(Recovered, Log), StoreError> {
    if !directory.segments()?.is_empty() || !directory.checkpoints()?.is_empty() {
        return Err(StoreError::MemoryOverLog { dir: directory.path().to_path_buf() });
    }
    let marker = directory.memory_marker();
    let file = create_file(&marker).map_err(StoreError::io("creating", &marker))?;
    file.sync_all().map_err(StoreError::io("syncing", &marker))?;
    sync_directory(directory.path())?;
    let end = header.first_frame();
    let records = Records::new(Arc::clone(directory), VecDeque::new(), 0..0);
    let shared = Arc::new(Shared::new(end, 0, waker));
    let log = Log::in_memory(Continue { directory: Arc::clone(directory), header, end, shared });
    Ok((Recovered { fresh: true, checkpoint: None, records, torn: None }, log))
}

fn open_on_disk(
    directory: Arc<Directory>,
    first: SegmentHeader,
    (durability, waker): (Durability, Waker),
) -> Result<(Recovered, Log), StoreError> {
    directory.prepare_log()?;
    let checkpoint = newest_checkpoint(&directory, first.identity)?;
    let from = checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.position);
    let mut segments = segments_from(&directory, from)?;
    let tail = read_log(&directory, first.identity, (from, &segments))?;
    let fresh = tail.is_none();
    let (header, end, file) = match tail {
        None => {
            let made = FileSource(Arc::clone(&directory)).create(&first);
            let file = made.map_err(StoreError::io("creating", &directory.segment(0)))?;
            (first, first.first_frame(), file)
        }
        Some(tail) => (tail.header, tail.end, settle(&directory, &tail, &mut segments)?),
    };
    let oldest = segments.front().copied().unwrap_or(0);
    let torn = tail
        .filter(|tail| tail.torn)
        .map(|tail| Torn { file: directory.segment(tail.header.first), position: tail.end });
    if let Some(torn) = &torn {
        let file = torn.file.display();
        tracing::warn!(%file, position = torn.position, "cut off a torn last write; nothing durable was lost");
    }
    let records = Records::new(Arc::clone(&directory), segments, from..end);
    let shared = Arc::new(Shared::new(end, oldest, waker));
    let source = FileSource(Arc::clone(&directory));
    let path = directory.path().to_path_buf();
    let log = Log::on_disk(Continue { directory, header, end, shared }, durability, file, source)
        .map_err(StoreError::io("starting a thread for", &path))?;
    Ok((Recovered { fresh, checkpoint, records, torn }, log))
}

/// The newest checkpoint. A crash cannot spoil it: it was durable before it got its name.
/// An older one, or the log alone, is no substitute: a snapshot that the replica took from
/// another is in no log, and was told to be there.
fn newest_checkpoint(directory: &Directory, own: Identity) -> Result<Option<Checkpoint>, StoreError> {
    let Some(position) = directory.checkpoints()?.pop() else { return Ok(None) };
    let file = directory.checkpoint(position);
    match read_checkpoint(&file, own, position) {
        Ok(reader) => Ok(Some(Checkpoint { position, reader })),
        Err(CheckpointError::Io(error)) => Err(StoreError::io("reading", &file)(error)),
        // Not damage: the whole directory is not for this program or node.
        Err(CheckpointError::Format(
            source @ (FormatError::Version { .. }
            | FormatError::Outdated { .. }
            | FormatError::Identity { .. }),
        )) => Err(StoreError::Format { file, source }),
        Err(error) => {
            let offset = if let CheckpointError::Damaged { offset } = error { offset } else { 0 };
            Err(StoreError::Damaged { file, offset, what: error.to_string(), repair: REPAIR })
        }
    }
}

fn read_checkpoint(
    file: &Path,
    own: Identity,
    name: Position,
) -> Result<CheckpointReader<BufReader<File>>, CheckpointError> {
    let open = || -> Result<_, CheckpointError> {
        CheckpointReader::new(BufReader::with_capacity(128 * 1024, File::open(file)?), own)
    };
    let found = open()?.verify()?;
    if found != name {
        return Err(FormatError::Misplaced { found, expected: name }.into());
    }
    open()
}

/// The segments from the one that holds `from` on. Older ones were being removed when
/// the process ended.
fn segments_from(directory: &Directory, from: Position) -> Result<VecDeque<Position>, StoreError> {
    let mut segments = VecDeque::from(directory.segments()?);
    while segments.get(1).is_some_and(|second| *second <= from) {
        let first = segments.pop_front().expect("there are two");
        remove(&directory.segment(first))?;
    }
    Ok(segments)
}

/// Reads all of the log once and decides where it ends.
fn read_log(
    directory: &Directory,
    own: Identity,
    (from, segments): (Position, &VecDeque<Position>),
) -> Result<Option<Tail>, StoreError> {
    let mut repair = Repair::new(own, from);
    let mut bytes = Vec::new();
    let damaged = |damage: Damage| StoreError::damage(&damage, directory.segment(damage.place().0));
    for first in segments {
        let file = directory.segment(*first);
        bytes.clear();
        let read = File::open(&file).and_then(|mut file| file.read_to_end(&mut bytes));
        read.map_err(StoreError::io("reading", &file))?;
        repair.segment(*first, &bytes).map_err(damaged)?;
    }
    repair.finish().map_err(damaged)
}

/// Makes the disk say what was decided; afterwards `segments` ends with the last one.
fn settle(
    directory: &Directory,
    tail: &Tail,
    segments: &mut VecDeque<Position>,
) -> Result<Box<dyn SegmentFile>, StoreError> {
    let mut mender = Mender { directory, open: None };
    isegoria_log::settle(tail, segments.make_contiguous(), &mut mender)?;
    segments.truncate(segments.partition_point(|first| *first <= tail.header.first));
    mender.on(&tail.header, "opening", |_| Ok(()))?;
    let (_, _, file) = mender.open.expect("it was just opened");
    Ok(Box::new(file))
}

/// Repairs the files of a log.
struct Mender<'a> {
    directory: &'a Directory,
    /// The segment that is open.
    open: Option<(Position, PathBuf, File)>,
}

impl Mender<'_> {
    /// Does something with the file of a segment, which stays open.
    fn on(
        &mut self,
        segment: &SegmentHeader,
        doing: &'static str,
        act: impl FnOnce(&File) -> io::Result<()>,
    ) -> Result<(), StoreError> {
        let (path, file) = match self.open.take_if(|(first, ..)| *first == segment.first) {
            Some((_, path, file)) => (path, file),
            None => {
                let path = self.directory.segment(segment.first);
                let open = OpenOptions::new().read(true).write(true).open(&path);
                let file = open.map_err(StoreError::io("opening", &path))?;
                (path, file)
            }
        };
        let done = act(&file).map_err(StoreError::io(doing, &path));
        self.open = Some((segment.first, path, file));
        done
    }
}

impl RepairCalls for Mender<'_> {
    type Error = StoreError;

    fn remove_segment(&mut self, first: Position) -> Result<(), StoreError> {
        remove(&self.directory.segment(first))
    }

    fn extend(&mut self, segment: &SegmentHeader) -> Result<(), StoreError> {
        self.on(segment, "extending", |file| file.set_len(segment.segment_bytes))
    }

    fn cut(&mut self, segment: &SegmentHeader, from: Position) -> Result<(), StoreError> {
        let path = self.directory.segment(segment.first);
        let file = cut(&path, segment, from - segment.first).map_err(StoreError::io("cutting", &path))?;
        self.open = Some((segment.first, path, file));
        Ok(())
    }

    fn write_again(&mut self, segment: &SegmentHeader, range: Range<Position>) -> Result<(), StoreError> {
        let (size, offset) = (range.end - range.start, range.start - segment.first);
        let mut bytes = vec![0; usize::try_from(size).expect("less than a segment")];
        self.on(segment, "reading", |file| file.read_exact_at(&mut bytes, offset))?;
        self.on(segment, "writing", |file| file.write_all_at(&bytes, offset))
    }

    fn sync(&mut self, segment: &SegmentHeader) -> Result<(), StoreError> {
        self.on(segment, "syncing", File::sync_all)
    }

    fn sync_names(&mut self) -> Result<(), StoreError> {
        sync_directory(&self.directory.log())
    }
}
