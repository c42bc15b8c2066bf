use super::etcd_members::{self, Address};
use super::links::{Callers, Links, Ways};
use super::{Reference, redis_servers};
use crate::Scenario;
use crate::cap::CpuCap;
use crate::local_cluster::{ClusterError, describe, failed, last_line, signal};
use isegoria::{ClusterConfig, Endpoint, GeoConfig};
use isegoria_transport::LatenessSummary;
use rustix::process::Signal;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::process::Command;
use tokio::task::JoinSet;

/// How long members may take until they serve, and the first one leads.
const READY_MAX: Duration = Duration::from_secs(120);
/// How often they are asked whether they do.
const ASK: Duration = Duration::from_millis(50);
/// Ends what it starts when this process ends, however that is. Part of util-linux; where that is missing, only
/// what is killed without a chance to tidy up leaves processes behind.
const END_WITH_PARENT: [&str; 3] = ["setpriv", "--pdeathsig", "KILL"];

/// The processes of a reference on this machine, one a node; killed if this is dropped.
pub(crate) struct ReferenceCluster {
    members: Vec<Member>,
    /// Where the clients of each node are to connect.
    endpoints: Vec<Endpoint>,
    /// What is between them, if distance is emulated.
    links: Option<Links>,
    exits: JoinSet<(usize, io::Result<ExitStatus>)>,
    /// What members are started by: see [`END_WITH_PARENT`].
    starter: &'static [&'static str],
}

#[derive(Clone, Debug)]
struct Member {
    /// Whether it still runs: the process id of a dead one may be somebody else's.
    is_alive: bool,
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
            starter: if can_end_with_parent() { &END_WITH_PARENT } else { &[] },
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
            let ways = scenario.distance.as_ref().map(|geo| between(geo, index, 0));
            let first = match (&mut self.links, ways) {
                (Some(links), Some(ways)) if index > 0 => {
                    links.to(&servers[0], Callers::At(ways)).await.map_err(port)?
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
                    let ways = (0..config.nodes.len()).map(|from| between(geo, from, index)).collect();
                    links.to(&node.peer, Callers::Members(ways)).await.map_err(port)?
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
        std::fs::create_dir_all(&dir).map_err(failed("creating", &dir))?;
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
        let log = std::fs::File::create(&log_file).map_err(failed("creating", &log_file))?;
        let errors = log.try_clone().map_err(failed("opening", &log_file))?;
        let capped = cap.map(|cap| cap.wrapper(index)).unwrap_or_default();
        let named = self.starter.iter().copied().chain([reference.program()]).map(OsString::from);
        let mut words = capped.into_iter().chain(named);
        let program = words.next().expect("a program");
        let mut child = Command::new(&program)
            .args(words)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::from(log))
            .stderr(Stdio::from(errors))
            .kill_on_drop(true)
            .spawn()
            .map_err(failed("starting", Path::new(&program)))?;
        self.members.push(Member { is_alive: true, name, pid: child.id().unwrap_or(0), log_file });
        self.exits.spawn(async move { (index, child.wait().await) });
        Ok(())
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
        let last = last_line(&self.log_of(&name)).map_or(String::new(), |line| format!("; {line}"));
        Err(ClusterError::Node { name, why: format!("{why}{last}") })
    }

    /// Resolves when a member ends by itself: its name and how it ended.
    pub(crate) async fn exited(&mut self) -> (String, String) {
        match self.exits.join_next().await {
            Some(Ok((index, status))) => {
                let member = &mut self.members[index];
                member.is_alive = false;
                (member.name.clone(), describe(status, &member.log_file))
            }
            Some(Err(_)) | None => std::future::pending().await,
        }
    }

    fn log_of(&self, name: &str) -> PathBuf {
        let found = self.members.iter().find(|member| member.name == name);
        found.map(|member| member.log_file.clone()).unwrap_or_default()
    }

    /// The members' names, and where each logs to.
    pub(crate) fn logs(&self) -> Vec<(String, PathBuf)> {
        self.members.iter().map(|member| (member.name.clone(), member.log_file.clone())).collect()
    }

    /// The processes, in the order of nodes.
    pub(crate) fn processes(&self) -> Vec<u32> {
        self.members.iter().map(|member| member.pid).collect()
    }

    /// Where the clients of the node at `index` connect.
    pub(crate) fn endpoint(&self, index: usize) -> &Endpoint {
        &self.endpoints[index]
    }

    /// Whether n1 still leads what one of the members has to lead.
    pub(crate) async fn is_led_by_first(&self, reference: Reference) -> bool {
        match reference {
            Reference::Redis => true,
            Reference::Etcd => etcd_members::is_led_by_first(&self.endpoints).await,
        }
    }

    /// Kills all members, and waits until they have ended. Says how late emulated distances were.
    pub(crate) async fn stop(mut self) -> Option<LatenessSummary> {
        self.kill();
        while self.exits.join_next().await.is_some() {}
        self.links.take().map(|links| links.lateness().summary())
    }

    fn kill(&mut self) {
        while let Some(ended) = self.exits.try_join_next() {
            if let Ok((index, _)) = ended {
                self.members[index].is_alive = false;
            }
        }
        for member in self.members.iter().filter(|member| member.is_alive) {
            signal(member.pid, Signal::KILL);
        }
    }
}

/// Whoever drops a cluster may want back at once what its processes hold; their children's tasks end only when
/// the runtime gets to it.
impl Drop for ReferenceCluster {
    fn drop(&mut self) {
        self.kill();
    }
}

fn can_end_with_parent() -> bool {
    let asked = std::process::Command::new(END_WITH_PARENT[0]).arg("--version").output();
    asked.is_ok_and(|output| output.status.success())
}

fn between(geo: &GeoConfig, from: usize, to: usize) -> Ways {
    Ways { there: geo.distances(from)[to], back: geo.distances(to)[from] }
}

fn port(source: io::Error) -> ClusterError {
    ClusterError::Io { what: "asking for a port to emulate distance with".to_owned(), source }
}

fn clients_of(config: &ClusterConfig) -> Vec<Endpoint> {
    config.nodes.iter().filter_map(|node| node.client.clone()).collect()
}
