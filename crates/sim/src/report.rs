use crate::checks::Checks;
use isegoria_node::Event as NodeEvent;
use std::collections::BTreeMap;

/// What a run came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Node steps taken.
    pub step_count: u64,
    /// Messages delivered.
    pub delivered_count: u64,
    /// Messages lost.
    pub lost_count: u64,
    /// Crashes that happened.
    pub crash_count: u64,
    /// Restarts that began from a checkpoint.
    pub checkpoint_restart_count: u64,
    /// Rare situations by name.
    pub situations: BTreeMap<&'static str, u64>,
    /// How often each check looked.
    pub checks: Checks,
    /// A hash of everything that happened: equal for equal seeds.
    pub fingerprint: u64,
    /// Simulated time, ms.
    pub simulated_ms: u64,
}

impl Report {
    /// Counts a rare situation by name.
    pub(crate) fn count(&mut self, event: &NodeEvent) {
        let name = match event {
            NodeEvent::Elected { .. } => "elected",
            NodeEvent::Deposed { .. } => "deposed",
            NodeEvent::Proposed { conflicting: true, .. } => "proposed with conflicts",
            NodeEvent::Proposed { .. } => "proposed without conflicts",
            NodeEvent::Path { fast: true, .. } => "fast path",
            NodeEvent::Path { .. } => "slow path",
            NodeEvent::RecoveryStarted { .. } => "recovery started",
            NodeEvent::NoopProposed { .. } => "noop proposed",
            NodeEvent::Resubmitted { .. } => "resubmitted",
            NodeEvent::StaleFloor { .. } => "stale floor",
        };
        *self.situations.entry(name).or_default() += 1;
    }
}
