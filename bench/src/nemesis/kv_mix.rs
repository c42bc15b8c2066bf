use super::kv_keys::{KvKeys, Use};
use bytes::Bytes;
use isegoria_kv::{Op, Output};
use parking_lot::Mutex;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;

/// The most keys that are read at once.
const READ_AT_ONCE_MAX: usize = 4;

/// The largest amount that is added to a counter, and the longest filling of a value, bytes.
const AMOUNT_MAX: i64 = 1_000_000;
const FILLING_MAX: usize = 24;

/// One client's operations on the store: the same ones for the same seed and client, as
/// long as it gets the same answers.
///
/// Invariant: no two clients ever write the same value or append the same text, so that
/// a read says which write it saw. Amounts and lengths are spread, so that sums and
/// lengths say it too: a judge need not guess among many orders.
#[derive(Debug)]
pub(crate) struct KvMix {
    rng: ChaCha8Rng,
    client: u64,
    written_count: u64,
    keys: Arc<Mutex<KvKeys>>,
    /// What each register held when this client last heard of it: what it expects in a cas.
    known: Vec<Option<Bytes>>,
}

impl KvMix {
    pub(crate) fn new(seed: u64, client: u64, keys: Arc<Mutex<KvKeys>>) -> KvMix {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(client);
        let known = vec![None; keys.lock().count()];
        KvMix { rng, client, written_count: 0, keys, known }
    }

    /// The next operation.
    pub(crate) fn next_op(&mut self) -> Op {
        let index = self.rng.random_range(0..self.known.len());
        let key = self.keys.lock().name(index);
        let percent = self.rng.random_range(0..100);
        match (Use::of(index), percent) {
            (_, 0..10) => self.read_several(),
            (_, 10..40) => Op::Get(key),
            (Use::Register, 40..65) | (Use::Text, 40..50) => Op::Put(key, self.fresh()),
            (Use::Register, 65..90) => {
                Op::CompareAndSet { key, expected: self.known[index].clone(), value: self.fresh() }
            }
            (Use::Register, _) | (Use::Text, 50..55) => Op::Delete(key),
            (Use::Text, _) => Op::Append(key, self.fresh()),
            (Use::Counter, _) => Op::Incr(key, self.amount()),
        }
    }

    fn read_several(&mut self) -> Op {
        let count = self.rng.random_range(1..=READ_AT_ONCE_MAX.min(self.known.len()));
        let chosen = rand::seq::index::sample(&mut self.rng, self.known.len(), count);
        let keys = self.keys.lock();
        Op::MultiGet(chosen.into_iter().map(|index| keys.name(index)).collect())
    }

    /// A value that nobody else writes, of a length that few others have: the answer to
    /// an append is a length.
    fn fresh(&mut self) -> Bytes {
        self.written_count += 1;
        let filling = self.rng.random_range(0..FILLING_MAX);
        format!("{}.{}{:->filling$};", self.client, self.written_count, "").into()
    }

    /// What is added to a counter.
    fn amount(&mut self) -> i64 {
        let amount = self.rng.random_range(1..=AMOUNT_MAX);
        if self.rng.random_bool(0.5) { amount } else { -amount }
    }

    /// Takes note of what an operation that succeeded tells of its key.
    pub(crate) fn learn(&mut self, op: &Op, output: &Output) {
        match (op, output) {
            (Op::Get(key), Output::Value(value)) => self.note(key, value.clone()),
            (Op::Put(key, value), _) => self.note(key, Some(value.clone())),
            (Op::CompareAndSet { key, value, .. }, Output::Swapped(true)) => {
                self.note(key, Some(value.clone()));
            }
            (Op::Delete(key), _) => self.note(key, None),
            (Op::MultiGet(keys), Output::Values(values)) => {
                for (key, value) in keys.iter().zip(values) {
                    self.note(key, value.clone());
                }
            }
            _ => {}
        }
    }

    /// Nobody was told how an operation ended.
    pub(crate) fn lost(&mut self, op: &Op) {
        self.keys.lock().lost(op);
    }

    fn note(&mut self, key: &Bytes, value: Option<Bytes>) {
        // Only registers are compared with what was known.
        let keys = self.keys.lock();
        let is_meant = |index: &usize| Use::of(*index) == Use::Register && keys.name(*index) == key;
        if let Some(index) = (0..keys.count()).find(is_meant) {
            self.known[index] = value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};

    fn keys(count: usize) -> Arc<Mutex<KvKeys>> {
        Arc::new(Mutex::new(KvKeys::new(count)))
    }

    fn name(op: &Op) -> &'static str {
        match op {
            Op::Get(_) => "get",
            Op::Put(..) => "put",
            Op::Delete(_) => "del",
            Op::Incr(..) => "incr",
            Op::Append(..) => "append",
            Op::CompareAndSet { .. } => "cas",
            Op::MultiGet(_) => "mget",
            _ => "other",
        }
    }

    #[test]
    fn every_operation_has_its_share_and_every_value_is_written_once() {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        let mut values = BTreeSet::new();
        for client in 0..3 {
            let mut mix = KvMix::new(7, client, keys(9));
            for _ in 0..3000 {
                let op = mix.next_op();
                *counts.entry(name(&op)).or_default() += 1;
                if let Op::Put(_, value) | Op::Append(_, value) | Op::CompareAndSet { value, .. } = op {
                    assert!(values.insert(value.clone()), "{value:?} twice");
                }
            }
        }
        for name in ["get", "put", "del", "incr", "append", "cas", "mget"] {
            assert!(counts.get(name).is_some_and(|count| *count > 200), "{name} in {counts:?}");
        }
        assert_eq!(counts.get("other"), None);
    }

    #[test]
    fn the_same_seed_and_client_do_the_same() {
        let ops = |seed, client| {
            let mut mix = KvMix::new(seed, client, keys(6));
            (0..50).map(|_| mix.next_op()).collect::<Vec<_>>()
        };
        assert_eq!(ops(1, 2), ops(1, 2));
        assert_ne!(ops(1, 2), ops(2, 2));
        assert_ne!(ops(1, 2), ops(1, 3));
    }

    #[test]
    fn a_cas_expects_what_was_last_heard() {
        let mut mix = KvMix::new(1, 1, keys(1));
        let told = Output::Value(Some("x".into()));
        mix.learn(&Op::Get("r0".into()), &told);
        let cas = std::iter::repeat_with(|| mix.next_op()).find(|op| name(op) == "cas");
        assert!(matches!(cas, Some(Op::CompareAndSet { expected: Some(text), .. }) if text == "x"));
    }
}
