use rustix::time::{ClockId, clock_gettime};

/// The clock of a history: microseconds since an origin.
///
/// It is `CLOCK_MONOTONIC`, which all processes of a machine share and nobody sets, so
/// times of several load processes compare once they have one origin. `Instant` is the
/// same clock but cannot be sent to another process, and wall-clock time may jump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Clock {
    origin_us: u64,
}

impl Clock {
    /// A clock that begins now.
    pub(crate) fn start() -> Clock {
        Clock { origin_us: monotonic_us() }
    }

    /// The clock that another process of this machine began.
    pub(crate) fn with_origin(origin_us: u64) -> Clock {
        Clock { origin_us }
    }

    /// What [`Clock::with_origin`] takes.
    pub(crate) fn origin_us(self) -> u64 {
        self.origin_us
    }

    /// For what is about to begin: the time, rounded down.
    pub(crate) fn before_us(self) -> u64 {
        monotonic_us().saturating_sub(self.origin_us)
    }

    /// For what has just ended: the time, rounded up.
    pub(crate) fn after_us(self) -> u64 {
        self.before_us() + 1
    }
}

/// Microseconds since the machine's start, or so.
#[allow(clippy::cast_sign_loss)] // Never negative.
fn monotonic_us() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000 + now.tv_nsec as u64 / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rounding must widen an interval, never narrow it: an operation that began after
    /// another one ended must not look as if it had begun before, nor the other way round.
    #[test]
    fn an_interval_contains_what_it_measures() {
        let clock = Clock::start();
        for _ in 0..1000 {
            let (invoked, returned) = (clock.before_us(), clock.after_us());
            let next = clock.before_us();
            assert!(invoked < returned && returned <= next + 1, "{invoked} {returned} {next}");
        }
        let other = Clock::with_origin(clock.origin_us());
        assert!(clock.before_us() <= other.before_us());
    }
}
