use crate::Workload;
use crate::reference::Reference;
use isegoria::{Endpoint, GeoConfig};
use isegoria_transport::LatenessSummary;
use isegoria_types::NodeId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;

/// What a load process is to do; one line of JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoadPlan {
    /// The nodes that take commands, and how many clients call each of them home.
    pub seats: Vec<Seats>,
    /// Whose nodes they are, if not ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
    /// The number of this process's first client in the whole run: keys and seeds of
    /// different processes must differ.
    pub first_client: usize,
    /// Which keys are written.
    pub workload: Workload,
    /// The configured conflict probability, 0..=1.
    pub conflict: f64,
    /// Size of a value, bytes.
    pub payload_bytes: usize,
    /// The run's seed.
    pub seed: u64,
    /// How far clients are from nodes, if that is emulated: a client is at its node's site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub geo: Option<GeoConfig>,
    /// How long the load runs before it is measured, s.
    pub warm_up_s: f64,
    /// How long it is measured, s.
    pub duration_s: f64,
    /// Operations a second that begin whatever was answered, at most one a client at a time; if none, each client
    /// begins the next one when the last has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_per_s: Option<f64>,
    /// Whether to tell what each second was like.
    #[serde(default)]
    pub timeline: bool,
    /// The keys that this process writes before anything begins.
    #[serde(default)]
    pub preload: Range<u64>,
    /// If all operations are to be recorded: where, and what they are then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<HistoryPlan>,
}

/// What a load process is to record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HistoryPlan {
    /// The process's own part of the history.
    pub file: PathBuf,
    /// The beginning of the clock that all parts share, µs of `CLOCK_MONOTONIC`.
    pub origin_us: u64,
    /// The share of the operations that are reads, 0..=1.
    pub reads: f64,
}

/// The clients of one node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seats {
    /// The node; counted from 0 in the order of the configuration.
    pub node: NodeId,
    /// Its client port.
    pub endpoint: Endpoint,
    /// How many clients ask this node first.
    pub clients: usize,
}

/// What a load process says, a line each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoadLine {
    /// Connected; begins when its input ends.
    Ready(bool),
    /// Answers so far, warm-up included; once a second.
    Done(u64),
    /// The measured window begins or ends now.
    Window(WindowEdge),
    /// The last line of a good run.
    Result(LoadResult),
    /// The last line of a bad one: one sentence.
    Failed(String),
}

/// An end of the measured window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WindowEdge {
    /// The warm-up is over.
    Begin,
    /// Nothing is measured from now on.
    End,
}

/// What was measured within the window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoadResult {
    /// Commands answered with an output.
    pub completed: u64,
    /// Commands that ended without one, by kind; and as `no_answer` the clients that
    /// got nothing at all in the whole window, in an open loop as `unsent` what was to begin and did
    /// not, because all clients of the site still waited, and as `unanswered` what had been outstanding for more than a
    /// second when the window ended.
    pub errors: BTreeMap<String, u64>,
    /// The real length of the window, s.
    pub window_s: f64,
    /// Processor time of this process in the window, µs, if the system tells.
    pub cpu_us: Option<u64>,
    /// Latencies of the completed commands.
    pub latencies: Vec<NodeLatencies>,
    /// How late requests and answers were let go that an emulated distance holds back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link_lateness: Option<LatenessSummary>,
    /// How late operations began that were to begin at a certain time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub send_lateness: Option<LatenessSummary>,
}

/// Latencies of the clients of one node, whoever answered them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeLatencies {
    /// The node that they ask first.
    pub node: NodeId,
    /// Latencies, µs: HDR's V2 encoding as base64.
    pub histogram: String,
    /// What each second of the window was like, if that was asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub timeline: Vec<Second>,
}

/// What a second of the window was like for the clients of one node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Second {
    /// Commands answered with an output.
    pub answered: u64,
    /// Half of them took at most this, µs.
    pub p50_us: u64,
    /// The longest took this, µs.
    pub max_us: u64,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A plan for so many clients at each of some nodes.
    pub(crate) fn plan(clients: &[usize]) -> LoadPlan {
        let seats = |(index, clients): (usize, &usize)| Seats {
            node: NodeId::new(index),
            endpoint: "h:1".parse().unwrap(),
            clients: *clients,
        };
        LoadPlan {
            seats: clients.iter().enumerate().map(seats).collect(),
            reference: None,
            first_client: 0,
            workload: Workload::Epaxos13,
            conflict: 0.0,
            payload_bytes: 100,
            seed: 1,
            geo: None,
            warm_up_s: 0.0,
            duration_s: 1.0,
            rate_per_s: None,
            timeline: false,
            preload: 0..0,
            history: None,
        }
    }

    #[test]
    fn lines_look_as_documented() {
        let json = |line: &LoadLine| serde_json::to_string(line).unwrap();
        assert_eq!(json(&LoadLine::Done(7)), r#"{"done":7}"#);
        assert_eq!(json(&LoadLine::Window(WindowEdge::Begin)), r#"{"window":"begin"}"#);
        assert_eq!(json(&LoadLine::Window(WindowEdge::End)), r#"{"window":"end"}"#);
        assert_eq!(json(&LoadLine::Ready(true)), r#"{"ready":true}"#);
        let line = LoadLine::Failed("why".to_owned());
        assert_eq!(serde_json::from_str::<LoadLine>(&json(&line)).unwrap(), line);
    }
}
