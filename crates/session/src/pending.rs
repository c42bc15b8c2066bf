use crate::SubmitError;
use bytes::Bytes;
use isegoria_types::NodeId;

/// The place of one request of a session, by its number.
#[derive(Clone, Debug)]
pub(crate) enum Slot {
    Pending(Pending),
    Completed,
}

/// A request without a completion.
#[derive(Clone, Debug)]
pub(crate) struct Pending {
    pub(crate) payload: Bytes,
    pub(crate) asked: NodeId,
    /// Times it was sent.
    pub(crate) send_count: u32,
    /// Sends that a node said it did nothing with.
    pub(crate) refused_count: u32,
    pub(crate) redirect_count: u8,
    pub(crate) last_refusal: LastRefusal,
    pub(crate) retry_at: u64,
    pub(crate) deadline_at: u64,
}

/// What to report if every send was refused.
#[derive(Clone, Copy, Debug)]
pub(crate) enum LastRefusal {
    Overloaded,
    Unavailable,
    NoSpace,
}

/// What follows a refusal.
pub(crate) enum After {
    Wait,
    RetryAtOnce,
    End(SubmitError),
}

impl Pending {
    pub(crate) fn due_at(&self) -> u64 {
        self.retry_at.min(self.deadline_at)
    }

    /// Whether a node may have taken it.
    pub(crate) fn may_be_executed(&self) -> bool {
        self.send_count > self.refused_count
    }
}
