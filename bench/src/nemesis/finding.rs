use super::report::Verdict;
use crate::BenchError;
use crate::local_cluster::ClusterError;
use std::io;

/// Something that the run is there to find.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    pub(crate) verdict: Verdict,
    pub(crate) what: String,
}

/// Why a part of a run ended early: it found something, or it could not go on.
#[derive(Debug)]
pub(crate) enum Trouble {
    Finding(Finding),
    Error(BenchError),
}

impl Trouble {
    pub(crate) fn found(verdict: Verdict, what: impl Into<String>) -> Trouble {
        Trouble::Finding(Finding { verdict, what: what.into() })
    }

    /// What the system said to something that the nemesis itself did.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Trouble {
        let wrap = BenchError::io(what);
        move |source| Trouble::Error(wrap(source))
    }
}

impl From<BenchError> for Trouble {
    fn from(error: BenchError) -> Trouble {
        Trouble::Error(error)
    }
}

/// A node that does not start where it has to.
impl From<ClusterError> for Trouble {
    fn from(error: ClusterError) -> Trouble {
        Trouble::found(Verdict::NodeFailed, error.to_string())
    }
}
