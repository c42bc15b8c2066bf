use crate::history::Operation;
use std::fmt;

/// What a checker says of a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// How much it looked at.
    pub evaluated: Evaluated,
    /// What it found.
    pub finding: Finding,
}

/// How much a checker looked at: a verdict on nothing is worth nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evaluated {
    /// Operations that were answered, so that they must be explained.
    pub operations: u64,
    /// Keys.
    pub keys: u64,
    /// Partial orders that a search looked at.
    pub configurations: u64,
    /// Who comes before whom: the edges of a graph.
    pub dependencies: u64,
}

/// What a checker found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// There is an order that explains every answer.
    Valid,
    /// No operation was answered: nothing was judged.
    Empty,
    /// No order explains the answers.
    Violation(Box<Anomaly>),
    /// Neither was found within the limit. The sentence says why, and the cure.
    Undecided(String),
}

/// Answers that no order explains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anomaly {
    /// Its name, such as `stale read` or `G-single`.
    pub name: &'static str,
    /// The key that it was found at, as text.
    pub key: String,
    /// Why no order explains them, in sentences.
    pub what: String,
    /// The operation that cannot be explained.
    pub culprit: Operation,
    /// It and the operations that contradict it, in the order of invocation.
    pub involved: Vec<Operation>,
}

impl Finding {
    /// Whether an order was found.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        matches!(self, Finding::Valid)
    }

    /// The anomaly, if there is one.
    #[must_use]
    pub fn anomaly(&self) -> Option<&Anomaly> {
        match self {
            Finding::Violation(anomaly) => Some(anomaly),
            Finding::Valid | Finding::Empty | Finding::Undecided(_) => None,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Finding::Valid => f.write_str("valid"),
            Finding::Empty => f.write_str(
                "empty: no operation in the history was answered, so nothing was judged; record for longer",
            ),
            Finding::Violation(anomaly) => anomaly.fmt(f),
            Finding::Undecided(sentence) => write!(f, "undecided: {sentence}"),
        }
    }
}

impl fmt::Display for Anomaly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "violation ({}) at key `{}`: {}", self.name, self.key, self.what)?;
        for operation in &self.involved {
            let mark = if *operation == self.culprit { ">" } else { " " };
            write!(f, "\n{mark} {operation}")?;
        }
        Ok(())
    }
}
