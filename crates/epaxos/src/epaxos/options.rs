use isegoria_multileader::pace;
use isegoria_node::ConfigError;
use isegoria_proposer::Patience;
use isegoria_types::{Layout, NodeSet, Quorum, QuorumSystem, Quorums};
use serde::{Deserialize, Serialize};

/// The highest round that belongs to the leader of a vertex.
pub(crate) const RESERVED_ROUND: u32 = 1;

/// Options of EPaxos*: `epaxos:f=1,e=1,thrifty=true`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// How many nodes may be down at once: at most ⌊(n−1)/2⌋, which it is if left out.
    pub f: Option<usize>,
    /// How many may be down with the fast path still there: at most f, and n ≥ 2e+f−1. The
    /// most that is allowed, if left out.
    pub e: Option<usize>,
    /// Ask a fast quorum, the nearest of those that seem alive, and the others only if it does
    /// not answer within `repeat_ms`: fewer messages, but one slow node holds commands up.
    pub thrifty: bool,
    /// A leader that has a quorum of answers waits this long for those of nodes that seem
    /// alive, ms, before it takes the slow path; longer than a round trip to the farthest.
    /// Whoever was waited for in vain is not waited for again before it answers.
    pub slow_ms: u32,
    /// Pause between looks at what is not settled, ms; jittered by a quarter.
    pub tick_ms: u32,
    /// A vertex of a leader that seems alive is recovered after this long, ms.
    pub recovery_ms: u32,
    /// A vertex of a suspected leader is recovered after this long, ms.
    pub suspect_ms: u32,
    /// A request without an answer is repeated after this long, ms; then after twice as long.
    pub repeat_ms: u32,
    /// Once an own vertex has waited this long for its execution, ms, what conflicts with
    /// anything that is not executed is held back: components close, and none grows without end.
    pub tail_ms: u32,
    /// The most own vertices that may be undecided at once; more submissions are refused.
    pub in_flight_max: usize,
    /// The most bytes of their batches, as for a leader that is cut off and asked again and again.
    pub in_flight_bytes_max: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            f: None,
            e: None,
            thrifty: false,
            slow_ms: 500,
            tick_ms: 50,
            recovery_ms: 1000,
            suspect_ms: 100,
            repeat_ms: 250,
            tail_ms: 300,
            in_flight_max: 65_536,
            in_flight_bytes_max: 256 << 20,
        }
    }
}

/// The parameters of a cluster (protocols.md 3.6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sizes {
    /// The number of nodes.
    pub n: usize,
    /// How many may be down.
    pub f: usize,
    /// How many may be down with a fast path.
    pub e: usize,
}

impl Sizes {
    /// Answers and votes needed.
    #[must_use]
    pub fn slow(self) -> usize {
        self.n - self.f
    }

    /// Pre-acceptances with the leader's dependencies that are needed for the fast path.
    #[must_use]
    pub fn fast(self) -> usize {
        self.n - self.e
    }

    pub(crate) fn fast_quorum(self) -> Quorum {
        Quorum::AtLeast { members: NodeSet::first(self.n), count: self.fast() }
    }

    pub(crate) fn quorums(self) -> Quorums {
        let quorum = Quorum::AtLeast { members: NodeSet::first(self.n), count: self.slow() };
        Quorums { phase1: quorum.clone(), phase2: quorum.clone(), dependency: quorum }
    }
}

impl Options {
    /// Checks every rule.
    ///
    /// # Errors
    /// The first option out of range, or the layout if roles are apart, with the cure.
    pub fn check(&self, layout: &Layout) -> Result<(), ConfigError> {
        pace::check_co_located(layout)?;
        let refuse = |sentence: String| Err(ConfigError(sentence));
        let n = layout.node_count;
        let f = self.f.unwrap_or(f_max(n));
        if f > f_max(n) {
            return refuse(format!("f = {f}: must be at most {} with {n} nodes: n >= 2f+1", f_max(n)));
        }
        if let Some(e) = self.e
            && e > e_max(n, f)
        {
            let most = e_max(n, f);
            return refuse(format!(
                "e = {e}: must be at most {most} with {n} nodes and f = {f}: e <= f and n >= 2e+f-1"
            ));
        }
        let majorities = QuorumSystem::Majority.build(layout.nodes(), layout.nodes());
        if layout.quorums != self.sizes(layout).quorums() && Ok(&layout.quorums) != majorities.as_ref() {
            return refuse("quorum: they follow from f and e here; leave `quorum` out".to_owned());
        }
        let times = [
            ("slow_ms", self.slow_ms),
            ("recovery_ms", self.recovery_ms),
            ("suspect_ms", self.suspect_ms),
            ("repeat_ms", self.repeat_ms),
            ("tail_ms", self.tail_ms),
        ];
        pace::check(self.tick_ms, &times, (self.in_flight_max, self.in_flight_bytes_max))
    }

    pub(crate) fn sizes(&self, layout: &Layout) -> Sizes {
        let n = layout.node_count;
        let f = self.f.unwrap_or(f_max(n)).min(f_max(n));
        Sizes { n, f, e: self.e.unwrap_or(e_max(n, f)).min(e_max(n, f)) }
    }

    /// When what stays unchosen is recovered.
    pub(crate) fn patience(&self, node_count: usize) -> Patience {
        Patience {
            alive_ticks: self.ticks(self.recovery_ms),
            suspected_ticks: self.ticks(self.suspect_ms),
            node_count,
            reserved_round: RESERVED_ROUND,
        }
    }

    /// A time in ticks, at least one.
    pub(crate) fn ticks(&self, ms: u32) -> u64 {
        pace::ticks(self.tick_ms, ms)
    }
}

fn f_max(n: usize) -> usize {
    n.saturating_sub(1) / 2
}

fn e_max(n: usize, f: usize) -> usize {
    f.min((n + 1 - f) / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of protocols.md 3.6.2.
    #[test]
    fn quorums_of_the_usual_clusters() {
        let sizes = |n| {
            let layout = Layout::co_located(n, &QuorumSystem::Majority).unwrap();
            let sizes = Options::default().sizes(&layout);
            (sizes.f, sizes.e, sizes.fast())
        };
        assert_eq!(
            [1, 3, 4, 5, 7, 9].map(sizes),
            [(0, 0, 1), (1, 1, 2), (1, 1, 3), (2, 2, 3), (3, 2, 5), (4, 3, 6)]
        );
    }

    #[test]
    fn what_the_rule_forbids_is_refused() {
        let layout = Layout::co_located(7, &QuorumSystem::Majority).unwrap();
        let check = |f, e| Options { f: Some(f), e: Some(e), ..Options::default() }.check(&layout);
        assert!(check(3, 3).unwrap_err().0.contains("n >= 2e+f-1"));
        assert!(check(4, 1).unwrap_err().0.contains("n >= 2f+1"));
        assert!(check(2, 3).is_err() && check(3, 2).is_ok() && check(2, 0).is_ok());
    }
}
