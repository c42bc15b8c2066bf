use crate::failure::Failure;
use crate::say::say;
use clap::Args;
use serde_json::json;
use std::process::ExitCode;

/// The cluster sizes that are listed.
const SIZES: [usize; 4] = [3, 5, 7, 9];

/// `isegoria protocols`
#[derive(Args)]
#[command(after_help = "\
Delays are one-way message delays between nodes from submission at a node to the answer there,
without failures and without conflicts; a client beside its node sees just these.

Example:
  isegoria protocols --json")]
pub(crate) struct ProtocolsArgs {
    /// Print a list of objects
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: ProtocolsArgs) -> Result<ExitCode, Failure> {
    if args.json {
        let list: Vec<_> = isegoria::protocols()
            .iter()
            .map(|protocol| {
                let sizes = SIZES.map(|n| {
                    let quorums = protocol.quorums(n);
                    json!({ "nodes": n, "f": quorums.f, "phase1": quorums.phase1, "phase2": quorums.phase2,
                            "dependency": quorums.dependency, "fast": quorums.fast })
                });
                json!({ "name": protocol.name(), "delays": protocol.delay_count(),
                        "fast_path": protocol.has_fast_path(), "quorums": sizes })
            })
            .collect();
        say!("{:#}", json!(list));
        return Ok(ExitCode::SUCCESS);
    }
    say!(
        "{:<16} {:>6}  quorums (phase 1 / phase 2 / dependency / fast) and tolerated crashes f",
        "protocol",
        "delays"
    );
    for protocol in isegoria::protocols() {
        let sizes = SIZES.map(|n| {
            let quorums = protocol.quorums(n);
            let or_none = |size: Option<usize>| size.map_or("–".to_owned(), |size| size.to_string());
            let (dependency, fast) = (or_none(quorums.dependency), or_none(quorums.fast));
            format!("n={n}: {}/{}/{dependency}/{fast} f={}", quorums.phase1, quorums.phase2, quorums.f)
        });
        say!("{:<16} {:>6}  {}", protocol.name(), protocol.delay_count(), sizes.join("   "));
    }
    Ok(ExitCode::SUCCESS)
}
