use crate::failure::Failure;
use crate::signals;
use clap::Args;
use isegoria::{Config, RunError};
use isegoria_bench::local_cluster::READY_LINE;
use isegoria_kv::Kv;
use isegoria_machine::Erased;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// `isegoria serve`
#[derive(Args)]
#[command(after_help = "\
Prints `ready` once both ports listen; logs go to standard error (RUST_LOG=debug for more).

Example:
  isegoria serve --config cluster.toml --node n1")]
pub(crate) struct ServeArgs {
    /// The cluster's configuration, the same file for all its nodes
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Which of its nodes to run
    #[arg(long, value_name = "NAME")]
    node: String,
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
    let config = Config::from_file(&args.config)?;
    let settings = config.settings(&args.node)?;
    let stop = signals::interrupted()
        .map_err(|error| Failure::failed(format!("cannot wait for signals: {error}")))?;
    let machine = Box::new(Erased::<Kv>::default());
    let started = Box::new(|| {
        println!("{READY_LINE}");
        // Whoever waits for the line may be gone; the node serves all the same.
        let _ = std::io::stdout().flush();
    });
    let protocol = isegoria::protocol(&config.protocol)?;
    let running = protocol.run(settings, &config.options, machine, (started, Box::pin(stop)))?;
    match running.await {
        Ok(_) => Ok(ExitCode::SUCCESS),
        Err(
            error
            @ (RunError::Config(_) | RunError::Listen { .. } | RunError::Store(_) | RunError::Replay(_)),
        ) => Err(Failure::usage(error.to_string())),
        Err(error) => Err(Failure::failed(error.to_string())),
    }
}
