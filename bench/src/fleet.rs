use crate::BenchError;
use crate::history::{Clock, Files};
use crate::load::{HistoryPlan, LoadLine, LoadPlan, LoadResult, Seats, WindowEdge};
use crate::reference::ReferenceCluster;
use crate::{Reference, Scenario, cpu};
use isegoria::{ClusterConfig, NodeConfig};
use isegoria_types::{NodeId, Role};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::{Notify, mpsc};

/// How long load processes may take to connect and to write what is to be read.
const PREPARE_MAX: Duration = Duration::from_secs(600);
/// How much longer than planned a load may take before it counts as stuck.
const GRACE: Duration = Duration::from_secs(30);

/// The load processes of one run; killed if this is dropped.
pub(crate) struct Fleet {
    children: Vec<Child>,
    /// Held open until all are ready: they begin when it closes.
    inputs: Vec<ChildStdin>,
    lines: mpsc::UnboundedReceiver<(usize, Result<LoadLine, BenchError>)>,
}

/// What the load and the nodes did in the window.
pub(crate) struct Loaded {
    pub(crate) loads: Vec<LoadResult>,
    /// Processor time of each node, µs of a second, if the system tells.
    pub(crate) servers_us_per_s: Option<Vec<f64>>,
}

impl Fleet {
    /// Starts one `<executable> load` a plan; what they log goes to files in `dir`.
    pub(crate) async fn start(
        executable: &Path,
        dir: &Path,
        plans: &[LoadPlan],
    ) -> Result<Fleet, BenchError> {
        let (sender, lines) = mpsc::unbounded_channel();
        let mut fleet = Fleet { children: Vec::new(), inputs: Vec::new(), lines };
        for (index, plan) in plans.iter().enumerate() {
            let log_file = dir.join(format!("load-{}.log", index + 1));
            let log = std::fs::File::create(&log_file)
                .map_err(BenchError::io(format!("creating {}", log_file.display())))?;
            let mut child = Command::new(executable)
                .arg("load")
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::from(log))
                .kill_on_drop(true)
                .spawn()
                .map_err(BenchError::io("starting a load process"))?;
            let mut input = child.stdin.take().expect("piped");
            let output = child.stdout.take().expect("piped");
            let line = serde_json::to_string(plan).expect("a plan is JSON") + "\n";
            // A process that ends at once says why on its output.
            let _ = input.write_all(line.as_bytes()).await;
            let sender = sender.clone();
            tokio::spawn(async move {
                let mut lines = BufReader::new(output).lines();
                while let Ok(Some(line)) = lines.next_line().await {
                    let parsed = serde_json::from_str(&line).map_err(|error| {
                        BenchError::Load(format!("a load process said something else than progress: {error}"))
                    });
                    let _ = sender.send((index, parsed));
                }
                let text = std::fs::read_to_string(&log_file).unwrap_or_default();
                let last = text.lines().last().unwrap_or("it said nothing");
                let ended = LoadLine::Failed(format!("a load process ended without a result: {last}"));
                let _ = sender.send((index, Ok(ended)));
            });
            fleet.children.push(child);
            fleet.inputs.push(input);
        }
        Ok(fleet)
    }

    /// Runs the load to its end. `progress` gets the number of answers so far, and `begun` is told when the
    /// first process begins to measure.
    pub(crate) async fn run(
        mut self,
        nodes: &[u32],
        scenario: &Scenario,
        mut progress: impl FnMut(u64),
        begun: &Notify,
    ) -> Result<Loaded, BenchError> {
        let planned = Duration::from_secs_f64(scenario.warm_up + scenario.duration);
        let connecting = PREPARE_MAX + GRACE;
        let mut deadline = tokio::time::Instant::now() + connecting;
        let mut state = Gathered::new(self.children.len(), nodes);
        while state.results.iter().any(Option::is_none) {
            let next = tokio::time::timeout_at(deadline, self.lines.recv()).await;
            let stuck = || {
                let what = if state.ready_count < self.children.len() { "not ready" } else { "no result" };
                BenchError::Load(format!("{what} {} s after its time", GRACE.as_secs()))
            };
            let (index, line) = next.map_err(|_| stuck())?.ok_or_else(stuck)?;
            match line? {
                LoadLine::Ready(_) => {
                    state.ready_count += 1;
                    if state.ready_count == self.children.len() {
                        deadline = tokio::time::Instant::now() + planned + GRACE;
                        self.inputs.clear();
                    }
                }
                LoadLine::Done(count) => {
                    state.done[index] = count;
                    progress(state.done.iter().sum());
                }
                LoadLine::Window(edge) => {
                    state.note(edge);
                    if edge == WindowEdge::Begin {
                        begun.notify_one();
                    }
                }
                LoadLine::Result(result) => state.results[index] = Some(result),
                // After its result, a process just ends.
                LoadLine::Failed(_) if state.results[index].is_some() => {}
                LoadLine::Failed(why) => {
                    let bare = why.strip_prefix("load: ").unwrap_or(&why);
                    return Err(BenchError::Load(bare.to_owned()));
                }
            }
        }
        for child in &mut self.children {
            let _ = child.wait().await;
        }
        Ok(state.finish())
    }
}

/// What has been heard so far.
struct Gathered<'a> {
    nodes: &'a [u32],
    ready_count: usize,
    done: Vec<u64>,
    results: Vec<Option<LoadResult>>,
    /// The nodes' processor time when the first process began to measure, and when the
    /// last one said that its window is over.
    begun: Option<(Instant, Option<Vec<u64>>)>,
    ended: Option<(Instant, Option<Vec<u64>>)>,
}

impl<'a> Gathered<'a> {
    fn new(count: usize, nodes: &'a [u32]) -> Gathered<'a> {
        let results = std::iter::repeat_with(|| None).take(count).collect();
        Gathered { nodes, ready_count: 0, done: vec![0; count], results, begun: None, ended: None }
    }

    fn note(&mut self, edge: WindowEdge) {
        let read = || {
            let times = self.nodes.iter().map(|pid| cpu::processor_time_us(cpu::Process::Id(*pid))).collect();
            (Instant::now(), times)
        };
        match edge {
            WindowEdge::Begin if self.begun.is_none() => self.begun = Some(read()),
            WindowEdge::Begin => {}
            WindowEdge::End => self.ended = Some(read()),
        }
    }

    fn finish(self) -> Loaded {
        Loaded {
            servers_us_per_s: self.begun.zip(self.ended).and_then(|(begun, ended)| rates(begun, ended)),
            loads: self.results.into_iter().flatten().collect(),
        }
    }
}

/// Processor time a second between two looks. A rate, because this process looks a
/// little later than the window's ends on a busy machine.
#[allow(clippy::cast_precision_loss)] // Below 2^52 µs.
fn rates(begun: (Instant, Option<Vec<u64>>), ended: (Instant, Option<Vec<u64>>)) -> Option<Vec<f64>> {
    let seconds = (ended.0 - begun.0).as_secs_f64();
    let times = begun.1?.into_iter().zip(ended.1?);
    (seconds > 0.0)
        .then(|| times.map(|(before, after)| after.saturating_sub(before) as f64 / seconds).collect())
}

/// One plan a load process: clients are dealt out to processes and to the nodes that
/// take commands one by one, so that no count differs by more than one.
pub(crate) fn plans(scenario: &Scenario, config: &ClusterConfig) -> Vec<LoadPlan> {
    let takes = |node: &&NodeConfig| node.roles.contains(&Role::Leader);
    let homes: Vec<Seats> = config
        .nodes
        .iter()
        .enumerate()
        .filter(|(_, node)| takes(node))
        .filter_map(|(index, node)| {
            Some(Seats { node: NodeId::new(index), endpoint: node.client.clone()?, clients: 0 })
        })
        .collect();
    let mut first_client = 0;
    let mut plans = Vec::new();
    for process in 0..scenario.load_processes {
        let clients = share(scenario.clients, scenario.load_processes, process);
        let preload = scenario.workload.preloaded();
        let (total, parts) = ((preload.end - preload.start), scenario.load_processes as u64);
        let bound = |part: usize| preload.start + total * part as u64 / parts;
        let mut seats = homes.clone();
        for client in first_client..first_client + clients {
            let home = client % homes.len();
            seats[home].clients += 1;
        }
        // Every process connects to a node of its own first.
        seats.rotate_left(process % homes.len());
        plans.push(LoadPlan {
            seats,
            reference: None,
            first_client,
            workload: scenario.workload,
            conflict: scenario.conflict,
            payload_bytes: scenario.payload,
            seed: scenario.seed,
            geo: scenario.distance.clone(),
            warm_up_s: scenario.warm_up,
            duration_s: scenario.duration,
            rate_per_s: scenario.rate.map(|rate| rate * part_of(clients, scenario.clients)),
            timeline: scenario.crash.is_some(),
            preload: bound(process)..bound(process + 1),
            history: None,
        });
        first_client += clients;
    }
    plans
}

/// Has every load process ask a reference instead of nodes of ours.
pub(crate) fn ask(plans: &mut [LoadPlan], reference: Reference, cluster: &ReferenceCluster) {
    for plan in plans {
        plan.reference = Some(reference);
        for seats in &mut plan.seats {
            seats.endpoint = cluster.endpoint(seats.node.index()).clone();
        }
    }
}

/// Has every load process record its part of the history that goes to `target`.
pub(crate) fn record(plans: &mut [LoadPlan], target: PathBuf, reads: f64) -> Result<Files, BenchError> {
    let files = Files::create(target, plans.len())?;
    let origin_us = Clock::start().origin_us();
    for (plan, part) in plans.iter_mut().zip(files.parts()) {
        plan.history = Some(HistoryPlan { file: part.clone(), origin_us, reads });
    }
    Ok(files)
}

#[allow(clippy::cast_precision_loss)] // Counts of clients.
fn part_of(clients: usize, total: usize) -> f64 {
    clients as f64 / total as f64
}

/// The size of part `index` of `total` split into `parts`.
fn share(total: usize, parts: usize, index: usize) -> usize {
    total / parts + usize::from(index < total % parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Knobs;

    #[test]
    fn clients_are_dealt_out_evenly() {
        for (clients, processes, nodes) in [(1, 1, 3), (256, 1, 3), (10, 3, 3), (7, 7, 5), (100, 4, 5)] {
            let knobs = Knobs {
                clients: Some(clients),
                load_processes: Some(processes),
                nodes: Some(nodes),
                ..Knobs::default()
            };
            let scenario = Scenario::new(knobs).unwrap();
            let spec = "simple-bpaxos".parse().unwrap();
            let config = scenario.cluster(&spec, Path::new("data")).unwrap();
            let plans = plans(&scenario, &config);
            assert_eq!(plans.len(), processes);
            let mut per_node = vec![0; nodes];
            let mut next = 0;
            for plan in &plans {
                assert_eq!(plan.first_client, next);
                for seats in &plan.seats {
                    assert_eq!(Some(&seats.endpoint), config.nodes[seats.node.index()].client.as_ref());
                    per_node[seats.node.index()] += seats.clients;
                    next += seats.clients;
                }
            }
            assert_eq!(next, clients);
            assert!(per_node.iter().max().unwrap() - per_node.iter().min().unwrap() <= 1, "{per_node:?}");
        }
    }

    #[test]
    fn rates_are_per_second_of_what_was_looked_at() {
        let begun = Instant::now();
        let ended = begun + Duration::from_secs(2);
        assert_eq!(rates((begun, Some(vec![10, 20])), (ended, Some(vec![30, 20]))), Some(vec![10.0, 0.0]));
        assert_eq!(rates((begun, None), (ended, Some(vec![1]))), None);
    }
}
