use crate::load::LoadPlan;
use isegoria_transport::Lateness;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The most operations of a seat that wait for a client; what comes beyond is counted and forgotten.
const WAITING_MAX: usize = 1 << 20;
/// Dice of arrivals, beside those of the clients, which are numbered from 0.
const DICE_STREAM: u64 = 1 << 41;

/// When the operations of an open loop begin: at each seat a Poisson process, whatever the
/// cluster answers. An operation for which no client is idle waits, and its latency counts from when
/// it was to begin, so that a slow cluster cannot hide behind clients that wait for it.
#[derive(Debug)]
pub(crate) struct Arrivals {
    seats: Vec<Seat>,
    rng: ChaCha8Rng,
    /// How late operations begin although a client is idle: what the generator adds to latencies.
    lateness: Lateness,
}

#[derive(Debug)]
struct Seat {
    rate_per_s: f64,
    /// When the next operation begins.
    next: Instant,
    /// When those were to begin that no client was idle for, oldest first.
    waiting: VecDeque<Instant>,
    /// Those that did not even find room to wait.
    missed_count: u64,
    /// In turn, so that every session is used.
    idle: VecDeque<usize>,
}

impl Arrivals {
    /// The arrivals of a process at `rate_per_s` in all, spread over the seats as their clients are.
    pub(crate) fn new(plan: &LoadPlan, rate_per_s: f64, start: Instant) -> Arrivals {
        let mut rng = ChaCha8Rng::seed_from_u64(plan.seed);
        rng.set_stream(DICE_STREAM + plan.first_client as u64);
        let total: usize = plan.seats.iter().map(|seats| seats.clients).sum();
        #[allow(clippy::cast_precision_loss)] // Counts of clients.
        let share = |clients: usize| rate_per_s * clients as f64 / total as f64;
        let seats = plan.seats.iter().map(|seats| Seat {
            rate_per_s: share(seats.clients),
            next: start + pause(share(seats.clients), &mut rng),
            waiting: VecDeque::new(),
            missed_count: 0,
            idle: VecDeque::new(),
        });
        Arrivals { seats: seats.collect(), rng, lateness: Lateness::default() }
    }

    /// When the next operation begins.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.seats.iter().filter(|seat| seat.rate_per_s > 0.0).map(|seat| seat.next).min()
    }

    /// An operation that begins now, the client that has it, and when it was to begin. What no
    /// client is idle for waits for [`Arrivals::waiting`].
    pub(crate) fn arrive(&mut self, now: Instant) -> Option<(usize, Instant)> {
        for seat in self.seats.iter_mut().filter(|seat| seat.rate_per_s > 0.0) {
            while seat.next <= now {
                let intended = seat.next;
                seat.next += pause(seat.rate_per_s, &mut self.rng);
                match seat.idle.pop_front() {
                    Some(client) => {
                        self.lateness.note(now - intended);
                        return Some((client, intended));
                    }
                    None if seat.waiting.len() < WAITING_MAX => seat.waiting.push_back(intended),
                    None => seat.missed_count += 1,
                }
            }
        }
        None
    }

    /// The operation that has waited longest for a client of this seat.
    pub(crate) fn waiting(&mut self, seat: usize) -> Option<Instant> {
        self.seats[seat].waiting.pop_front()
    }

    /// Operations that were to begin from `since` on and have not; all that found no room to wait among them.
    pub(crate) fn unsent_count(&self, since: Instant) -> u64 {
        let waiting = |seat: &Seat| seat.waiting.iter().filter(|intended| **intended >= since).count() as u64;
        self.seats.iter().map(|seat| waiting(seat) + seat.missed_count).sum()
    }

    /// A client of this seat has nothing to do.
    pub(crate) fn idle(&mut self, seat: usize, client: usize) {
        self.seats[seat].idle.push_back(client);
    }

    pub(crate) fn lateness(&self) -> &Lateness {
        &self.lateness
    }
}

/// The time to the next arrival: exponential.
fn pause(rate_per_s: f64, rng: &mut impl Rng) -> Duration {
    if rate_per_s <= 0.0 {
        return Duration::ZERO;
    }
    let uniform: f64 = rng.random();
    Duration::from_secs_f64(-(1.0 - uniform).ln() / rate_per_s)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::plan::tests::plan;

    #[test]
    fn arrivals_are_as_many_as_the_rate_says_and_as_irregular_as_chance() {
        let start = Instant::now();
        let mut arrivals = Arrivals::new(&plan(&[3, 0, 1]), 1000.0, start);
        let mut at: [Vec<Instant>; 3] = Default::default();
        for step in 0..=100_000_u64 {
            let now = start + Duration::from_micros(100 * step);
            assert_eq!(arrivals.arrive(now), None, "nobody is idle");
            for (seat, found) in at.iter_mut().enumerate() {
                found.extend(std::iter::from_fn(|| arrivals.waiting(seat)));
            }
        }
        // 10 s, three quarters and one quarter.
        assert!(at[0].len().abs_diff(7_500) < 350 && at[1].is_empty() && at[2].len().abs_diff(2_500) < 200);
        let pauses: Vec<f64> = at[0].windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64()).collect();
        #[allow(clippy::cast_precision_loss)]
        let count = pauses.len() as f64;
        let mean = pauses.iter().sum::<f64>() / count;
        let deviation = (pauses.iter().map(|pause| (pause - mean).powi(2)).sum::<f64>() / count).sqrt();
        assert!((deviation / mean - 1.0).abs() < 0.1, "exponential: {deviation} and {mean}");
    }

    #[test]
    fn what_nobody_is_idle_for_waits_and_counts_from_its_own_time() {
        let start = Instant::now();
        let mut arrivals = Arrivals::new(&plan(&[1]), 100.0, start);
        arrivals.idle(0, 0);
        let now = start + Duration::from_secs(1);
        let (client, first) = arrivals.arrive(now).unwrap();
        assert!(client == 0 && first > start && first < now);
        assert_eq!(arrivals.arrive(now), None);
        let waiting = arrivals.unsent_count(start);
        assert!((60..140).contains(&waiting), "{waiting}");
        let second = arrivals.waiting(0).unwrap();
        assert!(second > first && second < now);
        assert!(
            arrivals.unsent_count(start + Duration::from_millis(500)) < waiting,
            "what was due before is not counted"
        );
        assert_eq!((arrivals.unsent_count(start), arrivals.lateness().summary().count), (waiting - 1, 1));
        assert!(arrivals.next().unwrap() > now);
    }
}
