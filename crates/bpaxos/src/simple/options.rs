use isegoria_multileader::pace;
use isegoria_node::ConfigError;
use isegoria_proposer::Patience;
use serde::{Deserialize, Serialize};

/// Options of Simple BPaxos: `simple-bpaxos:thrifty=true,recovery_ms=500`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// Ask quorums, of the nearest nodes that seem alive, and the others only if they do not
    /// answer within `repeat_ms`: fewer messages, but one slow node holds commands up.
    pub thrifty: bool,
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
            thrifty: false,
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
    /// The first option out of range, with the cure.
    pub fn check(&self) -> Result<(), ConfigError> {
        let times = [
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
            reserved_round: 0,
        }
    }

    /// A time in ticks, at least one.
    pub(crate) fn ticks(&self, ms: u32) -> u64 {
        pace::ticks(self.tick_ms, ms)
    }
}
