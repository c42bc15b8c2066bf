use crate::{BenchError, DiffArgs, FigureArgs, Knobs, Scenario, Trial};
use std::path::PathBuf;

/// `isegoria bench`
#[derive(Clone, Debug, clap::Args)]
#[command(
    about = "Compare protocols under the same load on this machine",
    args_conflicts_with_subcommands = true,
    after_long_help = DETAILS,
    after_help = "Try --help for what is measured, the workloads and examples."
)]
pub struct BenchArgs {
    /// Something else than one comparison
    #[command(subcommand)]
    pub command: Option<BenchCommand>,
    /// What is run; a scenario file has the same names
    #[command(flatten)]
    pub knobs: Knobs,
    /// A scenario (TOML) with the names of these flags; flags override it
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Record every operation to a history that `isegoria check FILE` judges
    #[arg(long, value_name = "FILE")]
    pub history: Option<PathBuf>,
    /// Print one JSON document, a list with an object a protocol, and nothing else
    #[arg(long)]
    pub json: bool,
    /// Where the run's folder is made
    #[arg(long, value_name = "DIR", default_value = "results")]
    pub out: PathBuf,
    /// Where the nodes keep their data during the run; the system's temporary directory if left out
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
}

/// What `isegoria bench` does beside comparing protocols.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum BenchCommand {
    /// One of the trials
    #[command(flatten)]
    Trial(Trial),
    /// The field's figures: each from one file, drawn, with the raw data beside it
    Figure(FigureArgs),
    /// Compare two result folders: what changed, and what is only noise
    Diff(DiffArgs),
}

/// The share of reads with which a history tells most: every write is seen about once.
const READS_OF_A_HISTORY: f64 = 0.5;

const DETAILS: &str = "\
Each protocol in turn gets fresh node processes on loopback and the same clients in load processes of their
own: one outstanding request a client, many clients on one connection a node. With --rate operations arrive by
chance whatever was answered, and their latency counts from when they were to begin. A table
is printed, and DIR/<date>-<commit>-<name>/ keeps what was asked for (input.toml), where it ran (env.json),
the latency histograms (*.hdr, HDR interval logs in microseconds) and all figures (summary.json).

On one machine total processor time is the limit, not the leader, so throughput says little about a real
cluster. Read the processor time a command instead: a million divided by that of the busiest node is the
throughput (commands/s) of equal machines, one a node.

Workloads (every operation is a put of --payload bytes, unless there is a --history):
  epaxos13   with probability --conflict one hot key, else a fresh key that is never used again
  atlas20    with probability --conflict a key of a shared pool, else the client's own key;
             atlas20:pool=4 for a pool of more than one key
  zipf       zipf:theta=0.99,keys=1000000 unless told; --conflict does not apply
  ycsb-a to ycsb-f   half updates; 5 % updates; reads; reads of the latest, 5 % insertions; scans (one multi-get of up to
             100 keys), 5 % insertions; half read-modify-writes (a read, then a write). ycsb-a:keys=100000,theta=0.99
             unless told; the keys are written before anything is measured; the rest is reads, which commute

With --history every operation of the run, warm-up included, is recorded as a line of JSON. Then --reads of
the operations are gets, half of them unless told, and every put has a value of its own (client and number,
then --payload bytes in all). A read asks for a key of the workload; in the place of a fresh key comes the
client's last one. Recording costs time: do not compare these figures with those of other runs. With several
protocols, or --repeat, FILE's name gets the protocol and the repetition before its extension, such as
h.multipaxos.2.jsonl for h.jsonl.

With --geo the links between nodes hold back what leaves for half of the round-trip time between their --sites, the
same for every protocol; clients are beside a node, and as far as it is from any other that they ask. Below the table is then, for each protocol and site, the
median latency beside the limit: what distance alone costs there without conflicts. Give few clients, so that the
machine is not what is measured. What is lost (--loss) is sent again a round trip later and holds up what follows, as
over TCP; --bandwidth-mbit is that of each way between two nodes. How late the links were is told below the table.

With --cap-cpu each node is in a cgroup of its own (version 1 or 2; needs the right to make one, so root as a rule) and gets
that share of one processor, handed out every 10 ms; the load is outside. So the node that has most to do saturates first,
as on a machine of its own. Where there are no cgroups that is said, and nothing is capped.

With --references redis,etcd a Debian redis-server and etcd run in the same way: the same clients, keys, values, shares of
processors, and links (their connections go over ports of this process, which holds bytes back). Redis is one server that
takes everything, and one that follows it at each other node; etcd has a member at each node, n1 leads, and every write is
synced whatever --durability says. Their rows say what an answer means there. What is not installed is left out, by name.

Protocols (isegoria protocols lists them; options follow a colon):
  multipaxos   multipaxos:leader=2   multipaxos:phase1=3,phase2=1   simple-bpaxos:quorum=grid-2x3
  simple-bpaxos:apart=2 (two nodes lead and execute, the others are the dependency service and the acceptors)
  unanimous-bpaxos   unanimous-bpaxos:fast=unanimous   unanimous-bpaxos:fast=basic
  epaxos   epaxos:f=1,e=1   atlas   atlas:f=1

Examples:
  isegoria bench
  isegoria bench --nodes 5 --clients 1000 --conflict 0.02 --durability memory
  isegoria bench --protocols multipaxos:leader=2,simple-bpaxos --batch 1 --repeat 3
  isegoria bench --nodes 5 --cap-cpu 0.25 --batch 1 --durability memory --clients 1280
  isegoria bench --protocols multipaxos,epaxos --references redis,etcd
  isegoria bench --rate 20000 --clients 3000 --workload ycsb-a
  isegoria bench --config configs/workloads/atlas20.toml --duration 30 --json
  isegoria bench --clients 10 --geo configs/regions/epaxos13.toml --crash n2@5
  isegoria bench --nodes 3 --clients 6 --geo configs/rtt/aws-2020.csv --sites us-east-1,us-west-1,eu-west-1
  isegoria bench --protocols multipaxos --conflict 0.1 --duration 3 --history h.jsonl && isegoria check h.jsonl";

impl BenchArgs {
    /// What is run: the flags, else what the scenario file says, else the defaults.
    ///
    /// # Errors
    /// If the file cannot be read or a rule is broken: one sentence, with the file and line or the name.
    pub fn scenario(&self) -> Result<Scenario, BenchError> {
        let file = match &self.config {
            Some(file) => Knobs::from_file(file)?,
            None => Knobs::default(),
        };
        let mut knobs = self.knobs.clone().or(file);
        if let Some(history) = &self.history {
            if history.file_name().is_none() || history.is_dir() {
                return Err(BenchError::Usage(format!("history = {}: name a file", history.display())));
            }
            if knobs.references.is_some() || knobs.simulate.is_some() {
                return Err(BenchError::Usage(
                    "history: only what nodes of ours answer is recorded; leave --references and --simulate out".to_owned(),
                ));
            }
            if let Some(workload) = knobs.workload.filter(|workload| !workload.preloaded().is_empty()) {
                return Err(BenchError::Usage(format!(
                    "history: workload {workload} has reads of its own; record one of epaxos13, atlas20 and zipf"
                )));
            }
            knobs.reads.get_or_insert(READS_OF_A_HISTORY);
        } else if let Some(reads) = knobs.reads.filter(|reads| *reads > 0.0) {
            return Err(BenchError::Usage(format!(
                "reads = {reads}: only runs that record a history read; add --history FILE, or leave it out"
            )));
        }
        Scenario::new(knobs)
    }
}
