use std::time::{Duration, Instant};

/// What the bucket holds at most, in seconds of its rate: a round of the loop that took
/// long does not cost capacity.
const BURST_S: f64 = 0.1;

/// Decides which requests are worth work: a token bucket, and the patience of clients.
///
/// Invariant: over any time `t` at most `(t + BURST_S) * rate` requests are let in. It
/// queues nothing: a request is let in at once or refused at once, so that what is let
/// in stays quick, and clients that are refused come back after a pause.
#[derive(Debug)]
pub(crate) struct Admission {
    /// Requests a second; none lets everything in.
    rate: Option<f64>,
    tokens: f64,
    filled: Instant,
}

impl Admission {
    pub(crate) fn new(per_s_max: Option<u32>, now: Instant) -> Admission {
        let rate = per_s_max.map(f64::from);
        Admission { rate, tokens: rate.map_or(0.0, capacity), filled: now }
    }

    /// Whether everything is let in.
    pub(crate) fn is_unlimited(&self) -> bool {
        self.rate.is_none()
    }

    /// Lets one more request in, or not.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        let Some(rate) = self.rate else { return true };
        let grown = now.saturating_duration_since(self.filled).as_secs_f64() * rate;
        self.tokens = (self.tokens + grown).min(capacity(rate));
        self.filled = now;
        let admitted = self.tokens >= 1.0;
        if admitted {
            self.tokens -= 1.0;
        }
        admitted
    }
}

fn capacity(rate: f64) -> f64 {
    (rate * BURST_S).max(1.0)
}

/// Whether the client of a request that came at `arrived` has stopped waiting. The way
/// to here is not counted, so a client that still waits is never taken for one that does not.
pub(crate) fn is_over(arrived: Instant, patience_ms: u64, now: Instant) -> bool {
    now.saturating_duration_since(arrived) >= Duration::from_millis(patience_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_kept_whatever_comes() {
        let start = Instant::now();
        let mut admission = Admission::new(Some(1_000), start);
        let mut admitted = 0;
        for us in (0..2_000_000).step_by(100) {
            admitted += u32::from(admission.take(start + Duration::from_micros(us)));
        }
        assert!((2_000..=2_101).contains(&admitted), "{admitted}");
        assert!(admission.take(start + Duration::from_secs(3)));
    }

    #[test]
    fn a_low_rate_still_lets_one_in() {
        let start = Instant::now();
        let mut admission = Admission::new(Some(1), start);
        assert!(admission.take(start) && !admission.take(start + Duration::from_millis(900)));
        assert!(admission.take(start + Duration::from_millis(1_001)));
        assert!((0..1_000).all(|_| Admission::new(None, start).take(start)));
    }

    #[test]
    fn patience_ends_where_the_client_says() {
        let start = Instant::now();
        let after = |ms| start + Duration::from_millis(ms);
        assert!(!is_over(start, 10, after(9)) && is_over(start, 10, after(10)));
        assert!(is_over(start, 0, start), "it was over when it was sent");
        assert!(!is_over(after(5), 1, start) && !is_over(start, u64::MAX, after(1 << 40)));
    }
}
