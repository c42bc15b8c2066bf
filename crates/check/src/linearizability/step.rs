use crate::linearizability::value::{ABSENT, Tail, ValueId, Values};

/// A moment of a key's history: the position among its invocations and returns.
pub(crate) type Moment = u32;

/// Later than everything: when an operation of unknown outcome returns.
pub(crate) const NEVER: Moment = Moment::MAX;

/// An operation as one key sees it.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) invoked: Moment,
    pub(crate) returned: Moment,
    pub(crate) action: Action,
    /// Steps of one class do the same and need the same: they are interchangeable.
    pub(crate) class: u32,
    /// The operation in the history.
    pub(crate) operation: usize,
}

/// What a step does to the state of the key, and what it tells of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Action {
    /// It changes nothing: a read, or a write that was answered as refused.
    Guard(Need),
    /// Whatever was there before, this is there now.
    Set(ValueId),
    /// Where the need is met, this is there now.
    Become(Need, ValueId),
    /// Where the need is met, the text grows.
    Append(Need, Tail),
    /// Where the need is met, the text grows by so many bytes, and nobody sees which.
    Grow(Need, u64),
    /// Adds to a number; to 0 where there is none. It wraps around.
    Add(i64),
    /// Adds to a number, where there is one and the sum fits.
    Increment(i64),
}

/// What a state must be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Need {
    Anything,
    Value(ValueId),
    Not(ValueId),
    Present,
    Length(u64),
    /// Something that the store reads as this number.
    Number(i64),
    /// Something to which this cannot be added.
    NoNumberFor(i64),
    /// No state is like that.
    Never,
}

impl Need {
    pub(crate) fn is_met(&self, state: ValueId, values: &Values) -> bool {
        match self {
            Need::Anything => true,
            Need::Value(value) => state == *value,
            Need::Not(value) => state != *value,
            Need::Present => state != ABSENT,
            Need::Length(length) => values.length(state) == *length,
            Need::Number(number) => values.number(state) == Some(*number),
            Need::NoNumberFor(by) => {
                values.number(state).and_then(|number| number.checked_add(*by)).is_none()
            }
            Need::Never => false,
        }
    }

    pub(crate) fn value(&self) -> Option<ValueId> {
        match self {
            Need::Value(value) => Some(*value),
            _ => None,
        }
    }

    /// For people: completes "it needs …".
    pub(crate) fn show(&self, values: &Values) -> String {
        match self {
            Need::Anything => "nothing".to_owned(),
            Need::Value(value) => values.show(*value),
            Need::Not(value) => format!("anything but {}", values.show(*value)),
            Need::Present => "any value".to_owned(),
            Need::Length(length) => format!("a text of {length} bytes"),
            Need::Number(number) => format!("the number {number}"),
            Need::NoNumberFor(by) => format!("a text to which {by} cannot be added"),
            Need::Never => "what no state can be".to_owned(),
        }
    }
}

impl Action {
    /// The state after it, if it can happen in this one.
    pub(crate) fn apply(&self, state: ValueId, values: &mut Values) -> Option<ValueId> {
        match self {
            Action::Guard(need) => need.is_met(state, values).then_some(state),
            Action::Set(value) => Some(*value),
            Action::Become(need, value) => need.is_met(state, values).then_some(*value),
            Action::Append(need, tail) => need.is_met(state, values).then(|| values.appended(state, tail)),
            Action::Grow(need, by) => need.is_met(state, values).then(|| values.grown(state, *by)),
            Action::Add(by) => {
                let number = values.number(state).unwrap_or(0);
                Some(values.number_text(number.wrapping_add(*by)))
            }
            Action::Increment(by) => {
                let sum = values.number(state)?.checked_add(*by)?;
                Some(values.number_text(sum))
            }
        }
    }

    /// The state after it, where that is one value, whatever was there before.
    pub(crate) fn outcome(&self) -> Option<ValueId> {
        match self {
            Action::Set(value) | Action::Become(_, value) => Some(*value),
            _ => None,
        }
    }

    /// What it needs of the state before it.
    pub(crate) fn need(&self) -> &Need {
        match self {
            Action::Guard(need)
            | Action::Become(need, _)
            | Action::Append(need, _)
            | Action::Grow(need, _) => need,
            Action::Set(_) | Action::Add(_) | Action::Increment(_) => &Need::Anything,
        }
    }

    pub(crate) fn is_guard(&self) -> bool {
        matches!(self, Action::Guard(_))
    }

    /// Whether it changes what it finds, and tells of it.
    pub(crate) fn is_change(&self) -> bool {
        !self.is_guard() && !self.is_blind()
    }

    /// Whether it hides what was there before it, from itself and from everybody.
    pub(crate) fn is_blind(&self) -> bool {
        matches!(self, Action::Set(_))
    }

    /// Whether all that it tells of what was there before is that something was.
    pub(crate) fn is_removal(&self) -> bool {
        matches!(self, Action::Become(Need::Present, ABSENT))
    }
}

impl Step {
    pub(crate) fn is_known(&self) -> bool {
        self.returned != NEVER
    }
}
