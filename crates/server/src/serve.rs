use crate::failure::Failure;
use crate::signals;
use clap::Args;
use isegoria::{ClusterConfig, Endpoint, LoopError, NodeConfig, RunError, StoreError};
use isegoria_admin::{AdminServer, Shown};
use isegoria_bench::local_cluster::READY_LINE;
use isegoria_client::LocalPort;
use isegoria_kv::Kv;
use isegoria_machine::Erased;
use isegoria_resp::{RespOptions, RespServer};
use isegoria_transport::Listener;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// `isegoria serve`
#[derive(Args)]
#[command(after_help = "\
Prints `ready` once its ports listen; logs go to standard error (RUST_LOG=debug for more).

A node that has lost its disk has forgotten what it promised and must not vote again. If its data directory is new,
its peers say so, and it goes on as a learner by itself: it takes a snapshot, follows the others, and refuses clients,
who go elsewhere. With --learner it does so whatever is in the data directory, which stays as it is. Once the newest
data directory is back in its place, the node votes again. A learner counts as a node that is down.

Exit codes: 0 stopped by SIGINT or SIGTERM; 1 it had to stop (the disk failed, or a peer knows that it has lost what
it promised); 2 bad usage, or a data directory that cannot be used.

Examples:
  isegoria serve --config cluster.toml --node n1
  isegoria serve --config cluster.toml --node n3 --learner")]
pub(crate) struct ServeArgs {
    /// The cluster's configuration, the same file for all its nodes
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Which of its nodes to run
    #[arg(long, value_name = "NAME")]
    node: String,
    /// Only follow the others, without a vote and without clients: for a node whose data is damaged or set back
    #[arg(long)]
    learner: bool,
    /// End when the process that started this one ends
    #[arg(long, hide = true)]
    end_with_parent: bool,
}

pub(crate) async fn run(args: ServeArgs) -> Result<ExitCode, Failure> {
    if args.end_with_parent {
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM)).map_err(
            |error| Failure::failed(format!("cannot ask to end with the parent process: {error}")),
        )?;
    }
    let config = ClusterConfig::from_file(&args.config)?;
    let mut settings = config.settings(&args.node)?;
    let local = settings.local.clone();
    settings.learner = args.learner;
    let edges = Edges::bind(&config.nodes[settings.own.index()]).await?;
    let stop = signals::interrupted()
        .map_err(|error| Failure::failed(format!("cannot wait for signals: {error}")))?;
    let machine = Box::new(Erased::<Kv>::default());
    let started = Box::new(|| {
        // Whoever waits for the line may be gone; the node serves all the same.
        let mut out = std::io::stdout().lock();
        let _ = writeln!(out, "{READY_LINE}").and_then(|()| out.flush());
    });
    let protocol = isegoria::protocol(&config.protocol)?;
    // Served until the node has stopped.
    let _edges = edges.serve(&config, &args.node, &local);
    let running = protocol.run(settings, &config.options, machine, (started, Box::pin(stop)))?;
    running.await.map(|_| ExitCode::SUCCESS).map_err(|error| failure(&args, &error))
}

/// The ports of a node that are not its own: bound before it starts, served until it has stopped.
struct Edges {
    resp: Option<Listener>,
    admin: Option<Listener>,
}

impl Edges {
    async fn bind(node: &NodeConfig) -> Result<Edges, Failure> {
        Ok(Edges { resp: bind("resp", &node.resp).await?, admin: bind("admin", &node.admin).await? })
    }

    fn serve(
        self,
        config: &ClusterConfig,
        name: &str,
        port: &LocalPort,
    ) -> (Option<RespServer>, Option<AdminServer>) {
        let options =
            RespOptions { request_bytes_max: config.limits.payload_bytes_max, ..RespOptions::default() };
        let shown = Shown {
            node: name.to_owned(),
            protocol: config.protocol.clone(),
            port: port.clone(),
            nodes: config
                .nodes
                .iter()
                .filter_map(|node| Some((node.name.clone(), node.client.clone()?)))
                .collect(),
            node_count: config.nodes.len(),
        };
        (
            self.resp.map(|listener| RespServer::spawn(listener, port.clone(), options)),
            self.admin.map(|listener| AdminServer::spawn(listener, shown)),
        )
    }
}

async fn bind(what: &'static str, endpoint: &Option<Endpoint>) -> Result<Option<Listener>, Failure> {
    let Some(endpoint) = endpoint else { return Ok(None) };
    match Listener::bind(endpoint).await {
        Ok(listener) => Ok(Some(listener)),
        Err(source) => {
            let refused = RunError::Listen { endpoint: endpoint.clone(), what, source };
            Err(Failure::usage(refused.to_string()))
        }
    }
}

fn failure(args: &ServeArgs, error: &RunError) -> Failure {
    let sentence = match error {
        RunError::Store(StoreError::Damaged { .. }) | RunError::Loop(LoopError::Amnesia { .. }) => {
            format!("{error}; until then `{}` follows the others without a vote", learner_command(args))
        }
        _ => error.to_string(),
    };
    match error {
        RunError::Config(_) | RunError::Listen { .. } | RunError::Store(_) | RunError::Replay(_) => {
            Failure::usage(sentence)
        }
        _ => Failure::failed(sentence),
    }
}

fn learner_command(args: &ServeArgs) -> String {
    format!("isegoria serve --config {} --node {} --learner", args.config.display(), args.node)
}
