use crate::failure::Failure;
use crate::signals;
use clap::Args;
use isegoria_bench::nemesis::{Settings, Verdict};
use std::process::ExitCode;

/// `isegoria nemesis`
#[derive(Args)]
#[command(
    after_help = "Try --help for what happens, the exit codes and examples.",
    after_long_help = "\
Starts node processes on loopback and lets clients work on them through the client library, which retries and
goes to other nodes. Meanwhile random nodes are killed (SIGKILL), at most as many at once as the quorums bear,
and started again on their data directories; now and then one is killed again while it starts. With --faults
kill,pause processes also stand still for a while (SIGSTOP). With --retain nodes hold little for one that is away,
so that it comes back by a snapshot. After --duration
everything must answer within a minute; then every key is read through every node, and the history is judged.

Workloads (every value, and every element of a list, is written once):
  kv            registers (get, put, del, cas), counters (incr, get), texts (append, get, put, del), and mget
                over all of them
  list-append   append to a list, and reads of up to four lists at one moment; a list is left for a new one
                after 64 appends

Half of the clients give up waiting after 100 ms, so that much is still under way while they go on: the outcome
of such an operation is unknown. The others are patient for 5 s.

Every second a line goes to standard error, in the end a summary to standard output. A seed is a plan of faults
and the clients' choices; processes are as quick as they are, so no run repeats another exactly.

Exit codes: 0 the history keeps every promise and everything answered again; 1 it does not, and then history,
data and logs are kept; 2 bad usage.

Examples:
  isegoria nemesis --protocol simple-bpaxos
  isegoria nemesis --protocol multipaxos --nodes 5 --duration 300 --seed 7 --history h.jsonl
  isegoria nemesis --protocol simple-bpaxos --faults kill,pause --retain 200
  isegoria nemesis --protocol simple-bpaxos --workload list-append --keys 4 --clients 32
  isegoria nemesis --protocol multipaxos:leader=2 --faults none --durability memory --rate 5000 --json"
)]
pub(crate) struct NemesisArgs {
    #[command(flatten)]
    settings: Settings,
    /// Print one JSON object instead of the summary
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: NemesisArgs) -> Result<ExitCode, Failure> {
    let stop = signals::interrupted()
        .map_err(|error| Failure::failed(format!("cannot wait for signals: {error}")))?;
    let executable = crate::executable()?;
    let running = isegoria_bench::nemesis::run(args.settings, &executable, stop);
    let report = running.await.map_err(crate::bench_failure)?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report).expect("a report is JSON"));
    } else {
        print!("{report}");
    }
    Ok(match report.verdict {
        Verdict::Pass => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}
