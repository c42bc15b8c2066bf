use rand::Rng;
use std::time::Duration;

/// What a packet of a wide-area link carries at most: an Ethernet frame less the headers of
/// IPv4 and of TCP with its time stamps, bytes.
const PACKET_BYTES: usize = 1448;

/// How far away the other end is made to seem, one way. The same for every protocol: it is
/// added where bytes leave, whatever they say.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Distance {
    /// What everything takes at least.
    pub one_way: Duration,
    /// What it takes more, at most; drawn evenly for each departure.
    pub jitter: Duration,
    /// The probability that a packet is lost, 0..1. The link is one TCP connection, so that
    /// nothing is missing in the end: what is lost is sent again, a round trip later.
    pub loss: f64,
    /// What passes, bytes a second; as much as there is, if none.
    pub bytes_per_s: Option<u64>,
}

impl Distance {
    /// Whether anything is held back at all.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Distance::default()
    }

    /// How long the link is busy with so many bytes.
    pub(crate) fn transmission(&self, bytes: usize) -> Duration {
        #[allow(clippy::cast_precision_loss)] // Below 2^52 bytes.
        let seconds = |rate: u64| Duration::from_secs_f64(bytes as f64 / rate.max(1) as f64);
        self.bytes_per_s.map_or(Duration::ZERO, seconds)
    }

    /// How long so many bytes travel once they have left, jitter and losses drawn.
    pub(crate) fn travel(&self, bytes: usize, rng: &mut impl Rng) -> Duration {
        let jitter = if self.jitter.is_zero() { self.jitter } else { self.jitter.mul_f64(rng.random()) };
        self.one_way + jitter + 2 * self.one_way * self.losses(bytes.div_ceil(PACKET_BYTES).max(1), rng)
    }

    /// How often something of so many packets has to be sent again, one time after the other.
    fn losses(&self, packets: usize, rng: &mut impl Rng) -> u32 {
        let (mut missing, mut rounds) = (if self.loss > 0.0 { packets } else { 0 }, 0);
        while missing > 0 {
            missing = (0..missing).filter(|_| rng.random_bool(self.loss)).count();
            rounds += u32::from(missing > 0);
        }
        rounds
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_loss_costs_a_round_trip_and_long_messages_lose_more_often() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let far = Distance { one_way: ms(40), loss: 0.1, ..Distance::default() };
        let mut share = |bytes: usize| {
            let travels: Vec<Duration> = (0..10_000).map(|_| far.travel(bytes, &mut rng)).collect();
            assert!(travels.iter().all(|travel| (travel.as_millis() - 40) % 80 == 0), "whole round trips");
            #[allow(clippy::cast_precision_loss)]
            let late = travels.iter().filter(|travel| **travel > ms(40)).count() as f64 / 10_000.0;
            late
        };
        assert!((share(0) - 0.1).abs() < 0.02);
        // 1 - 0.9^10
        assert!((share(10 * PACKET_BYTES) - 0.651).abs() < 0.03);
        let perfect = Distance { loss: 0.0, ..far };
        assert_eq!(perfect.travel(1 << 20, &mut rng), ms(40));
    }

    #[test]
    fn a_narrow_link_is_busy_for_as_long_as_its_bytes_take() {
        let narrow = Distance { bytes_per_s: Some(1_000_000), ..Distance::default() };
        assert_eq!(narrow.transmission(50_000), ms(50));
        assert_eq!(Distance::default().transmission(50_000), ms(0));
        assert!(!narrow.is_nothing() && Distance::default().is_nothing());
    }
}
