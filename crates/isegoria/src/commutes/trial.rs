use crate::commutes::Counterexample;
use crate::commutes::counterexample::Difference;
use crate::{Footprint, StateMachine};
use serde::Serialize;
use serde::de::DeserializeOwned;
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

/// Applies a command to a machine; the encoded output.
fn apply<S: StateMachine>(machine: &mut S, command: &S::Command) -> Result<Vec<u8>, Counterexample>
where
    S::Command: Debug,
{
    let output = encode(&machine.apply(copy(command)?));
    let found = match postcard::from_bytes::<S::Output>(&output) {
        Ok(copy) if encode(&copy) == output => return Ok(output),
        Ok(_) => "another one".to_owned(),
        Err(error) => error.to_string(),
    };
    Err(Counterexample::DoesNotRoundTrip { command: format!("{command:?}"), is_output: true, found })
}

/// A command as it reaches the machine: encoded and decoded.
fn copy<C: Debug + Serialize + DeserializeOwned>(command: &C) -> Result<C, Counterexample> {
    let encoded = encode(command);
    let found = match postcard::from_bytes::<C>(&encoded) {
        Ok(copy) if encode(&copy) == encoded => return Ok(copy),
        Ok(copy) => format!("{copy:?}"),
        Err(error) => error.to_string(),
    };
    Err(Counterexample::DoesNotRoundTrip { command: format!("{command:?}"), is_output: false, found })
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

impl<C: Debug + Serialize + DeserializeOwned> Trial<C> {
    pub(super) fn run<S: StateMachine<Command = C>>(&self, fresh: fn() -> S) -> Result<Met, Counterexample> {
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

    /// In what the two orders differ.
    fn difference<S: StateMachine<Command = C>>(
        &self,
        fresh: fn() -> S,
    ) -> Result<Option<Difference>, Counterexample> {
        let (mut forward, mut backward, mut batched) = (fresh(), fresh(), fresh());
        let mut outputs = Vec::new();
        for command in &self.before {
            outputs.push(apply(&mut forward, command)?);
            apply(&mut backward, command)?;
        }
        let differ = |one: &S, other: &S| state(one) != state(other);
        if differ(&forward, &backward) {
            return Err(Counterexample::NotDeterministic { commands: words(&self.before) });
        }
        if self.before.len() > 1 {
            let together = self.before.iter().map(copy).collect::<Result<Vec<C>, Counterexample>>()?;
            let together: Vec<Vec<u8>> = batched.apply_batch(together).iter().map(encode).collect();
            if together != outputs || differ(&batched, &forward) {
                // Two runs may be equal by chance; ten are not.
                for _ in 0..10 {
                    let mut again = fresh();
                    self.before.iter().try_for_each(|command| apply(&mut again, command).map(drop))?;
                    if differ(&again, &forward) {
                        return Err(Counterexample::NotDeterministic { commands: words(&self.before) });
                    }
                }
                return Err(Counterexample::BatchDiffers { commands: words(&self.before) });
            }
        }
        let (one_first, two_second) = (apply(&mut forward, &self.one)?, apply(&mut forward, &self.two)?);
        let (two_first, one_second) = (apply(&mut backward, &self.two)?, apply(&mut backward, &self.one)?);
        Ok(if one_first != one_second {
            Some(Difference::Output { of_one: true })
        } else if two_first != two_second {
            Some(Difference::Output { of_one: false })
        } else {
            (state(&forward) != state(&backward)).then_some(Difference::State)
        })
    }

    /// The counterexample for a machine that panics with these commands.
    pub(super) fn panics(&self, what: &str) -> Counterexample {
        let mut commands = words(&self.before);
        commands.extend([&self.one, &self.two].map(|command| format!("{command:?}")));
        Counterexample::Panics { commands, what: what.to_owned() }
    }

    /// An index with the scopes of the commands before finds for the scopes of `one` what comparing says,
    /// also where every second was forgotten and its id has come back with another scope.
    fn check_index<S: StateMachine<Command = C>>(&self) -> Result<(), Counterexample> {
        let relation = S::conflicts();
        let scopes = |command: &C| footprint::<S>(command).scopes().to_vec();
        let mut held: Vec<(bytes::Bytes, &C)> = Vec::new();
        for command in &self.before {
            held.extend(scopes(command).into_iter().map(|scope| (scope, command)));
        }
        let mut index = relation.new_index();
        (0..).zip(&held).for_each(|(id, (scope, _))| index.insert(id, scope));
        let others = scopes(&self.two);
        for (at, held) in held.iter_mut().enumerate().skip(1).step_by(2) {
            let id = u32::try_from(at).unwrap_or(u32::MAX);
            index.forget(id, &held.0);
            *held = match others.get(at % 3) {
                Some(other) => (other.clone(), &self.two),
                None => (bytes::Bytes::new(), held.1),
            };
            if !held.0.is_empty() {
                index.insert(id, &held.0);
            }
        }
        for wanted in scopes(&self.one) {
            let mut found = Vec::new();
            index.for_each_conflict(&wanted, &mut |id| found.push(id as usize));
            let is_held = |id: &usize| held.get(*id).is_some_and(|(scope, _)| !scope.is_empty());
            let conflicts = |id: &usize| is_held(id) && relation.scopes_conflict(&held[*id].0, &wanted);
            let expected: Vec<usize> = (0..held.len()).filter(conflicts).collect();
            // Finding too much costs time alone.
            if !expected.iter().all(|id| found.contains(id)) || !found.iter().all(is_held) {
                let held = held.iter().map(|(_, command)| format!("{command:?}")).collect();
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
