pub use crate::free_endpoints::take_free_endpoints;
use isegoria::{ClusterConfig, Endpoint, Stats};
use rustix::process::Signal;
use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;

/// How long a node may take until it is ready: it may have a log to replay.
const READY_MAX: Duration = Duration::from_secs(120);
/// How long a node may take to stop before it is killed.
const STOP_MAX: Duration = Duration::from_secs(10);

/// What a node says on standard output once its ports listen.
pub const READY_LINE: &str = "ready";

/// A node process of this machine.
#[derive(Clone, Debug)]
pub struct NodeProcess {
    /// Its name in the configuration.
    pub name: String,
    /// Its process id.
    pub pid: u32,
    /// Where peers reach it.
    pub peer: Endpoint,
    /// Where clients reach it.
    pub client: Option<Endpoint>,
    /// Where clients of Redis reach it.
    pub resp: Option<Endpoint>,
    /// Where it tells of itself over HTTP.
    pub admin: Option<Endpoint>,
    /// Where it keeps its log.
    pub data_dir: PathBuf,
    /// Where its log lines go.
    pub log_file: PathBuf,
}

/// How a node is started, where that is not as all others are.
#[derive(Clone, Debug, Default)]
pub struct Launch {
    /// A program and its arguments that the node's own follow. It has to become the node
    /// (`exec`): its process id is the node's.
    pub wrapper: Vec<OsString>,
    /// A configuration of its own, instead of the cluster's. Written to `<data_dir>/<name>.toml`.
    pub config: Option<ClusterConfig>,
}

/// What came of starting a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Its ports listen.
    Ready,
    /// It ended before.
    Ended(ExitStatus),
}

/// Why a cluster did not start.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// A file or process could not be made.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// A node ended before it was ready.
    #[error("node {name} did not start: {why}")]
    Node {
        /// Its name.
        name: String,
        /// The last line of its log, or how it ended.
        why: String,
    },
}

pub(crate) fn failed<'a>(what: &'a str, path: &'a Path) -> impl FnOnce(io::Error) -> ClusterError + 'a {
    move |source| ClusterError::Io { what: format!("{what} {}", path.display()), source }
}

/// Node processes on this machine, all stopped when it ends: each asks the system to
/// end it should its parent die.
#[derive(Debug)]
pub struct LocalCluster {
    nodes: Vec<NodeProcess>,
    children: Vec<Option<Child>>,
    /// Whether each still runs: the process id of a dead one may be somebody else's.
    alive: Vec<bool>,
    exits: JoinSet<(usize, io::Result<ExitStatus>, Child)>,
    /// Nodes that ended by themselves while another one's end was awaited, and how.
    died: VecDeque<(String, String)>,
    executable: PathBuf,
    /// The wrapper and the configuration file of each.
    launches: Vec<(Vec<OsString>, PathBuf)>,
}

impl LocalCluster {
    /// Writes `config` to `<data_dir>/cluster.toml`, starts `<executable> serve` for
    /// every node and waits until each is ready.
    ///
    /// # Errors
    /// If a file cannot be written or a node does not start; those that did are stopped.
    pub async fn start(executable: &Path, config: &ClusterConfig) -> Result<LocalCluster, ClusterError> {
        let launches = vec![Launch::default(); config.nodes.len()];
        LocalCluster::start_as(executable, config, launches).await
    }

    /// As [`LocalCluster::start`], each node in its own way.
    ///
    /// # Errors
    /// If a file cannot be written or a node does not start; those that did are stopped.
    pub async fn start_as(
        executable: &Path,
        config: &ClusterConfig,
        launches: Vec<Launch>,
    ) -> Result<LocalCluster, ClusterError> {
        std::fs::create_dir_all(&config.data_dir).map_err(failed("creating", &config.data_dir))?;
        let write = |name: &str, config: &ClusterConfig| {
            let file = config.data_dir.join(name).with_extension("toml");
            std::fs::write(&file, config.to_toml()).map_err(failed("writing", &file))?;
            Ok(file)
        };
        let all = write("cluster", config)?;
        let mut cluster = LocalCluster {
            nodes: Vec::new(),
            children: Vec::new(),
            alive: vec![false; config.nodes.len()],
            exits: JoinSet::new(),
            died: VecDeque::new(),
            executable: executable.to_path_buf(),
            launches: Vec::new(),
        };
        for (node, Launch { wrapper, config: own }) in config.nodes.iter().zip(launches) {
            let file = own.map_or(Ok(all.clone()), |own| write(&node.name, &own))?;
            cluster.launches.push((wrapper, file));
            let process = NodeProcess {
                name: node.name.clone(),
                pid: 0,
                peer: node.peer.clone(),
                client: node.client.clone(),
                resp: node.resp.clone(),
                admin: node.admin.clone(),
                data_dir: config.data_dir.join(&node.name),
                log_file: config.data_dir.join(format!("{}.log", node.name)),
            };
            cluster.nodes.push(process);
            let child = cluster.spawn(cluster.nodes.len() - 1)?;
            cluster.children.push(Some(child));
        }
        let ready = cluster.await_all_ready().await;
        if ready.is_err() {
            cluster.end_children().await;
        }
        ready?;
        for index in 0..cluster.nodes.len() {
            cluster.watch(index);
        }
        Ok(cluster)
    }

    fn spawn(&mut self, index: usize) -> Result<Child, ClusterError> {
        let node = &mut self.nodes[index];
        let (wrapper, config_file) = &self.launches[index];
        let log: File = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&node.log_file)
            .map_err(failed("creating", &node.log_file))?;
        let mut words = wrapper.iter().map(OsString::as_os_str).chain([self.executable.as_os_str()]);
        let program = words.next().expect("the executable at least");
        let child = Command::new(program)
            .args(words)
            .arg("serve")
            .arg("--config")
            .arg(config_file)
            .args(["--node", &node.name, "--end-with-parent"])
            // Otherwise the allocator gives pages back ten milliseconds after a batch is
            // forgotten, and pays for clearing them when the next one comes.
            .env("MIMALLOC_PURGE_DELAY", "1000")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::from(log))
            .kill_on_drop(true)
            .spawn()
            .map_err(failed("starting", Path::new(program)))?;
        node.pid = child.id().unwrap_or(0);
        Ok(child)
    }

    async fn await_all_ready(&mut self) -> Result<(), ClusterError> {
        for index in 0..self.nodes.len() {
            self.await_ready(index).await?;
        }
        Ok(())
    }

    /// Ends those that did start, and waits until their ports are free again.
    async fn end_children(&mut self) {
        for child in self.children.iter_mut().flatten() {
            // One that has ended is waited for all the same.
            let _ = child.kill().await;
        }
    }

    async fn await_ready(&mut self, index: usize) -> Result<(), ClusterError> {
        match self.await_start(index).await? {
            Start::Ready => Ok(()),
            Start::Ended(_) => {
                let NodeProcess { name, log_file, .. } = self.nodes[index].clone();
                // Its log says why.
                let why = last_line(&log_file).unwrap_or_else(|| "it ended at once".to_owned());
                Err(ClusterError::Node { name, why })
            }
        }
    }

    /// Waits until a node that was just started is ready, or has ended.
    async fn await_start(&mut self, index: usize) -> Result<Start, ClusterError> {
        let name = self.nodes[index].name.clone();
        let child = self.children[index].as_mut().expect("just started");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let said = async {
            match lines.next_line().await {
                Ok(Some(line)) if line == READY_LINE => Ok(Start::Ready),
                // It said something else, or nothing and ends.
                _ => child.wait().await.map(Start::Ended),
            }
        };
        match tokio::time::timeout(READY_MAX, said).await {
            Ok(Ok(start)) => Ok(start),
            Ok(Err(error)) => Err(ClusterError::Node { name, why: error.to_string() }),
            Err(_) => {
                let why = format!("it was not ready within {} s", READY_MAX.as_secs());
                Err(ClusterError::Node { name, why })
            }
        }
    }

    /// Waits for a node's end in the background.
    fn watch(&mut self, index: usize) {
        let mut child = self.children[index].take().expect("running");
        self.alive[index] = true;
        self.exits.spawn(async move { (index, child.wait().await, child) });
    }

    /// The nodes, in the order of the configuration, dead ones included.
    #[must_use]
    pub fn nodes(&self) -> &[NodeProcess] {
        &self.nodes
    }

    /// Resolves when a node ends by itself: its name and how it ended.
    pub async fn exited(&mut self) -> (String, String) {
        if let Some(death) = self.died.pop_front() {
            return death;
        }
        let (index, status) = self.next_exit().await;
        self.death(index, status)
    }

    /// The next node that ends, whoever ended it.
    async fn next_exit(&mut self) -> (usize, io::Result<ExitStatus>) {
        match self.exits.join_next().await {
            Some(Ok((index, status, _))) => {
                self.alive[index] = false;
                (index, status)
            }
            Some(Err(_)) | None => std::future::pending().await,
        }
    }

    fn death(&self, index: usize, status: io::Result<ExitStatus>) -> (String, String) {
        let node = &self.nodes[index];
        (node.name.clone(), describe(status, &node.log_file))
    }

    /// Kills a node at once, as a power cut of its process would. One that ended by
    /// itself before is told by [`LocalCluster::exited`] all the same.
    ///
    /// # Panics
    /// If there is no such node.
    pub async fn kill(&mut self, name: &str) {
        let by_us = |status: &ExitStatus| status.signal() == Some(Signal::KILL.as_raw());
        for (index, status) in self.strike(&[self.index(name)]).await {
            if !status.as_ref().is_ok_and(by_us) {
                let death = self.death(index, status);
                self.died.push_back(death);
            }
        }
    }

    /// Kills nodes that may well be ending by themselves, and says how those ended that had not before.
    pub async fn strike(&mut self, nodes: &[usize]) -> Vec<(usize, io::Result<ExitStatus>)> {
        for index in nodes {
            self.signal(*index, Signal::KILL);
        }
        self.ended(nodes).await
    }

    /// Waits until these nodes have ended, whoever ends them, and says how those did that had not before.
    /// They are not told by [`LocalCluster::exited`] then.
    pub async fn ended(&mut self, nodes: &[usize]) -> Vec<(usize, io::Result<ExitStatus>)> {
        let mut ends = Vec::new();
        while nodes.iter().any(|index| self.alive[*index]) {
            let (index, status) = self.next_exit().await;
            if nodes.contains(&index) {
                ends.push((index, status));
            } else {
                let death = self.death(index, status);
                self.died.push_back(death);
            }
        }
        ends
    }

    /// Makes the process of the node at `index` stand still, if it runs.
    ///
    /// # Panics
    /// If there is no such node.
    pub fn pause(&self, index: usize) {
        self.signal(index, Signal::STOP);
    }

    /// Lets a process that stands still go on.
    ///
    /// # Panics
    /// If there is no such node.
    pub fn resume(&self, index: usize) {
        self.signal(index, Signal::CONT);
    }

    fn signal(&self, index: usize, what: Signal) {
        if self.alive[index] {
            signal(self.nodes[index].pid, what);
        }
    }

    fn index(&self, name: &str) -> usize {
        self.nodes.iter().position(|node| node.name == name).expect("a node of this cluster")
    }

    /// Starts a node again that ended, on its data directory, and waits until it is ready.
    ///
    /// # Errors
    /// If it does not start.
    ///
    /// # Panics
    /// If there is no such node.
    pub async fn restart(&mut self, name: &str) -> Result<(), ClusterError> {
        let index = self.index(name);
        self.children[index] = Some(self.spawn(index)?);
        self.await_ready(index).await?;
        self.watch(index);
        Ok(())
    }

    /// Starts a node again that ended and that may refuse to start: that is no error here.
    ///
    /// # Errors
    /// If there is no process to be had, or it neither becomes ready nor ends.
    ///
    /// # Panics
    /// If there is no such node.
    pub async fn try_restart(&mut self, name: &str) -> Result<Start, ClusterError> {
        let index = self.index(name);
        self.children[index] = Some(self.spawn(index)?);
        let start = self.await_start(index).await?;
        match start {
            Start::Ready => self.watch(index),
            Start::Ended(_) => self.children[index] = None,
        }
        Ok(start)
    }

    /// Starts a node again without waiting until it is ready.
    ///
    /// # Errors
    /// If there is no process to be had.
    ///
    /// # Panics
    /// If there is no such node.
    pub fn launch(&mut self, name: &str) -> Result<(), ClusterError> {
        let index = self.index(name);
        self.children[index] = Some(self.spawn(index)?);
        self.watch(index);
        Ok(())
    }

    /// Stops all nodes that still run. Returns the counters of each that stopped well.
    pub async fn stop(mut self) -> Vec<(String, Option<Stats>)> {
        self.stop_all().await
    }

    /// Stops all nodes that still run, so that they can be started again. Returns the
    /// counters of each that stopped well.
    pub async fn stop_all(&mut self) -> Vec<(String, Option<Stats>)> {
        for (node, _) in self.nodes.iter().zip(&self.alive).filter(|(_, alive)| **alive) {
            signal(node.pid, Signal::TERM);
        }
        let deadline = tokio::time::Instant::now() + STOP_MAX;
        let mut stopped = vec![false; self.nodes.len()];
        while let Ok(Some(ended)) = tokio::time::timeout_at(deadline, self.exits.join_next()).await {
            if let Ok((index, status, _)) = ended {
                self.alive[index] = false;
                stopped[index] = status.is_ok_and(|status| status.success());
            }
        }
        // Children that are left are killed when they are dropped.
        let read = |node: &NodeProcess| -> Option<Stats> {
            serde_json::from_slice(&std::fs::read(node.data_dir.join("stats.json")).ok()?).ok()
        };
        self.nodes
            .iter()
            .zip(stopped)
            .map(|(node, stopped)| (node.name.clone(), if stopped { read(node) } else { None }))
            .collect()
    }
}

/// Whoever drops a cluster may want back at once what its processes hold. (Children are
/// killed when they are dropped, but those that are watched only when the runtime gets to it.)
impl Drop for LocalCluster {
    fn drop(&mut self) {
        while let Some(ended) = self.exits.try_join_next() {
            if let Ok((index, _, _)) = ended {
                self.alive[index] = false;
            }
        }
        for index in 0..self.nodes.len() {
            self.signal(index, Signal::KILL);
        }
    }
}

pub(crate) fn signal(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    if let Some(pid) = pid {
        // It may have ended by itself.
        let _ = rustix::process::kill_process(pid, signal);
    }
}

/// How a process ended, with the last line of its log if that may be a cause.
pub(crate) fn describe(status: io::Result<ExitStatus>, log_file: &Path) -> String {
    let how = match status {
        Ok(status) => match (status.code(), status.signal()) {
            (Some(code), _) => format!("exit code {code}"),
            (None, Some(signal)) => format!("signal {signal}"),
            (None, None) => "unknown status".to_owned(),
        },
        Err(error) => error.to_string(),
    };
    match last_line(log_file).filter(|line| may_be_a_cause(line)) {
        Some(line) => format!("{how}; last line of {}: {line}", log_file.display()),
        None => how,
    }
}

/// Whether a line of a log tells of more than good days.
fn may_be_a_cause(line: &str) -> bool {
    ![" INFO ", " DEBUG ", " TRACE "].iter().any(|level| line.contains(level))
}

pub(crate) fn last_line(file: &Path) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    text.lines().rev().find(|line| !line.trim().is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_be_a_cause_is_told_as_one() {
        let dir = tempfile::tempdir().unwrap();
        let told = |status: i32, log: &str| {
            let file = dir.path().join("n3.log");
            std::fs::write(&file, log).unwrap();
            describe(Ok(ExitStatus::from_raw(status)), &file)
        };
        assert_eq!(told(9, "2026-01-01  INFO isegoria: link up\n"), "signal 9");
        assert_eq!(told(1 << 8, ""), "exit code 1");
        let how = told(1 << 8, "isegoria: syncing the log failed\n\n");
        assert!(
            how.starts_with("exit code 1; last line of ")
                && how.ends_with("n3.log: isegoria: syncing the log failed")
        );
    }
}
