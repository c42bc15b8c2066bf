use crate::calls::InterruptedCall;
use isegoria_types::QuorumSystem;
use serde::{Deserialize, Serialize};

/// What the caller fixes of a run; everything else is drawn from its seed. Times in
/// simulated ms, probabilities 0–1.
#[derive(Clone, Debug, PartialEq)]
pub struct SimConfig {
    /// Nodes, each with every role; drawn from the seed if `None`, roles apart included.
    pub node_count: Option<usize>,
    /// How quorums are formed, where `node_count` is given; a majority if `None`.
    pub quorum: Option<QuorumSystem>,
    /// Commands that the clients submit together.
    pub command_count: u64,
    /// The most of each fault that a seed may draw.
    pub faults: FaultLimits,
    /// Faults happen during this long; then everything heals.
    pub chaos_ms: u64,
    /// After healing, everything must be done within this.
    pub patience_ms: u64,
    /// Whether the run's trace is kept, for replay.
    pub record: bool,
    /// A call to the storage of one node that is interrupted.
    pub interrupted_call: Option<InterruptedCall>,
}

impl Default for SimConfig {
    fn default() -> SimConfig {
        SimConfig {
            node_count: None,
            quorum: None,
            command_count: 520,
            faults: FaultLimits::default(),
            chaos_ms: 6_000,
            patience_ms: 60_000,
            record: false,
            interrupted_call: None,
        }
    }
}

impl SimConfig {
    /// A short run, to be repeated for each of its calls to a storage.
    #[must_use]
    pub fn short() -> SimConfig {
        SimConfig { command_count: 100, chaos_ms: 2_000, ..SimConfig::default() }
    }
}

/// The most of each fault in one run. Each seed draws which kinds it uses, and how many
/// of each: a swarm, so that no fault always hides another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FaultLimits {
    /// The probability that a message is lost.
    pub loss: f64,
    /// The probability that a message arrives twice.
    pub duplication: f64,
    /// The probability that a message is late, up to 300 ms.
    pub lateness: f64,
    /// Crashes of one node; each restarts it after a while.
    pub crash_count: usize,
    /// Power cuts of all nodes at once.
    pub power_cut_count: usize,
    /// Partitions: halves, one way, a star, a line, a ring, a bridge, one node left out, flapping.
    pub partition_count: usize,
    /// Times at which a node becomes slow to reach for a while.
    pub slow_node_count: usize,
    /// Times at which a disk takes up to 100 times as long for a while.
    pub slow_disk_count: usize,
    /// Pauses of a process, as a long garbage collection or a suspended machine.
    pub pause_count: usize,
    /// Wrong suspicions of a failure detector.
    pub suspicion_count: usize,
    /// Bits flipped on the disk of a node that is down: it must not start before somebody
    /// has mended them.
    pub damage_count: usize,
    /// Writes that were synced, and for which a seal vouches, and that are gone all the same.
    pub lost_write_count: usize,
    /// Writes that stand in another place.
    pub misdirected_write_count: usize,
    /// Times at which the next start, or the next few, fail to read the disk.
    pub failing_read_count: usize,
    /// Syncs that fail: the process must end, and what it wrote may be gone.
    pub failing_sync_count: usize,
    /// Times at which a disk is full for a while.
    pub full_disk_count: usize,
    /// Times at which the clock of a process jumps: what waits for it is due at once, or late.
    pub clock_jump_count: usize,
    /// Times at which the clock of a process runs up to twenty times too fast or too slow.
    pub clock_drift_count: usize,
    /// Orders to expire idle sessions.
    pub expiry_count: usize,
    /// Disks emptied, or replaced by an old image of themselves. Nodes do not notice
    /// this yet, so it breaks promises: 0 unless that is what a run is to show.
    pub amnesia_count: usize,
    /// Disks that say of their next writes that they are synced when they are not, before
    /// the power goes. One copy cannot survive that: 0 unless a run is to show it.
    pub lying_sync_count: usize,
}

impl Default for FaultLimits {
    fn default() -> FaultLimits {
        FaultLimits {
            loss: 0.2,
            duplication: 0.2,
            lateness: 0.2,
            crash_count: 8,
            power_cut_count: 2,
            partition_count: 6,
            slow_node_count: 3,
            slow_disk_count: 3,
            pause_count: 4,
            suspicion_count: 10,
            damage_count: 2,
            lost_write_count: 2,
            misdirected_write_count: 2,
            failing_read_count: 2,
            failing_sync_count: 2,
            full_disk_count: 2,
            clock_jump_count: 3,
            clock_drift_count: 2,
            expiry_count: 3,
            amnesia_count: 0,
            lying_sync_count: 0,
        }
    }
}

impl FaultLimits {
    /// Nothing goes wrong.
    pub const NONE: FaultLimits = FaultLimits {
        loss: 0.0,
        duplication: 0.0,
        lateness: 0.0,
        crash_count: 0,
        power_cut_count: 0,
        partition_count: 0,
        slow_node_count: 0,
        slow_disk_count: 0,
        pause_count: 0,
        suspicion_count: 0,
        damage_count: 0,
        lost_write_count: 0,
        misdirected_write_count: 0,
        failing_read_count: 0,
        failing_sync_count: 0,
        full_disk_count: 0,
        clock_jump_count: 0,
        clock_drift_count: 0,
        expiry_count: 0,
        amnesia_count: 0,
        lying_sync_count: 0,
    };
}
