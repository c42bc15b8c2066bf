use std::fmt;

/// What a script proves, with the invariant's id of `testing.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Property {
    /// One value a vertex or slot, at every node, for ever.
    Agreement,
    /// Of two chosen conflicting vertices, one has the other in its dependencies.
    Visibility,
    /// Conflicting commands are applied in one order everywhere.
    Order,
    /// Equal states after equal executed sets.
    State,
    /// What was answered is applied at every running replica in the end.
    Durability,
    /// A request is applied at most once in a replica's life, and all its answers are equal.
    Once,
    /// What was answered before a conflicting command was submitted is applied before it.
    RealTime,
    /// One value a ballot.
    Ballots,
    /// Nothing of a lower origin is applied behind a `StartWorking` entry.
    Ghosts,
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Property::Agreement => "S1 agreement",
            Property::Visibility => "S2 visibility",
            Property::Order => "S3 execution order",
            Property::State => "S3 equal states",
            Property::Durability => "S4 durability",
            Property::Once => "S5 exactly once",
            Property::RealTime => "S6 real-time order",
            Property::Ballots => "S8 one value a ballot",
            Property::Ghosts => "S6 no ghosts",
        })
    }
}

/// A broken property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Violation {
    pub(super) property: Property,
    pub(super) what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is violated: {}", self.property, self.what)
    }
}
