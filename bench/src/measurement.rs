use crate::load::{LoadResult, NodeLatencies, Second};
use crate::{BenchError, histogram};
use hdrhistogram::Histogram;
use isegoria::{ProtocolSpec, Stats};
use isegoria_transport::LatenessSummary;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Latencies, µs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatencyUs {
    /// Half were at most this.
    pub p50: u64,
    /// 95 % were at most this.
    pub p95: u64,
    /// 99 % were at most this.
    pub p99: u64,
    /// 99.9 % were at most this.
    pub p999: u64,
    /// The longest.
    pub max: u64,
}

/// A latency in ms, for people.
#[allow(clippy::cast_precision_loss)] // Latencies are below 2^52 µs.
pub(crate) fn ms(us: u64) -> f64 {
    us as f64 / 1e3
}

/// Processor time, µs a completed command; none where the system does not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CpuUs {
    /// All nodes.
    pub servers_total: Option<f64>,
    /// The node that used most.
    pub busiest_node: Option<f64>,
    /// The load processes.
    pub clients: Option<f64>,
}

/// What the measuring processes handed over after one run of one protocol.
#[derive(Clone, Debug)]
pub(crate) struct Raw {
    /// One a load process.
    pub(crate) loads: Vec<LoadResult>,
    /// Processor time of each node, µs of a second of the window.
    pub(crate) servers_us_per_s: Option<Vec<f64>>,
    /// The nodes' counters, from their start to their end.
    pub(crate) stats: Vec<(String, Option<Stats>)>,
    /// How late an emulated distance was, where neither loads nor nodes are what holds back.
    pub(crate) links: Option<LatenessSummary>,
}

/// One run of one protocol.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// Commands answered in the window.
    pub completed: u64,
    /// The window, s.
    pub window_s: f64,
    /// Answers a second.
    pub throughput_ops_s: f64,
    /// Commands of the window that ended without an answer, by kind.
    pub errors_by_kind: BTreeMap<String, u64>,
    /// Execution latency: from the submission at the client to the output there. All 0
    /// if nothing was completed, and then the run fails.
    pub latency_us: LatencyUs,
    /// The same of the clients of each node.
    #[serde(default)]
    pub latency_us_by_node: BTreeMap<String, LatencyUs>,
    /// Commit latency at each node, from taking a command to its decision, of the first command of each batch, warm-up
    /// and what was written before included; to two digits.
    #[serde(default)]
    pub commit_us_by_node: BTreeMap<String, LatencyUs>,
    /// The same of all nodes together; none if nobody told.
    #[serde(default)]
    pub commit_us: Option<LatencyUs>,
    /// How late an emulated distance was, at the node or load process where it was latest.
    #[serde(default)]
    pub link_lateness: Option<LatenessSummary>,
    /// How late the operations of an open loop began, at the load process where it was latest.
    #[serde(default)]
    pub send_lateness: Option<LatenessSummary>,
    /// What each second was like for the clients of each node, if that was asked for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub timelines: BTreeMap<String, Vec<Second>>,
    /// Processor time in the window.
    pub cpu_us_per_command: CpuUs,
    /// The share of vertices that depended on something not executed everywhere.
    pub conflict_measured: Option<f64>,
    /// The share of vertices chosen on the fast path.
    pub fast_path_ratio: Option<f64>,
    /// Commands a batch, on average.
    pub batch_measured: Option<f64>,
    /// The counters of each node that stopped well, from its start to its end.
    pub node_counters: BTreeMap<String, Stats>,
}

/// What a protocol has, so that the rest is reported as none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Traits {
    pub(crate) has_dependencies: bool,
    pub(crate) has_fast_path: bool,
}

impl Traits {
    /// Those of what is no protocol of ours.
    pub(crate) const NONE: Traits = Traits { has_dependencies: false, has_fast_path: false };

    /// Those of a protocol.
    pub(crate) fn of(spec: &ProtocolSpec, nodes: usize) -> Result<Traits, BenchError> {
        let protocol = isegoria::protocol(&spec.name)?;
        Ok(Traits {
            has_dependencies: protocol.quorums(nodes).dependency.is_some(),
            has_fast_path: protocol.has_fast_path(),
        })
    }
}

#[allow(clippy::cast_precision_loss)] // Counts of a run are far below 2^52.
impl Measurement {
    /// Puts one run's figures together, and its latencies into one histogram.
    pub(crate) fn new(raw: Raw, traits: Traits) -> Result<(Measurement, Histogram<u64>), BenchError> {
        let mut latencies = histogram::empty();
        let mut timelines = BTreeMap::new();
        let mut errors_by_kind = BTreeMap::new();
        let mut by_node: BTreeMap<String, Histogram<u64>> = BTreeMap::new();
        for load in &raw.loads {
            for NodeLatencies { node, histogram, timeline } in &load.latencies {
                timelines.extend((!timeline.is_empty()).then(|| (node.to_string(), timeline.clone())));
                let one = histogram::from_text(histogram)
                    .ok_or_else(|| BenchError::Load("a load process sent a damaged histogram".to_owned()))?;
                let at_node = by_node.entry(node.to_string()).or_insert_with(histogram::empty);
                for into in [at_node, &mut latencies] {
                    into.add(&one).map_err(|error| BenchError::Load(error.to_string()))?;
                }
            }
            for (kind, count) in &load.errors {
                *errors_by_kind.entry(kind.clone()).or_default() += count;
            }
        }
        let completed: u64 = raw.loads.iter().map(|load| load.completed).sum();
        let throughput: f64 = raw.loads.iter().map(|load| load.completed as f64 / load.window_s).sum();
        let window_s = raw.loads.iter().map(|load| load.window_s).fold(0.0, f64::max);
        let per_command = |total: f64| (completed > 0).then(|| total / throughput);
        let servers = raw.servers_us_per_s.as_ref();
        let clients: Option<f64> =
            raw.loads.iter().map(|load| Some(load.cpu_us? as f64 / load.window_s)).sum();
        let stats: Vec<&Stats> = raw.stats.iter().filter_map(|(_, stats)| stats.as_ref()).collect();
        let sum = |count: fn(&Stats) -> u64| stats.iter().map(|stats| count(stats)).sum::<u64>();
        let (fast, slow) = (sum(|stats| stats.fast_count), sum(|stats| stats.slow_count));
        let conflicts = ratio(sum(|stats| stats.conflicting_count), sum(|stats| stats.proposed_count));
        let (mut commits, mut commit_us_by_node) = (histogram::empty(), BTreeMap::new());
        for (node, stats) in raw.stats.iter().filter_map(|(node, stats)| Some((node, stats.as_ref()?))) {
            let mut at_node = histogram::empty();
            for (us, count) in stats.commit.counts() {
                at_node.saturating_record_n(us.max(1), count);
            }
            commits.add(&at_node).map_err(|error| BenchError::Load(error.to_string()))?;
            commit_us_by_node.extend(histogram::percentiles(&at_node).map(|us| (node.clone(), us)));
        }
        let links = raw.loads.iter().filter_map(|load| load.link_lateness);
        let link_lateness = latest(links.chain(stats.iter().map(|stats| stats.lateness)).chain(raw.links));
        let send_lateness = latest(raw.loads.iter().filter_map(|load| load.send_lateness));
        let measurement = Measurement {
            completed,
            window_s,
            throughput_ops_s: throughput,
            errors_by_kind,
            latency_us: histogram::percentiles(&latencies).unwrap_or_default(),
            latency_us_by_node: by_node
                .iter()
                .filter_map(|(node, latencies)| Some((node.clone(), histogram::percentiles(latencies)?)))
                .collect(),
            timelines,
            commit_us: histogram::percentiles(&commits),
            commit_us_by_node,
            link_lateness,
            send_lateness,
            cpu_us_per_command: CpuUs {
                servers_total: servers.and_then(|nodes| per_command(nodes.iter().sum())),
                busiest_node: servers
                    .and_then(|nodes| per_command(nodes.iter().copied().fold(0.0, f64::max))),
                clients: clients.and_then(per_command),
            },
            conflict_measured: conflicts.filter(|_| traits.has_dependencies),
            fast_path_ratio: ratio(fast, fast + slow).filter(|_| traits.has_fast_path),
            batch_measured: ratio(sum(|stats| stats.reply_count), sum(|stats| stats.batch_count)),
            node_counters: raw.stats.into_iter().filter_map(counts).collect(),
        };
        Ok((measurement, latencies))
    }

    /// Commands of the window that ended without an answer.
    #[must_use]
    pub fn errors(&self) -> u64 {
        self.errors_by_kind.values().sum()
    }
}

/// The one that was latest, of those that noted anything.
pub(crate) fn latest(all: impl Iterator<Item = LatenessSummary>) -> Option<LatenessSummary> {
    all.filter(|one| one.count > 0).max_by_key(|one| one.p99_us)
}

/// What a node counted, without the list of what it executed out of order: that is megabytes when much was open in
/// the end. None of a node that did not stop well.
fn counts((name, stats): (String, Option<Stats>)) -> Option<(String, Stats)> {
    Some((name, Stats { extras: Vec::new(), ..stats? }))
}

#[allow(clippy::cast_precision_loss)] // Counts of a run are far below 2^52.
fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use isegoria_types::NodeId;
    use std::time::Duration;

    /// A load of two seconds with these latencies, µs.
    fn load(node: usize, latencies: &[u64], cpu_us: Option<u64>) -> LoadResult {
        let node = NodeId::new(node);
        let mut histogram = histogram::empty();
        latencies.iter().for_each(|us| histogram::record(&mut histogram, Duration::from_micros(*us)));
        LoadResult {
            completed: latencies.len() as u64,
            errors: BTreeMap::from([("unknown".to_owned(), 1)]),
            window_s: 2.0,
            cpu_us,
            latencies: vec![NodeLatencies {
                node,
                histogram: histogram::to_text(&histogram),
                timeline: Vec::new(),
            }],
            link_lateness: None,
            send_lateness: None,
        }
    }

    /// Two load processes and two nodes; 8 commands in 2 s.
    pub(crate) fn raw() -> Raw {
        let stats = |conflicting_count| Stats {
            proposed_count: 10,
            conflicting_count,
            fast_count: 3,
            slow_count: 1,
            reply_count: 20,
            batch_count: 10,
            ..Stats::default()
        };
        Raw {
            loads: vec![load(0, &[100, 200, 300, 400], Some(40)), load(1, &[500, 600, 700, 800], Some(40))],
            servers_us_per_s: Some(vec![30.0, 10.0]),
            stats: vec![("n1".to_owned(), Some(stats(2))), ("n2".to_owned(), Some(stats(4)))],
            links: None,
        }
    }

    pub(crate) const GRAPH: Traits = Traits { has_dependencies: true, has_fast_path: true };

    #[test]
    fn figures_of_all_processes_are_put_together() {
        let (found, latencies) = Measurement::new(raw(), GRAPH).unwrap();
        assert_eq!((found.completed, found.errors(), latencies.len()), (8, 2, 8));
        assert_eq!((found.throughput_ops_s, found.window_s), (4.0, 2.0));
        assert_eq!((found.latency_us.p50, found.latency_us.p999), (400, 800));
        let at_each: Vec<(&str, u64)> =
            found.latency_us_by_node.iter().map(|(node, latency)| (&node[..], latency.max)).collect();
        assert_eq!(at_each, [("n1", 400), ("n2", 800)]);
        let cpu = found.cpu_us_per_command;
        assert_eq!((cpu.servers_total, cpu.busiest_node, cpu.clients), (Some(10.0), Some(7.5), Some(10.0)));
        assert_eq!(
            (found.conflict_measured, found.fast_path_ratio, found.batch_measured),
            (Some(0.3), Some(0.75), Some(2.0))
        );
    }

    #[test]
    fn what_is_not_known_is_none() {
        let raw = Raw {
            loads: vec![load(0, &[], None)],
            servers_us_per_s: None,
            stats: vec![("n1".to_owned(), None)],
            links: None,
        };
        let (found, _) = Measurement::new(raw, GRAPH).unwrap();
        assert_eq!(found.cpu_us_per_command, CpuUs::default());
        assert_eq!((found.conflict_measured, found.fast_path_ratio), (None, None));
        let (found, _) = Measurement::new(super::tests::raw(), Traits::NONE).unwrap();
        assert_eq!((found.conflict_measured, found.fast_path_ratio), (None, None));
    }

    #[test]
    fn a_damaged_histogram_is_an_error() {
        let mut raw = raw();
        raw.loads[1].latencies[0].histogram.truncate(7);
        assert!(Measurement::new(raw, GRAPH).is_err());
    }
}
