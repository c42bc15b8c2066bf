use crate::linearizability::split::{Deed, Part, Sum};
use crate::linearizability::step::{Action, Moment, NEVER, Need, Step};
use crate::linearizability::value::{ABSENT, Tail, ValueId, Values};
use bytes::Bytes;

/// The history of one key, ready to be judged.
///
/// Invariant: steps are numbered in the order of their invocations.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) values: Values,
    pub(crate) steps: Vec<Step>,
    /// What happens at each [`Moment`].
    pub(crate) events: Vec<Event>,
    /// The steps of unknown outcome.
    pub(crate) unknown: Vec<u32>,
}

/// An invocation or a return of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Invoke(u32),
    Return(u32),
}

impl Problem {
    pub(crate) fn new(parts: &[Part<'_>]) -> Problem {
        let mut values = Values::new();
        let mut order: Vec<usize> = (0..parts.len()).collect();
        order.sort_by_key(|index| parts[*index].invoked_us);
        // The concatenation of texts may read as numbers that nobody wrote.
        let plain = plain_numbers(parts);
        let mut steps: Vec<Step> = order
            .iter()
            .map(|index| {
                let part = &parts[*index];
                let action = action(&part.deed, plain, &mut values);
                Step { invoked: 0, returned: NEVER, action, class: 0, operation: part.operation }
            })
            .collect();
        let events = events(&order, parts);
        for (moment, event) in events.iter().enumerate() {
            let moment = Moment::try_from(moment).expect("fewer than 2^31 operations");
            match event {
                Event::Invoke(step) => steps[*step as usize].invoked = moment,
                Event::Return(step) => steps[*step as usize].returned = moment,
            }
        }
        let unknown =
            (0..).zip(&steps).filter(|(_, step)| !step.is_known()).map(|(index, _)| index).collect();
        Problem { values, steps, events, unknown }
    }

    pub(crate) fn step(&self, index: u32) -> &Step {
        &self.steps[index as usize]
    }

    /// The steps of unknown outcome that were invoked before.
    pub(crate) fn unknown_before(&self, moment: Moment) -> &[u32] {
        let count = self.unknown.partition_point(|step| self.step(*step).invoked < moment);
        &self.unknown[..count]
    }

    /// The steps' numbers.
    pub(crate) fn indices(&self) -> impl DoubleEndedIterator<Item = u32> + use<> {
        0..u32::try_from(self.steps.len()).expect("fewer than 2^31 operations")
    }
}

/// Invocations and returns in order; at one microsecond invocations come first, for then
/// nobody can say which came before.
fn events(order: &[usize], parts: &[Part<'_>]) -> Vec<Event> {
    let mut events: Vec<(u64, bool, Event)> = Vec::with_capacity(2 * parts.len());
    for (step, index) in (0..).zip(order) {
        let part = &parts[*index];
        events.push((part.invoked_us, false, Event::Invoke(step)));
        if let Some(returned_us) = part.returned_us {
            events.push((returned_us, true, Event::Return(step)));
        }
    }
    // Stable: invocations of one microsecond stay in the order of the steps.
    events.sort_by_key(|(time, is_return, _)| (*time, *is_return));
    events.into_iter().map(|(_, _, event)| event).collect()
}

/// Whether every number that this key can hold has one text.
fn plain_numbers(parts: &[Part<'_>]) -> bool {
    let plain = |text: &Bytes| match std::str::from_utf8(text).ok().map(str::parse::<i64>) {
        Some(Ok(number)) => number.to_string().as_bytes() == text,
        _ => true,
    };
    parts.iter().all(|part| match &part.deed {
        Deed::Write(text) | Deed::Swap { value: text, .. } => plain(text),
        Deed::Append(..) => false,
        _ => true,
    })
}

fn action(deed: &Deed<'_>, plain: bool, values: &mut Values) -> Action {
    match deed {
        Deed::Read(value) => Action::Guard(Need::Value(values.text_or_absent(*value))),
        Deed::TornRead | Deed::Nonsense => Action::Guard(Need::Never),
        Deed::Write(value) => Action::Set(values.text(value)),
        Deed::Delete(None) => Action::Set(ABSENT),
        Deed::Delete(Some(true)) => Action::Become(Need::Present, ABSENT),
        Deed::Delete(Some(false)) => Action::Guard(Need::Value(ABSENT)),
        Deed::Increment(by, None) => Action::Increment(*by),
        Deed::Increment(by, Some(Sum::Is(sum))) => match sum.checked_sub(*by) {
            Some(before) => change(number_need(before, plain, values), values.number_text(*sum)),
            None => Action::Guard(Need::Never),
        },
        Deed::Increment(by, Some(Sum::NotANumber)) => Action::Guard(Need::NoNumberFor(*by)),
        Deed::Add(by) => Action::Add(*by),
        Deed::Append(tail, None) => Action::Append(Need::Anything, Tail::new(tail)),
        Deed::Append(tail, Some(length)) => {
            let tail = Tail::new(tail);
            match u64::try_from(*length).ok().and_then(|length| length.checked_sub(tail.length())) {
                Some(before) => Action::Append(Need::Length(before), tail),
                None => Action::Guard(Need::Never),
            }
        }
        Deed::Swap { expected, value, done } => {
            let expected = values.text_or_absent(*expected);
            match done {
                Some(false) => Action::Guard(Need::Not(expected)),
                Some(true) | None => change(Need::Value(expected), values.text(value)),
            }
        }
    }
}

/// A number that has one text is a value; 0 has none too, for an absent number counts as 0.
fn number_need(number: i64, plain: bool, values: &mut Values) -> Need {
    match plain && number != 0 {
        true => Need::Value(values.number_text(number)),
        false => Need::Number(number),
    }
}

/// A change from a value to the same value only tells that it is there.
fn change(need: Need, value: ValueId) -> Action {
    match need.value() == Some(value) {
        true => Action::Guard(need),
        false => Action::Become(need, value),
    }
}

/// Numbers the classes: steps that do the same and need the same.
pub(crate) fn classify(steps: &mut [Step]) {
    let mut order: Vec<usize> = (0..steps.len()).collect();
    order.sort_by(|one, two| steps[*one].action.cmp(&steps[*two].action));
    let mut class = 0;
    for pair in 0..order.len() {
        if pair > 0 && steps[order[pair - 1]].action != steps[order[pair]].action {
            class += 1;
        }
        steps[order[pair]].class = class;
    }
}
