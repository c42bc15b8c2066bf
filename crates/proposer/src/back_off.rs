/// How long to wait before an attempt, ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Schedule {
    /// The wait before the first attempt, for the node of rank 0.
    pub base_ticks: u64,
    /// What each rank waits longer than the one before, so that usually one node
    /// recovers and the others learn from it (protocols.md 2.5).
    pub stagger_ticks: u64,
    /// The longest doubled wait, before stagger and jitter.
    pub max_ticks: u64,
    /// This node's place in the order of recoverers: its index, or its distance from
    /// the vertex's leader.
    pub rank: u64,
}

impl Schedule {
    /// The wait before attempt `attempt` (from 0): doubled each time up to the
    /// maximum, plus the stagger, plus up to half of the doubled wait, picked by `jitter`.
    #[must_use]
    pub fn wait(&self, attempt: u32, jitter: u64) -> u64 {
        let factor = 1u64.checked_shl(attempt).unwrap_or(u64::MAX);
        let doubled = self.base_ticks.saturating_mul(factor).min(self.max_ticks.max(self.base_ticks));
        let stagger = self.stagger_ticks.saturating_mul(self.rank);
        doubled.saturating_add(stagger).saturating_add(jitter % (doubled / 2 + 1))
    }
}

/// When to try something again, in ticks that the caller counts. No clock and no
/// dice: the same calls give the same moments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BackOff {
    attempt: u32,
    due_at: u64,
}

impl BackOff {
    /// Waits for the first attempt from tick `now`.
    #[must_use]
    pub fn start(now: u64, schedule: &Schedule, jitter: u64) -> BackOff {
        BackOff { attempt: 0, due_at: now.saturating_add(schedule.wait(0, jitter)) }
    }

    /// Whether the next attempt is due at tick `now`.
    #[must_use]
    pub fn due(&self, now: u64) -> bool {
        now >= self.due_at
    }

    /// The tick from which the next attempt is due.
    #[must_use]
    pub fn due_at(&self) -> u64 {
        self.due_at
    }

    /// An attempt was made, or refused, at tick `now`: wait longer for the next.
    pub fn retry(&mut self, now: u64, schedule: &Schedule, jitter: u64) {
        self.attempt = self.attempt.saturating_add(1);
        self.due_at = now.saturating_add(schedule.wait(self.attempt, jitter));
    }

    /// The number of retries so far.
    #[must_use]
    pub fn retry_count(&self) -> u32 {
        self.attempt
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(rank: u64) -> Schedule {
        Schedule { base_ticks: 10, stagger_ticks: 7, max_ticks: 65, rank }
    }

    #[test]
    fn waits_double_up_to_the_maximum() {
        let waits = [0, 1, 2, 3, 4, 63, 64, u32::MAX].map(|attempt| schedule(0).wait(attempt, 0));
        assert_eq!(waits, [10, 20, 40, 65, 65, 65, 65, 65]);
        let extreme =
            Schedule { base_ticks: u64::MAX, stagger_ticks: u64::MAX, max_ticks: 0, rank: u64::MAX };
        assert_eq!(extreme.wait(3, u64::MAX), u64::MAX);
    }

    #[test]
    fn jitter_adds_at_most_half() {
        let waits: Vec<u64> = (0..100).map(|jitter| schedule(0).wait(2, jitter)).collect();
        assert_eq!((waits.iter().min(), waits.iter().max()), (Some(&40), Some(&60)));
    }

    #[test]
    fn lower_ranks_come_first() {
        let due: Vec<u64> = (0..3).map(|rank| BackOff::start(100, &schedule(rank), 0).due_at()).collect();
        assert_eq!(due, [110, 117, 124]);
        let mut first = BackOff::start(100, &schedule(0), 0);
        assert!(!first.due(109) && first.due(110));
        first.retry(110, &schedule(0), 3);
        assert!(!first.due(132) && first.due(133) && first.retry_count() == 1);
    }
}
