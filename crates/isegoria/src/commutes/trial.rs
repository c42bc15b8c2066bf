use crate::commutes::Counterexample;
use crate::commutes::counterexample::Difference;
use crate::{Footprint, StateMachine};
use serde::Serialize;
use std::fmt::Debug;

/// One case: a state, and two commands that meet in it.
#[derive(Debug)]
pub(super) struct Trial<C> {
    pub(super) before: Vec<C>,
    pub(super) one: C,
    pub(super) two: C,
}

/// What two commands did when they met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Met {
    /// They are declared not to conflict, and commuted.
    Independent,
    /// They are declared to conflict.
    Conflicting { commuted: bool },
}

fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    postcard::to_stdvec(value)
        .unwrap_or_else(|error| panic!("a command or an output cannot be encoded: {error}"))
}

fn words<C: Debug>(commands: &[C]) -> Vec<String> {
    commands.iter().map(|command| format!("{command:?}")).collect()
}

fn footprint<S: StateMachine>(command: &S::Command) -> Footprint {
    let mut footprint = Footprint::default();
    S::footprint(command, &mut footprint);
    footprint
}

/// The state as bytes.
fn state<S: StateMachine>(machine: &S) -> Vec<u8> {
    let mut bytes = Vec::new();
    machine.freeze()(&mut bytes).unwrap_or_else(|error| panic!("a state cannot be written: {error}"));
    bytes
}

impl<C: Debug + Serialize> Trial<C> {
    pub(super) fn run<S: StateMachine<Command = C>>(&self, fresh: fn() -> S) -> Result<Met, Counterexample>
    where
        C: serde::de::DeserializeOwned,
    {
        let (one, two) = (footprint::<S>(&self.one), footprint::<S>(&self.two));
        let relation = S::conflicts();
        let conflict = relation.conflict(&one, &two);
        if conflict != relation.conflict(&two, &one) {
            let [one, two] = if conflict { [&self.one, &self.two] } else { [&self.two, &self.one] };
            return Err(Counterexample::NotSymmetric { one: format!("{one:?}"), two: format!("{two:?}") });
        }
        self.check_index::<S>()?;
        let difference = self.difference(fresh)?;
        match difference {
            Some(difference) if !conflict => Err(Counterexample::DoNotCommute {
                before: words(&self.before),
                one: format!("{:?}", self.one),
                two: format!("{:?}", self.two),
                difference,
            }),
            _ if !conflict => Ok(Met::Independent),
            difference => Ok(Met::Conflicting { commuted: difference.is_none() }),
        }
    }

    /// A command as it reaches the machine: encoded and decoded.
    fn copy(command: &C) -> Result<C, Counterexample>
    where
        C: serde::de::DeserializeOwned,
    {
        let encoded = encode(command);
        let found = match postcard::from_bytes::<C>(&encoded) {
            Ok(copy) if encode(&copy) == encoded => return Ok(copy),
            Ok(copy) => format!("{copy:?}"),
            Err(error) => error.to_string(),
        };
        Err(Counterexample::DoesNotRoundTrip { command: format!("{command:?}"), found })
    }

    /// In what the two orders differ.
    fn difference<S: StateMachine<Command = C>>(
        &self,
        fresh: fn() -> S,
    ) -> Result<Option<Difference>, Counterexample>
    where
        C: serde::de::DeserializeOwned,
    {
        let (mut forward, mut backward) = (fresh(), fresh());
        for command in &self.before {
            forward.apply(Self::copy(command)?);
            backward.apply(Self::copy(command)?);
        }
        if state(&forward) != state(&backward) {
            return Err(Counterexample::NotDeterministic { commands: words(&self.before) });
        }
        let first = [&self.one, &self.two].map(|command| Ok(encode(&forward.apply(Self::copy(command)?))));
        let [two, one] =
            [&self.two, &self.one].map(|command| Ok(encode(&backward.apply(Self::copy(command)?))));
        let [one_first, two_second] = first;
        Ok(if one_first? != one? {
            Some(Difference::Output { of_one: true })
        } else if two_second? != two? {
            Some(Difference::Output { of_one: false })
        } else {
            (state(&forward) != state(&backward)).then_some(Difference::State)
        })
    }

    /// An index with the scopes of the commands before, every second of them forgotten again, finds
    /// for the scopes of `one` what comparing says.
    fn check_index<S: StateMachine<Command = C>>(&self) -> Result<(), Counterexample> {
        let relation = S::conflicts();
        let mut held = Vec::new();
        for command in &self.before {
            held.extend(
                footprint::<S>(command).scopes().iter().cloned().map(|scope| (scope, format!("{command:?}"))),
            );
        }
        let is_kept = |id: usize| id.is_multiple_of(2);
        let mut index = relation.new_index();
        let ids = 0..u32::try_from(held.len()).unwrap_or(u32::MAX);
        ids.clone().zip(&held).for_each(|(id, (scope, _))| index.insert(id, scope));
        for (id, (scope, _)) in ids.zip(&held).filter(|(id, _)| !is_kept(*id as usize)) {
            index.forget(id, scope);
        }
        for wanted in footprint::<S>(&self.one).scopes() {
            let mut found = Vec::new();
            index.for_each_conflict(wanted, &mut |id| found.push(id as usize));
            found.sort_unstable();
            found.dedup();
            let conflicts = |id: &usize| is_kept(*id) && relation.scopes_conflict(wanted, &held[*id].0);
            let expected: Vec<usize> = (0..held.len()).filter(conflicts).collect();
            // Finding too much costs parallelism alone.
            let is_held = |id: &usize| *id < held.len() && is_kept(*id);
            if !expected.iter().all(|id| found.contains(id)) || !found.iter().all(is_held) {
                let held = held.iter().map(|(_, words)| words.clone()).collect();
                return Err(Counterexample::WrongIndex {
                    held,
                    wanted: format!("{:?}", self.one),
                    expected,
                    found,
                });
            }
        }
        Ok(())
    }
}
