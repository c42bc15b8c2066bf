use rand::Rng;
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;

/// How far away the other end is made to seem, one way. The same for every protocol: it is
/// added where bytes leave, whatever they say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Distance {
    /// What everything takes at least.
    pub one_way: Duration,
    /// What it takes more, at most; drawn evenly for each departure.
    pub jitter: Duration,
}

/// Things on their way over a distance. They arrive in the order in which they left, as
/// over one TCP connection: what is held up holds up what follows.
#[derive(Debug)]
pub struct Road<T> {
    distance: Distance,
    travelling: VecDeque<(Instant, T)>,
}

impl<T> Road<T> {
    /// An empty road.
    #[must_use]
    pub fn new(distance: Distance) -> Road<T> {
        Road { distance, travelling: VecDeque::new() }
    }

    /// Something leaves now.
    pub fn depart(&mut self, what: T) {
        let Distance { one_way, jitter } = self.distance;
        let more = if jitter.is_zero() { jitter } else { jitter.mul_f64(rand::rng().random()) };
        self.depart_at(Instant::now() + one_way + more, what);
    }

    fn depart_at(&mut self, arrives: Instant, what: T) {
        let before = self.travelling.back().map_or(arrives, |(before, _)| *before);
        self.travelling.push_back((arrives.max(before), what));
    }

    /// What has arrived by now, one at a time.
    pub fn take(&mut self) -> Option<T> {
        let (arrives, _) = self.travelling.front()?;
        if *arrives > Instant::now() {
            return None;
        }
        self.travelling.pop_front().map(|(_, what)| what)
    }

    /// When the next thing arrives, if anything is on its way.
    #[must_use]
    pub fn next(&self) -> Option<Instant> {
        self.travelling.front().map(|(arrives, _)| *arrives)
    }

    /// Resolves when something has arrived; never, if nothing is on its way.
    pub async fn arrival(&self) {
        match self.next() {
            Some(arrives) => tokio::time::sleep_until(arrives).await,
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn everything_arrives_in_order_and_not_before_its_time() {
        let distance = Distance { one_way: Duration::from_millis(40), jitter: Duration::from_millis(20) };
        let (mut road, began) = (Road::new(distance), Instant::now());
        for number in 0..100 {
            road.depart(number);
        }
        assert_eq!(road.take(), None);
        let mut arrived = Vec::new();
        while arrived.len() < 100 {
            road.arrival().await;
            let passed = began.elapsed();
            assert!(passed >= distance.one_way && passed <= Duration::from_millis(61), "{passed:?}");
            arrived.extend(std::iter::from_fn(|| road.take()));
        }
        assert!(arrived.into_iter().eq(0..100));
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_distance_everything_is_there_at_once() {
        let mut road = Road::new(Distance::default());
        road.depart('x');
        assert_eq!((road.take(), road.take()), (Some('x'), None));
    }
}
