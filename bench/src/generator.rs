use crate::Workload;
use crate::ycsb::Ycsb;
use crate::zipf::Zipf;
use bytes::{Bytes, BytesMut};
use isegoria_kv::Op;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Keys of a client lie above this many shared ones; a client has as many.
const KEYS_PER_CLIENT: u64 = 1 << 40;
/// Clients that fit into a key beside their own counter.
pub(crate) const CLIENTS_MAX: usize = (1 << 23) - 1;
/// Commands are cut from blocks of this size, bytes.
const BLOCK_BYTES: usize = 64 << 10;

/// Chooses the keys of one client: the same ones for the same seed and client.
#[derive(Clone, Debug)]
pub struct KeyChooser {
    choice: Choice,
    rng: ChaCha8Rng,
    /// The first key that belongs to the client alone.
    own: u64,
    fresh_count: u64,
}

#[derive(Clone, Copy, Debug)]
enum Choice {
    HotOrFresh {
        conflict: f64,
    },
    PoolOrOwn {
        conflict: f64,
        pool: u64,
    },
    Zipf(Zipf),
    /// Ranks are scattered over the keys, so that neighbours are not all popular.
    Scattered {
        zipf: Zipf,
        keys: u64,
    },
}

impl KeyChooser {
    /// The chooser of client number `client` of a run.
    ///
    /// # Panics
    /// If `conflict` is not in 0..=1 or there are more than eight million clients.
    #[must_use]
    pub fn new(workload: &Workload, conflict: f64, seed: u64, client: usize) -> KeyChooser {
        assert!((0.0..=1.0).contains(&conflict), "conflict probability {conflict}");
        assert!(client < CLIENTS_MAX, "client {client} is not below {CLIENTS_MAX}");
        let choice = match *workload {
            Workload::Epaxos13 => Choice::HotOrFresh { conflict },
            Workload::Atlas20 { pool } => Choice::PoolOrOwn { conflict, pool },
            Workload::Zipf { theta, keys } => Choice::Zipf(Zipf::new(keys, theta)),
            Workload::Ycsb(Ycsb { keys, theta, .. }) => {
                Choice::Scattered { zipf: Zipf::new(keys, theta), keys }
            }
        };
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(client as u64);
        KeyChooser { choice, rng, own: (client as u64 + 1) * KEYS_PER_CLIENT, fresh_count: 0 }
    }

    /// The next key.
    pub fn next_key(&mut self) -> u64 {
        match self.choice {
            Choice::HotOrFresh { conflict } => {
                if self.rng.random_bool(conflict) {
                    0
                } else {
                    self.fresh_key()
                }
            }
            Choice::PoolOrOwn { conflict, pool } => {
                if self.rng.random_bool(conflict) {
                    self.rng.random_range(0..pool)
                } else {
                    self.own
                }
            }
            Choice::Zipf(zipf) => zipf.sample(&mut self.rng) - 1,
            Choice::Scattered { zipf, keys } => scattered(zipf.sample(&mut self.rng), keys),
        }
    }

    /// A key of the client that was never used before.
    pub(crate) fn fresh_key(&mut self) -> u64 {
        self.fresh_count += 1;
        self.own + self.fresh_count
    }

    /// One of the keys that are new, the newest most often: those of the client, and before them `count`
    /// shared ones.
    pub(crate) fn latest_key(&mut self, count: u64) -> u64 {
        let Choice::Scattered { zipf, .. } = self.choice else { return self.next_key() };
        let age = zipf.sample(&mut self.rng) - 1;
        match age.checked_sub(self.fresh_count) {
            None => self.own + self.fresh_count - age,
            Some(beyond) => count.saturating_sub(1 + beyond),
        }
    }

    /// The next key to read: chosen as a key to write, but in the place of a fresh key,
    /// where nothing could be read, comes the client's last one.
    pub fn next_key_to_read(&mut self) -> u64 {
        match self.choice {
            Choice::HotOrFresh { conflict } if self.rng.random_bool(conflict) => 0,
            Choice::HotOrFresh { .. } => self.own + self.fresh_count,
            Choice::PoolOrOwn { .. } | Choice::Zipf(_) | Choice::Scattered { .. } => self.next_key(),
        }
    }
}

/// Where the record of a rank lies among `keys`: anywhere, and always there.
pub(crate) fn scattered(rank: u64, keys: u64) -> u64 {
    // A step of splitmix64 (Steele, Lea and Flood, OOPSLA 2014).
    let mut mixed = rank.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)) % keys
}

/// Encodes puts: keys of 8 bytes, values of a fixed size.
///
/// A put differs from the next one only in its key, so it is a copy of a template with
/// the key written over, cut from a block that many commands share.
#[derive(Debug)]
pub struct PutEncoder {
    template: Vec<u8>,
    key_at: usize,
    value: Bytes,
    block: BytesMut,
}

impl PutEncoder {
    /// An encoder for values of `payload_bytes` random bytes, the same for a seed.
    #[must_use]
    pub fn new(payload_bytes: usize, seed: u64) -> PutEncoder {
        let mut value = vec![0; payload_bytes];
        ChaCha8Rng::seed_from_u64(seed).fill(&mut value[..]);
        let encode = |key: u64| {
            let put = Op::Put(Bytes::copy_from_slice(&key.to_be_bytes()), Bytes::copy_from_slice(&value));
            postcard::to_stdvec(&put).expect("encoding into memory")
        };
        let template = encode(0);
        let other = encode(u64::MAX);
        let key_at =
            template.iter().zip(&other).position(|(a, b)| a != b).expect("the key is in the encoding");
        PutEncoder { template, key_at, value: value.into(), block: BytesMut::new() }
    }

    /// The value of every put.
    pub(crate) fn value(&self) -> Bytes {
        self.value.clone()
    }

    /// The command that puts the value at `key`.
    pub fn put(&mut self, key: u64) -> Bytes {
        if self.block.capacity() < self.template.len() {
            self.block.reserve(BLOCK_BYTES.max(self.template.len()));
        }
        self.block.extend_from_slice(&self.template);
        self.block[self.key_at..self.key_at + 8].copy_from_slice(&key.to_be_bytes());
        self.block.split().freeze()
    }
}

#[cfg(test)]
#[allow(clippy::cast_precision_loss)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn keys(workload: &str, conflict: f64, client: usize, count: usize) -> Vec<u64> {
        let mut chooser = KeyChooser::new(&workload.parse().unwrap(), conflict, 42, client);
        (0..count).map(|_| chooser.next_key()).collect()
    }

    fn is_near(found: usize, count: usize, expected: f64) -> bool {
        let deviation = (expected * (1.0 - expected) / count as f64).sqrt();
        (found as f64 / count as f64 - expected).abs() <= 4.0 * deviation
    }

    #[test]
    fn epaxos13_is_the_hot_key_or_one_never_used_again() {
        for conflict in [0.0, 0.02, 0.5, 1.0] {
            let mut seen = BTreeSet::new();
            let mut hot = 0;
            for client in 0..4 {
                for key in keys("epaxos13", conflict, client, 20_000) {
                    if key == 0 {
                        hot += 1;
                    } else {
                        assert!(seen.insert(key), "key {key} was used before");
                    }
                }
            }
            assert!(is_near(hot, 80_000, conflict), "{hot} at {conflict}");
        }
    }

    #[test]
    fn atlas20_is_a_pool_key_or_the_clients_own() {
        for (pool, conflict) in [(1, 0.0), (1, 0.1), (4, 0.5), (4, 1.0)] {
            let mut own = BTreeSet::new();
            let mut shared = vec![0; 4];
            for client in 0..4 {
                for key in keys(&format!("atlas20:pool={pool}"), conflict, client, 20_000) {
                    match usize::try_from(key) {
                        Ok(key) if key < 4 => shared[key] += 1,
                        _ => drop(own.insert(key)),
                    }
                }
            }
            assert_eq!(own.len(), if conflict < 1.0 { 4 } else { 0 });
            assert!(is_near(shared.iter().sum(), 80_000, conflict), "{shared:?} at {conflict}");
            for (key, found) in shared.into_iter().enumerate() {
                let expected = if (key as u64) < pool { conflict / pool as f64 } else { 0.0 };
                assert!(is_near(found, 80_000, expected), "key {key}: {found}, expected {expected}");
            }
        }
    }

    #[test]
    fn zipf_prefers_low_keys_and_stays_in_range() {
        let drawn = keys("zipf:keys=100", 0.0, 0, 50_000);
        let total: f64 = (1..=100).map(|k| f64::from(k).powf(-0.99)).sum();
        assert!(drawn.iter().all(|key| *key < 100));
        assert!(is_near(drawn.iter().filter(|key| **key == 0).count(), 50_000, 1.0 / total));
    }

    #[test]
    fn reads_find_what_was_written() {
        for (workload, conflict) in [("epaxos13", 0.3), ("atlas20:pool=4", 0.3), ("zipf:keys=5", 0.0)] {
            let mut chooser = KeyChooser::new(&workload.parse().unwrap(), conflict, 42, 1);
            let written: BTreeSet<u64> = (0..100).map(|_| chooser.next_key()).collect();
            let read: BTreeSet<u64> = (0..100).map(|_| chooser.next_key_to_read()).collect();
            assert!(read.is_subset(&written) && read.len() > 1, "{workload}: {read:?}");
        }
    }

    #[test]
    fn the_same_seed_and_client_choose_the_same_keys() {
        for workload in ["epaxos13", "atlas20:pool=9", "zipf"] {
            assert_eq!(keys(workload, 0.5, 3, 100), keys(workload, 0.5, 3, 100));
            assert_ne!(keys(workload, 0.5, 3, 100), keys(workload, 0.5, 4, 100));
        }
    }

    #[test]
    fn a_put_is_what_the_state_machine_decodes() {
        for size in [0, 1, 100, 200, 5000, 100_000] {
            let mut encoder = PutEncoder::new(size, 1);
            let puts: Vec<Bytes> = [7, 0, u64::MAX].into_iter().map(|key| encoder.put(key)).collect();
            for (key, bytes) in [7u64, 0, u64::MAX].into_iter().zip(puts) {
                let Op::Put(found, value) = postcard::from_bytes(&bytes).unwrap() else {
                    panic!("not a put")
                };
                assert_eq!((&found[..], value.len()), (&key.to_be_bytes()[..], size));
            }
        }
    }
}
