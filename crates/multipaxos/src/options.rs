use isegoria_node::ConfigError;
use isegoria_types::Layout;
use serde::{Deserialize, Serialize};

/// Options of Multi-Paxos: `multipaxos:leader=2,election_ms=500`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// The number of the node that campaigns at once when a cluster first starts, from 1.
    pub leader: usize,
    /// A follower campaigns after one to two of these without a leader's word, ms.
    pub election_ms: u32,
    /// Pause between a leader's heartbeats, ms.
    pub heartbeat_ms: u32,
    /// The most slots that may be undecided at once.
    pub window: usize,
    /// The most batches that wait for a place in the window; more are refused.
    pub queue_max: usize,
    /// Ask a quorum for votes, of the nodes that seem alive, and the others only if it does not
    /// answer within two heartbeats: fewer messages, but one slow node holds slots up.
    pub thrifty: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            leader: 1,
            election_ms: 300,
            heartbeat_ms: 50,
            // As many as leaders of other protocols may have: far away a smaller window is the limit.
            window: 65_536,
            queue_max: 65_536,
            thrifty: false,
        }
    }
}

impl Options {
    /// Checks every rule.
    ///
    /// # Errors
    /// The first option that contradicts another or the layout, with the cure.
    pub fn check(&self, layout: &Layout) -> Result<(), ConfigError> {
        let nodes = layout.node_count;
        let refuse = |sentence: String| Err(ConfigError(sentence));
        if self.leader == 0 || self.leader > nodes {
            return refuse(format!("leader = {}: give the number of a node, 1 to {nodes}", self.leader));
        }
        if self.heartbeat_ms == 0 || self.heartbeat_ms > self.election_ms / 3 {
            return refuse(format!(
                "election_ms = {}: must be at least three times heartbeat_ms = {}, which must not be 0",
                self.election_ms, self.heartbeat_ms
            ));
        }
        if !(20..=600_000).contains(&self.election_ms) {
            return refuse(format!("election_ms = {}: must be between 20 and 600000", self.election_ms));
        }
        if self.queue_max == 0 {
            return refuse("queue_max = 0: must be at least 1 batch".to_owned());
        }
        if self.window == 0 || self.window > 65_536 {
            return refuse(format!("window = {}: must be between 1 and 65536 slots", self.window));
        }
        Ok(())
    }
}
