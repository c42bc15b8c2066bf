use crate::{Map, Op, Output};
use isegoria_machine::{Frozen, Snapshot, StateMachine};
use isegoria_types::Footprint;
use std::io::{self, Read};

/// The key-value store.
#[derive(Clone, Debug, Default)]
pub struct Kv {
    map: Map,
}

impl Kv {
    /// The contents.
    #[must_use]
    pub fn map(&self) -> &Map {
        &self.map
    }

    fn number(&self, key: &[u8]) -> Option<i64> {
        match self.map.get(key) {
            None => Some(0),
            Some(value) => std::str::from_utf8(value).ok()?.parse().ok(),
        }
    }

    fn set_number(&mut self, key: &[u8], number: i64) {
        self.map.insert(key, number.to_string().as_bytes());
    }
}

impl StateMachine for Kv {
    type Command = Op;
    type Output = Output;

    fn footprint(op: &Op, footprint: &mut Footprint) {
        op.footprint(footprint);
    }

    fn apply(&mut self, op: Op) -> Output {
        match op {
            Op::Get(key) => Output::Value(self.map.get_bytes(&key)),
            Op::Put(key, value) => {
                self.map.insert(&key, &value);
                Output::Ok
            }
            Op::Delete(key) => Output::Deleted(self.map.remove(&key)),
            Op::Incr(key, by) => match self.number(&key).and_then(|number| number.checked_add(by)) {
                Some(sum) => {
                    self.set_number(&key, sum);
                    Output::Number(sum)
                }
                None => Output::NotANumber,
            },
            Op::Add(key, by) => {
                let sum = self.number(&key).unwrap_or(0).wrapping_add(by);
                self.set_number(&key, sum);
                Output::Ok
            }
            Op::Append(key, tail) => {
                let mut value = self.map.get(&key).map(<[u8]>::to_vec).unwrap_or_default();
                value.extend_from_slice(&tail);
                self.map.insert(&key, &value);
                Output::Number(i64::try_from(value.len()).unwrap_or(i64::MAX))
            }
            Op::CompareAndSet { key, expected, value } => {
                let matches = self.map.get(&key) == expected.as_deref();
                if matches {
                    self.map.insert(&key, &value);
                }
                Output::Swapped(matches)
            }
            Op::MultiGet(keys) => Output::Values(keys.iter().map(|key| self.map.get_bytes(key)).collect()),
            Op::MultiPut(pairs) => {
                for (key, value) in pairs {
                    self.map.insert(&key, &value);
                }
                Output::Ok
            }
        }
    }
}

impl Snapshot for Kv {
    fn freeze(&self) -> Frozen {
        let map = self.map.clone();
        Box::new(move |to| {
            let mut encoded = Vec::new();
            to.write_all(&(map.len() as u64).to_le_bytes())?;
            for pair in map.iter() {
                encoded = postcard::to_extend(&pair, encoded).map_err(io::Error::other)?;
                to.write_all(&u32::try_from(encoded.len()).map_err(io::Error::other)?.to_le_bytes())?;
                to.write_all(&encoded)?;
                encoded.clear();
            }
            Ok(())
        })
    }

    fn restore(&mut self, from: &mut dyn Read) -> io::Result<()> {
        let invalid = |error: postcard::Error| io::Error::new(io::ErrorKind::InvalidData, error);
        let mut map = Map::default();
        let (mut count, mut length) = ([0; 8], [0; 4]);
        from.read_exact(&mut count)?;
        let mut encoded = Vec::new();
        for _ in 0..u64::from_le_bytes(count) {
            from.read_exact(&mut length)?;
            encoded.clear();
            let wanted = u64::from(u32::from_le_bytes(length));
            if Read::take(&mut *from, wanted).read_to_end(&mut encoded)? as u64 != wanted {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let (key, value): (&[u8], &[u8]) = postcard::from_bytes(&encoded).map_err(invalid)?;
            map.insert(key, value);
        }
        self.map = map;
        Ok(())
    }
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
    fn a_snapshot_is_the_state_at_its_moment() {
        let mut kv = starts().pop().unwrap();
        let frozen = kv.freeze();
        let before: Vec<_> = kv.map.iter().map(|(k, v)| (k.to_vec(), v.to_vec())).collect();
        kv.apply(Op::Put(bytes("a"), bytes("later")));
        let mut saved = Vec::new();
        frozen(&mut saved).unwrap();
        let mut restored = Kv::default();
        restored.restore(&mut &saved[..]).unwrap();
        assert!(restored.map.iter().eq(before.iter().map(|(k, v)| (&k[..], &v[..]))));
        for cut in 0..saved.len() {
            assert!(Kv::default().restore(&mut &saved[..cut]).is_err());
        }
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
