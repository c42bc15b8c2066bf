use isegoria_types::Vertex;
use std::fmt;

/// A broken promise of the system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The check that saw it, such as `agreement`.
    pub check: &'static str,
    /// The invariant, with its id of `docs/testing.md`, such as `S1 one value a place`.
    pub invariant: &'static str,
    /// The vertex, or the slot in column 0, that it is about.
    pub place: Option<Vertex>,
    /// What was seen.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "check `{}`: {} is violated: {}", self.check, self.invariant, self.what)
    }
}

impl std::error::Error for Violation {}
