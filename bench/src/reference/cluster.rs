use super::etcd_members::{self, Address};
use super::links::{Callers, Links};
use super::{Reference, redis_servers};
use crate::Scenario;
use crate::cap::CpuCap;
use crate::local_cluster::ClusterError;
use isegoria::{ClusterConfig, Endpoint};
use isegoria_transport::{Distance, LatenessSummary};
use rustix::process::{Pid, Signal, kill_process};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio::task::JoinSet;

/// How long members may take until they serve, and the first one leads.
const READY_MAX: Duration = Duration::from_secs(120);
/// How often they are asked whether they do.
const ASK: Duration = Duration::from_millis(50);
/// Ends what it starts when this process ends, however that is (util-linux).
const END_WITH_PARENT: [&str; 3] = ["setpriv", "--pdeathsig", "KILL"];

/// The processes of a reference on this machine, one a node; killed if this is dropped.
pub(crate) struct ReferenceCluster {
    members: Vec<Member>,
    /// Where the clients of each node are to connect.
    endpoints: Vec<Endpoint>,
    /// What is between them, if distance is emulated.
    links: Option<Links>,
    exits: JoinSet<(usize, io::Result<ExitStatus>)>,
}

#[derive(Clone, Debug)]
struct Member {
    name: String,
    pid: u32,
    log_file: PathBuf,
}

impl ReferenceCluster {
    /// Starts a process at each node of `config`, whose ports it takes, each within its group if there is a cap, and waits
    /// until they serve. Is cancelled by dropping it.
    ///
    /// # Errors
    /// If a process cannot be started, or ends, or does not serve in time.
    pub(crate) async fn start(
        reference: Reference,
        scenario: &Scenario,
        config: &ClusterConfig,
        cap: Option<&CpuCap>,
    ) -> Result<ReferenceCluster, ClusterError> {
        let mut cluster = ReferenceCluster {
            members: Vec::new(),
            endpoints: Vec::new(),
            links: scenario.distance.as_ref().map(|_| Links::new()),
            exits: JoinSet::new(),
        };
        match reference {
            Reference::Redis => cluster.start_redis(scenario, config, cap).await?,
            Reference::Etcd => cluster.start_etcd(scenario, config, cap).await?,
        }
        Ok(cluster)
    }

    async fn start_redis(
        &mut self,
        scenario: &Scenario,
        config: &ClusterConfig,
        cap: Option<&CpuCap>,
    ) -> Result<(), ClusterError> {
        let servers = clients_of(config);
        for (index, own) in servers.iter().enumerate() {
            let distance = scenario.distance.as_ref().map(|geo| geo.distances(index)[0]);
            let first = match (&mut self.links, distance) {
                (Some(links), Some(distance)) if index > 0 => {
                    links.to(&servers[0], Callers::At(distance)).await.map_err(port)?
                }
                _ => servers[0].clone(),
            };
            // Clients of the first one's site are beside it, and all others as far as their server is.
            self.endpoints.push(first.clone());
            let dir = self.directory(config, index)?;
            let follows = (index > 0).then_some(&first);
            let arguments = redis_servers::arguments(own, &dir, scenario.durability, follows);
            self.spawn(Reference::Redis, config, arguments, cap)?;
            // The first one's answer, so that none follows what is not there.
            self.await_ready(|| redis_servers::is_ready(own, index > 0)).await?;
        }
        Ok(())
    }

    async fn start_etcd(
        &mut self,
        scenario: &Scenario,
        config: &ClusterConfig,
        cap: Option<&CpuCap>,
    ) -> Result<(), ClusterError> {
        let geo = scenario.distance.as_ref();
        let mut members = Vec::new();
        for (index, (node, client)) in config.nodes.iter().zip(clients_of(config)).enumerate() {
            let advertised = match (&mut self.links, geo) {
                (Some(links), Some(geo)) => {
                    let from: Vec<Distance> =
                        (0..config.nodes.len()).map(|from| geo.distances(from)[index]).collect();
                    links.to(&node.peer, Callers::Members(from)).await.map_err(port)?
                }
                _ => node.peer.clone(),
            };
            members.push(Address { name: node.name.clone(), peer: node.peer.clone(), advertised, client });
        }
        for index in 0..members.len() {
            let dir = self.directory(config, index)?;
            let arguments = etcd_members::arguments(&members, index, &dir, geo);
            self.spawn(Reference::Etcd, config, arguments, cap)?;
        }
        if let Some(links) = &self.links {
            links.know(self.processes());
        }
        self.endpoints = members.into_iter().map(|member| member.client).collect();
        let endpoints = self.endpoints.clone();
        self.await_ready(|| etcd_members::is_ready(&endpoints)).await
    }

    fn directory(&self, config: &ClusterConfig, index: usize) -> Result<PathBuf, ClusterError> {
        let dir = config.data_dir.join(&config.nodes[index].name);
        std::fs::create_dir_all(&dir)
            .map_err(|source| ClusterError::Io { what: format!("creating {}", dir.display()), source })?;
        Ok(dir)
    }

    /// Starts the next member.
    fn spawn(
        &mut self,
        reference: Reference,
        config: &ClusterConfig,
        arguments: Vec<String>,
        cap: Option<&CpuCap>,
    ) -> Result<(), ClusterError> {
        let index = self.members.len();
        let name = config.nodes[index].name.clone();
        let log_file = config.data_dir.join(format!("{name}.log"));
        let failed = |what: &str, path: &Path| {
            let what = format!("{what} {}", path.display());
            |source| ClusterError::Io { what, source }
        };
        let log = std::fs::File::create(&log_file).map_err(failed("creating", &log_file))?;
        let errors = log.try_clone().map_err(failed("opening", &log_file))?;
        let capped = cap.map(|cap| cap.wrapper(index)).unwrap_or_default();
        let ended = if cfg!(target_os = "linux") { &END_WITH_PARENT[..] } else { &[] };
        let named = ended.iter().copied().chain([reference.program()]).map(OsString::from);
        let mut words = capped.into_iter().chain(named);
        let program = words.next().expect("a program");
        let child = Command::new(&program)
            .args(words)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::from(log))
            .stderr(Stdio::from(errors))
            .kill_on_drop(true)
            .spawn()
            .map_err(failed("starting", Path::new(&program)))?;
        self.members.push(Member { name, pid: child.id().unwrap_or(0), log_file });
        self.watch(index, child);
        Ok(())
    }

    fn watch(&mut self, index: usize, mut child: Child) {
        self.exits.spawn(async move { (index, child.wait().await) });
    }

    /// Asks until the answer is yes, or a member ends.
    async fn await_ready<F: Future<Output = bool>>(
        &mut self,
        mut is_ready: impl FnMut() -> F,
    ) -> Result<(), ClusterError> {
        let ready = async {
            while !is_ready().await {
                tokio::time::sleep(ASK).await;
            }
        };
        let late = tokio::time::sleep(READY_MAX);
        let (name, why) = tokio::select! {
            () = ready => return Ok(()),
            (name, how) = self.exited() => (name, how),
            () = late => {
                let newest = self.members.last().map(|member| member.name.clone()).unwrap_or_default();
                (newest, format!("it did not serve within {} s", READY_MAX.as_secs()))
            }
        };
        let log = self.log_of(&name);
        let last = std::fs::read_to_string(log).ok().and_then(|text| Some(text.lines().last()?.to_owned()));
        Err(ClusterError::Node { name, why: last.map_or(why.clone(), |line| format!("{why}; {line}")) })
    }

    /// Resolves when a member ends by itself: its name and how it ended.
    pub(crate) async fn exited(&mut self) -> (String, String) {
        match self.exits.join_next().await {
            Some(Ok((index, status))) => {
                let how = status.map_or_else(|error| error.to_string(), |status| status.to_string());
                (self.members[index].name.clone(), how)
            }
            Some(Err(_)) | None => std::future::pending().await,
        }
    }

    /// Where the member with this name logs to.
    pub(crate) fn log_of(&self, name: &str) -> PathBuf {
        let found = self.members.iter().find(|member| member.name == name);
        found.map(|member| member.log_file.clone()).unwrap_or_default()
    }

    /// The processes, in the order of nodes.
    pub(crate) fn processes(&self) -> Vec<u32> {
        self.members.iter().map(|member| member.pid).collect()
    }

    /// Where the clients of the node at `index` connect.
    pub(crate) fn endpoint(&self, index: usize) -> &Endpoint {
        &self.endpoints[index]
    }

    /// Kills all members, and waits until they have ended. Says how late emulated distances were.
    pub(crate) async fn stop(mut self) -> Option<LatenessSummary> {
        // Nobody has waited for a process whose task still runs: its number is its own.
        if self.exits.len() == self.members.len() {
            for member in &self.members {
                let pid = i32::try_from(member.pid).ok().and_then(Pid::from_raw);
                let _ = pid.map(|pid| kill_process(pid, Signal::KILL));
            }
            while self.exits.join_next().await.is_some() {}
        }
        self.links.map(|links| links.lateness().summary())
    }
}

fn port(source: io::Error) -> ClusterError {
    ClusterError::Io { what: "asking for a port to emulate distance with".to_owned(), source }
}

fn clients_of(config: &ClusterConfig) -> Vec<Endpoint> {
    config.nodes.iter().filter_map(|node| node.client.clone()).collect()
}
