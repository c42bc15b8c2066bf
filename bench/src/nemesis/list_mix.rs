use bytes::Bytes;
use isegoria_kv::Op;
use parking_lot::Mutex;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;

/// After so many appends a key is left alone and another one takes its place: a read
/// returns the whole list, so a list that grew for minutes would cost too much.
const APPENDS_MAX: u32 = 64;
/// The most keys that are read at once.
const READ_AT_ONCE_MAX: usize = 4;

/// The keys that are in use, shared by all clients.
#[derive(Debug)]
pub(crate) struct Lists {
    /// The number of each key in use, and how often it was appended to.
    in_use: Vec<(u64, u32)>,
    made_count: u64,
}

impl Lists {
    pub(crate) fn new(keys: usize) -> Lists {
        let made_count = keys as u64;
        Lists { in_use: (0..made_count).map(|number| (number, 0)).collect(), made_count }
    }

    /// The names of all keys that were ever in use.
    pub(crate) fn all(&self) -> Vec<Bytes> {
        (0..self.made_count).map(name).collect()
    }

    fn append_to(&mut self, place: usize) -> Bytes {
        let (number, appends) = &mut self.in_use[place];
        let key = name(*number);
        *appends += 1;
        if *appends == APPENDS_MAX {
            self.in_use[place] = (self.made_count, 0);
            self.made_count += 1;
        }
        key
    }
}

fn name(number: u64) -> Bytes {
    format!("l{number}").into()
}

/// One client's operations on lists: appends of elements that nobody else appends, and
/// reads of several lists at one moment.
#[derive(Debug)]
pub(crate) struct ListMix {
    rng: ChaCha8Rng,
    client: u64,
    appended_count: u64,
    lists: Arc<Mutex<Lists>>,
}

impl ListMix {
    pub(crate) fn new(seed: u64, client: u64, lists: Arc<Mutex<Lists>>) -> ListMix {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(client);
        ListMix { rng, client, appended_count: 0, lists }
    }

    /// The next operation.
    pub(crate) fn next_op(&mut self) -> Op {
        let mut lists = self.lists.lock();
        let count = lists.in_use.len();
        if self.rng.random_bool(0.5) {
            self.appended_count += 1;
            let element = format!("{}.{};", self.client, self.appended_count);
            return Op::Append(lists.append_to(self.rng.random_range(0..count)), element.into());
        }
        let reads = self.rng.random_range(1..=READ_AT_ONCE_MAX.min(count));
        let places = rand::seq::index::sample(&mut self.rng, count, reads);
        Op::MultiGet(places.into_iter().map(|place| name(lists.in_use[place].0)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};

    #[test]
    fn elements_are_unique_and_lists_stay_short() {
        let lists = Arc::new(Mutex::new(Lists::new(4)));
        let mut clients: Vec<ListMix> = (0..3).map(|client| ListMix::new(1, client, lists.clone())).collect();
        let (mut elements, mut lengths, mut reads) = (BTreeSet::new(), BTreeMap::new(), 0);
        for turn in 0..3000 {
            match clients[turn % 3].next_op() {
                Op::Append(key, element) => {
                    assert!(elements.insert(element));
                    *lengths.entry(key).or_insert(0) += 1;
                }
                Op::MultiGet(keys) => {
                    assert!((1..=4).contains(&keys.iter().collect::<BTreeSet<_>>().len()));
                    reads += 1;
                }
                other => panic!("{other:?}"),
            }
        }
        assert!(reads > 1000 && elements.len() > 1000);
        assert_eq!(lengths.values().max(), Some(&APPENDS_MAX));
        let all = lists.lock().all();
        assert!(lengths.keys().all(|key| all.contains(key)), "none is forgotten in the final read");
    }
}
