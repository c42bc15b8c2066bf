use crate::failure::Failure;
use crate::say::{complain, say};
use crate::signals;
use clap::Args;
use isegoria::{ClusterConfig, Durability, Endpoint, ProtocolSpec};
use isegoria_bench::WideArea;
use isegoria_bench::local_cluster::{ClusterError, LocalCluster, NodeProcess, take_free_endpoints};
use std::path::PathBuf;
use std::process::ExitCode;

/// `isegoria cluster`
#[derive(Args)]
#[command(
    override_usage = "isegoria cluster [OPTIONS]",
    after_help = "\
Prints a line a node, then `ready`. A node that dies is left dead, and said on standard error. Ctrl-C stops all nodes.

Examples:
  isegoria cluster --protocol simple-bpaxos --nodes 3
  isegoria cluster --protocol multipaxos:leader=2 --nodes 5 --durability os --data-dir data
  isegoria cluster --protocol epaxos --nodes 5 --geo configs/regions/epaxos13.toml
  isegoria cluster --protocol simple-bpaxos --geo configs/rtt/aws-2020.csv --sites us-east-1,us-west-1,eu-west-1
  isegoria cluster --config configs/clusters/three.toml"
)]
pub(crate) struct ClusterArgs {
    /// The protocol, with options after a colon
    #[arg(long, value_name = "P", default_value = "simple-bpaxos")]
    protocol: String,
    /// How many nodes
    #[arg(long, value_name = "N", default_value_t = 3)]
    nodes: usize,
    /// A cluster's configuration instead of --protocol, --nodes and --base-port
    #[arg(long, value_name = "FILE", conflicts_with_all = ["protocol", "nodes", "base_port"])]
    config: Option<PathBuf>,
    /// Where the nodes keep their data; if left out, where --config says, or a temporary directory, removed at the end
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The first of four ports a node: for peers and clients in turn, then for clients of Redis, then for HTTP; 0 takes
    /// ports that are free
    #[arg(long, value_name = "PORT", default_value_t = 7100)]
    base_port: u16,
    /// When a write counts as done: fsync, os or memory
    #[arg(long, value_name = "M")]
    durability: Option<String>,
    #[command(flatten)]
    area: WideArea,
}

pub(crate) async fn run(args: ClusterArgs) -> Result<ExitCode, Failure> {
    // Kept until the end: dropping it removes the directory.
    let mut temporary = None;
    let data_dir = match (&args.data_dir, &args.config) {
        (Some(dir), _) => Some(
            std::path::absolute(dir)
                .map_err(|error| Failure::usage(format!("{}: {error}", dir.display())))?,
        ),
        (None, Some(_)) => None,
        (None, None) => {
            let dir = tempfile::Builder::new().prefix("isegoria-").tempdir();
            let dir =
                dir.map_err(|error| Failure::failed(format!("cannot make a temporary directory: {error}")))?;
            let path = dir.path().to_path_buf();
            temporary = Some(dir);
            Some(path)
        }
    };
    let config = configuration(&args, data_dir)?;
    let stop = signals::interrupted()
        .map_err(|error| Failure::failed(format!("cannot wait for signals: {error}")))?;
    let mut cluster =
        LocalCluster::start(&crate::executable()?, &config).await.map_err(|error| match error {
            ClusterError::Node { .. } => Failure::usage(error.to_string()),
            ClusterError::Io { .. } => Failure::failed(error.to_string()),
        })?;
    for node in cluster.nodes() {
        say!("{}", describe(node));
    }
    let data_dir = config.data_dir.display();
    match temporary {
        Some(_) => {
            complain(format_args!("data in {data_dir}, removed at the end; give --data-dir to keep it"));
        }
        None => complain(format_args!("data in {data_dir}, kept at the end")),
    }
    say!("ready");
    tokio::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            (name, how) = cluster.exited() => complain(format_args!("node={name} died: {how}")),
        }
    }
    cluster.stop().await;
    Ok(ExitCode::SUCCESS)
}

/// What to run. The data directory is given unless the configuration names it.
fn configuration(args: &ClusterArgs, data_dir: Option<PathBuf>) -> Result<ClusterConfig, Failure> {
    let mut config = match &args.config {
        Some(file) => {
            let config = ClusterConfig::from_file(file)?;
            ClusterConfig { data_dir: data_dir.unwrap_or(config.data_dir), ..config }
        }
        None => {
            let spec: ProtocolSpec = args.protocol.parse()?;
            let base_port = args.base_port.max(1);
            let next_port = args.nodes.saturating_mul(2).saturating_add(usize::from(base_port));
            let config =
                ClusterConfig::loopback(&spec, args.nodes, base_port, &data_dir.unwrap_or_default())?;
            let mut config = config.with_edges(u16::try_from(next_port).unwrap_or(u16::MAX))?;
            if args.base_port == 0 {
                take_free_endpoints(&mut config)
                    .map_err(|error| Failure::failed(format!("the system has no free ports: {error}")))?;
            }
            config
        }
    };
    if let Some(durability) = &args.durability {
        config.durability =
            durability.parse::<Durability>().map_err(|error| Failure::usage(error.to_string()))?;
    }
    if let Some(geo) = args.area.clone().place(config.nodes.len())? {
        config.geo = Some(geo);
    }
    config.check()?;
    Ok(config)
}

fn describe(node: &NodeProcess) -> String {
    let port = |name: &str, endpoint: &Option<Endpoint>| match endpoint {
        Some(endpoint) => format!(" {name}={endpoint}"),
        None => String::new(),
    };
    let ports = port("client", &node.client) + &port("resp", &node.resp) + &port("admin", &node.admin);
    format!("node={} pid={} peer={}{ports} data={}", node.name, node.pid, node.peer, node.data_dir.display())
}
