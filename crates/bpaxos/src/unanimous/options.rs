use isegoria_multileader::pace;
use isegoria_node::ConfigError;
use isegoria_proposer::Patience;
use isegoria_types::{Layout, Quorum, check_containment};
use serde::{Deserialize, Serialize};

/// The highest round that belongs to the leader of a vertex.
pub(crate) const RESERVED_ROUND: u32 = 1;

/// Which votes of ballot 0 fit together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fast {
    /// All are equal.
    Unanimous,
    /// Each dependency is named by enough of them (Atlas's optimisation): the slow path is
    /// much rarer, and nothing is lost.
    Threshold,
    /// All but one are equal to the leader's, which is cast first and told; the leader's own
    /// word decides (Basic EPaxos's optimisation): one node fewer, and two steps more at the leader.
    Basic,
}

/// Options of Unanimous BPaxos: `unanimous-bpaxos:fast=unanimous`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// Which votes fit together: `unanimous`, `threshold` or `basic`.
    pub fast: Fast,
    /// A leader that has a quorum of votes waits this long for those of nodes that seem
    /// alive, ms, before it takes the slow path; longer than a round trip to the farthest.
    /// Whoever was waited for in vain is not waited for again before it votes.
    pub slow_ms: u32,
    /// Pause between looks at what is not settled, ms; jittered by a quarter.
    pub tick_ms: u32,
    /// A vertex of a leader that seems alive is recovered after this long, ms.
    pub recovery_ms: u32,
    /// A vertex of a suspected leader is recovered after this long, ms.
    pub suspect_ms: u32,
    /// A request without an answer is repeated after this long, ms; then after twice as long.
    pub repeat_ms: u32,
    /// The most own vertices that may be undecided at once; more submissions are refused.
    pub in_flight_max: usize,
    /// The most bytes of their batches, as for a leader that is cut off and asked again and again.
    pub in_flight_bytes_max: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            fast: Fast::Threshold,
            slow_ms: 500,
            tick_ms: 50,
            recovery_ms: 1000,
            suspect_ms: 100,
            repeat_ms: 250,
            in_flight_max: 65_536,
            in_flight_bytes_max: 256 << 20,
        }
    }
}

impl Options {
    /// Checks every rule.
    ///
    /// # Errors
    /// The first option out of range, or the layout if roles are apart, with the cure.
    pub fn check(&self, layout: &Layout) -> Result<(), ConfigError> {
        let refuse = |sentence: String| Err(ConfigError(sentence));
        pace::check_co_located(layout)?;
        let all = layout.nodes();
        if check_containment(&layout.quorums.phase1, &layout.quorums.dependency).is_err() {
            return refuse(
                "quorum: rule Q4 is violated: every phase-1 quorum must contain a dependency quorum; raise phase1"
                    .to_owned(),
            );
        }
        let is_count = |quorum: &Quorum| matches!(quorum, Quorum::AtLeast { members, .. } if *members == all);
        if self.fast == Fast::Basic
            && !(is_count(&layout.quorums.phase1) && is_count(&layout.quorums.dependency))
        {
            return refuse(
                "fast = basic: quorums must be any so many of all nodes; leave `quorum` out".to_owned(),
            );
        }
        let times = [
            ("slow_ms", self.slow_ms),
            ("recovery_ms", self.recovery_ms),
            ("suspect_ms", self.suspect_ms),
            ("repeat_ms", self.repeat_ms),
        ];
        pace::check(self.tick_ms, &times, (self.in_flight_max, self.in_flight_bytes_max))
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
