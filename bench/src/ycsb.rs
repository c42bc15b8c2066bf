use crate::generator::KeyChooser;
use crate::operation::Operation;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// The longest scan, keys.
const SCAN_MAX: u64 = 100;

/// A workload of the Yahoo! Cloud Serving Benchmark (Cooper et al., SoCC 2010): records that are
/// there from the beginning, a few of which are asked for most of the time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ycsb {
    /// Which of the six.
    pub letter: Letter,
    /// Number of records that are there from the beginning.
    pub keys: u64,
    /// The skew of the Zipf distribution over them.
    pub theta: f64,
}

/// What the operations of a workload are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Letter {
    /// Half reads, half updates.
    A,
    /// 95 % reads, 5 % updates.
    B,
    /// Only reads.
    C,
    /// 95 % reads of what was inserted last, 5 % insertions.
    D,
    /// 95 % scans of 1 to 100 records, 5 % insertions.
    E,
    /// Half reads, half read-modify-writes.
    F,
}

impl Letter {
    pub(crate) const ALL: [Letter; 6] = [Letter::A, Letter::B, Letter::C, Letter::D, Letter::E, Letter::F];

    /// The workload's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Letter::A => "ycsb-a",
            Letter::B => "ycsb-b",
            Letter::C => "ycsb-c",
            Letter::D => "ycsb-d",
            Letter::E => "ycsb-e",
            Letter::F => "ycsb-f",
        }
    }
}

impl Ycsb {
    pub(crate) fn mix(self) -> Mix {
        Mix(self)
    }
}

/// Chooses what each operation is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mix(Ycsb);

impl Mix {
    pub(crate) fn operation(&self, keys: &mut KeyChooser, rng: &mut ChaCha8Rng) -> Operation {
        let Mix(Ycsb { letter, keys: count, .. }) = *self;
        match letter {
            Letter::A if rng.random_bool(0.5) => Operation::Put(keys.next_key()),
            Letter::B if rng.random_bool(0.05) => Operation::Put(keys.next_key()),
            Letter::D | Letter::E if rng.random_bool(0.05) => Operation::Put(keys.fresh_key()),
            Letter::F if rng.random_bool(0.5) => Operation::ReadModifyWrite(keys.next_key()),
            Letter::A | Letter::B | Letter::C | Letter::F => Operation::Get(keys.next_key()),
            Letter::D => Operation::Get(keys.latest_key(count)),
            Letter::E => {
                let start = keys.next_key();
                Operation::Scan(start..count.min(start + rng.random_range(1..=SCAN_MAX)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Workload;
    use rand::SeedableRng;

    fn share(letter: Letter, counts: fn(&Operation) -> bool) -> f64 {
        let ycsb = Ycsb { letter, keys: 1000, theta: 0.99 };
        let (mut keys, mut rng) =
            (KeyChooser::new(&Workload::Ycsb(ycsb), 0.0, 1, 3), ChaCha8Rng::seed_from_u64(1));
        let found = (0..20_000).filter(|_| counts(&ycsb.mix().operation(&mut keys, &mut rng))).count();
        f64::from(u32::try_from(found).unwrap()) / 20_000.0
    }

    #[test]
    fn shares_are_those_of_the_benchmark() {
        let write: fn(&Operation) -> bool = |operation| matches!(operation, Operation::Put(_));
        let expected = [(Letter::A, 0.5), (Letter::B, 0.05), (Letter::C, 0.0), (Letter::D, 0.05)];
        for (letter, expected) in expected.into_iter().chain([(Letter::E, 0.05), (Letter::F, 0.0)]) {
            assert!((share(letter, write) - expected).abs() < 0.015, "{letter:?}");
        }
        let both = |operation: &Operation| matches!(operation, Operation::ReadModifyWrite(_));
        assert!((share(Letter::F, both) - 0.5).abs() < 0.015);
        let reads = |operation: &Operation| matches!(operation, Operation::Get(_));
        assert!((share(Letter::C, reads) - 1.0).abs() < f64::EPSILON);
        let scans = |operation: &Operation| matches!(operation, Operation::Scan(keys) if keys.end <= 1000 && keys.end - keys.start <= SCAN_MAX);
        assert!((share(Letter::E, scans) - 0.95).abs() < 0.015);
    }

    #[test]
    fn reads_find_records_or_what_the_client_inserted() {
        let own = |operation: &Operation| matches!(operation, Operation::Get(key) if *key >= 1000);
        let found = share(Letter::D, own);
        assert!(found > 0.3, "what was inserted last is asked for most: {found}");
        let hot = share(Letter::C, |operation| *operation == Operation::Get(first()));
        assert!(hot > 0.1, "the first record of 1000 is asked for at every eighth time: {hot}");
    }

    /// Where the most popular record lies.
    fn first() -> u64 {
        crate::generator::scattered(1, 1000)
    }
}
