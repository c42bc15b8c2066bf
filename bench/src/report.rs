use crate::scenario::is_zero;
use crate::{CpuUs, Crash, LatencyUs, Measurement, Reference, Scenario, measurement};
use isegoria::GeoConfig;
use isegoria_transport::LatenessSummary;
use isegoria_types::NodeId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What the figures mean on one machine; see "One machine is not n machines" in the
/// benchmarking notes.
pub const METHOD: &str = "cpu-per-command";
/// Also on, where distance between the nodes is emulated.
pub const METHOD_GEO: &str = "emulated-wan";
/// Alone, where nothing was measured: nodes ran in virtual time.
pub const METHOD_SIMULATED: &str = "simulated";
/// Also on, where each node has a share of a processor.
pub const METHOD_CAP: &str = "cpu-cap";

/// One protocol's row: medians over the repetitions. The JSON output is a list of these.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The protocol with its options, as it was asked for.
    pub protocol: String,
    /// What is said of a system of others; none of our own protocols.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<ReferenceRow>,
    /// Number of nodes.
    pub nodes: usize,
    /// Number of clients, in all.
    pub clients: usize,
    /// The workload with its options.
    pub workload: String,
    /// The conflict probability that was asked for; none if the workload has no such setting.
    pub conflict_configured: Option<f64>,
    /// The share of vertices that depended on something not executed everywhere, warm-up
    /// included; none for a protocol without dependencies.
    pub conflict_measured: Option<f64>,
    /// Size of a value, bytes.
    pub payload_bytes: usize,
    /// The share of the operations that were reads: above 0 only if a history was recorded.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub reads: f64,
    /// The most commands of one vertex or slot.
    pub batch: usize,
    /// Commands a vertex or slot on average, warm-up included.
    pub batch_measured: Option<f64>,
    /// When a write counted as done.
    pub durability: String,
    /// The measured window, s.
    pub duration_s: f64,
    /// The load before it, s.
    pub warm_up_s: f64,
    /// Processes that the clients were spread over.
    pub load_processes: usize,
    /// Which honest ways of measuring on one machine were on, separated by commas: [`METHOD`], [`METHOD_GEO`],
    /// [`METHOD_CAP`]; or [`METHOD_SIMULATED`].
    pub method: String,
    /// Where the nodes were and what the links between them were like; none without emulated distance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub links: Option<Links>,
    /// The node that was lost during the run, and when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crash: Option<Crash>,
    /// What each node could use of one processor; none without a cap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cap_cpu: Option<f64>,
    /// Operations a second that were to begin; none in a closed loop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offered_ops_s: Option<f64>,
    /// Answers a second.
    pub throughput_ops_s: f64,
    /// Commands without an answer, over all repetitions.
    pub errors: u64,
    /// The same by kind.
    pub errors_by_kind: BTreeMap<String, u64>,
    /// Latencies from submission to output.
    pub latency_us: LatencyUs,
    /// Commit latencies: from taking a command to its decision, at the node that took it (the leader of Multi-Paxos), of
    /// the first command of each batch; warm-up and what was written before included.
    #[serde(default)]
    pub commit_us: Option<LatencyUs>,
    /// How late emulated distances were, in the repetition and at the process where they were latest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link_lateness: Option<LatenessSummary>,
    /// How late the operations of an open loop began, in the repetition and at the process where it was latest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub send_lateness: Option<LatenessSummary>,
    /// Latencies of the clients of each node, where distance is emulated.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sites: Vec<SiteRow>,
    /// The share of vertices chosen on the fast path; none where the protocol has none.
    pub fast_path_ratio: Option<f64>,
    /// Processor time a command.
    pub cpu_us_per_command: CpuUs,
    /// Number of repetitions.
    pub repeat: usize,
    /// The smallest and largest of the repetitions.
    pub spread: Spread,
    /// Each repetition.
    pub repetitions: Vec<Measurement>,
}

/// A system of others, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReferenceRow {
    /// The program and its version.
    pub version: String,
    /// What its answer means.
    pub promise: String,
}

/// Links of emulated length.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Links {
    /// The site of each node.
    pub sites: Vec<String>,
    /// What each way took more, at most, ms.
    pub jitter_ms: f64,
    /// The probability that a packet was lost.
    pub loss: f64,
    /// What passed one way between two nodes, Mbit/s; as much as there is, if none.
    pub bandwidth_mbit: Option<f64>,
}

impl Links {
    fn of(geo: &GeoConfig) -> Links {
        let GeoConfig { sites, jitter_ms, loss, bandwidth_mbit, .. } = geo.clone();
        Links { sites, jitter_ms, loss, bandwidth_mbit }
    }

    /// What they do beside being long, for people.
    pub(crate) fn described(&self) -> String {
        let mut text = "half a round trip each way".to_owned();
        if self.jitter_ms > 0.0 {
            text.push_str(&format!(", up to {} ms more", self.jitter_ms));
        }
        if self.loss > 0.0 {
            text.push_str(&format!(", {} % of the packets lost", self.loss * 100.0));
        }
        if let Some(mbit) = self.bandwidth_mbit {
            text.push_str(&format!(", {mbit} Mbit/s"));
        }
        text
    }
}

/// The clients at one site, whose own node they ask.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SiteRow {
    /// The node.
    pub node: String,
    /// Where it is.
    pub site: String,
    /// The least latency that distance allows the protocol here, without conflicts, µs.
    pub limit_us: f64,
    /// What was measured: medians over the repetitions.
    pub latency_us: LatencyUs,
    /// From taking a command to its decision, at the node itself, warm-up included.
    #[serde(default)]
    pub commit_us: Option<LatencyUs>,
    /// The median latency against the limit; none if the limit is 0, or a node was lost.
    pub ratio: Option<f64>,
}

/// Smallest and largest over the repetitions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Answers a second.
    pub throughput_ops_s: (f64, f64),
    /// Median latency, µs.
    pub p50_us: (f64, f64),
    /// 99th percentile, µs.
    pub p99_us: (f64, f64),
    /// Processor time of all nodes, µs a command.
    pub servers_total_us: Option<(f64, f64)>,
}

impl Row {
    /// The row of `protocol`. `limits_us` are those of [`Scenario::limits_us`].
    ///
    /// # Panics
    /// If there is no repetition.
    #[must_use]
    pub fn new(
        scenario: &Scenario,
        (protocol, limits_us): (String, Option<Vec<f64>>),
        repetitions: Vec<Measurement>,
    ) -> Row {
        assert!(!repetitions.is_empty(), "{protocol}: a row without a measurement");
        let all = Repetitions(&repetitions);
        let mut errors_by_kind = BTreeMap::new();
        for (kind, count) in repetitions.iter().flat_map(|one| &one.errors_by_kind) {
            *errors_by_kind.entry(kind.clone()).or_default() += count;
        }
        Row {
            protocol,
            reference: None,
            nodes: scenario.nodes,
            clients: scenario.clients,
            workload: scenario.workload.to_string(),
            conflict_configured: scenario.conflict_configured(),
            conflict_measured: all.median_known(|one| one.conflict_measured),
            payload_bytes: scenario.payload,
            reads: scenario.reads,
            batch: scenario.batch,
            batch_measured: all.median_known(|one| one.batch_measured),
            durability: match scenario.simulate {
                Some(_) => "simulated".to_owned(),
                None => scenario.durability.to_string(),
            },
            duration_s: scenario.duration,
            warm_up_s: scenario.warm_up,
            load_processes: scenario.load_processes,
            method: method(scenario),
            links: scenario.distance.as_ref().map(Links::of),
            crash: scenario.crash.clone(),
            cap_cpu: scenario.cap_cpu,
            offered_ops_s: scenario.rate,
            throughput_ops_s: all.median(|one| one.throughput_ops_s),
            errors: repetitions.iter().map(Measurement::errors).sum(),
            errors_by_kind,
            latency_us: all.median_latencies(|one| Some(&one.latency_us)),
            commit_us: all.known_latencies(|one| one.commit_us.as_ref()),
            link_lateness: all.latest(|one| one.link_lateness),
            send_lateness: all.latest(|one| one.send_lateness),
            sites: scenario
                .distance
                .iter()
                .zip(limits_us)
                .flat_map(|(geo, limits)| all.sites(geo, limits, scenario.crash.is_some()))
                .collect(),
            fast_path_ratio: all.median_known(|one| one.fast_path_ratio),
            cpu_us_per_command: CpuUs {
                servers_total: all.median_known(|one| one.cpu_us_per_command.servers_total),
                busiest_node: all.median_known(|one| one.cpu_us_per_command.busiest_node),
                clients: all.median_known(|one| one.cpu_us_per_command.clients),
            },
            repeat: repetitions.len(),
            spread: all.spread(),
            repetitions,
        }
    }

    /// The row of a system of others.
    pub(crate) fn of_reference(
        scenario: &Scenario,
        reference: Reference,
        limits_us: Option<Vec<f64>>,
        repetitions: Vec<Measurement>,
    ) -> Row {
        let told = ReferenceRow {
            version: reference.version().unwrap_or_default(),
            promise: reference.promise().to_owned(),
        };
        Row {
            reference: Some(told),
            durability: reference.durability(scenario.durability).to_string(),
            ..Row::new(scenario, (reference.to_string(), limits_us), repetitions)
        }
    }
}

fn method(scenario: &Scenario) -> String {
    if scenario.simulate.is_some() {
        return METHOD_SIMULATED.to_owned();
    }
    let far = scenario.distance.as_ref().map(|_| METHOD_GEO);
    let capped = scenario.cap_cpu.map(|_| METHOD_CAP);
    [METHOD].into_iter().chain(far).chain(capped).collect::<Vec<_>>().join(",")
}

struct Repetitions<'a>(&'a [Measurement]);

#[allow(clippy::cast_precision_loss)] // Latencies are below 2^52 µs.
impl Repetitions<'_> {
    fn median(&self, figure: impl Fn(&Measurement) -> f64) -> f64 {
        median(self.0.iter().map(figure).collect()).expect("at least one repetition")
    }

    /// The median of those that know; none if nobody does.
    fn median_known(&self, figure: impl Fn(&Measurement) -> Option<f64>) -> Option<f64> {
        median(self.0.iter().filter_map(figure).collect())
    }

    /// Each percentile's median over those that have it; 0 if nobody does.
    fn median_latencies<'a>(&'a self, of: impl Fn(&'a Measurement) -> Option<&'a LatencyUs>) -> LatencyUs {
        let known: Vec<&LatencyUs> = self.0.iter().filter_map(of).collect();
        let middle = |figure: fn(&LatencyUs) -> u64| {
            let median = median(known.iter().map(|latency| figure(latency) as f64).collect()).unwrap_or(0.0);
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // A latency again.
            let rounded = median.round() as u64;
            rounded
        };
        LatencyUs {
            p50: middle(|latency| latency.p50),
            p95: middle(|latency| latency.p95),
            p99: middle(|latency| latency.p99),
            p999: middle(|latency| latency.p999),
            max: middle(|latency| latency.max),
        }
    }

    /// As [`Repetitions::median_latencies`]; none if nobody has any.
    fn known_latencies<'a>(
        &'a self,
        of: impl Fn(&'a Measurement) -> Option<&'a LatencyUs>,
    ) -> Option<LatencyUs> {
        self.0.iter().any(|one| of(one).is_some()).then(|| self.median_latencies(of))
    }

    fn latest(&self, of: impl Fn(&Measurement) -> Option<LatenessSummary>) -> Option<LatenessSummary> {
        measurement::latest(self.0.iter().filter_map(of))
    }

    fn sites(&self, geo: &GeoConfig, limits_us: Vec<f64>, crashed: bool) -> Vec<SiteRow> {
        let row = |(index, limit_us): (usize, f64)| {
            let node = NodeId::new(index).to_string();
            // Where nobody asks, nothing takes any time.
            self.known_latencies(|one| one.latency_us_by_node.get(&node))?;
            let latency_us = self.median_latencies(|one| one.latency_us_by_node.get(&node));
            Some(SiteRow {
                site: geo.sites[index].clone(),
                limit_us,
                commit_us: self.known_latencies(|one| one.commit_us_by_node.get(&node)),
                // Without one of the nodes the limit is another.
                ratio: (limit_us > 0.0 && !crashed).then(|| latency_us.p50 as f64 / limit_us),
                latency_us,
                node,
            })
        };
        limits_us.into_iter().enumerate().filter_map(row).collect()
    }

    fn spread(&self) -> Spread {
        let range = |figure: &dyn Fn(&Measurement) -> Option<f64>| {
            let mut known = self.0.iter().filter_map(figure);
            let first = known.next()?;
            Some(known.fold((first, first), |(low, high), next| (low.min(next), high.max(next))))
        };
        let known = |figure: &dyn Fn(&Measurement) -> f64| {
            range(&|one| Some(figure(one))).expect("at least one repetition")
        };
        Spread {
            throughput_ops_s: known(&|one| one.throughput_ops_s),
            p50_us: known(&|one| one.latency_us.p50 as f64),
            p99_us: known(&|one| one.latency_us.p99 as f64),
            servers_total_us: range(&|one| one.cpu_us_per_command.servers_total),
        }
    }
}

/// The middle of the sorted values; of an even number the mean of the two.
pub(crate) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(values[middle]),
        _ => Some(f64::midpoint(values[middle - 1], values[middle])),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::Knobs;
    use crate::measurement::{Traits, tests::raw};
    use serde_json::Value;

    /// A row of a made-up run of `multipaxos` (no dependencies) or another protocol.
    pub(crate) fn row(protocol: &str, throughputs: &[f64]) -> Row {
        let graph = protocol != "multipaxos";
        let traits = Traits { has_dependencies: graph, has_fast_path: false };
        let repetitions = throughputs.iter().map(|throughput| {
            let (mut one, _) = Measurement::new(raw(), traits).unwrap();
            one.throughput_ops_s = *throughput;
            one
        });
        let scenario = Scenario::new(Knobs::default()).unwrap();
        Row::new(&scenario, (protocol.to_owned(), None), repetitions.collect())
    }

    #[test]
    fn medians_and_spread() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
        let row = row("simple-bpaxos", &[5.0, 1.0, 3.0]);
        assert_eq!((row.throughput_ops_s, row.spread.throughput_ops_s), (3.0, (1.0, 5.0)));
        assert_eq!((row.errors, row.repeat, row.latency_us.p95), (6, 3, 800));
    }

    /// The names and types that scripts rely on; "?" is a type or null.
    const SCHEMA: &[(&str, &str)] = &[
        ("/protocol", "string"),
        ("/nodes", "number"),
        ("/clients", "number"),
        ("/workload", "string"),
        ("/conflict_configured", "number"),
        ("/conflict_measured", "number?"),
        ("/payload_bytes", "number"),
        ("/batch", "number"),
        ("/durability", "string"),
        ("/duration_s", "number"),
        ("/throughput_ops_s", "number"),
        ("/errors", "number"),
        ("/latency_us/p50", "number"),
        ("/latency_us/p95", "number"),
        ("/latency_us/p99", "number"),
        ("/latency_us/p999", "number"),
        ("/fast_path_ratio", "number?"),
        ("/cpu_us_per_command/servers_total", "number"),
        ("/cpu_us_per_command/busiest_node", "number"),
        ("/cpu_us_per_command/clients", "number"),
    ];

    #[test]
    fn the_json_has_the_names_that_scripts_rely_on() {
        let rows = vec![row("simple-bpaxos", &[1.0]), row("multipaxos", &[2.0])];
        let json: Value = serde_json::from_str(&serde_json::to_string(&rows).unwrap()).unwrap();
        for object in json.as_array().unwrap() {
            for (pointer, kind) in SCHEMA {
                let found = object.pointer(pointer).unwrap_or_else(|| panic!("{pointer} is missing"));
                let fits = match found {
                    Value::String(_) => *kind == "string",
                    Value::Number(_) => kind.starts_with("number"),
                    Value::Null => kind.ends_with('?'),
                    _ => false,
                };
                assert!(fits, "{pointer} is {found}, not a {kind}");
            }
        }
        assert_eq!(json[1]["conflict_measured"], Value::Null);
        assert_eq!(json[0]["fast_path_ratio"], Value::Null, "it has no fast path");
        assert_eq!(serde_json::from_value::<Vec<Row>>(json).unwrap(), rows);
    }
}
