use hdrhistogram::Histogram;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// Beyond this all are alike, µs.
const US_MAX: u64 = 60_000_000;

/// By how much what was to happen at a certain time happened late: what an emulated distance
/// takes more than it should. Clones share what they note.
#[derive(Clone, Debug)]
pub struct Lateness(Arc<Mutex<Histogram<u64>>>);

/// A [`Lateness`] in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatenessSummary {
    /// How much happened.
    pub count: u64,
    /// Half was at most this late, µs.
    pub p50_us: u64,
    /// 99 % were at most this late, µs.
    pub p99_us: u64,
    /// The latest, µs.
    pub max_us: u64,
}

impl Default for Lateness {
    fn default() -> Lateness {
        let empty = Histogram::new_with_bounds(1, US_MAX, 2).expect("bounds and digits are in range");
        Lateness(Arc::new(Mutex::new(empty)))
    }
}

impl Lateness {
    /// One more.
    pub fn note(&self, late: Duration) {
        let us = u64::try_from(late.as_micros()).unwrap_or(u64::MAX);
        self.0.lock().saturating_record(us.min(US_MAX));
    }

    /// All so far.
    #[must_use]
    pub fn summary(&self) -> LatenessSummary {
        let all = self.0.lock();
        LatenessSummary {
            count: all.len(),
            p50_us: all.value_at_quantile(0.5),
            p99_us: all.value_at_quantile(0.99),
            max_us: all.max(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_note_into_one() {
        let lateness = Lateness::default();
        assert_eq!(lateness.summary(), LatenessSummary::default());
        for us in 1..=100 {
            lateness.clone().note(Duration::from_micros(us));
        }
        lateness.note(Duration::from_secs(3600));
        let LatenessSummary { count, p50_us, p99_us, max_us } = lateness.summary();
        assert_eq!((count, p50_us), (101, 51));
        assert!((99..=100).contains(&p99_us) && max_us >= US_MAX, "{p99_us}, {max_us}");
    }
}
