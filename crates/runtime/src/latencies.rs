use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Beyond this all are alike, us: a minute.
const US_MAX: u64 = 60_000_000;
/// The upper end of the first of the buckets that [`Latencies::buckets`] tells, us; each
/// further one is twice as wide.
const FIRST_US: u64 = 64;
/// Buckets with an upper end; the last ends at 34 s.
const BUCKET_COUNT: u32 = 20;

/// How often something took how long, to two significant digits.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Listed", into = "Listed")]
pub struct Latencies {
    /// None before the first one is noted.
    histogram: Option<Box<Histogram<u64>>>,
    sum_us: u64,
}

/// [`Latencies`] as they are told.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Listed {
    /// Each time that was met, us, and how often.
    counts: Vec<(u64, u64)>,
    sum_us: u64,
}

impl From<Latencies> for Listed {
    fn from(latencies: Latencies) -> Listed {
        let counts = latencies.counts().collect();
        Listed { counts, sum_us: latencies.sum_us }
    }
}

impl From<Listed> for Latencies {
    fn from(listed: Listed) -> Latencies {
        let mut latencies = Latencies::default();
        for (us, count) in listed.counts {
            latencies.histogram().saturating_record_n(us.min(US_MAX), count);
        }
        Latencies { sum_us: listed.sum_us, ..latencies }
    }
}

impl Latencies {
    fn histogram(&mut self) -> &mut Histogram<u64> {
        let empty = || Histogram::new_with_bounds(1, US_MAX, 2).expect("bounds and digits are in range");
        self.histogram.get_or_insert_with(|| Box::new(empty()))
    }

    /// One more.
    pub fn note(&mut self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.histogram().saturating_record(us.min(US_MAX));
        self.sum_us = self.sum_us.saturating_add(us);
    }

    /// Each time that was met, to two digits, us, and how often.
    pub fn counts(&self) -> impl Iterator<Item = (u64, u64)> {
        let recorded = self.histogram.iter().flat_map(|histogram| histogram.iter_recorded());
        recorded.map(|value| (value.value_iterated_to(), value.count_at_value()))
    }

    /// The upper end of each of some buckets, us, none for the last, and how many are in it.
    pub fn buckets(&self) -> impl Iterator<Item = (Option<u64>, u64)> {
        let mut below = 0;
        (0..=BUCKET_COUNT).map(move |bucket| {
            let end = (bucket < BUCKET_COUNT).then(|| FIRST_US << bucket);
            let reached = self.histogram.as_ref().map_or(0, |histogram| match end {
                Some(end) => histogram.count_between(0, end),
                None => histogram.len(),
            });
            (end, reached - std::mem::replace(&mut below, reached))
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

    fn noted(us: &[u64]) -> Latencies {
        let mut latencies = Latencies::default();
        us.iter().for_each(|us| latencies.note(Duration::from_micros(*us)));
        latencies
    }

    #[test]
    fn each_goes_into_the_first_bucket_that_holds_it() {
        let latencies = noted(&[0, 1, 64, 65, 128, 129, 1_000_000, 40_000_000, u64::MAX]);
        let filled: Vec<(Option<u64>, u64)> = latencies.buckets().filter(|(_, count)| *count > 0).collect();
        let expected = [(Some(64), 3), (Some(128), 2), (Some(256), 1), (Some(64 << 14), 1), (None, 2)];
        assert_eq!(filled, expected);
        assert_eq!(Latencies::default().buckets().map(|(_, count)| count).sum::<u64>(), 0);
    }

    #[test]
    fn what_is_told_is_what_was_noted() {
        for latencies in [Latencies::default(), noted(&[0, 1, 70_123, 70_123, 3_000_000])] {
            let told = serde_json::to_string(&latencies).unwrap();
            assert_eq!(serde_json::from_str::<Latencies>(&told).unwrap(), latencies, "{told}");
        }
        let far: Vec<(u64, u64)> = noted(&[70_123, 70_123]).counts().collect();
        assert!(far.len() == 1 && far[0].1 == 2 && far[0].0.abs_diff(70_123) < 701, "{far:?}");
        let odd: Latencies =
            serde_json::from_str(r#"{"counts":[[18446744073709551615,2]],"sum_us":3}"#).unwrap();
        assert_eq!(odd.buckets().last(), Some((None, 2)), "whatever a node says, nobody panics");
    }
}
