use crate::latencies::Latencies;
use isegoria_node::Event;
use isegoria_replica::Beside;
use isegoria_transport::LatenessSummary;
use isegoria_types::{NodeId, NodeSet, Prefix, Vertex};
use serde::{Deserialize, Serialize};

/// What a node counted since it started, and what it holds: asked for by `isegoria client
/// status` while it runs, written as `stats.json` when it stops.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Stats {
    /// Whether the process only followed the others.
    pub is_learner: bool,
    /// Whether all requests are refused, because the disk is full or does not keep up.
    pub is_refusing: bool,
    /// Other nodes that there is a link to.
    pub peer_count: u64,
    /// Commands applied to the state machine.
    pub applied_count: u64,
    /// Answers given to clients.
    pub reply_count: u64,
    /// Requests refused, for whatever reason.
    pub refused_count: u64,
    /// Those of them that were refused because too much waited or came.
    pub overloaded_count: u64,
    /// Requests dropped because their client had stopped waiting before they were proposed.
    pub expired_count: u64,
    /// Requests that wait for their answer.
    pub pending_count: u64,
    /// Messages, commits and events that wait for the disk.
    pub held_count: u64,
    /// From taking a request to its decision: of the first request of each batch that entered here.
    pub commit: Latencies,
    /// From taking a request to its answer, after it was executed.
    pub answer: Latencies,
    /// Batches submitted.
    pub batch_count: u64,
    /// Own vertices proposed.
    pub proposed_count: u64,
    /// Own vertices that depended on something not executed everywhere.
    pub conflicting_count: u64,
    /// Own vertices chosen on the fast path.
    pub fast_count: u64,
    /// Own vertices chosen on the slow path.
    pub slow_count: u64,
    /// Recoveries started.
    pub recovery_count: u64,
    /// Those of them of own vertices.
    pub own_recovery_count: u64,
    /// Those of vertices of a leader that there was no link to.
    pub down_recovery_count: u64,
    /// Noops proposed by recoveries.
    pub noop_count: u64,
    /// Own batches submitted again after a recoverer was faster.
    pub resubmitted_count: u64,
    /// Times this node became leader.
    pub elected_count: u64,
    /// Messages and frames that no correct peer sends.
    pub rejected_count: u64,
    /// Frames that a full link dropped.
    pub link_dropped_count: u64,
    /// Frames sent to peers.
    pub link_sent_count: u64,
    /// RPC calls that carried them.
    pub link_call_count: u64,
    /// By how much emulated distances held back more than they should.
    pub lateness: LatenessSummary,
    /// Fsyncs.
    pub fsync_count: u64,
    /// What they took together, us.
    pub fsync_us: u64,
    /// Bytes of log kept.
    pub log_bytes: u64,
    /// Values held for replicas that have not executed them.
    pub history_count: u64,
    /// What those values take, bytes.
    pub history_bytes: u64,
    /// Cuts executed: what a node that is away may lack was forgotten.
    pub cut_count: u64,
    /// Snapshots of other nodes installed.
    pub snapshot_count: u64,
    /// Checkpoints completed.
    pub checkpoint_count: u64,
    /// Records that were replayed at the start, those of the checkpoint included.
    pub replayed_count: u64,
    /// What is executed: of each leader the number below which all is, or the slot.
    pub executed: Prefix,
    /// What is executed above that. Only in what is written when the node stops.
    pub extras: Vec<Vertex>,
    /// A hash of the state, in hexadecimal: equal where the same is executed. Empty without a
    /// replica, and while the node runs.
    pub state_digest: String,
    /// Committed vertices or slots that are not executed.
    pub waiting_count: u64,
    /// Client sessions remembered.
    pub session_count: u64,
    /// Places for votes and chosen values.
    pub cell_count: u64,
    /// Entries of the conflict index.
    pub index_count: u64,
    /// Own proposals that are not chosen, or held back.
    pub proposal_count: u64,
    /// Batches that were held back, because own proposals waited too long for their execution.
    pub held_back_count: u64,
    /// How long the oldest own proposal has not been executed, ms.
    pub oldest_ms: u64,
    /// Components of the dependency graph that were executed.
    pub component_count: u64,
    /// The largest of them, vertices.
    pub component_max: u64,
}

impl Stats {
    /// What the replica beside the node says of itself.
    pub(crate) fn count_replica(&mut self, beside: &Beside) {
        let Some(replica) = beside.replica() else { return };
        self.executed = replica.executed();
        self.waiting_count = replica.waiting_count() as u64;
        self.session_count = replica.session_count() as u64;
        self.applied_count = replica.applied_count();
        (self.component_count, self.component_max) = replica.components();
        self.history_count = replica.history_count() as u64;
        self.history_bytes = replica.history_bytes() as u64;
    }

    /// What can be compared between replicas that have stopped; as slow as a snapshot.
    pub(crate) fn describe_state(&mut self, beside: &Beside) {
        let Some(replica) = beside.replica() else { return };
        self.extras = replica.extras();
        self.state_digest = format!("{:016x}", replica.digest());
    }

    /// For whoever asks over the client port.
    pub(crate) fn to_json(&self) -> String {
        serde_json::to_string(self).expect("counters are JSON")
    }

    /// Counts what happens at node `own`, which has links to the nodes `up`.
    pub(crate) fn count(&mut self, event: &Event, (own, up): (NodeId, NodeSet)) {
        match event {
            Event::Elected { .. } => self.elected_count += 1,
            Event::Proposed { conflicting, .. } => {
                self.proposed_count += 1;
                self.conflicting_count += u64::from(*conflicting);
            }
            Event::Path { fast: true, .. } => self.fast_count += 1,
            Event::Path { fast: false, .. } => self.slow_count += 1,
            Event::RecoveryStarted { vertex, .. } => {
                self.recovery_count += 1;
                let is_own = vertex.leader == own;
                self.own_recovery_count += u64::from(is_own);
                self.down_recovery_count += u64::from(!is_own && !up.contains(vertex.leader));
            }
            Event::NoopProposed { .. } => self.noop_count += 1,
            Event::Resubmitted { .. } => self.resubmitted_count += 1,
            Event::HeldBack { .. } => self.held_back_count += 1,
            Event::Answered { .. }
            | Event::Added { .. }
            | Event::Deposed { .. }
            | Event::Resolved { .. }
            | Event::StaleFloor { .. } => {}
        }
    }
}
