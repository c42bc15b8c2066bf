use super::sample::{FIGURES, Held, Sample};
use crate::report::median;
use serde::Serialize;

/// The part of the run that is warm-up.
const WARM_UP_SHARE: f64 = 0.1;
/// How far from its median memory may be, in every sample.
const MEMORY_SHARE: f64 = 0.1;
/// How far the last third of a count may be from the first.
const COUNT_SHARE: f64 = 0.1;
/// If less than this is left after the warm-up, memory is told and not judged, s: it settles
/// once the log has come round and allocators gave back what they do not need.
const SPAN_MIN_S: f64 = 30.0;
/// What may come in while the nodes agree on a cut, in shares of what is held for others.
const CUT_SHARE: f64 = 0.5;

/// What is demanded of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// All commands of the run.
    pub(crate) commands: u64,
    /// What nodes hold for one that is away, vertices or slots, and bytes; none if nobody is.
    pub(crate) retained: Option<(u64, u64)>,
    /// The most resident memory of a node if one is away, bytes.
    pub(crate) resident_bytes_cap: u64,
    /// The most that a node may have on disk, bytes.
    pub(crate) disk_bytes_cap: u64,
}

/// One figure of one node over the run, the warm-up left out.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Course {
    /// The node, from 1.
    pub(crate) node: usize,
    pub(crate) figure: &'static str,
    pub(crate) least: u64,
    pub(crate) median: f64,
    pub(crate) most: u64,
    /// Medians of the first and of the last third.
    pub(crate) thirds: (f64, f64),
    /// The share of the samples within 10 % of the median.
    pub(crate) near_share: f64,
}

/// What came out.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Verdict {
    pub(crate) courses: Vec<Course>,
    /// Whether the run was long enough to judge memory.
    pub(crate) memory_judged: bool,
    /// Rules that are broken, a sentence each.
    pub(crate) broken: Vec<String>,
}

impl Rules {
    pub(crate) fn judge(&self, samples: &[Sample]) -> Verdict {
        #[allow(clippy::cast_precision_loss)] // A count of commands.
        let warm = self.commands as f64 * WARM_UP_SHARE;
        #[allow(clippy::cast_precision_loss)]
        let after: Vec<&Sample> = samples.iter().filter(|sample| sample.answered as f64 >= warm).collect();
        let span_s = after.first().zip(after.last()).map_or(0.0, |(first, last)| last.at_s - first.at_s);
        let memory_judged = span_s >= SPAN_MIN_S;
        let (mut courses, mut broken) = (Vec::new(), Vec::new());
        let node_count = samples.first().map_or(0, |sample| sample.nodes.len());
        for node in 0..node_count {
            let held: Vec<Held> = after.iter().filter_map(|sample| sample.nodes[node]).collect();
            let course = |figure, of: fn(&Held) -> u64| Course::new(node + 1, figure, &held, of);
            let Some(memory) = course("memory", |held| held.resident_bytes) else { continue };
            let Some(disk) = course("disk", |held| held.disk_bytes) else { continue };
            broken.extend(self.memory(&memory).filter(|_| memory_judged));
            broken.extend((disk.most > self.disk_bytes_cap).then(|| {
                format!(
                    "n{} had {} MB on disk, and the cap is {}",
                    node + 1,
                    mb(disk.most),
                    mb(self.disk_bytes_cap)
                )
            }));
            courses.extend([memory, disk]);
            for figure in FIGURES {
                let Some(course) = course(figure.name, figure.of) else { continue };
                broken.extend(self.count(&course, figure.slack));
                courses.push(course);
            }
        }
        if after.is_empty() {
            broken
                .push("the run was over before anything could be looked at; give more --commands".to_owned());
        }
        Verdict { courses, memory_judged, broken }
    }

    /// With all nodes up memory stays near its median; with one away below a cap.
    #[allow(clippy::cast_precision_loss)] // Below 2^52 bytes.
    fn memory(&self, course: &Course) -> Option<String> {
        let Course { node, least, most, thirds: (first, last), near_share, .. } = course;
        if self.retained.is_some() {
            return (*most > self.resident_bytes_cap).then(|| {
                format!(
                    "n{node} took {} MB of memory, and the cap is {}",
                    mb(*most),
                    mb(self.resident_bytes_cap)
                )
            });
        }
        let is_flat = (last - first).abs() <= MEMORY_SHARE * first.max(*last);
        (*near_share < 1.0 || !is_flat).then(|| {
            format!(
                "n{node} took {} to {} MB of memory, {:.1} MB in the first third and {:.1} in the last; {:.1} % of the \
                 samples are within {:.0} % of the median",
                mb(*least),
                mb(*most),
                first / 1e6,
                last / 1e6,
                near_share * 100.0,
                MEMORY_SHARE * 100.0
            )
        })
    }

    /// With all nodes up a count is flat; with one away what is held for it is bounded.
    #[allow(clippy::cast_precision_loss)] // Counts of a run.
    fn count(&self, course: &Course, slack: u64) -> Option<String> {
        let Course { node, figure, most, thirds: (first, last), .. } = course;
        let Some((count, bytes)) = self.retained else {
            let allowed = (COUNT_SHARE * first.max(*last)).max(slack as f64);
            return ((last - first).abs() > allowed).then(|| {
                format!("n{node}: {figure} went from {first:.0} to {last:.0}, the medians of thirds")
            });
        };
        let cap = match *figure {
            "history" | "cells" => count,
            "history bytes" => bytes,
            _ => return None,
        };
        // Replicas look at each leader's column or the log's; what all of them hold is bounded.
        let allowed = cap as f64 * (1.0 + CUT_SHARE) + slack as f64;
        (*most as f64 > allowed)
            .then(|| format!("n{node}: {figure} reached {most}, and {cap} are to be held"))
    }
}

impl Course {
    fn new(node: usize, figure: &'static str, held: &[Held], of: fn(&Held) -> u64) -> Option<Course> {
        #[allow(clippy::cast_precision_loss)] // Counts of a run.
        let middle = |part: &[Held]| median(part.iter().map(|held| of(held) as f64).collect());
        let third = held.len().div_ceil(3);
        let whole = middle(held)?;
        #[allow(clippy::cast_precision_loss)] // Counts of a run.
        let is_near = |held: &&Held| (of(held) as f64 - whole).abs() <= MEMORY_SHARE * whole;
        #[allow(clippy::cast_precision_loss)]
        let near_share = held.iter().filter(is_near).count() as f64 / held.len() as f64;
        Some(Course {
            node,
            figure,
            least: held.iter().map(of).min()?,
            median: whole,
            most: held.iter().map(of).max()?,
            thirds: (middle(&held[..third])?, middle(&held[held.len() - third..])?),
            near_share,
        })
    }
}

fn mb(bytes: u64) -> String {
    #[allow(clippy::cast_precision_loss)] // Below 2^52 bytes.
    let mb = bytes as f64 / 1e6;
    format!("{mb:.1}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules {
        commands: 1_000,
        retained: None,
        resident_bytes_cap: 200_000_000,
        disk_bytes_cap: 1_000_000_000,
    };

    /// A hundred samples of one node.
    fn samples(held: impl Fn(u64) -> Held) -> Vec<Sample> {
        let sample = |number: u64| Sample {
            at_s: f64::from(u32::try_from(number).unwrap()),
            answered: number * 10,
            nodes: vec![Some(held(number))],
        };
        (0..100).map(sample).collect()
    }

    fn flat(number: u64) -> Held {
        Held { resident_bytes: 100_000_000 + number % 5 * 1_000_000, session_count: 7, ..Held::default() }
    }

    #[test]
    fn what_is_flat_passes_and_what_grows_does_not() {
        assert_eq!(RULES.judge(&samples(flat)).broken, Vec::<String>::new());
        let grown = |number: u64| Held { history_count: number * 100, ..flat(number) };
        let broken = RULES.judge(&samples(grown)).broken;
        assert!(broken.len() == 1 && broken[0].contains("history went from"), "{broken:?}");
        let leak = |number: u64| Held { resident_bytes: 100_000_000 + number * 400_000, ..flat(number) };
        let broken = RULES.judge(&samples(leak)).broken;
        assert!(broken.len() == 1 && broken[0].contains("in the first third"), "{broken:?}");
        let full = |number: u64| Held { disk_bytes: 2_000_000_000, ..flat(number) };
        assert!(RULES.judge(&samples(full)).broken[0].contains("on disk"));
        assert!(RULES.judge(&[]).broken[0].contains("--commands"));
    }

    #[test]
    fn no_sample_may_be_far_off() {
        let spike = |number: u64| {
            let spike = if number == 50 { 20_000_000 } else { 0 };
            Held { resident_bytes: flat(number).resident_bytes + spike, ..flat(number) }
        };
        let broken = RULES.judge(&samples(spike)).broken;
        assert!(broken.len() == 1 && broken[0].contains("98.9 % of the samples"), "{broken:?}");
    }

    #[test]
    fn the_warm_up_is_left_out() {
        let late = |number: u64| if number < 10 { Held::default() } else { flat(number) };
        assert_eq!(RULES.judge(&samples(late)).broken, Vec::<String>::new());
    }

    #[test]
    fn with_a_node_away_there_are_caps() {
        let rules = Rules { retained: Some((1_000, 50_000_000)), ..RULES };
        let held = |count: u64, bytes: u64| {
            move |number: u64| Held { history_count: count, resident_bytes: bytes, ..flat(number) }
        };
        assert_eq!(rules.judge(&samples(held(1_400, 190_000_000))).broken, Vec::<String>::new());
        assert!(rules.judge(&samples(held(9_000, 0))).broken[0].contains("1000 are to be held"));
        assert!(rules.judge(&samples(held(0, 201_000_000))).broken[0].contains("the cap is 200.0"));
    }
}
