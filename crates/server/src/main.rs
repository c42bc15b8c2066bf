//! The `isegoria` binary: nodes, local clusters, a client and the benchmark.
//!
//! Exit codes: 0 success, 1 the thing that was asked for failed, 2 bad usage or
//! configuration; each failure is one sentence on standard error.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // L5: processes, files and signals.

mod check;
mod client;
mod cluster;
mod explain;
mod failure;
mod measure_rtt;
mod nemesis;
mod protocols;
mod say;
mod serve;
mod signals;
mod sim;
mod status;
mod whom;

use clap::{Parser, Subcommand};
use failure::Failure;
use std::process::ExitCode;

/// The same allocator for every protocol that is compared.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Multi-leader state machine replication: every replica may propose.
#[derive(Parser)]
#[command(name = "isegoria", version, about, long_about = None, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  isegoria bench                                     compare the protocols on this machine
  isegoria cluster --protocol simple-bpaxos --nodes 3
  isegoria client --connect 127.0.0.1:7101 put name Ada
  isegoria status --connect 127.0.0.1:7101,127.0.0.1:7103
  isegoria explain --connect 127.0.0.1:7101 c5f03a:0
  isegoria sim --protocol simple-bpaxos --seeds 0..200   a cluster in memory, under faults
  isegoria nemesis --protocol simple-bpaxos          kill nodes while clients record a history
  isegoria check history.jsonl
  isegoria serve --config cluster.toml --node n1
  isegoria plan --regions us-east-1,us-west-1,eu-west-1   latencies before anything is deployed
  isegoria protocols";

#[derive(Subcommand)]
enum Command {
    /// Run one node process
    Serve(serve::ServeArgs),
    /// Run a cluster of node processes on this machine until interrupted
    Cluster(cluster::ClusterArgs),
    /// Compare protocols under the same load
    Bench(Box<isegoria_bench::BenchArgs>),
    /// Put load on a cluster, as `bench` tells it on standard input
    #[command(hide = true)]
    Load(isegoria_bench::load::LoadArgs),
    /// Kill nodes of a cluster while clients record a history, and judge it
    Nemesis(Box<nemesis::NemesisArgs>),
    /// Judge a recorded history: is there an order that explains every answer?
    Check(check::CheckArgs),
    /// Run a whole cluster in memory under seeded faults, and check it
    Sim(sim::SimArgs),
    /// One operation on a running cluster
    Client(client::ClientArgs),
    /// What every node of a running cluster counts and holds
    Status(status::StatusArgs),
    /// What became of a command: its path, whom it waited for, and how long each stage took
    Explain(explain::ExplainArgs),
    /// Predict the latency of each protocol at each site, and recommend where nodes go
    Plan(isegoria_bench::plan::PlanArgs),
    /// Measure the round-trip times between hosts, before there is a cluster
    MeasureRtt(measure_rtt::MeasureRttArgs),
    /// One self-contained page of result folders
    Report(isegoria_bench::report_page::ReportArgs),
    /// List the protocols that are built in
    Protocols(protocols::ProtocolsArgs),
}

impl Command {
    /// Which log lines are shown, unless `RUST_LOG` says otherwise.
    fn log_lines(&self) -> &'static str {
        match self {
            // They say in a sentence of their own what a lost connection is to them.
            Command::Client(_) | Command::Status(_) | Command::Explain(_) => "info,tarpc=off",
            _ => "info,tarpc=warn",
        }
    }
}

fn main() -> ExitCode {
    let command = Cli::parse().command;
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(command.log_lines()));
    let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(std::io::stderr).init();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(run(command)),
        Err(error) => Err(Failure::failed(format!("cannot start the async runtime: {error}"))),
    };
    match outcome {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}

async fn run(command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Serve(args) => serve::run(args).await,
        Command::Cluster(args) => cluster::run(args).await,
        Command::Nemesis(args) => nemesis::run(*args).await,
        Command::Check(args) => check::run(args),
        Command::Sim(args) => sim::run(args),
        Command::Client(args) => client::run(args).await,
        Command::Status(args) => status::run(args).await,
        Command::Explain(args) => explain::run(args).await,
        Command::Protocols(args) => protocols::run(args),
        Command::MeasureRtt(args) => measure_rtt::run(args).await,
        Command::Report(args) => {
            isegoria_bench::report_page::run(&args).map_err(bench_failure)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Plan(args) => {
            isegoria_bench::plan::run(&args).map_err(bench_failure)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Bench(args) => {
            isegoria_bench::run(*args, executable()?).await.map_err(bench_failure)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Load(args) => {
            isegoria_bench::load::main(args).await.map_err(|error| Failure::failed(error.to_string()))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// What went wrong with load on a cluster, with its exit code.
fn bench_failure(error: isegoria_bench::BenchError) -> Failure {
    match error.exit_code() {
        2 => Failure::usage(error.to_string()),
        _ => Failure::failed(error.to_string()),
    }
}

/// This very program, to be started again as a node.
fn executable() -> Result<std::path::PathBuf, Failure> {
    std::env::current_exe()
        .map_err(|error| Failure::failed(format!("cannot find this program's file: {error}")))
}
