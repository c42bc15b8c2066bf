use crate::StoreError;
use isegoria_log::Position;
use rustix::fs::FlockOperation;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A data directory that this value holds the lock of, and the names in it.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    /// The lock goes with the file.
    _lock: File,
}

const LOCK: &str = "LOCK";
const MEMORY_MARKER: &str = "memory-only";
const LOG: &str = "log";
const SEGMENT: &str = ".seg";
const CHECKPOINT: &str = "checkpoint-";
const UNFINISHED: &str = ".tmp";

impl Directory {
    /// Creates the directory if need be, and locks it.
    pub(crate) fn open(path: &Path) -> Result<Directory, StoreError> {
        if !path.is_dir() {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(path)
                .map_err(StoreError::io("creating", path))?;
            if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
                sync_directory(parent)?;
            }
        }
        let lock = lock(path)?;
        Ok(Directory { path: path.to_path_buf(), _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn memory_marker(&self) -> PathBuf {
        self.path.join(MEMORY_MARKER)
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.path.join(LOG)
    }

    pub(crate) fn segment(&self, first: Position) -> PathBuf {
        self.log().join(format!("{first:020}{SEGMENT}"))
    }

    pub(crate) fn checkpoint(&self, position: Position) -> PathBuf {
        self.path.join(format!("{CHECKPOINT}{position:020}"))
    }

    /// Where a file stands until it is complete.
    pub(crate) fn unfinished(file: &Path) -> PathBuf {
        let mut name = file.as_os_str().to_owned();
        name.push(UNFINISHED);
        PathBuf::from(name)
    }

    /// The first positions of the segments, in order.
    pub(crate) fn segments(&self) -> Result<Vec<Position>, StoreError> {
        if !self.log().is_dir() {
            return Ok(Vec::new());
        }
        positions(&self.log(), |name| name.strip_suffix(SEGMENT))
    }

    /// The positions of the checkpoints, in order.
    pub(crate) fn checkpoints(&self) -> Result<Vec<Position>, StoreError> {
        positions(&self.path, |name| name.strip_prefix(CHECKPOINT))
    }

    /// Creates what a log needs, and removes what was never finished.
    pub(crate) fn prepare_log(&self) -> Result<(), StoreError> {
        let log = self.log();
        if !log.is_dir() {
            DirBuilder::new().mode(0o700).create(&log).map_err(StoreError::io("creating", &log))?;
            sync_directory(&self.path)?;
        }
        for directory in [&self.path, &log] {
            for name in names(directory)? {
                let ours = name.starts_with(CHECKPOINT) || directory == &log;
                if ours && name.ends_with(UNFINISHED) {
                    remove(&directory.join(name))?;
                }
            }
        }
        Ok(())
    }
}

/// Opens a new file that only its owner may read; one that is there is emptied.
pub(crate) fn create_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(0o600).open(path)
}

/// Gives a complete and synced file its name, durably.
pub(crate) fn publish(unfinished: &Path, file: &Path) -> io::Result<()> {
    fs::rename(unfinished, file)?;
    let directory = file.parent().expect("a file of a data directory has a parent");
    File::open(directory)?.sync_all()
}

pub(crate) fn remove(file: &Path) -> Result<(), StoreError> {
    fs::remove_file(file).map_err(StoreError::io("removing", file))
}

pub(crate) fn sync_directory(path: &Path) -> Result<(), StoreError> {
    File::open(path).and_then(|directory| directory.sync_all()).map_err(StoreError::io("syncing", path))
}

fn lock(path: &Path) -> Result<File, StoreError> {
    let name = path.join(LOCK);
    let io = |doing| StoreError::io(doing, &name);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let mut file = options.open(&name).map_err(io("opening"))?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => {
            let mut process = String::new();
            // Only for the message: an unreadable lock file is locked all the same.
            let _ = file.read_to_string(&mut process);
            let holder = match process.trim().parse::<u32>() {
                Ok(id) => format!("process {id}"),
                Err(_) => "another process".to_owned(),
            };
            return Err(StoreError::Locked { dir: path.to_path_buf(), holder });
        }
        Err(error) => return Err(io("locking")(error.into())),
    }
    file.set_len(0).map_err(io("writing"))?;
    writeln!(file, "{}", std::process::id()).map_err(io("writing"))?;
    Ok(file)
}

fn names(directory: &Path) -> Result<Vec<String>, StoreError> {
    let entries = fs::read_dir(directory).map_err(StoreError::io("reading", directory))?;
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(StoreError::io("reading", directory))?;
        // A name that is not UTF-8 is none of ours.
        names.extend(entry.file_name().into_string());
    }
    Ok(names)
}

fn positions(directory: &Path, digits: fn(&str) -> Option<&str>) -> Result<Vec<Position>, StoreError> {
    let position = |name: &String| digits(name).filter(|digits| digits.len() == 20)?.parse().ok();
    let mut positions: Vec<Position> = names(directory)?.iter().filter_map(position).collect();
    positions.sort_unstable();
    Ok(positions)
}
