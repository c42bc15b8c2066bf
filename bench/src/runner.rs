use crate::args::BenchCommand;
use crate::cap::CpuCap;
use crate::fleet::{self, Fleet, Loaded};
use crate::history::with_words;
use crate::load::LoadPlan;
use crate::local_cluster::{Launch, LocalCluster, take_free_endpoints};
use crate::measurement::{Raw, Traits};
use crate::progress::Progress;
use crate::reference::{self, Reference, ReferenceCluster};
use crate::results::{Contents, Folder, file_stem};
use crate::{
    BenchArgs, BenchError, Crash, Environment, Measurement, Row, Scenario, cap, diff, figure, simulated,
    table, trials,
};
use hdrhistogram::Histogram;
use isegoria::{ClusterConfig, Durability, ProtocolSpec};
use std::fmt;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;

/// Runs every protocol of the scenario, prints the table (or the JSON document) and
/// keeps the results. `executable` is this program: it is started as `serve` and `load`.
///
/// # Errors
/// If a rule is broken, a process fails, or a run had no completed command; the last
/// only after everything was printed and kept. [`BenchError::exit_code`] says which
/// exit code that is.
pub async fn run(args: BenchArgs, executable: PathBuf) -> Result<(), BenchError> {
    match args.command {
        Some(BenchCommand::Trial(trial)) => return trials::run(trial, executable).await,
        Some(BenchCommand::Figure(figure)) => return figure::run(figure, executable).await,
        Some(BenchCommand::Diff(diff)) => return diff::run(&diff),
        None => {}
    }
    let mut scenario = args.scenario()?;
    let notes = cap::give_up_if_impossible(&mut scenario) + &reference::leave_out_missing(&mut scenario);
    let data_dir = args.data_dir.clone().unwrap_or_else(std::env::temp_dir);
    std::fs::create_dir_all(&data_dir)
        .map_err(BenchError::io(format!("making the data directory {}", data_dir.display())))?;
    let environment = Environment::inspect(&data_dir);
    let folder = Folder::create(&args.out, &environment.git_commit, &scenario.name)?;
    let mut interrupts = Interrupts::new().map_err(BenchError::io("waiting for signals"))?;
    let mut runner = Runner::new(&scenario, &executable, &data_dir, &mut interrupts);
    runner.history.clone_from(&args.history);
    let measured = runner.run_all().await;
    let measured = match measured {
        Ok(measured) => measured,
        Err(error) => {
            folder.discard();
            return Err(error);
        }
    };
    let (rows, histograms): (Vec<Row>, Vec<_>) = measured.into_iter().unzip();
    folder.fill(&Contents {
        scenario: &scenario,
        environment: &environment,
        rows: &rows,
        histograms: &histograms,
    })?;
    let text = if args.json {
        eprint!("{notes}");
        serde_json::to_string_pretty(&rows).expect("figures are JSON") + "\n"
    } else {
        let path = folder.path();
        let warning = warning(&rows, &environment, args.history.is_some());
        format!("{}{notes}{warning}kept in {}\n", table::table(&rows), path.display())
    };
    print(&text)?;
    let empty = |row: &&Row| row.repetitions.iter().any(|one| one.completed == 0);
    match rows.iter().find(empty) {
        Some(row) => Err(BenchError::NothingCompleted { protocol: row.protocol.clone() }),
        None => Ok(()),
    }
}

/// What the reader of this run should know before believing it.
fn warning(rows: &[Row], environment: &Environment, recorded: bool) -> String {
    let mut text = String::new();
    if rows.iter().any(|row| row.durability == Durability::Fsync.to_string())
        && environment.file_system == "tmpfs"
    {
        text.push_str(
            "note: the data directory is in memory (tmpfs), so fsync cost nothing; give --data-dir\n",
        );
    }
    if environment.profile == "debug" {
        text.push_str("note: a debug build; build with --release before you believe a figure\n");
    }
    if recorded {
        text.push_str("note: operations were recorded, which costs time; do not compare these figures\n");
    }
    text
}

pub(crate) fn print(text: &str) -> Result<(), BenchError> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // The reader has seen enough; the results are kept.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(BenchError::io("printing the table")),
    }
}

/// The kind of error of a reference whose leader was to be n1 to the end.
pub(crate) const LEADER_MOVED: &str = "leader_moved";

/// The latencies of each repetition, and the length of its window.
pub(crate) type Latencies = Vec<(Histogram<u64>, Duration)>;

/// Runs protocols on fresh nodes, one after the other.
pub(crate) struct Runner<'a> {
    pub(crate) scenario: &'a Scenario,
    pub(crate) executable: &'a Path,
    pub(crate) data_dir: &'a Path,
    /// Where histories go, if operations are recorded.
    pub(crate) history: Option<PathBuf>,
    pub(crate) progress: Progress,
    pub(crate) interrupts: &'a mut Interrupts,
}

impl<'a> Runner<'a> {
    pub(crate) fn new(
        scenario: &'a Scenario,
        executable: &'a Path,
        data_dir: &'a Path,
        interrupts: &'a mut Interrupts,
    ) -> Runner<'a> {
        let progress = Progress::new(scenario);
        Runner { scenario, executable, data_dir, history: None, progress, interrupts }
    }

    /// Repetitions are the outer loop: a machine that slows down over time then does so
    /// for every protocol.
    pub(crate) async fn run_all(&mut self) -> Result<Vec<(Row, Latencies)>, BenchError> {
        let measured = self.run_each().await;
        self.progress.finish();
        measured
    }

    async fn run_each(&mut self) -> Result<Vec<(Row, Latencies)>, BenchError> {
        let scenario = self.scenario;
        let protocols = scenario.protocols.iter().map(Subject::Protocol);
        let references = scenario.references.iter().copied().map(Subject::Reference);
        let subjects: Vec<Subject<'_>> = protocols.chain(references).collect();
        let mut measured: Vec<(Vec<Measurement>, Latencies)> = vec![Default::default(); subjects.len()];
        for repetition in 1..=scenario.repeat {
            for (subject, (measurements, latencies)) in subjects.iter().zip(&mut measured) {
                self.progress.begin(&subject.to_string());
                let (measurement, histogram) = match subject {
                    Subject::Protocol(spec) => {
                        let history = self.history_file(spec, repetition);
                        self.run_one(spec, history).await?
                    }
                    Subject::Reference(reference) => self.run_reference(*reference).await?,
                };
                latencies.push((histogram, Duration::from_secs_f64(measurement.window_s)));
                measurements.push(measurement);
            }
        }
        let rows = subjects.iter().zip(measured).map(|(subject, (measurements, latencies))| {
            Ok((subject.row(scenario, measurements)?, latencies))
        });
        rows.collect()
    }

    /// Where the history of a run goes: if there are several runs, the name says which it is.
    fn history_file(&self, spec: &ProtocolSpec, repetition: usize) -> Option<PathBuf> {
        let protocol = (self.scenario.protocols.len() > 1).then(|| file_stem(&spec.to_string()));
        let number = (self.scenario.repeat > 1).then(|| repetition.to_string());
        let words: Vec<String> = protocol.into_iter().chain(number).collect();
        Some(with_words(self.history.as_ref()?, &words))
    }

    /// One run of one protocol on fresh nodes.
    pub(crate) async fn run_one(
        &mut self,
        spec: &ProtocolSpec,
        history: Option<PathBuf>,
    ) -> Result<(Measurement, Histogram<u64>), BenchError> {
        if let Some(service_us) = self.scenario.simulate {
            return simulated::run(self.scenario, spec, service_us);
        }
        let dir = self.directory()?;
        let config = with_free_endpoints(self.scenario.cluster(spec, dir.path())?)?;
        let cap = self.cap()?;
        let launch = |index| Launch {
            wrapper: cap.as_ref().map(|cap| cap.wrapper(index)).unwrap_or_default(),
            config: None,
        };
        let launches = (0..config.nodes.len()).map(launch).collect();
        let started = tokio::select! {
            started = LocalCluster::start_as(self.executable, &config, launches) => started,
            () = self.interrupts.next() => return Err(BenchError::Interrupted),
        };
        let protocol = spec.to_string();
        let mut cluster =
            started.map_err(|source| BenchError::Cluster { protocol: protocol.clone(), source })?;
        let mut plans = fleet::plans(self.scenario, &config);
        let parts =
            history.map(|target| fleet::record(&mut plans, target, self.scenario.reads)).transpose()?;
        let processes: Vec<u32> = cluster.nodes().iter().map(|node| node.pid).collect();
        let (begun, crash) = (Notify::new(), self.scenario.crash.clone());
        let died = watch(&mut cluster, crash.as_ref(), &begun);
        let outcome = self.measure((&processes, &plans, dir.path()), died, &begun).await;
        let logs: Vec<(String, PathBuf)> =
            cluster.nodes().iter().map(|node| (node.name.clone(), node.log_file.clone())).collect();
        if let Some(crash) = self.scenario.crash.as_ref().filter(|crash| crash.is_silent) {
            // What stands still does not stop.
            cluster.kill(&crash.node).await;
        }
        let stats = cluster.stop().await;
        drop(cap);
        let Loaded { loads, servers_us_per_s } = loaded(outcome?, &protocol, dir, &logs)?;
        parts.map_or(Ok(()), |parts| parts.merge())?;
        let traits = Traits::of(spec, self.scenario.nodes)?;
        Measurement::new(Raw { loads, servers_us_per_s, stats, links: None }, traits)
    }

    /// One run of a system of others on fresh processes.
    async fn run_reference(
        &mut self,
        reference: Reference,
    ) -> Result<(Measurement, Histogram<u64>), BenchError> {
        let dir = self.directory()?;
        let config = with_free_endpoints(self.scenario.led_cluster(dir.path())?)?;
        let cap = self.cap()?;
        let protocol = reference.to_string();
        let started = tokio::select! {
            started = ReferenceCluster::start(reference, self.scenario, &config, cap.as_ref()) => started,
            () = self.interrupts.next() => return Err(BenchError::Interrupted),
        };
        let mut cluster =
            started.map_err(|source| BenchError::Cluster { protocol: protocol.clone(), source })?;
        let mut plans = fleet::plans(self.scenario, &config);
        fleet::ask(&mut plans, reference, &cluster);
        let processes = cluster.processes();
        let outcome = self.measure((&processes, &plans, dir.path()), cluster.exited(), &Notify::new()).await;
        let is_led = matches!(outcome, Ok(Ended::Loaded(_))) && cluster.is_led_by_first(reference).await;
        let logs = cluster.logs();
        let links = cluster.stop().await;
        drop(cap);
        let Loaded { mut loads, servers_us_per_s } = loaded(outcome?, &protocol, dir, &logs)?;
        if !is_led {
            *loads[0].errors.entry(LEADER_MOVED.to_owned()).or_default() += 1;
        }
        Measurement::new(Raw { loads, servers_us_per_s, stats: Vec::new(), links }, Traits::NONE)
    }

    /// Where the processes of a run keep what they keep.
    fn directory(&self) -> Result<TempDir, BenchError> {
        let new = tempfile::Builder::new().prefix("isegoria-bench-").tempdir_in(self.data_dir);
        new.map_err(BenchError::io(format!("making a directory in {}", self.data_dir.display())))
    }

    /// Groups with a share of a processor for each node, if that was asked for.
    fn cap(&self) -> Result<Option<CpuCap>, BenchError> {
        let new = |share| CpuCap::new(self.scenario.nodes, share);
        self.scenario.cap_cpu.map(new).transpose().map_err(BenchError::io("making a cgroup for a node"))
    }

    /// Puts the load of `plans` on these processes, unless one of them dies or the user has enough. What load
    /// processes log goes to `dir`.
    async fn measure(
        &mut self,
        (processes, plans, dir): (&[u32], &[LoadPlan], &Path),
        died: impl Future<Output = (String, String)>,
        begun: &Notify,
    ) -> Result<Ended, BenchError> {
        let Runner { executable, scenario, progress, interrupts, .. } = self;
        let load = async {
            let fleet = Fleet::start(executable, dir, plans).await?;
            fleet.run(processes, scenario, |done| progress.tick(done), begun).await
        };
        tokio::select! {
            loaded = load => loaded.map(Ended::Loaded),
            () = interrupts.next() => Err(BenchError::Interrupted),
            (node, how) = died => Ok(Ended::NodeDied { node, how }),
        }
    }
}

/// What is measured.
#[derive(Clone, Copy)]
enum Subject<'a> {
    Protocol(&'a ProtocolSpec),
    Reference(Reference),
}

impl Subject<'_> {
    fn row(&self, scenario: &Scenario, measurements: Vec<Measurement>) -> Result<Row, BenchError> {
        Ok(match self {
            Subject::Protocol(spec) => {
                Row::new(scenario, (spec.to_string(), scenario.limits_us(spec)?), measurements)
            }
            Subject::Reference(reference) => {
                let limits_us = scenario.reference_limits_us(*reference)?;
                Row::of_reference(scenario, *reference, limits_us, measurements)
            }
        })
    }
}

impl fmt::Display for Subject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::Protocol(spec) => spec.fmt(f),
            Subject::Reference(reference) => reference.fmt(f),
        }
    }
}

/// Kills the node that is to crash, when it is to, and waits until a node ends by itself.
async fn watch(cluster: &mut LocalCluster, crash: Option<&Crash>, begun: &Notify) -> (String, String) {
    if let Some(crash) = crash {
        let due = async {
            begun.notified().await;
            tokio::time::sleep(Duration::from_secs_f64(crash.at_s)).await;
        };
        tokio::select! {
            died = cluster.exited() => return died,
            () = due => {}
        }
        match cluster.nodes().iter().position(|node| node.name == crash.node) {
            Some(index) if crash.is_silent => cluster.pause(index),
            _ => cluster.kill(&crash.node).await,
        }
    }
    cluster.exited().await
}

/// How a load ended.
enum Ended {
    Loaded(Loaded),
    NodeDied { node: String, how: String },
}

/// What came of a load; if a node died, its data is kept, and the error says where its log is.
fn loaded(
    ended: Ended,
    protocol: &str,
    dir: TempDir,
    logs: &[(String, PathBuf)],
) -> Result<Loaded, BenchError> {
    match ended {
        Ended::Loaded(loaded) => Ok(loaded),
        Ended::NodeDied { node, how } => {
            keep(dir);
            let log = logs.iter().find(|(name, _)| *name == node).map(|(_, log)| log.clone());
            let protocol = protocol.to_owned();
            Err(BenchError::NodeDied { protocol, node, how, log: log.unwrap_or_default() })
        }
    }
}

/// SIGINT and SIGTERM, remembered from the beginning: none is missed while nobody waits.
pub(crate) struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
}

impl Interrupts {
    pub(crate) fn new() -> std::io::Result<Interrupts> {
        Ok(Interrupts {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Leaves the directory for whoever looks for the reason.
pub(crate) fn keep(dir: TempDir) {
    let _ = dir.keep();
}

pub(crate) fn with_free_endpoints(mut config: ClusterConfig) -> Result<ClusterConfig, BenchError> {
    take_free_endpoints(&mut config).map_err(BenchError::io("asking for free ports"))?;
    config.check()?;
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Knobs;
    use std::path::Path;

    #[test]
    fn every_node_gets_ports_of_its_own() {
        let scenario = Scenario::new(Knobs { nodes: Some(5), ..Knobs::default() }).unwrap();
        let spec = "multipaxos".parse().unwrap();
        let config = scenario.cluster(&spec, Path::new("data")).unwrap();
        let config = with_free_endpoints(config).unwrap();
        let mut addresses: Vec<String> = config
            .nodes
            .iter()
            .flat_map(|node| [node.peer.to_string(), node.client.as_ref().unwrap().to_string()])
            .collect();
        addresses.sort();
        addresses.dedup();
        assert_eq!(addresses.len(), 10);
    }

    #[test]
    fn what_makes_figures_doubtful_is_said() {
        let mut row = crate::report::tests::row("multipaxos", &[1.0]);
        row.durability = "fsync".to_owned();
        let rows = [row];
        let mut environment = Environment::inspect(Path::new("."));
        environment.file_system = "ext4".to_owned();
        environment.profile = "release".to_owned();
        assert_eq!(warning(&rows, &environment, false), "");
        environment.file_system = "tmpfs".to_owned();
        environment.profile = "debug".to_owned();
        assert_eq!(warning(&rows, &environment, true).lines().count(), 3);
    }
}
