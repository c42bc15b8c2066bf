use isegoria_multileader::pace;
use isegoria_node::ConfigError;
use isegoria_proposer::Patience;
use isegoria_types::{Layout, Quorum, QuorumSystem, Quorums};
use serde::{Deserialize, Serialize};

/// The highest round that belongs to the leader of a vertex.
pub(crate) const RESERVED_ROUND: u32 = 1;

/// Options of Atlas: `atlas:f=1`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// How many nodes may be down at once: 1 to ⌊(n−1)/2⌋, which it is if left out. With
    /// fewer the fast quorum is smaller, ⌊n/2⌋+f; with 1 a command takes one round trip
    /// whatever the conflicts.
    pub f: Option<usize>,
    /// A leader waits this long for its fast quorum, ms; longer than a round trip to its
    /// farthest member. Whoever was waited for in vain is not asked first again before it answers.
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

impl Options {
    /// Checks every rule.
    ///
    /// # Errors
    /// The first option out of range, or the layout if roles are apart, with the cure.
    pub fn check(&self, layout: &Layout) -> Result<(), ConfigError> {
        pace::check_co_located(layout)?;
        let f_max = f_max(layout);
        if self.f(layout) > f_max || f_max > 0 && self.f(layout) == 0 {
            return Err(ConfigError(format!(
                "f = {}: must be between 1 and {f_max} with {} nodes",
                self.f(layout),
                layout.node_count
            )));
        }
        let majorities = QuorumSystem::Majority.build(layout.nodes(), layout.nodes());
        if layout.quorums != self.quorums(layout) && Ok(&layout.quorums) != majorities.as_ref() {
            return Err(ConfigError("quorum: they follow from f here; leave `quorum` out".to_owned()));
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

    pub(super) fn f(&self, layout: &Layout) -> usize {
        self.f.unwrap_or(f_max(layout))
    }

    /// How many members of a fast quorum name a dependency that is chosen in ballot 0: so many
    /// that one of them is left whoever fails, the leader apart.
    pub(crate) fn named_by(&self, layout: &Layout) -> usize {
        self.f(layout).max(1)
    }

    /// The size of a fast quorum: ⌊n/2⌋+f.
    pub(crate) fn fast_size(&self, layout: &Layout) -> usize {
        layout.node_count / 2 + self.named_by(layout)
    }

    /// Any so many nodes.
    pub(crate) fn fast_quorum(&self, layout: &Layout) -> Quorum {
        Quorum::AtLeast { members: layout.nodes(), count: self.fast_size(layout) }
    }

    /// The other quorums.
    pub(crate) fn quorums(&self, layout: &Layout) -> Quorums {
        let (members, f) = (layout.nodes(), self.f(layout).min(f_max(layout)));
        Quorums {
            phase1: Quorum::AtLeast { members, count: members.len() - f },
            phase2: Quorum::AtLeast { members, count: f + 1 },
            dependency: Quorum::majority(members),
        }
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

/// The most nodes that may be down.
fn f_max(layout: &Layout) -> usize {
    layout.node_count.saturating_sub(1) / 2
}
