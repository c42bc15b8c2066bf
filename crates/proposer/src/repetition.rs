/// Repetitions are at most this many rounds apart, however long an outage was.
const ROUNDS_MAX: u64 = 16;

/// Whether what was sent `age` ticks ago and not answered is sent again now: after one,
/// two, four… rounds of `round` ticks.
#[must_use]
pub fn repeats_at(age: u64, round: u64) -> bool {
    let rounds = age / round;
    age.is_multiple_of(round) && (rounds.is_power_of_two() || rounds > 0 && rounds.is_multiple_of(ROUNDS_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_doubling_ages_and_for_ever() {
        let ages: Vec<u64> = (0..=250).filter(|age| repeats_at(*age, 5)).collect();
        assert_eq!(ages, [5, 10, 20, 40, 80, 160, 240]);
    }
}
