/// How much a node holds, for whoever watches its memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Places for votes and chosen values, used or not.
    pub cell_count: usize,
    /// Entries of the conflict index; none in a protocol without one.
    pub index_count: usize,
    /// Own proposals that are not chosen, and batches that wait to be proposed.
    pub proposal_count: usize,
    /// How long the oldest own proposal has not been executed, ms, to the tick; 0 if all are, or
    /// in a protocol that does not look.
    pub oldest_ms: u64,
}
