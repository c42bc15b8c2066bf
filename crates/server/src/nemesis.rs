use crate::failure::Failure;
use crate::say::say;
use crate::signals;
use clap::Args;
use isegoria_bench::nemesis::{Settings, Verdict};
use std::process::ExitCode;

/// `isegoria nemesis`
#[derive(Args)]
#[command(
    after_help = "Try --help for what happens, the exit codes and examples.",
    after_long_help = "\
Starts node processes on this machine and lets clients work on them through the client library, which retries
and goes to other nodes. Meanwhile faults happen, to at most as many nodes at once as the quorums bear. After
--duration everything must answer within a minute; then every key is read through every node, the history is
judged, and all replicas must have the same state.

Faults:
  kill          a node is killed (SIGKILL) and started again on its data; now and then once more while it starts
  pause         a process stands still for a while (SIGSTOP)
  partition     links between nodes are cut for 0.3 to 6 s: nodes alone, one way only, two sides with one node
                between, from four nodes on in a ring; clients reach every node all the while. Of the two ends of a
                cut, one counts as down. See --partition-by
  power         all nodes, or now and then one, lose what they have not synced and start again on the rest; nothing
                else happens meanwhile. Data is on ext4 images that are shut down (root, mkfs.ext4, mount, python3)
  disk-full     a node's disk is filled to the last block for up to 6 s: the node must not end, and must serve again
                (root, mount)
  fsync-error   a node's syncs fail: it must end by itself (fiu-run of Debian's fiu-utils, and libfiu0)
  flip          a bit of a killed node's data flips: the node starts and serves, or cuts off a torn tail and says
                so, or refuses and names the file; then the bit is flipped back
What this machine does not have is skipped, which is said and in the report. Faults of disks come with logs in
small pieces. With --retain nodes hold little for one that is away, so that it comes back by a snapshot. Without
syncs (--durability os) a power cut loses what was acknowledged: a way to see that it is found.

Workloads (every value, and every element of a list, is written once):
  kv            registers (get, put, del, cas), counters (incr, get), texts (append, get, put, del), and mget
                over all of them; a counter or text is left for a new one when six writes to it had no answer
  list-append   append to a list, and reads of up to four lists at one moment; a list is left for a new one
                after 64 appends

Half of the clients give up waiting after 100 ms, so that much is still under way while they go on: the outcome
of such an operation is unknown. The others are patient for 5 s.

Every second a line goes to standard error, in the end a summary to standard output. A seed is a plan of faults
and the clients' choices; processes are as quick as they are, so no run repeats another exactly.

Exit codes: 0 the history keeps every promise, everything answered again and all states are the same; 1 not so,
and then history, data and logs are kept; 2 bad usage.

Examples:
  isegoria nemesis --protocol simple-bpaxos
  isegoria nemesis --protocol multipaxos --nodes 5 --duration 300 --seed 7 --history h.jsonl
  isegoria nemesis --protocol simple-bpaxos --faults kill,pause --retain 200
  isegoria nemesis --protocol multipaxos --nodes 5 --faults partition --partition-by relays
  isegoria nemesis --protocol simple-bpaxos --faults power --duration 600
  isegoria nemesis --protocol multipaxos --faults disk-full,fsync-error,flip --data-dir /var/tmp
  isegoria nemesis --protocol simple-bpaxos --faults all --duration 3600
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
        say!("{}", serde_json::to_string_pretty(&report).expect("a report is JSON"));
    } else {
        say!("{}", report.to_string().trim_end());
    }
    Ok(match report.verdict {
        Verdict::Pass => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}
