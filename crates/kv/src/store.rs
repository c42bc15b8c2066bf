use crate::redis::{Collection, Failure, Limits, Room};
use crate::{Map, Op, Output};
use bytes::Bytes;
use imbl::OrdMap;
use isegoria_machine::StateMachine;
use isegoria_types::Footprint;

/// The key-value store.
///
/// Invariant: a key is in one of the two at most, and no collection is empty.
#[derive(Clone, Debug, Default)]
pub struct Kv {
    /// Keys that hold strings.
    pub(crate) map: Map,
    /// Keys that hold something else.
    pub(crate) collections: OrdMap<Bytes, Collection>,
    pub(crate) limits: Limits,
}

impl Kv {
    /// A store with other limits than the default ones; all replicas must have the same.
    #[must_use]
    pub fn with_limits(limits: Limits) -> Kv {
        Kv { limits, ..Kv::default() }
    }

    /// The keys that hold strings.
    #[must_use]
    pub fn map(&self) -> &Map {
        &self.map
    }

    /// The string that a key holds, if it holds anything.
    pub(crate) fn string(&self, key: &[u8]) -> Result<Option<&[u8]>, Failure> {
        match self.map.get(key) {
            None if self.collections.contains_key(key) => Err(Failure::WrongType),
            value => Ok(value),
        }
    }

    /// The same for a reply.
    pub(crate) fn string_for(&self, key: &[u8], room: &mut Room) -> Result<Option<Bytes>, Failure> {
        let value = self.string(key)?;
        room.value(value.map_or(0, <[u8]>::len))?;
        Ok(value.map(Bytes::copy_from_slice))
    }

    /// The strings that keys hold, as far as they do.
    pub(crate) fn strings(&self, keys: &[Bytes], room: &mut Room) -> Result<Vec<Option<Bytes>>, Failure> {
        let string = |key: &Bytes| match self.string_for(key, room) {
            Err(Failure::WrongType) => Ok(None),
            outcome => outcome,
        };
        keys.iter().map(string).collect()
    }

    /// Makes a key hold a string, whatever it held.
    pub(crate) fn set_string(&mut self, key: &[u8], value: &[u8]) {
        if !self.collections.is_empty() {
            self.collections.remove(key);
        }
        self.map.insert(key, value);
    }

    /// Appends to the string that a key holds; its length, bytes.
    pub(crate) fn append(&mut self, key: &[u8], tail: &[u8], room: &mut Room) -> Result<usize, Failure> {
        let held = self.string(key)?.unwrap_or_default();
        let length = held.len() + tail.len();
        if length > self.limits.string_bytes_max {
            return Err(Failure::StringTooLong);
        }
        room.copy(length)?;
        let value = [held, tail].concat();
        self.map.insert(key, &value);
        Ok(length)
    }

    /// Takes a key out; says whether it was there.
    pub(crate) fn remove(&mut self, key: &[u8]) -> bool {
        self.map.remove(key) || (!self.collections.is_empty() && self.collections.remove(key).is_some())
    }

    fn run_op(&mut self, op: Op) -> Result<Output, Failure> {
        let mut room = Room::new(self.limits);
        Ok(match op {
            Op::Get(key) => Output::Value(self.string_for(&key, &mut room)?),
            Op::Put(key, value) => {
                self.set_string(&key, &value);
                Output::Ok
            }
            Op::Delete(key) => Output::Deleted(self.remove(&key)),
            Op::Incr(key, by) => match number(self.string(&key)?).and_then(|number| number.checked_add(by)) {
                Some(sum) => {
                    self.map.insert(&key, sum.to_string().as_bytes());
                    Output::Number(sum)
                }
                None => Output::NotANumber,
            },
            Op::Add(key, by) => {
                let sum = number(self.string(&key)?).unwrap_or(0).wrapping_add(by);
                self.map.insert(&key, sum.to_string().as_bytes());
                Output::Ok
            }
            Op::Append(key, tail) => {
                Output::Number(i64::try_from(self.append(&key, &tail, &mut room)?).unwrap_or(i64::MAX))
            }
            Op::CompareAndSet { key, expected, value } => {
                let matches = self.string(&key)? == expected.as_deref();
                if matches {
                    self.map.insert(&key, &value);
                }
                Output::Swapped(matches)
            }
            Op::MultiGet(keys) => Output::Values(self.strings(&keys, &mut room)?),
            Op::MultiPut(pairs) => {
                for (key, value) in pairs {
                    self.set_string(&key, &value);
                }
                Output::Ok
            }
            Op::Pipeline(commands) => Output::Redis(self.run_pipeline(commands)),
            Op::Transaction(commands) => Output::Redis(self.run_transaction(commands)),
        })
    }
}

/// The number that a value stands for; a key that is not there stands for 0.
fn number(value: Option<&[u8]>) -> Option<i64> {
    match value {
        None => Some(0),
        Some(value) => std::str::from_utf8(value).ok()?.parse().ok(),
    }
}

impl StateMachine for Kv {
    type Command = Op;
    type Output = Output;

    fn footprint(op: &Op, footprint: &mut Footprint) {
        op.footprint(footprint);
    }

    fn apply(&mut self, op: Op) -> Output {
        self.run_op(op).unwrap_or_else(|failure| match failure {
            Failure::TooLong | Failure::StringTooLong => Output::TooLong,
            _ => Output::WrongType,
        })
    }

    const RELATION_VERSION: u64 = 2;
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use isegoria_machine::{Erased, Machine};

    fn bytes(text: &str) -> Bytes {
        Bytes::copy_from_slice(text.as_bytes())
    }

    /// One of each operation on each of two keys, and on both.
    fn operations() -> Vec<Op> {
        let keys = [bytes("a"), bytes("b")];
        let mut all = vec![
            Op::MultiGet(keys.to_vec()),
            Op::MultiPut(keys.iter().map(|key| (key.clone(), bytes("9"))).collect()),
        ];
        for key in keys {
            all.extend([
                Op::Get(key.clone()),
                Op::Put(key.clone(), bytes("5")),
                Op::Put(key.clone(), bytes("text")),
                Op::Delete(key.clone()),
                Op::Incr(key.clone(), 3),
                Op::Add(key.clone(), 4),
                Op::Add(key.clone(), i64::MAX),
                Op::Append(key.clone(), bytes("1")),
                Op::CompareAndSet { key, expected: Some(bytes("5")), value: bytes("6") },
            ]);
        }
        all
    }

    fn starts() -> Vec<Kv> {
        let mut all = vec![Kv::default()];
        for value in ["5", "text", "9223372036854775807"] {
            let mut kv = Kv::default();
            kv.apply(Op::MultiPut(vec![(bytes("a"), bytes(value)), (bytes("b"), bytes("1"))]));
            all.push(kv);
        }
        all
    }

    fn conflict(one: &Op, two: &Op) -> bool {
        let footprint = |op: &Op| {
            let mut footprint = Footprint::default();
            op.footprint(&mut footprint);
            footprint
        };
        footprint(one).conflicts(&footprint(two))
    }

    /// Runs both orders of two operations from every start: do state and outputs agree?
    fn commute(one: &Op, two: &Op) -> bool {
        starts().into_iter().all(|start| {
            let (mut forward, mut backward) = (start.clone(), start);
            let first = (forward.apply(one.clone()), forward.apply(two.clone()));
            let second = backward.apply(two.clone());
            let other = (backward.apply(one.clone()), second);
            first == other && forward.map.iter().eq(backward.map.iter())
        })
    }

    /// The conflict relation tells the truth for every pair of operations.
    #[test]
    fn operations_without_conflict_commute() {
        for one in operations() {
            for two in operations() {
                assert!(conflict(&one, &two) || commute(&one, &two), "{one:?} and {two:?}");
            }
        }
        assert!(!commute(&Op::Incr(bytes("a"), 1), &Op::Incr(bytes("a"), 1)), "the check can fail");
        assert!(!conflict(&Op::Add(bytes("a"), 1), &Op::Add(bytes("a"), 2)));
    }

    #[test]
    fn results_read_as_redis_would_answer() {
        let mut machine = Erased::<Kv>::default();
        let mut run = |op: Op| -> Output {
            let answer = machine.apply(&postcard::to_stdvec(&op).unwrap());
            postcard::from_bytes(&answer).unwrap()
        };
        assert_eq!(run(Op::Incr(bytes("n"), 5)), Output::Number(5));
        assert_eq!(run(Op::Append(bytes("n"), bytes("0"))), Output::Number(2));
        assert_eq!(run(Op::Incr(bytes("n"), 1)), Output::Number(51));
        assert_eq!(run(Op::Append(bytes("n"), bytes("x"))), Output::Number(3));
        assert_eq!(run(Op::Incr(bytes("n"), 1)), Output::NotANumber);
        assert_eq!(
            run(Op::CompareAndSet { key: bytes("m"), expected: None, value: bytes("1") }),
            Output::Swapped(true)
        );
        assert_eq!(
            run(Op::MultiGet(vec![bytes("m"), bytes("z")])),
            Output::Values(vec![Some(bytes("1")), None])
        );
        assert_eq!(run(Op::Delete(bytes("m"))), Output::Deleted(true));
    }
}
