use crate::linearizability::problem::Problem;
use crate::linearizability::step::{Action, Moment, NEVER, Need};
use crate::linearizability::value::{ABSENT, ValueId, Values};
use hashbrown::HashMap;
use smallvec::SmallVec;
use std::collections::BTreeSet;

/// Where the values come from that somebody certainly saw: which steps can have made
/// each, and which steps need that very value.
///
/// Invariant: whatever linearization there is, a value that is not open is made by one
/// of its makers, or it is the initial one.
#[derive(Debug)]
pub(crate) struct Origins {
    of: ByValue,
    /// The values that a step can make, among those that are needed.
    makes: Vec<SmallVec<[ValueId; 1]>>,
}

type ByValue = HashMap<ValueId, Origin, foldhash::fast::FixedState>;

/// Where one value comes from. Steps are in the order of their invocations.
#[derive(Debug, Default)]
pub(crate) struct Origin {
    /// The steps that can make it.
    pub(crate) makers: Vec<u32>,
    /// Sums can make it as well: the makers are not all.
    pub(crate) is_open: bool,
    /// The steps that certainly happen and need it.
    pub(crate) needers: Vec<u32>,
    /// The last invocation among them and, if the value is there only once, among those
    /// who need what was made of it, and so on: all this is of one stretch.
    pub(crate) until: Moment,
}

impl Origins {
    /// Looks at who saw what. A step that is the only maker of a value that was seen must
    /// have made that value, whatever else it could have done: it is rewritten to say so,
    /// and then somebody saw what was there before it.
    pub(crate) fn infer(problem: &mut Problem) -> Origins {
        let index = Index::new(problem);
        let mut seen = Seen::default();
        for step in problem.indices() {
            if let (true, Some(value)) =
                (problem.step(step).is_known(), problem.step(step).action.need().value())
            {
                seen.by(step, value);
            }
        }
        while let Some(value) = seen.new.pop() {
            let (makers, is_open) = index.makers(problem, value);
            if let (&[maker], false) = (makers.as_slice(), is_open || value == ABSENT) {
                let seen_by = seen.of.get(&value).map_or(&[][..], |origin| &origin.needers);
                let deadline = seen_by.iter().map(|step| problem.step(*step).returned).min().unwrap_or(NEVER);
                if let Some(before) = make_certain(problem, maker, value, deadline) {
                    seen.by(maker, before);
                }
            }
            let origin = seen.of.entry(value).or_default();
            (origin.makers, origin.is_open) = (makers, is_open);
        }
        problem.unknown.retain(|step| !problem.steps[*step as usize].is_known());
        Origins::complete(problem, seen.of)
    }

    fn complete(problem: &Problem, mut of: ByValue) -> Origins {
        let mut makes = vec![SmallVec::new(); problem.steps.len()];
        for (value, origin) in &mut of {
            // A maker that turned out to make something else makes this no more.
            origin.makers.retain(|maker| match problem.step(*maker).action {
                Action::Become(_, made) => made == *value,
                _ => true,
            });
            origin.needers.sort_unstable();
            for maker in &origin.makers {
                makes[*maker as usize].push(*value);
            }
        }
        for made in &mut makes {
            let made: &mut SmallVec<[ValueId; 1]> = made;
            made.sort_unstable();
        }
        let mut origins = Origins { of, makes };
        origins.follow(problem);
        origins
    }

    /// Finds out how long each value is needed.
    fn follow(&mut self, problem: &Problem) {
        for value in self.values() {
            // From value to value, until nothing was made of one, or that is known already.
            let mut chain = Vec::new();
            let mut next = Some(value);
            while let Some((value, origin)) = next.and_then(|value| Some((value, self.of.get_mut(&value)?))) {
                if origin.until > 0 {
                    break;
                }
                let last = origin.needers.last().map_or(0, |step| problem.step(*step).invoked);
                origin.until = last.max(1);
                chain.push(value);
                let made = |step: &u32| match problem.step(*step).action {
                    Action::Become(_, made) => Some(made),
                    _ => None,
                };
                next = origin.needers.iter().find_map(made);
                next = next.filter(|made| self.is_single(value) && self.is_single(*made));
            }
            let mut until = next.and_then(|value| self.of.get(&value)).map_or(0, |origin| origin.until);
            for value in chain.into_iter().rev() {
                let origin = self.of.get_mut(&value).expect("it is of the chain");
                origin.until = origin.until.max(until);
                until = origin.until;
            }
        }
    }

    /// Whether a value is there only once: somebody needs it, and one step alone can have
    /// made it. The initial value never is: it was there before the first step, too.
    pub(crate) fn is_single(&self, value: ValueId) -> bool {
        let single = |origin: &Origin| origin.makers.len() == 1 && !origin.is_open;
        value != ABSENT && self.of.get(&value).is_some_and(single)
    }

    /// Until when a value is needed; 0 if nobody needs it.
    pub(crate) fn until(&self, value: ValueId) -> Moment {
        self.of.get(&value).map_or(0, |origin| origin.until)
    }

    /// Where a value comes from, if somebody needs it.
    pub(crate) fn of(&self, value: ValueId) -> Option<&Origin> {
        self.of.get(&value)
    }

    /// The values that a step can make, among those that somebody needs.
    pub(crate) fn made_by(&self, step: u32) -> &[ValueId] {
        &self.makes[step as usize]
    }

    /// All values that somebody needs, in a fixed order.
    pub(crate) fn values(&self) -> Vec<ValueId> {
        let mut values: Vec<ValueId> = self.of.keys().copied().collect();
        values.sort_unstable();
        values
    }
}

/// The values that were seen so far, and those whose makers are still to be found.
#[derive(Default)]
struct Seen {
    of: ByValue,
    new: Vec<ValueId>,
}

impl Seen {
    fn by(&mut self, needer: u32, value: ValueId) {
        let new = &mut self.new;
        let origin = self.of.entry(value).or_insert_with(|| {
            new.push(value);
            Origin::default()
        });
        origin.needers.push(needer);
    }
}

/// `maker` certainly made `value`, before `deadline`. Returns what somebody sees by that
/// for the first time.
fn make_certain(problem: &mut Problem, maker: u32, value: ValueId, deadline: Moment) -> Option<ValueId> {
    let step = &mut problem.steps[maker as usize];
    let was_known = step.is_known();
    step.returned = step.returned.min(deadline);
    match &step.action {
        Action::Append(_, tail) => {
            // What was there before was that text; or, if nothing is left, absent or empty.
            let before = problem.values.stripped(value, tail)?;
            step.action = Action::Become(before.map_or(Need::Length(0), Need::Value), value);
            before
        }
        Action::Become(need, _) if !was_known => need.value(),
        _ => None,
    }
}

/// Finds the makers of a value.
struct Index {
    setters: HashMap<ValueId, Vec<u32>, foldhash::fast::FixedState>,
    appends: HashMap<bytes::Bytes, Vec<u32>, foldhash::fast::FixedState>,
    tail_lengths: BTreeSet<usize>,
    has_sums: bool,
}

impl Index {
    fn new(problem: &Problem) -> Index {
        let mut index = Index {
            setters: HashMap::default(),
            appends: HashMap::default(),
            tail_lengths: BTreeSet::new(),
            has_sums: false,
        };
        for step in problem.indices() {
            match &problem.step(step).action {
                Action::Set(value) | Action::Become(_, value) => {
                    index.setters.entry(*value).or_default().push(step);
                }
                Action::Append(_, tail) => {
                    index.tail_lengths.insert(tail.text.len());
                    index.appends.entry(tail.text.clone()).or_default().push(step);
                }
                Action::Add(_) | Action::Increment(_) => index.has_sums = true,
                Action::Guard(_) | Action::Grow(..) => {}
            }
        }
        index
    }

    /// The steps that can make a value, and whether sums can too.
    fn makers(&self, problem: &mut Problem, value: ValueId) -> (Vec<u32>, bool) {
        let mut makers = self.setters.get(&value).cloned().unwrap_or_default();
        if let (Some(content), true) = (problem.values.content(value), value != ABSENT) {
            for length in &self.tail_lengths {
                // Appending nothing makes the empty text of an absent one, and nothing else.
                let Some(head) = content.len().checked_sub(*length) else { break };
                if *length == 0 && head > 0 {
                    continue;
                }
                let Some(steps) = self.appends.get(&content[head..]) else { continue };
                makers.extend(steps.iter().filter(|step| can_append(problem, **step, value)));
            }
            makers.sort_unstable();
        }
        let is_sum = self.has_sums && is_plain_number(&mut problem.values, value);
        (makers, is_sum)
    }
}

fn can_append(problem: &Problem, step: u32, value: ValueId) -> bool {
    match &problem.step(step).action {
        Action::Append(Need::Length(before), tail) => before + tail.length() == problem.values.length(value),
        Action::Append(..) => true,
        // It was found to make another value, or this one already.
        Action::Become(_, made) => *made == value,
        _ => false,
    }
}

fn is_plain_number(values: &mut Values, value: ValueId) -> bool {
    let Some(number) = values.number(value).filter(|_| value != ABSENT) else { return false };
    values.number_text(number) == value
}
