use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The upper end of the first bucket, us; each further one is twice as wide.
const FIRST_US: u64 = 64;
/// Buckets with an upper end; the last ends at 34 s.
const BUCKET_COUNT: usize = 20;

/// How often something took how long, in buckets that double.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latencies {
    /// Of each bucket, and of what is beyond the last; empty before the first one is noted.
    counts: Vec<u64>,
    sum_us: u64,
}

impl Latencies {
    /// One more.
    pub fn note(&mut self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.counts.resize(BUCKET_COUNT + 1, 0);
        let doublings = us.div_ceil(FIRST_US).max(1).next_power_of_two().trailing_zeros() as usize;
        self.counts[doublings.min(BUCKET_COUNT)] += 1;
        self.sum_us = self.sum_us.saturating_add(us);
    }

    /// The upper end of each bucket, us, none for the last, and how many are in it.
    pub fn buckets(&self) -> impl Iterator<Item = (Option<u64>, u64)> {
        (0..=BUCKET_COUNT).map(|bucket| {
            let end = (bucket < BUCKET_COUNT).then(|| FIRST_US << bucket);
            (end, self.counts.get(bucket).copied().unwrap_or(0))
        })
    }

    /// All together, us.
    #[must_use]
    pub fn sum_us(&self) -> u64 {
        self.sum_us
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_goes_into_the_first_bucket_that_holds_it() {
        let mut latencies = Latencies::default();
        for us in [0, 1, 64, 65, 128, 129, 1_000_000, 40_000_000, u64::MAX] {
            latencies.note(Duration::from_micros(us));
        }
        let filled: Vec<(Option<u64>, u64)> = latencies.buckets().filter(|(_, count)| *count > 0).collect();
        let expected = [(Some(64), 3), (Some(128), 2), (Some(256), 1), (Some(64 << 14), 1), (None, 2)];
        assert_eq!(filled, expected);
    }
}
