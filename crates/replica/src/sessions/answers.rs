use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smallvec::SmallVec;

/// A session's answers that were not acknowledged, by request number.
///
/// One answer is held without an allocation: most clients wait for each answer
/// before the next request.
#[derive(Clone, Debug, Default)]
pub(super) struct Answers {
    /// The largest acknowledgement seen: answers below are of no use.
    acked_below: u64,
    /// Ascending. May still hold useless ones; readers start at `acked_below`.
    entries: SmallVec<[(u64, Bytes); 1]>,
}

impl Answers {
    /// The client has the answers below `acked_below`.
    pub(super) fn acknowledge(&mut self, acked_below: u64) {
        if acked_below <= self.acked_below {
            return;
        }
        self.acked_below = acked_below;
        let useless_count = self.entries.len() - self.live().len();
        // A drain moves the rest: only when as many go as stay is it constant an answer.
        if useless_count * 2 >= self.entries.len() {
            self.entries.drain(..useless_count);
        }
    }

    fn live(&self) -> &[(u64, Bytes)] {
        let is_acked_first = self.entries.first().is_some_and(|(number, _)| *number < self.acked_below);
        if !is_acked_first {
            return &self.entries;
        }
        &self.entries[self.entries.partition_point(|(number, _)| *number < self.acked_below)..]
    }

    /// The answer to request `number`, unless it was acknowledged.
    pub(super) fn get(&self, number: u64) -> Option<&Bytes> {
        let live = self.live();
        live.binary_search_by_key(&number, |(number, _)| *number).ok().map(|index| &live[index].1)
    }

    /// The client has the answers to all requests below.
    pub(super) fn acked_below(&self) -> u64 {
        self.acked_below
    }

    /// Holds the answer to request `number`, which had none; not if it was acknowledged.
    pub(super) fn insert(&mut self, number: u64, answer: Bytes) {
        if number >= self.acked_below {
            let index = match self.entries.last() {
                Some((last, _)) if *last > number => self.entries.partition_point(|(n, _)| *n < number),
                _ => self.entries.len(),
            };
            self.entries.insert(index, (number, answer));
        }
    }

    /// The requests that have an answer here.
    pub(super) fn numbers(&self) -> impl Iterator<Item = u64> {
        self.live().iter().map(|(number, _)| *number)
    }
}

impl Serialize for Answers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.acked_below, self.live()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Answers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Answers, D::Error> {
        let (acked_below, entries) = <(u64, SmallVec<[(u64, Bytes); 1]>)>::deserialize(deserializer)?;
        let is_ascending = entries.is_sorted_by(|a, b| a.0 < b.0);
        if !is_ascending || entries.first().is_some_and(|(number, _)| *number < acked_below) {
            return Err(serde::de::Error::custom("cached answers that are not in normal form"));
        }
        Ok(Answers { acked_below, entries })
    }
}
