use std::time::Duration;

/// Growing pauses between attempts: from 10 ms up to 1 s, doubled each time, with
/// half of each pause drawn at random so that those who failed together do not
/// come back together.
#[derive(Debug, Default)]
pub struct Backoff {
    attempt_count: u32,
}

impl Backoff {
    /// The longest pause, ms.
    pub const PAUSE_MAX_MS: u64 = 1_000;
    /// The first pause, ms.
    pub const PAUSE_MIN_MS: u64 = 10;

    /// Begins again with the shortest pause.
    pub fn reset(&mut self) {
        self.attempt_count = 0;
    }

    /// The pause before the next attempt.
    pub fn next_pause(&mut self) -> Duration {
        let doubled = Backoff::PAUSE_MIN_MS << self.attempt_count.min(10);
        self.attempt_count = self.attempt_count.saturating_add(1);
        let pause = doubled.min(Backoff::PAUSE_MAX_MS);
        Duration::from_millis(rand::random_range(pause / 2..=pause))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_limit_and_start_again() {
        let mut backoff = Backoff::default();
        let pauses: Vec<u64> =
            (0..200).map(|_| u64::try_from(backoff.next_pause().as_millis()).unwrap()).collect();
        assert!((5..=10).contains(&pauses[0]), "{pauses:?}");
        assert!(pauses[20..].iter().all(|pause| (500..=1_000).contains(pause)), "{pauses:?}");
        backoff.reset();
        assert!(backoff.next_pause() <= Duration::from_millis(10));
    }
}
