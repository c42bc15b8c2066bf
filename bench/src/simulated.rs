use crate::fleet;
use crate::load::LoadPlan;
use crate::measurement::Traits;
use crate::operation::{OperationChooser, OperationEncoder};
use crate::{BenchError, CpuUs, LatencyUs, Measurement, Scenario, histogram};
use bytes::Bytes;
use hdrhistogram::Histogram;
use isegoria::ProtocolSpec;
use isegoria::registry::{ProtocolVisitor, visit_protocol};
use isegoria_node::Protocol;
use isegoria_sim::{WideOutcome, WidePlan, run_wide};
use isegoria_types::{Layout, NodeId};
use std::path::Path;
use std::time::Duration;

/// One run of one protocol in virtual time: the same nodes, clients and keys, but links and processors are
/// those of a plan, and no process is started.
///
/// # Errors
/// If the nodes do not fit the protocol.
pub(crate) fn run(
    scenario: &Scenario,
    spec: &ProtocolSpec,
    service_us: f64,
) -> Result<(Measurement, Histogram<u64>), BenchError> {
    let config = scenario.cluster(spec, Path::new("data"))?;
    let layout = config.layout()?;
    let mut loads = fleet::plans(scenario, &config);
    let load = loads.pop().ok_or_else(|| BenchError::Load("there are no clients".to_owned()))?;
    let plan = wide_plan(scenario, &load, service_us);
    let visitor = Visitor { plan: &plan, layout: &layout, load: &load };
    let outcome = visit_protocol(&spec.name, &config.options, visitor)?;
    measurement(scenario, &outcome, Traits::of(spec, scenario.nodes)?)
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Times of a scenario, all checked.
fn wide_plan(scenario: &Scenario, load: &LoadPlan, service_us: f64) -> WidePlan {
    let count = scenario.nodes;
    let way = |from: usize, to: usize| {
        let ms = scenario.distance.as_ref().map_or(0.0, |geo| geo.round_trip_ms(from, to) / 2.0);
        (ms * 1e6).round() as u64
    };
    let mut clients = vec![0; count];
    for seats in &load.seats {
        clients[seats.node.index()] += seats.clients;
    }
    WidePlan {
        one_way_ns: (0..count).map(|from| (0..count).map(|to| way(from, to)).collect()).collect(),
        service_ns: (service_us * 1e3).round() as u64,
        batch_max: scenario.batch,
        clients,
        warm_up_ns: (scenario.warm_up * 1e9) as u64,
        window_ns: (scenario.duration * 1e9) as u64,
        seed: scenario.seed,
    }
}

struct Visitor<'a> {
    plan: &'a WidePlan,
    layout: &'a Layout,
    load: &'a LoadPlan,
}

impl ProtocolVisitor for Visitor<'_> {
    type Output = WideOutcome;

    fn visit<P: Protocol>(self, options: P::Options) -> WideOutcome {
        let count = self.plan.clients.iter().sum();
        let mut choosers: Vec<OperationChooser> =
            (0..count).map(|client| OperationChooser::new(self.load, client)).collect();
        let mut encoder = OperationEncoder::new(self.load.payload_bytes, self.load.seed);
        let mut payload = |client: usize| -> Bytes { encoder.encode(&choosers[client].next()) };
        run_wide::<P>(self.plan, (self.layout, &options), &mut payload)
    }
}

/// The outcome as a measurement: what no process did is none.
#[allow(clippy::cast_precision_loss)] // Counts and times of a run.
fn measurement(
    scenario: &Scenario,
    outcome: &WideOutcome,
    traits: Traits,
) -> Result<(Measurement, Histogram<u64>), BenchError> {
    let add = |into: &mut Histogram<u64>, ns: &[u64]| {
        ns.iter().for_each(|ns| histogram::record(into, Duration::from_nanos(*ns)));
    };
    let by_node = |all: &[Vec<u64>]| {
        let (mut together, mut each) = (histogram::empty(), Vec::new());
        for (index, ns) in all.iter().enumerate() {
            let mut own = histogram::empty();
            add(&mut own, ns);
            add(&mut together, ns);
            each.extend(histogram::percentiles(&own).map(|us| (NodeId::new(index).to_string(), us)));
        }
        (together, each.into_iter().collect::<std::collections::BTreeMap<String, LatencyUs>>())
    };
    let (latencies, latency_us_by_node) = by_node(&outcome.latencies_ns);
    let (commits, commit_us_by_node) = by_node(&outcome.commits_ns);
    let completed = latencies.len();
    let per_command = |ns: u64| (completed > 0).then(|| ns as f64 / 1e3 / completed as f64);
    let share = |part: u64, whole: u64| (whole > 0).then(|| part as f64 / whole as f64);
    let chosen = outcome.fast_count + outcome.slow_count;
    let measurement = Measurement {
        completed,
        window_s: scenario.duration,
        throughput_ops_s: completed as f64 / scenario.duration,
        latency_us: histogram::percentiles(&latencies).unwrap_or_default(),
        latency_us_by_node,
        commit_us: histogram::percentiles(&commits),
        commit_us_by_node,
        cpu_us_per_command: CpuUs {
            servers_total: per_command(outcome.busy_ns.iter().sum()),
            busiest_node: per_command(outcome.busy_ns.iter().copied().max().unwrap_or(0)),
            clients: None,
        },
        conflict_measured: share(outcome.conflicting_count, outcome.proposed_count)
            .filter(|_| traits.has_dependencies),
        fast_path_ratio: share(outcome.fast_count, chosen).filter(|_| traits.has_fast_path),
        batch_measured: share(outcome.command_count, outcome.batch_count),
        ..Measurement::default()
    };
    Ok((measurement, latencies))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Knobs;

    fn scenario() -> Scenario {
        let geo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs/regions/sites-13.toml");
        let knobs = Knobs {
            geo: Some(geo),
            clients: Some(260),
            duration: Some(2.0),
            warm_up: Some(1.0),
            batch: Some(1),
            simulate: Some(1.0),
            ..Knobs::default()
        };
        Scenario::new(knobs).unwrap()
    }

    #[test]
    fn thirteen_sites_need_no_machine() {
        let scenario = scenario();
        let spec = "epaxos".parse().unwrap();
        let (one, latencies) = run(&scenario, &spec, 1.0).unwrap();
        let limits = scenario.limits_us(&spec).unwrap().unwrap();
        assert_eq!((one.latency_us_by_node.len(), one.completed), (13, latencies.len()));
        for (index, limit) in limits.iter().enumerate() {
            #[allow(clippy::cast_precision_loss)]
            let ratio = one.latency_us_by_node[&NodeId::new(index).to_string()].p50 as f64 / limit;
            assert!((0.998..1.05).contains(&ratio), "n{}: {ratio}", index + 1);
        }
        assert_eq!(run(&scenario, &spec, 1.0).unwrap().0, one, "to the byte");
    }

    #[test]
    fn a_slower_processor_does_less() {
        let scenario = scenario();
        let spec = "multipaxos".parse().unwrap();
        let rate = |service_us| run(&scenario, &spec, service_us).unwrap().0.throughput_ops_s;
        assert!(rate(1000.0) < rate(1.0) / 2.0);
    }
}
