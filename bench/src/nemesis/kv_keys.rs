use bytes::Bytes;
use isegoria_kv::Op;

/// After so many writes that nobody was told the end of, a text or counter is left for a new one:
/// each may have happened or not, or happen later, and a judge tries them in all orders.
const LOST_MAX: u32 = 6;

/// What a key is used for: operations that make sense of each other's results meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// put, cas, del, get
    Register,
    /// incr, get
    Counter,
    /// append, put, del, get
    Text,
}

impl Use {
    /// The use of the key at a place.
    pub(crate) fn of(place: usize) -> Use {
        [Use::Register, Use::Text, Use::Counter][place % 3]
    }
}

/// The keys in use, shared by all clients. Registers stay: what is put there tells itself from
/// everything else.
#[derive(Debug)]
pub(crate) struct KvKeys {
    /// How many keys were left at each place, and the lost writes of the one in use.
    places: Vec<(u64, u32)>,
}

impl KvKeys {
    pub(crate) fn new(count: usize) -> KvKeys {
        KvKeys { places: vec![(0, 0); count] }
    }

    pub(crate) fn count(&self) -> usize {
        self.places.len()
    }

    /// The name of the key in use at a place.
    pub(crate) fn name(&self, place: usize) -> Bytes {
        name(place, self.places[place].0)
    }

    /// The names of all keys that were ever in use.
    pub(crate) fn all(&self) -> Vec<Bytes> {
        let at =
            |(place, (left, _)): (usize, &(u64, u32))| (0..=*left).map(move |number| name(place, number));
        self.places.iter().enumerate().flat_map(at).collect()
    }

    /// Nobody knows how this operation ended.
    pub(crate) fn lost(&mut self, op: &Op) {
        let (Op::Put(key, _) | Op::Delete(key) | Op::Append(key, _) | Op::Incr(key, _)) = op else { return };
        let is_meant = |place: &usize| Use::of(*place) != Use::Register && self.name(*place) == key;
        let Some(place) = (0..self.count()).find(is_meant) else { return };
        let (left, lost) = &mut self.places[place];
        *lost += 1;
        if *lost == LOST_MAX {
            (*left, *lost) = (*left + 1, 0);
        }
    }
}

fn name(place: usize, number: u64) -> Bytes {
    match Use::of(place) {
        Use::Register => format!("r{place}").into(),
        Use::Counter => format!("n{place}.{number}").into(),
        Use::Text => format!("t{place}.{number}").into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_with_many_lost_writes_is_left_and_still_known() {
        let mut keys = KvKeys::new(3);
        for place in [0, 1, 2] {
            let key = keys.name(place);
            for _ in 0..LOST_MAX {
                keys.lost(&Op::Get(key.clone()));
                keys.lost(&Op::Delete(key.clone()));
            }
            // Of one that was left, nothing counts any more.
            keys.lost(&Op::Delete(key.clone()));
        }
        assert_eq!(keys.all(), ["r0", "t1.0", "t1.1", "n2.0", "n2.1"]);
        assert_eq!([keys.name(0), keys.name(1), keys.name(2)], ["r0", "t1.1", "n2.1"]);
    }
}
