use super::open_loop::Second;
use crate::report::median;
use serde::Serialize;

/// The least share of the capacity that is served under overload.
const GOODPUT_SHARE: f64 = 0.8;
/// The share of what was, from which on a cluster counts as well again.
const WELL_SHARE: f64 = 0.9;
/// How soon after the overload it must be, s.
const RECOVERY_MAX_S: u64 = 10;
/// Seconds at the beginning that say nothing: clients find their nodes.
const WARM_UP: usize = 2;

/// What is demanded of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// Commands a second that the cluster takes.
    pub(crate) capacity: f64,
    /// The phase before the overload, and the overload, s.
    pub(crate) lengths: [usize; 2],
    /// The most resident memory of a node, bytes.
    pub(crate) resident_bytes_cap: u64,
}

/// What came out.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Verdict {
    /// Answers a second before the overload, and during it: medians.
    pub(crate) goodput_before: f64,
    pub(crate) goodput_overload: f64,
    /// Seconds after the overload until it was well again, and stayed so.
    pub(crate) recovery_s: Option<u64>,
    /// The most resident memory that a node ever had, bytes.
    pub(crate) resident_bytes_max: u64,
    /// What was demanded, bytes.
    pub(crate) resident_bytes_cap: u64,
    /// Rules that are broken, a sentence each.
    pub(crate) broken: Vec<String>,
}

impl Rules {
    pub(crate) fn judge(&self, seconds: &[Second], resident_bytes_max: u64) -> Verdict {
        let [calm, storm] = self.lengths;
        let drop = calm + storm;
        let goodput_before = goodput(&seconds[WARM_UP.min(calm - 1)..calm]);
        let goodput_overload = goodput(&seconds[calm..drop]);
        // Arrivals are random: in a second that asks for less, less is enough.
        let well = |second: &Second| {
            is_share(second.answered, WELL_SHARE, goodput_before.min(float(second.offered)))
                && is_share(second.served, WELL_SHARE, float(second.offered))
        };
        let ill = seconds[drop..].iter().rposition(|second| !well(second)).map_or(0, |last| last + 1);
        let recovery_s = (drop + ill < seconds.len()).then_some(ill as u64);
        let mut broken = Vec::new();
        if resident_bytes_max > self.resident_bytes_cap {
            let (found, cap) = (resident_bytes_max / 1_000_000, self.resident_bytes_cap / 1_000_000);
            broken.push(format!("memory: a node took {found} MB, and the cap is {cap} MB"));
        }
        if goodput_overload < GOODPUT_SHARE * self.capacity {
            broken.push(format!(
                "goodput: {goodput_overload:.0} answers/s under overload, of a capacity of {:.0}",
                self.capacity
            ));
        }
        match recovery_s {
            Some(seconds) if seconds <= RECOVERY_MAX_S => {}
            Some(seconds) => broken.push(format!("recovery: well again only {seconds} s after the overload")),
            None => broken.push("recovery: not well again in the time that was watched".to_owned()),
        }
        let unsent: u64 = seconds.iter().map(|second| second.unsent).sum();
        if unsent > 0 {
            broken.push(format!("load: {unsent} requests could not be sent, so the load was the limit"));
        }
        Verdict {
            goodput_before,
            goodput_overload,
            recovery_s,
            resident_bytes_max,
            resident_bytes_cap: self.resident_bytes_cap,
            broken,
        }
    }
}

fn goodput(seconds: &[Second]) -> f64 {
    median(seconds.iter().map(|second| float(second.answered)).collect()).unwrap_or(0.0)
}

fn is_share(found: u64, share: f64, of: f64) -> bool {
    float(found) >= share * of
}

#[allow(clippy::cast_precision_loss)] // Requests of a second.
fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules { capacity: 1_000.0, lengths: [5, 4], resident_bytes_cap: 1_000_000 };

    fn calm() -> Second {
        Second { offered: 500, served: 500, answered: 500, ..Second::default() }
    }

    fn storm(answered: u64) -> Second {
        Second {
            offered: 10_000,
            served: answered,
            answered,
            refused: 10_000 - answered,
            ..Second::default()
        }
    }

    /// Before, during, `ill` seconds of something else, and fifteen calm ones.
    fn run(answered: u64, ill: &[Second]) -> Vec<Second> {
        let well = std::iter::repeat_n(calm(), 15);
        let before = std::iter::repeat_n(calm(), 5).chain(std::iter::repeat_n(storm(answered), 4));
        before.chain(ill.iter().copied()).chain(well).collect()
    }

    #[test]
    fn a_good_run_keeps_every_rule() {
        let verdict = RULES.judge(&run(990, &[]), 900_000);
        assert_eq!((verdict.goodput_before, verdict.goodput_overload), (500.0, 990.0));
        assert_eq!((verdict.recovery_s, verdict.broken), (Some(0), vec![]));
    }

    #[test]
    fn each_rule_can_be_broken() {
        let starved = Second { served: 100, answered: 900, ..calm() };
        let silent = Second { served: 500, answered: 10, ..calm() };
        let cases = [
            (run(990, &[]), 1_000_001, Some(0), "memory"),
            (run(700, &[]), 0, Some(0), "goodput"),
            (run(990, &[starved; 11]), 0, Some(11), "recovery: well again only 11 s"),
            (run(990, &[calm(), calm(), silent]), 0, Some(3), ""),
            (run(990, &[Second { unsent: 1, ..calm() }]), 0, Some(0), "load"),
        ];
        for (seconds, bytes, recovery_s, expected) in cases {
            let verdict = RULES.judge(&seconds, bytes);
            assert_eq!(verdict.recovery_s, recovery_s, "{expected}");
            assert_eq!(verdict.broken.len(), usize::from(!expected.is_empty()), "{:?}", verdict.broken);
            assert!(verdict.broken.iter().all(|rule| rule.starts_with(expected)), "{:?}", verdict.broken);
        }
        let mut never = run(990, &[]);
        *never.last_mut().unwrap() = Second { served: 1, ..calm() };
        assert_eq!(RULES.judge(&never, 0).recovery_s, None);
    }
}
