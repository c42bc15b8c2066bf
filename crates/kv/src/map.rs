use bytes::Bytes;
use hashbrown::HashTable;
use isegoria_types::KeyHash;
use std::sync::Arc;

const SHARD_COUNT: usize = 1024;

/// A copy-on-write map from bytes to bytes: cloning it copies one pointer a shard,
/// and a shard is copied when it is first written after that.
///
/// Iteration is by shard (a fixed hash of the key), then by key: its order depends on
/// the contents alone, never on the history or on a hasher's seed.
#[derive(Clone, Debug)]
pub struct Map {
    shards: Vec<Arc<HashTable<Entry>>>,
    count: usize,
}

/// Key and value in one allocation.
#[derive(Clone, Debug)]
struct Entry {
    key_len: u32,
    bytes: Box<[u8]>,
}

impl Entry {
    fn new(key: &[u8], value: &[u8]) -> Entry {
        let key_len = u32::try_from(key.len()).expect("a command is far below 4 GiB");
        let mut bytes = Vec::with_capacity(key.len() + value.len());
        bytes.extend_from_slice(key);
        bytes.extend_from_slice(value);
        Entry { key_len, bytes: bytes.into_boxed_slice() }
    }

    fn key(&self) -> &[u8] {
        &self.bytes[..self.key_len as usize]
    }

    fn value(&self) -> &[u8] {
        &self.bytes[self.key_len as usize..]
    }
}

impl Default for Map {
    fn default() -> Map {
        Map { shards: vec![Arc::default(); SHARD_COUNT], count: 0 }
    }
}

/// The shard of a key, and the hash to look for within it.
fn place(key: &[u8]) -> (usize, u64) {
    let hash = KeyHash::of(key).0;
    // Bits that the table itself does not use: it takes the highest seven and the lowest.
    let shard = (hash >> 40) % SHARD_COUNT as u64;
    (usize::try_from(shard).expect("below the shard count"), hash)
}

impl Map {
    /// The value of `key`.
    #[must_use]
    pub fn get(&self, key: &[u8]) -> Option<&[u8]> {
        let (shard, hash) = place(key);
        self.shards[shard].find(hash, |entry| entry.key() == key).map(Entry::value)
    }

    /// Sets `key`. The bytes are copied, so that they do not keep alive the larger
    /// buffer that they are a part of.
    pub fn insert(&mut self, key: &[u8], value: &[u8]) {
        let (shard, hash) = place(key);
        let shard = Arc::make_mut(&mut self.shards[shard]);
        let fresh = Entry::new(key, value);
        match shard.find_mut(hash, |entry| entry.key() == key) {
            Some(entry) => *entry = fresh,
            None => {
                shard.insert_unique(hash, fresh, |entry| KeyHash::of(entry.key()).0);
                self.count += 1;
            }
        }
    }

    /// Takes `key` out; says whether it was there.
    pub fn remove(&mut self, key: &[u8]) -> bool {
        let (shard, hash) = place(key);
        if self.shards[shard].find(hash, |entry| entry.key() == key).is_none() {
            return false;
        }
        match Arc::make_mut(&mut self.shards[shard]).find_entry(hash, |entry| entry.key() == key) {
            Ok(found) => {
                found.remove();
                self.count -= 1;
                true
            }
            Err(_) => false,
        }
    }

    /// The number of keys.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// All pairs, in an order that depends on the contents alone.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.shards.iter().flat_map(|shard| {
            let mut pairs: Vec<(&[u8], &[u8])> =
                shard.iter().map(|entry| (entry.key(), entry.value())).collect();
            pairs.sort_unstable();
            pairs
        })
    }

    /// The value of `key` as bytes of its own.
    #[must_use]
    pub fn get_bytes(&self, key: &[u8]) -> Option<Bytes> {
        self.get(key).map(Bytes::copy_from_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// Fast against dumb, with clones taken on the way that must not change.
    #[test]
    fn behaves_like_an_ordered_map() {
        let (mut fast, mut dumb) = (Map::default(), BTreeMap::new());
        let mut clones = Vec::new();
        let mut state = 1u64;
        for step in 0..20_000u64 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(step);
            let key = (state >> 40) % 500;
            let key = key.to_le_bytes();
            match (state >> 20) % 4 {
                0 => assert_eq!(fast.remove(&key), dumb.remove(&key[..]).is_some()),
                _ => {
                    let value = &state.to_le_bytes()[..(state % 9) as usize % 8];
                    fast.insert(&key, value);
                    dumb.insert(key.to_vec(), value.to_vec());
                }
            }
            assert_eq!(fast.get(&key), dumb.get(&key[..]).map(Vec::as_slice));
            if step % 5_000 == 0 {
                clones.push((fast.clone(), dumb.clone()));
            }
        }
        clones.push((fast, dumb));
        for (fast, dumb) in clones {
            let mut pairs: Vec<_> = fast.iter().map(|(key, value)| (key.to_vec(), value.to_vec())).collect();
            pairs.sort();
            assert!(pairs.into_iter().eq(dumb.clone()));
            assert_eq!((fast.len(), fast.is_empty()), (dumb.len(), dumb.is_empty()));
        }
    }
}
