use rand::Rng;

/// A Zipf distribution over `1..=count`: the probability of k is proportional to
/// k^-theta.
///
/// Sampled by rejection-inversion (W. Hörmann and G. Derflinger, "Rejection-inversion
/// to generate variates from monotone discrete distributions", ACM TOMACS 6(3), 1996):
/// constant time and memory whatever the count, and exact up to rounding.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Zipf {
    count: f64,
    theta: f64,
    /// The integral of the hat up to 1.5, less the probability mass of 1.
    low: f64,
    /// The integral of the hat up to the right end of the last bar.
    high: f64,
    /// A draw this near to the right end of a bar needs no test.
    squeeze: f64,
}

impl Zipf {
    /// # Panics
    /// If `count` is 0 or `theta` is negative or no number.
    pub(crate) fn new(count: u64, theta: f64) -> Zipf {
        assert!(count > 0 && theta >= 0.0, "zipf over {count} keys with theta {theta}");
        #[allow(clippy::cast_precision_loss)] // Checked: counts are at most 2^32.
        let count = count as f64;
        let mut zipf = Zipf { count, theta, low: 0.0, high: 0.0, squeeze: 0.0 };
        zipf.low = zipf.integral(1.5) - 1.0;
        zipf.high = zipf.integral(count + 0.5);
        zipf.squeeze = 2.0 - zipf.inverse(zipf.integral(2.5) - zipf.density(2.0));
        zipf
    }

    /// A number of `1..=count`.
    pub(crate) fn sample(&self, rng: &mut impl Rng) -> u64 {
        loop {
            let area = self.high + rng.random::<f64>() * (self.low - self.high);
            let x = self.inverse(area);
            let k = (x + 0.5).floor().clamp(1.0, self.count);
            if k - x <= self.squeeze || area >= self.integral(k + 0.5) - self.density(k) {
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // In 1..=count.
                return k as u64;
            }
        }
    }

    /// The hat: x^-theta.
    fn density(&self, x: f64) -> f64 {
        (-self.theta * x.ln()).exp()
    }

    /// The integral of the hat from 1 to x; also near theta = 1, where it is ln x.
    fn integral(&self, x: f64) -> f64 {
        let ln = x.ln();
        exp_m1_ratio((1.0 - self.theta) * ln) * ln
    }

    /// The x with this integral.
    fn inverse(&self, area: f64) -> f64 {
        let t = (area * (1.0 - self.theta)).max(-1.0);
        (ln_1p_ratio(t) * area).exp()
    }
}

/// (e^x - 1) / x, which is 1 at 0.
fn exp_m1_ratio(x: f64) -> f64 {
    if x.abs() > 1e-8 { x.exp_m1() / x } else { 1.0 + x / 2.0 }
}

/// ln(1 + x) / x, which is 1 at 0.
fn ln_1p_ratio(x: f64) -> f64 {
    if x.abs() > 1e-8 { x.ln_1p() / x } else { 1.0 - x / 2.0 }
}

#[cfg(test)]
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    const DRAWS: usize = 400_000;

    /// The largest distance between the drawn and the exact cumulative distribution
    /// (Kolmogorov–Smirnov), times the square root of the number of draws.
    fn distance(count: u64, theta: f64, seed: u64) -> f64 {
        let zipf = Zipf::new(count, theta);
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut drawn = vec![0u64; count as usize + 1];
        for _ in 0..DRAWS {
            drawn[zipf.sample(&mut rng) as usize] += 1;
        }
        let weight = |k: u64| (k as f64).powf(-theta);
        let total: f64 = (1..=count).map(weight).sum();
        let (mut exact, mut seen, mut worst) = (0.0, 0, 0.0f64);
        for k in 1..=count {
            exact += weight(k) / total;
            seen += drawn[k as usize];
            worst = worst.max((seen as f64 / DRAWS as f64 - exact).abs());
        }
        worst * (DRAWS as f64).sqrt()
    }

    #[test]
    fn the_distribution_is_the_exact_one() {
        for (count, theta) in [
            (1, 0.99),
            (2, 0.99),
            (10, 0.0),
            (10, 0.99),
            (10, 1.0),
            (10, 3.0),
            (1000, 0.5),
            (1000, 0.99),
            (1000, 1.0),
            (1000, 1.2),
            (1_000_000, 0.99),
        ] {
            // Above 1.95 by chance once in a thousand (Kolmogorov); the seed is fixed.
            let found = distance(count, theta, 7);
            assert!(found < 1.95, "{count} keys, theta {theta}: {found}");
        }
    }

    #[test]
    fn the_test_tells_near_distributions_apart() {
        let zipf = Zipf::new(1000, 0.97);
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let ones = (0..DRAWS).filter(|_| zipf.sample(&mut rng) == 1).count() as f64 / DRAWS as f64;
        let total: f64 = (1..=1000).map(|k| f64::from(k).powf(-0.99)).sum();
        assert!((ones - 1.0 / total).abs() * (DRAWS as f64).sqrt() > 1.95);
    }
}
