use crate::linearizability::value::ValueId;

/// Steps of one key that no order can hold together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Conflict {
    /// No state whatever allows such an answer.
    Impossible { step: u32 },
    /// The value was seen, and no step can have made it.
    NobodyMade { value: ValueId, needer: u32 },
    /// The value was seen before anybody was asked to make it.
    FromTheFuture { value: ValueId, needer: u32, maker: u32 },
    /// More steps replaced the value than steps made it.
    ReplacedTooOften { value: ValueId, makers: Vec<u32>, replacers: Vec<u32> },
    /// The value was seen by a step that was asked after another one had replaced it.
    ReplacedBefore { value: ValueId, replacer: u32, needer: u32 },
    /// Two values were both certainly there at one moment.
    TwoAtOnce { one: Zone, other: Zone },
    /// While the value was certainly there, a step happened that does not go with it.
    Between { zone: Zone, step: u32 },
    /// While the value was certainly there, another one was seen in between.
    VisitBetween { zone: Zone, other: ValueId, steps: Vec<u32> },
    /// The search found no order; the step is the first return that none explains.
    NoOrder {
        step: u32,
        /// The states that the key may have been in when it returned.
        states: Vec<ValueId>,
    },
}

/// A time in which a value was certainly there: between the return of one step that
/// shows it and the invocation of another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Zone {
    pub(crate) value: ValueId,
    /// Returned first. Nothing: the value is that of the beginning.
    pub(crate) from: Option<u32>,
    /// Was invoked last.
    pub(crate) until: u32,
}
