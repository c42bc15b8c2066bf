use crate::{ConfigFileError, LoopError, RunError, StoreError};
use std::io;
use std::path::Path;

/// Why a node cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The configuration breaks a rule.
    #[error(transparent)]
    Config(#[from] ConfigFileError),
    /// A port or a file cannot be used.
    #[error("{0}")]
    Io(String),
    /// The data directory is damaged where it must not be, or older than what its node has promised.
    #[error("{sentence}; {repair}")]
    Amnesia {
        /// What was found.
        sentence: String,
        /// What to do about it.
        repair: String,
    },
}

/// Why a node stopped that was not told to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct StopError(String);

impl OpenError {
    pub(crate) fn of(error: RunError, directory: &Path) -> OpenError {
        let sentence = error.to_string();
        match error {
            RunError::Config(_) => OpenError::Config(ConfigFileError(sentence)),
            RunError::Store(StoreError::Damaged { .. }) | RunError::Loop(LoopError::Amnesia { .. }) => {
                let repair = format!(
                    "put the newest data directory back as {}; until then this node must stay away, or start with an \
                     empty one, with which it follows the others without a vote",
                    directory.display()
                );
                OpenError::Amnesia { sentence, repair }
            }
            _ => OpenError::Io(sentence),
        }
    }

    pub(crate) fn io(what: &str, error: &io::Error) -> OpenError {
        OpenError::Io(format!("{what}: {error}"))
    }
}

impl StopError {
    pub(crate) fn of(error: &dyn std::fmt::Display) -> StopError {
        StopError(error.to_string())
    }
}
