use parking_lot::Mutex;
use std::time::{Duration, Instant};

/// Lets one log line a second through and counts the others, so that a stranger
/// who hammers a port cannot fill the log.
#[derive(Debug, Default)]
pub struct LogLimit {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    last: Option<Instant>,
    suppressed_count: u64,
}

impl LogLimit {
    /// The shortest time between two lines.
    const PERIOD: Duration = Duration::from_secs(1);

    /// Whether a line may be written now; if so, how many were suppressed since the last.
    pub fn permit(&self) -> Option<u64> {
        let mut inner = self.inner.lock();
        let now = Instant::now();
        if inner.last.is_some_and(|last| now.duration_since(last) < LogLimit::PERIOD) {
            inner.suppressed_count += 1;
            return None;
        }
        inner.last = Some(now);
        Some(std::mem::take(&mut inner.suppressed_count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_gives_one_line() {
        let limit = LogLimit::default();
        assert_eq!(limit.permit(), Some(0));
        assert!((0..1_000).all(|_| limit.permit().is_none()));
    }
}
