/// A seeded stream of numbers that look random (splitmix64): the dice of a session.
#[derive(Clone, Debug)]
pub(crate) struct Jitter(u64);

impl Jitter {
    pub(crate) fn new(seed: u64) -> Jitter {
        Jitter(seed)
    }

    /// A time between half of `ms` and `ms`.
    pub(crate) fn shorten(&mut self, ms: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ms - (z ^ (z >> 31)) % (ms / 2 + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range_is_used_and_kept() {
        let mut jitter = Jitter::new(1);
        let drawn: Vec<u64> = (0..1_000).map(|_| jitter.shorten(100)).collect();
        assert_eq!((drawn.iter().min(), drawn.iter().max()), (Some(&50), Some(&100)));
        assert_eq!((jitter.shorten(0), jitter.shorten(1) <= 1), (0, true));
    }
}
