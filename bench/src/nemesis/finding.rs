use super::report::Verdict;
use crate::BenchError;

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
}

impl From<BenchError> for Trouble {
    fn from(error: BenchError) -> Trouble {
        Trouble::Error(error)
    }
}
