use isegoria_types::{DepSet, Prefix};

/// What an index says to a request for dependencies.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// The dependencies, which include the floor that the request carried.
    Deps(DepSet),
    /// The request's floor does not cover this dropped floor, so the index can no
    /// longer judge it, and recorded nothing. The sender asks again with a floor
    /// that covers this one.
    StaleFloor(Prefix),
}

impl Answer {
    /// The dependencies, if there are any to speak of.
    #[must_use]
    pub fn deps(&self) -> Option<&DepSet> {
        match self {
            Answer::Deps(deps) => Some(deps),
            Answer::StaleFloor(_) => None,
        }
    }
}
