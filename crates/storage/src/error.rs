use isegoria_log::{Damage, FormatError};
use std::io;
use std::path::{Path, PathBuf};

/// Why a data directory cannot be opened, or a checkpoint not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another process, or another part of this one, uses the directory.
    #[error(
        "the data directory {dir} is in use by {holder}; stop that process, or give this node a data \
         directory of its own"
    )]
    Locked {
        /// The directory.
        dir: PathBuf,
        /// Who holds it, as far as the lock file tells.
        holder: String,
    },
    /// The node lost its promises in memory.
    #[error(
        "this node ran with durability `memory` on {dir} and has forgotten what it promised, so that it must not vote \
         again; empty that directory, or start the node with --learner: either way it follows the others as a learner"
    )]
    MemoryRestarted {
        /// The directory.
        dir: PathBuf,
    },
    /// Durability `memory` over promises that are on disk.
    #[error(
        "the data directory {dir} holds the log of a node that ran with durability `fsync` or `os`; start it \
         with that again, or give a node with durability `memory` a fresh data directory"
    )]
    MemoryOverLog {
        /// The directory.
        dir: PathBuf,
    },
    /// Something that was durable does not read any more.
    #[error("{} is damaged at offset {offset}: {what}; {repair}", file.display())]
    Damaged {
        /// The damaged or missing file.
        file: PathBuf,
        /// Where in the file, bytes.
        offset: u64,
        /// What is wrong.
        what: String,
        /// What to do about it.
        repair: &'static str,
    },
    /// A file of another node, or of a newer program.
    #[error("{} cannot be used: {source}", file.display())]
    Format {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        source: FormatError,
    },
    /// A segment size that the format cannot have.
    #[error("log segments of {found} bytes are not possible; choose between {min} and {max}")]
    SegmentBytes {
        /// The size asked for, bytes.
        found: u64,
        /// The smallest, bytes.
        min: u64,
        /// The largest, bytes.
        max: u64,
    },
    /// The disk is full.
    #[error("no space left on the disk of {}; free some", file.display())]
    NoSpace {
        /// The file that did not fit.
        file: PathBuf,
    },
    /// The operating system refused.
    #[error("{doing} {} failed: {source}", file.display())]
    Io {
        /// What was done, such as `reading`.
        doing: &'static str,
        /// To which file.
        file: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The log failed or was closed before the checkpoint was complete.
    #[error("the checkpoint was given up because the log stopped")]
    Stopped,
}

/// The only cures there are for a node that lost something durable.
pub(crate) const REPAIR: &str = "put this node's newest sound data directory in its place (an older one is not: it has forgotten promises)";

impl StoreError {
    /// Wraps what the operating system said about a file.
    pub(crate) fn io(doing: &'static str, file: &Path) -> impl FnOnce(io::Error) -> StoreError {
        let file = file.to_path_buf();
        move |source| {
            if is_no_space(&source) {
                StoreError::NoSpace { file }
            } else {
                StoreError::Io { doing, file, source }
            }
        }
    }

    /// A file that is damaged as a whole.
    pub(crate) fn damaged_whole(file: &Path, what: &str) -> StoreError {
        StoreError::Damaged { file: file.to_path_buf(), offset: 0, what: what.to_owned(), repair: REPAIR }
    }

    /// Wraps what is wrong with a log, of which `file` is the damaged part.
    pub(crate) fn damage(damage: &Damage, file: PathBuf) -> StoreError {
        if let Damage::Header { source, .. } = damage
            && matches!(
                source,
                FormatError::Version { .. } | FormatError::Outdated { .. } | FormatError::Identity { .. }
            )
        {
            return StoreError::Format { file, source: source.clone() };
        }
        StoreError::Damaged { file, offset: damage.place().1, what: damage.to_string(), repair: REPAIR }
    }
}

/// Why a log stopped. Nothing becomes durable any more; the process has to end with a
/// non-zero exit code, because after a failed sync nobody knows what is on disk.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LogFailure {
    /// The disk is full although the space was reserved.
    #[error("no space left on the disk of the log")]
    NoSpace,
    /// A write or a sync failed, or a segment could not be created.
    #[error("{doing} the log failed: {message}")]
    Io {
        /// What was done, such as `syncing`.
        doing: &'static str,
        /// What the operating system said.
        message: String,
    },
}

impl LogFailure {
    pub(crate) fn new(doing: &'static str, error: &io::Error) -> LogFailure {
        if is_no_space(error) {
            LogFailure::NoSpace
        } else {
            LogFailure::Io { doing, message: error.to_string() }
        }
    }
}

/// A quota that is used up is a full disk, too.
pub(crate) fn is_no_space(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
