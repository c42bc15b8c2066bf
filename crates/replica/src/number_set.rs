use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeSet;

/// A set of numbers that fills up from 0, nearly in order: all below a number, and
/// a few above it.
///
/// Normal form: the number itself is no member, so that equal sets are equal values
/// with equal encodings. While members come in order, nothing is allocated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize)]
pub struct NumberSet {
    below: u64,
    extras: BTreeSet<u64>,
}

impl NumberSet {
    /// Whether `number` is a member.
    #[must_use]
    pub fn contains(&self, number: u64) -> bool {
        number < self.below || (!self.extras.is_empty() && self.extras.contains(&number))
    }

    /// Adds `number`; says whether it was new.
    pub fn insert(&mut self, number: u64) -> bool {
        if number < self.below {
            return false;
        }
        // The largest number has none above it to be the new end: it stays an extra.
        if number > self.below || number == u64::MAX {
            return self.extras.insert(number);
        }
        self.below += 1;
        while !self.extras.is_empty() && self.below < u64::MAX && self.extras.remove(&self.below) {
            self.below += 1;
        }
        true
    }

    /// The number below which all numbers are members; it is none itself.
    #[must_use]
    pub fn below(&self) -> u64 {
        self.below
    }

    /// The number of members from `first` on.
    #[must_use]
    pub fn count_from(&self, first: u64) -> u64 {
        self.below.saturating_sub(first) + self.extras.range(first..).count() as u64
    }

    /// The number of members that are not below [`NumberSet::below`].
    #[must_use]
    pub fn extra_count(&self) -> usize {
        self.extras.len()
    }
}

impl<'de> Deserialize<'de> for NumberSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<NumberSet, D::Error> {
        let (below, extras) = <(u64, Vec<u64>)>::deserialize(deserializer)?;
        let is_ascending = extras.is_sorted_by(|a, b| a < b);
        let is_apart = extras.first().is_none_or(|first| *first > below || *first == u64::MAX);
        if !is_ascending || !is_apart {
            return Err(serde::de::Error::custom("a number set that is not in normal form"));
        }
        Ok(NumberSet { below, extras: extras.into_iter().collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Fast against dumb: prefix and extras against a plain set.
        #[test]
        fn behaves_like_a_set(numbers in prop::collection::vec(0..30u64, 0..40)) {
            let mut fast = NumberSet::default();
            let mut dumb = BTreeSet::new();
            for number in numbers {
                prop_assert_eq!(fast.insert(number), dumb.insert(number));
                prop_assert!((0..32).all(|number| fast.contains(number) == dumb.contains(&number)));
                prop_assert!((0..32).all(|first| fast.count_from(first) == dumb.range(first..).count() as u64));
                let mut sorted = NumberSet::default();
                dumb.iter().for_each(|number| { sorted.insert(*number); });
                prop_assert_eq!(&fast, &sorted);
                let bytes = postcard::to_stdvec(&fast).unwrap();
                prop_assert_eq!(&bytes, &postcard::to_stdvec(&sorted).unwrap());
                prop_assert_eq!(&postcard::from_bytes::<NumberSet>(&bytes).unwrap(), &fast);
            }
        }
    }

    #[test]
    fn a_denormal_encoding_is_refused() {
        for bytes in [&[2, 1, 2][..], &[2, 1, 1], &[0, 2, 5, 4], &[0, 2, 4, 4]] {
            assert!(postcard::from_bytes::<NumberSet>(bytes).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn the_largest_number_is_a_number_like_others() {
        let mut set = NumberSet { below: u64::MAX - 1, extras: BTreeSet::new() };
        assert!(set.insert(u64::MAX) && set.insert(u64::MAX - 1));
        assert!(!set.insert(u64::MAX) && set.contains(u64::MAX) && set.contains(u64::MAX - 1));
        let bytes = postcard::to_stdvec(&set).unwrap();
        assert_eq!(postcard::from_bytes::<NumberSet>(&bytes).unwrap(), set);
    }
}
