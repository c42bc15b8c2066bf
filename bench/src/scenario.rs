use crate::cap::CAP_RANGE;
use crate::generator::CLIENTS_MAX;
use crate::{BenchError, Crash, Knobs, ProtocolList, Reference, WideArea, Workload, descriptors};
use isegoria::{ClusterConfig, Durability, GeoConfig, ProtocolSpec};
use isegoria_types::{NODE_COUNT_MAX, NodeId};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Bytes of a command beside its value: the encoding, and a key of 8 bytes.
const COMMAND_OVERHEAD: usize = 32;
/// The longest warm-up or window, s: a day.
const SECONDS_MAX: f64 = 86_400.0;
/// The highest rate, operations a second.
const RATE_MAX: f64 = 10_000_000.0;

/// The round-trip times of a run, beside its `input.toml`.
pub(crate) const RTT_FILE: &str = "rtt.csv";

/// For what is written only if there is something to say.
#[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature.
pub(crate) fn is_zero(share: &f64) -> bool {
    *share == 0.0
}

/// A run, with every setting known and every rule checked. Written as `input.toml`,
/// which `--config` takes.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Scenario {
    /// Names the folder.
    pub name: String,
    /// What is compared.
    pub protocols: ProtocolList,
    /// Systems of others beside them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<Reference>,
    /// Number of node processes.
    pub nodes: usize,
    /// Number of clients, in all.
    pub clients: usize,
    /// The measured window, s.
    pub duration: f64,
    /// The load before it, s.
    pub warm_up: f64,
    /// Operations a second that begin whatever was answered; none in a closed loop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// What clients do.
    pub workload: Workload,
    /// Conflict probability, 0..=1.
    pub conflict: f64,
    /// Size of a value, bytes.
    pub payload: usize,
    /// The share of the operations that are reads: above 0 only if a history is recorded.
    #[serde(skip_serializing_if = "is_zero")]
    pub reads: f64,
    /// The most commands of one vertex or slot.
    pub batch: usize,
    /// When a write counts as done.
    pub durability: Durability,
    /// The file of round-trip times, if distance is emulated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub geo: Option<PathBuf>,
    /// The site of each node, if they were chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sites: Option<Vec<String>>,
    /// What each way takes more, at most, ms.
    #[serde(skip_serializing_if = "is_zero")]
    pub jitter_ms: f64,
    /// The probability that a packet is lost.
    #[serde(skip_serializing_if = "is_zero")]
    pub loss: f64,
    /// What passes one way between two nodes, Mbit/s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bandwidth_mbit: Option<f64>,
    /// How far apart the nodes are, as found in the file.
    #[serde(skip)]
    pub distance: Option<GeoConfig>,
    /// What each node may use of one processor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cap_cpu: Option<f64>,
    /// What a message takes of a simulated node's processor, µs; none if processes are started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub simulate: Option<f64>,
    /// The node that is killed during the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crash: Option<Crash>,
    /// Processes that the clients are spread over.
    pub load_processes: usize,
    /// Measurements of each protocol.
    pub repeat: usize,
    /// Seed of the clients' choices.
    pub seed: u64,
}

impl Scenario {
    /// Fills in the defaults and checks every rule.
    ///
    /// # Errors
    /// The first rule that is broken, with the setting's name and the cure.
    pub fn new(knobs: Knobs) -> Result<Scenario, BenchError> {
        let workload = knobs.workload.unwrap_or(Workload::Epaxos13);
        let area = WideArea {
            geo: knobs.geo.clone(),
            sites: knobs.sites,
            jitter_ms: knobs.jitter_ms,
            loss: knobs.loss,
            bandwidth_mbit: knobs.bandwidth_mbit,
        };
        let regions = area.regions()?;
        let sites = regions.as_ref().and_then(|regions| Some(regions.sites.as_ref()?.len()));
        let (nodes, clients) = (knobs.nodes.or(sites).unwrap_or(3), knobs.clients.unwrap_or(256));
        let distance = regions.map(|regions| regions.place(nodes)).transpose()?;
        let far_apart = |of: fn(&GeoConfig) -> f64| distance.as_ref().map_or(0.0, of);
        let far = match (distance.is_some(), knobs.simulate.is_some()) {
            (_, true) => "-simulated",
            (true, false) => "-geo",
            (false, false) => "",
        };
        let scenario = Scenario {
            name: knobs.name.unwrap_or_else(|| format!("{}-n{nodes}-c{clients}{far}", workload.name())),
            protocols: knobs.protocols.unwrap_or_else(ProtocolList::all),
            references: knobs.references.unwrap_or_default(),
            nodes,
            clients,
            duration: knobs.duration.unwrap_or(10.0),
            warm_up: knobs.warm_up.unwrap_or(2.0),
            rate: knobs.rate,
            workload,
            conflict: knobs.conflict.unwrap_or(0.0),
            payload: knobs.payload.unwrap_or(100),
            reads: knobs.reads.unwrap_or(0.0),
            batch: knobs.batch.unwrap_or(128),
            durability: knobs.durability.unwrap_or(Durability::Fsync),
            geo: knobs.geo,
            sites: distance.as_ref().map(|geo| geo.sites.clone()),
            jitter_ms: far_apart(|geo| geo.jitter_ms),
            loss: far_apart(|geo| geo.loss),
            bandwidth_mbit: distance.as_ref().and_then(|geo| geo.bandwidth_mbit),
            distance,
            cap_cpu: knobs.cap_cpu,
            simulate: knobs.simulate,
            crash: knobs.crash,
            load_processes: knobs.load_processes.unwrap_or(1),
            repeat: knobs.repeat.unwrap_or(1),
            seed: knobs.seed.unwrap_or(1),
        };
        scenario.check()?;
        Ok(scenario)
    }

    fn check(&self) -> Result<(), BenchError> {
        let refuse = |sentence: String| Err(BenchError::Usage(sentence));
        let (clients, processes) = (self.clients, self.load_processes);
        if clients == 0 || clients > CLIENTS_MAX {
            return refuse(format!("clients = {clients}: give at least 1 and at most {CLIENTS_MAX}"));
        }
        if processes == 0 || processes > clients {
            return refuse(format!(
                "load-processes = {processes}: give at least 1 and at most one a client, {clients}"
            ));
        }
        if !(self.duration > 0.0 && self.duration <= SECONDS_MAX) {
            return refuse(format!("duration = {}: give seconds above 0, at most a day", self.duration));
        }
        if !(0.0..=SECONDS_MAX).contains(&self.warm_up) {
            return refuse(format!("warm-up = {}: give seconds from 0, at most a day", self.warm_up));
        }
        if !(0.0..=1.0).contains(&self.conflict) {
            return refuse(format!(
                "conflict = {}: give a probability from 0 to 1, such as 0.02",
                self.conflict
            ));
        }
        if self.conflict > 0.0 && !self.workload.takes_conflict() {
            return refuse(format!(
                "conflict = {}: workload {} has conflicts of its own; leave --conflict out",
                self.conflict, self.workload
            ));
        }
        if !(0.0..=1.0).contains(&self.reads) {
            return refuse(format!("reads = {}: give a share from 0 to 1, such as 0.5", self.reads));
        }
        if let Some(rate) = self.rate.filter(|rate| !(*rate >= 1.0 && *rate <= RATE_MAX)) {
            return refuse(format!("rate = {rate}: give operations a second from 1 to {RATE_MAX}"));
        }
        if let Some(share) = self.cap_cpu.filter(|share| !CAP_RANGE.contains(share)) {
            let (least, most) = (CAP_RANGE.start(), CAP_RANGE.end());
            return refuse(format!("cap-cpu = {share}: give a share of one processor, {least} to {most}"));
        }
        if self.nodes > NODE_COUNT_MAX {
            return refuse(format!("nodes = {}: a cluster has 1 to {NODE_COUNT_MAX} nodes", self.nodes));
        }
        let relays = self.distance.is_some() && !self.references.is_empty();
        descriptors::check(self.nodes, processes, relays)?;
        if let Some(service_us) = self.simulate {
            self.check_simulated(service_us)?;
        }
        self.check_crash()?;
        self.check_references()?;
        if self.repeat == 0 {
            return refuse("repeat = 0: measure at least once".to_owned());
        }
        let letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if self.name.is_empty() || self.name.starts_with('.') || !self.name.chars().all(letter) {
            return refuse(format!(
                "name = {:?}: use letters, digits, dashes, underscores and dots",
                self.name
            ));
        }
        for spec in self.protocols.iter() {
            self.cluster(spec, Path::new("data"))?;
        }
        Ok(())
    }

    /// A crash needs a run of its own, and a window that it falls into.
    fn check_crash(&self) -> Result<(), BenchError> {
        let Some(crash) = &self.crash else { return Ok(()) };
        if self.repeat > 1 || self.load_processes > 1 {
            let sentence = "crash: give one load process, and measure each protocol once";
            return Err(BenchError::Usage(sentence.to_owned()));
        }
        if crash.at_s >= self.duration {
            let sentence = format!("crash = {crash}: the window ends after {} s", self.duration);
            return Err(BenchError::Usage(sentence));
        }
        Ok(())
    }

    /// What systems of others cannot do here.
    fn check_references(&self) -> Result<(), BenchError> {
        let Some(first) = self.references.first() else { return Ok(()) };
        let stray = [("simulate", self.simulate.is_some()), ("crash", self.crash.is_some())];
        if let Some((name, _)) = stray.into_iter().find(|(_, given)| *given) {
            let sentence = format!("references: {first} does not go with {name}; leave one of them out");
            return Err(BenchError::Usage(sentence));
        }
        let twice = |(index, one): (usize, &Reference)| self.references[..index].contains(one);
        match self.references.iter().enumerate().find(|(index, one)| twice((*index, one))) {
            Some((_, one)) => Err(BenchError::Usage(format!(
                "references: {one} is named twice; use --repeat to measure it more than once"
            ))),
            None => Ok(()),
        }
    }

    /// What virtual time has no room for.
    fn check_simulated(&self, service_us: f64) -> Result<(), BenchError> {
        if !(0.001..=1e6).contains(&service_us) {
            return Err(BenchError::Usage(format!(
                "simulate = {service_us}: give the time of a message, 0.001 to 1000000 µs"
            )));
        }
        let stray = [
            ("rate", self.rate.is_some()),
            ("crash", self.crash.is_some()),
            ("cap-cpu", self.cap_cpu.is_some()),
            ("jitter-ms", self.jitter_ms > 0.0),
            ("loss", self.loss > 0.0),
            ("bandwidth-mbit", self.bandwidth_mbit.is_some()),
            ("history", self.reads > 0.0),
            ("a workload of ycsb", !self.workload.preloaded().is_empty()),
            ("repeat above 1", self.repeat > 1),
            ("load-processes above 1", self.load_processes > 1),
        ];
        match stray.into_iter().find(|(_, given)| *given) {
            Some((name, _)) => Err(BenchError::Usage(format!(
                "simulate: {name} is not simulated; leave it out, or leave --simulate out"
            ))),
            None => Ok(()),
        }
    }

    /// The cluster that `spec` runs on, with made-up ports.
    ///
    /// # Errors
    /// If the nodes, the batch or the payload do not fit the protocol.
    pub fn cluster(&self, spec: &ProtocolSpec, data_dir: &Path) -> Result<ClusterConfig, BenchError> {
        let mut config = ClusterConfig::loopback(spec, self.nodes, 1, data_dir)?;
        config.durability = self.durability;
        config.limits.batch_max = self.batch;
        config.geo.clone_from(&self.distance);
        let limit = config.limits.payload_bytes_max.saturating_sub(COMMAND_OVERHEAD);
        if self.payload > limit {
            let payload = self.payload;
            return Err(BenchError::Usage(format!(
                "payload = {payload}: nodes take values of at most {limit} bytes"
            )));
        }
        if self.batch == 0 {
            return Err(BenchError::Usage(
                "batch = 0: a vertex or slot carries at least 1 command".to_owned(),
            ));
        }
        config.check()?;
        if let Some(crash) = &self.crash
            && !config.nodes.iter().any(|node| node.name == crash.node)
        {
            let names: Vec<&str> = config.nodes.iter().map(|node| node.name.as_str()).collect();
            return Err(BenchError::Usage(format!(
                "crash = {crash}: there is no such node; choose one of {}",
                names.join(", ")
            )));
        }
        Ok(config)
    }

    /// The cluster whose nodes' ports a reference takes: that of a protocol which n1 leads, at whose nodes all clients
    /// are answered.
    ///
    /// # Errors
    /// If the nodes, the batch or the payload do not fit.
    pub(crate) fn led_cluster(&self, data_dir: &Path) -> Result<ClusterConfig, BenchError> {
        self.cluster(&led_by_first(), data_dir)
    }

    /// As [`Scenario::limits_us`], of a reference.
    ///
    /// # Errors
    /// If the nodes do not fit.
    pub(crate) fn reference_limits_us(&self, reference: Reference) -> Result<Option<Vec<f64>>, BenchError> {
        let led = self.limits_us(&led_by_first())?;
        Ok(self.distance.as_ref().zip(led).map(|(geo, led)| reference.limits_us(geo, led)))
    }

    /// The least latency of `spec` at each node, µs, if distance is emulated: the clients
    /// of a node are beside it.
    ///
    /// # Errors
    /// If the nodes do not fit the protocol.
    pub fn limits_us(&self, spec: &ProtocolSpec) -> Result<Option<Vec<f64>>, BenchError> {
        let Some(geo) = &self.distance else { return Ok(None) };
        let config = self.cluster(spec, Path::new("data"))?;
        let round_trip = |from: NodeId, to: NodeId| geo.round_trip_ms(from.index(), to.index()) * 1e3;
        Ok(Some(config.limits(&round_trip)?))
    }

    /// The conflict probability, if the workload has one.
    #[must_use]
    pub fn conflict_configured(&self) -> Option<f64> {
        self.workload.takes_conflict().then_some(self.conflict)
    }

    /// The text of `input.toml`, beside which the matrix is kept as `rtt_file`.
    ///
    /// # Panics
    /// Never: a scenario is TOML.
    #[must_use]
    pub fn to_toml(&self, rtt_file: &str) -> String {
        let geo = self.geo.as_ref().map(|_| PathBuf::from(rtt_file));
        toml::to_string(&Scenario { geo, ..self.clone() }).expect("a scenario is TOML")
    }
}

/// The protocol whose leader is at n1.
fn led_by_first() -> ProtocolSpec {
    "multipaxos:leader=1".parse().expect("a protocol")
}
