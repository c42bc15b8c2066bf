use crate::{Frozen, StateMachine};
use bytes::Bytes;
use isegoria_types::{Conflicts, Footprint};
use serde::Serialize;
use std::io::{self, Read};
use std::marker::PhantomData;
use std::sync::Arc;

/// The payload is not a command of this state machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the payload is not a command of this state machine")]
pub struct Undecodable;

/// The conflict relation over bytes, apart from the state, so that the entry node
/// can use it on another thread than the one that executes.
pub trait Relation: Send + Sync {
    /// What an encoded command touches.
    ///
    /// # Errors
    /// If the bytes are not a command.
    fn footprint(&self, payload: &[u8]) -> Result<Footprint, Undecodable>;

    /// Which scopes of footprints conflict.
    fn conflicts(&self) -> Conflicts {
        Conflicts::default()
    }

    /// Compared when nodes and clients connect.
    fn version(&self) -> u64;
}

/// A [`StateMachine`] over bytes.
pub trait Machine: Send {
    /// The conflict relation.
    fn relation(&self) -> Arc<dyn Relation>;

    /// Applies an encoded command and returns the encoded output. Bytes that are not
    /// a command change nothing and give an empty output, on every node alike; entry
    /// nodes refuse them before they get here.
    fn apply(&mut self, payload: &[u8]) -> Bytes;

    /// Applies several in this order; adds an output for each.
    fn apply_batch(&mut self, payloads: &[Bytes], outputs: &mut Vec<Bytes>) {
        outputs.extend(payloads.iter().map(|payload| self.apply(payload)));
    }

    /// See [`crate::Snapshot::freeze`].
    fn freeze(&self) -> Frozen;

    /// See [`crate::Snapshot::restore`].
    ///
    /// # Errors
    /// If reading fails or the bytes are not a state.
    fn restore(&mut self, from: &mut dyn Read) -> io::Result<()>;

    /// A hash of the state, equal for equal states: for comparing replicas.
    fn digest(&self) -> u64 {
        let mut bytes = Vec::new();
        match self.freeze()(&mut bytes) {
            Ok(()) => xxhash_rust::xxh3::xxh3_64(&bytes),
            Err(error) => panic!("writing a snapshot into memory: {error}"),
        }
    }
}

/// A typed state machine seen through bytes: commands and outputs are postcard.
#[derive(Clone, Debug, Default)]
pub struct Erased<S> {
    state: S,
}

impl<S: StateMachine> Erased<S> {
    /// Wraps `state`.
    #[must_use]
    pub fn new(state: S) -> Erased<S> {
        Erased { state }
    }

    /// The state inside.
    #[must_use]
    pub fn state(&self) -> &S {
        &self.state
    }
}

struct RelationOf<S>(PhantomData<fn() -> S>);

impl<S: StateMachine> Relation for RelationOf<S> {
    fn footprint(&self, payload: &[u8]) -> Result<Footprint, Undecodable> {
        match postcard::take_from_bytes::<S::Command>(payload) {
            Ok((command, [])) => {
                let mut footprint = Footprint::default();
                S::footprint(&command, &mut footprint);
                Ok(footprint)
            }
            _ => Err(Undecodable),
        }
    }

    fn conflicts(&self) -> Conflicts {
        S::conflicts()
    }

    fn version(&self) -> u64 {
        S::RELATION_VERSION
    }
}

impl<S: StateMachine> Machine for Erased<S> {
    fn relation(&self) -> Arc<dyn Relation> {
        Arc::new(RelationOf::<S>(PhantomData))
    }

    fn apply(&mut self, payload: &[u8]) -> Bytes {
        let Ok(command) = postcard::from_bytes::<S::Command>(payload) else { return Bytes::new() };
        encode(&self.state.apply(command))
    }

    fn apply_batch(&mut self, payloads: &[Bytes], outputs: &mut Vec<Bytes>) {
        let decoded: Result<Vec<S::Command>, _> = match payloads {
            [_] => Ok(Vec::new()),
            several => several.iter().map(|payload| postcard::from_bytes(payload)).collect(),
        };
        match decoded {
            Ok(commands) if !commands.is_empty() => {
                let answers = self.state.apply_batch(commands);
                let (count, wanted) = (answers.len(), payloads.len());
                assert_eq!(count, wanted, "a batch of {wanted} commands gave {count} outputs");
                outputs.extend(answers.iter().map(encode));
            }
            _ => outputs.extend(payloads.iter().map(|payload| self.apply(payload))),
        }
    }

    fn freeze(&self) -> Frozen {
        self.state.freeze()
    }

    fn restore(&mut self, from: &mut dyn Read) -> io::Result<()> {
        self.state.restore(from)
    }
}

fn encode<T: Serialize>(output: &T) -> Bytes {
    match postcard::to_stdvec(output) {
        Ok(bytes) => bytes.into(),
        Err(error) => panic!("encoding an output into memory: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Clone, Default, Serialize, Deserialize)]
    struct Sum(u64);

    impl StateMachine for Sum {
        type Command = u64;
        type Output = u64;
        fn footprint(_: &u64, footprint: &mut Footprint) {
            footprint.write(b"sum");
        }
        fn apply(&mut self, command: u64) -> u64 {
            self.0 += command;
            self.0
        }
    }

    #[test]
    fn a_typed_machine_works_through_bytes() {
        let mut machine = Erased::<Sum>::default();
        let seven = postcard::to_stdvec(&7u64).unwrap();
        assert_eq!(machine.apply(&seven), machine.relation().footprint(&seven).map(|_| &seven[..]).unwrap());
        let before = machine.digest();
        let mut saved = Vec::new();
        machine.freeze()(&mut saved).unwrap();
        machine.apply(&seven);
        assert_ne!(machine.digest(), before);
        machine.restore(&mut &saved[..]).unwrap();
        assert_eq!(machine.digest(), before);
    }

    /// Says with each sum how many commands were applied with it.
    #[derive(Clone, Default, Serialize, Deserialize)]
    struct Batched(u64);

    impl StateMachine for Batched {
        type Command = u64;
        type Output = (u64, usize);
        fn footprint(_: &u64, footprint: &mut Footprint) {
            footprint.everything();
        }
        fn apply(&mut self, command: u64) -> (u64, usize) {
            self.0 += command;
            (self.0, 1)
        }
        fn apply_batch(&mut self, commands: Vec<u64>) -> Vec<(u64, usize)> {
            let count = commands.len();
            commands.into_iter().map(|command| (self.apply(command).0, count)).collect()
        }
    }

    #[test]
    fn batches_reach_the_machine_as_such() {
        let mut machine = Erased::<Batched>::default();
        let payloads: Vec<Bytes> =
            [5u64, 7, 9].iter().map(|number| postcard::to_stdvec(number).unwrap().into()).collect();
        let mut outputs = Vec::new();
        machine.apply_batch(&payloads, &mut outputs);
        machine.apply_batch(&payloads[..1], &mut outputs);
        machine.apply_batch(&[payloads[0].clone(), Bytes::from_static(&[0x80])], &mut outputs);
        let read = |bytes: &Bytes| postcard::from_bytes::<(u64, usize)>(bytes).ok();
        let read: Vec<_> = outputs.iter().map(read).collect();
        let expected = [(5, 3), (12, 3), (21, 3), (26, 1), (31, 1)].map(Some);
        assert_eq!((&read[..5], read[5]), (&expected[..], None), "what is no command has an empty output");
    }

    #[test]
    fn bytes_that_are_no_command_are_refused_and_change_nothing() {
        let mut machine = Erased::new(Sum(1));
        assert_eq!(machine.relation().footprint(&[0x80]), Err(Undecodable));
        assert_eq!(machine.relation().footprint(&[1, 1]), Err(Undecodable));
        assert!(machine.apply(&[0x80]).is_empty());
        assert_eq!(machine.state().0, 1);
        assert!(machine.restore(&mut &[0x80u8][..]).is_err());
    }
}
