use isegoria_node::Event;
use std::collections::BTreeMap;

/// What a run came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Node steps taken.
    pub step_count: u64,
    /// Messages delivered to nodes.
    pub delivered_count: u64,
    /// Commands that clients submitted, each once.
    pub command_count: u64,
    /// Faults that happened, apart from single messages.
    pub fault_count: u64,
    /// Rare situations by name.
    pub situations: BTreeMap<&'static str, u64>,
    /// How often each check looked, by name.
    pub evaluations: BTreeMap<&'static str, u64>,
    /// A hash of everything that happened: equal for equal seeds.
    pub fingerprint: u64,
    /// Simulated time, ms.
    pub simulated_ms: u64,
}

impl Report {
    /// Counts a situation.
    pub(crate) fn count(&mut self, situation: &'static str) {
        *self.situations.entry(situation).or_default() += 1;
    }

    /// Counts what a check of the driver itself looked at: those of [`isegoria_check::Checks`] count themselves.
    pub(crate) fn evaluated(&mut self, check: &'static str) {
        *self.evaluations.entry(check).or_default() += 1;
    }

    /// Counts what a node tells of itself.
    pub(crate) fn count_event(&mut self, event: &Event) {
        self.count(match event {
            Event::Answered { .. } => return,
            Event::Added { .. } => "an answer named more",
            Event::Elected { .. } => "leader elected",
            Event::Deposed { .. } => "leader deposed",
            Event::Proposed { conflicting: true, .. } => "proposed with conflicts",
            Event::Proposed { .. } => "proposed without conflicts",
            Event::Path { fast: true, .. } => "fast path",
            Event::Path { .. } => "slow path",
            Event::RecoveryStarted { .. } => "recovery started",
            Event::NoopProposed { .. } => "recovery proposed a noop",
            Event::Resubmitted { .. } => "batch submitted again by its leader",
            Event::Resolved { by, .. } => by,
            Event::HeldBack { .. } => "batch held back",
            Event::StaleFloor { .. } => "stale floor",
        });
    }
}
