use crate::{Alarm, Distance, Lateness};
use std::collections::VecDeque;
use std::time::Instant;

/// Things on their way over a distance. They arrive in the order in which they left, as
/// over one TCP connection: what is held up holds up what follows.
#[derive(Debug)]
pub struct Road<T> {
    distance: Distance,
    /// When the last of what left will have passed the narrow place.
    free: Instant,
    travelling: VecDeque<(Instant, T)>,
    alarm: Alarm,
    lateness: Lateness,
}

impl<T> Road<T> {
    /// An empty road. How late things are taken is noted in `lateness`.
    #[must_use]
    pub fn new(distance: Distance, lateness: Lateness) -> Road<T> {
        Road {
            distance,
            free: Instant::now(),
            travelling: VecDeque::new(),
            alarm: Alarm::default(),
            lateness,
        }
    }

    /// Something of so many bytes leaves now.
    pub fn depart(&mut self, what: T, bytes: usize) {
        let mut arrives = Instant::now();
        if !self.distance.is_nothing() {
            self.free = self.free.max(arrives) + self.distance.transmission(bytes);
            arrives = self.free + self.distance.travel(bytes, &mut rand::rng());
        }
        let before = self.next_after();
        self.travelling.push_back((before.map_or(arrives, |before| arrives.max(before)), what));
    }

    fn next_after(&self) -> Option<Instant> {
        self.travelling.back().map(|(arrives, _)| *arrives)
    }

    /// What has arrived by now, one at a time.
    pub fn take(&mut self) -> Option<T> {
        let (arrives, _) = self.travelling.front()?;
        let now = Instant::now();
        if *arrives > now {
            return None;
        }
        if !self.distance.is_nothing() {
            self.lateness.note(now - *arrives);
        }
        self.travelling.pop_front().map(|(_, what)| what)
    }

    /// When the next thing arrives, if anything is on its way.
    #[must_use]
    pub fn next(&self) -> Option<Instant> {
        self.travelling.front().map(|(arrives, _)| *arrives)
    }

    /// Resolves when something has arrived; never, if nothing is on its way.
    pub async fn arrival(&mut self) {
        let next = self.next();
        self.alarm.at_next(next).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    async fn drive(road: &mut Road<u32>, count: usize) -> Vec<(u32, Instant)> {
        let mut arrived = Vec::new();
        while arrived.len() < count {
            road.arrival().await;
            arrived.extend(std::iter::from_fn(|| Some((road.take()?, Instant::now()))));
        }
        arrived
    }

    #[tokio::test]
    async fn everything_arrives_in_order_and_not_before_its_time() {
        let distance = Distance { one_way: ms(40), jitter: ms(20), loss: 0.2, bytes_per_s: None };
        let lateness = Lateness::default();
        let (mut road, began) = (Road::new(distance, lateness.clone()), Instant::now());
        for number in 0..100 {
            road.depart(number, 100);
        }
        assert_eq!(road.take(), None);
        let arrived = drive(&mut road, 100).await;
        assert!(arrived.iter().all(|(_, when)| *when - began >= distance.one_way));
        assert!(arrived.iter().map(|(number, _)| *number).eq(0..100));
        assert_eq!(lateness.summary().count, 100);
    }

    #[tokio::test]
    async fn what_leaves_together_leaves_a_narrow_road_one_after_the_other() {
        let narrow = Distance { one_way: ms(5), bytes_per_s: Some(1_000_000), ..Distance::default() };
        let (mut road, began) = (Road::new(narrow, Lateness::default()), Instant::now());
        for number in 0..4 {
            road.depart(number, 10_000);
        }
        for (number, when) in drive(&mut road, 4).await {
            let due = ms(5 + 10 * (u64::from(number) + 1));
            assert!(when - began >= due, "{number}: {:?}", when - began);
        }
    }

    #[tokio::test]
    async fn without_a_distance_everything_is_there_at_once() {
        let lateness = Lateness::default();
        let mut road = Road::new(Distance::default(), lateness.clone());
        road.depart(7, 1 << 20);
        assert_eq!((road.take(), road.take()), (Some(7), None));
        assert_eq!(lateness.summary().count, 0, "there is nothing to be late for");
    }
}
