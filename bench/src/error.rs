use crate::local_cluster::ClusterError;
use isegoria::ConfigFileError;
use std::io;
use std::path::PathBuf;

/// Why a benchmark failed: one sentence.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BenchError {
    /// A flag, a scenario or a configuration breaks a rule.
    #[error("{0}")]
    Usage(String),
    /// The cluster did not start.
    #[error("{protocol}: {source}")]
    Cluster {
        /// What was to run.
        protocol: String,
        /// Why it did not.
        source: ClusterError,
    },
    /// A node ended during a run.
    #[error("{protocol}: node {node} died during the run ({how}); see its log, {}", log.display())]
    NodeDied {
        /// What ran.
        protocol: String,
        /// The node's name.
        node: String,
        /// How it ended.
        how: String,
        /// Its log file, which is kept.
        log: PathBuf,
    },
    /// The load could not run.
    #[error("load: {0}")]
    Load(String),
    /// A run without one completed command.
    #[error(
        "{protocol}: no command completed in the measured window; is the machine overloaded, or the window too short?"
    )]
    NothingCompleted {
        /// What ran.
        protocol: String,
    },
    /// What was found breaks rules, a sentence each; everything was printed and kept.
    #[error("{}", .0.join("; "))]
    Broken(Vec<String>),
    /// The user interrupted the run.
    #[error("interrupted; all processes are stopped")]
    Interrupted,
    /// A file or process could not be used.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system said.
        source: io::Error,
    },
}

impl BenchError {
    /// The exit code that says so: 2 for bad usage or configuration, 1 for the rest.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            BenchError::Usage(_) => 2,
            _ => 1,
        }
    }

    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> BenchError {
        move |source| BenchError::Io { what: what.into(), source }
    }
}

impl From<ConfigFileError> for BenchError {
    fn from(error: ConfigFileError) -> BenchError {
        BenchError::Usage(error.to_string())
    }
}
