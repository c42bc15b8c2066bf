use crate::failure::Failure;
use crate::say::say;
use clap::Args;
use isegoria_check::history::{Finding, History, Model, Outcome, Verdict};
use serde_json::json;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

/// `isegoria check`
#[derive(Args)]
#[command(after_help = "\
The history is text, one JSON object a line: a header, then the operations in any order.
  {\"isegoria_history\":1,\"model\":\"kv\"}
  {\"client\":3,\"invoked_us\":120,\"returned_us\":450,\"op\":[\"put\",\"k1\",\"v17\"],\"outcome\":\"ok\",\"result\":null}
An outcome is ok, unknown (it may take effect at any time, or never) or failed (it certainly did not).

Model kv: every key is linearizable. Model list-append: transactions on lists are strictly serializable.

Exit code: 0 if an order explains every answer; 1 if none does, or nothing could be decided;
2 for bad usage and for a file that is no history, with the line and what is wrong.

Examples:
  isegoria bench --protocols multipaxos --history run.jsonl && isegoria check run.jsonl
  isegoria check run.jsonl --json")]
pub(crate) struct CheckArgs {
    /// A recorded history, JSON lines
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// What the operations mean, instead of what the file says: kv or list-append
    #[arg(long, value_name = "MODEL")]
    model: Option<Model>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: CheckArgs) -> Result<ExitCode, Failure> {
    let began = Instant::now();
    let name = args.file.display();
    let file =
        File::open(&args.file).map_err(|error| Failure::usage(format!("cannot open {name}: {error}")))?;
    let history =
        History::read(BufReader::new(file)).map_err(|error| Failure::usage(format!("{name}: {error}")))?;
    if let Some(model) = args.model.filter(|model| *model != history.model) {
        return Err(Failure::usage(format!(
            "{name}: a history of the model {}, not {model}; leave --model out",
            history.model
        )));
    }
    let verdict = isegoria_check::judge(&history);
    let about = About::new(&history, began);
    if args.json {
        say!("{:#}", about.json(&verdict));
    } else {
        about.print(&verdict);
    }
    Ok(if verdict.finding.is_valid() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What the history holds.
struct About {
    model: Model,
    operations: usize,
    unknown: usize,
    clients: usize,
    span_s: f64,
    took_s: f64,
}

impl About {
    fn new(history: &History, began: Instant) -> About {
        let operations = &history.operations;
        let begin = operations.iter().map(|operation| operation.invoked_us).min().unwrap_or(0);
        let ends = operations.iter().filter_map(|operation| operation.outcome.returned_us());
        let clients: BTreeSet<u64> = operations.iter().map(|operation| operation.client).collect();
        About {
            model: history.model,
            operations: operations.len(),
            unknown: operations.iter().filter(|operation| operation.outcome == Outcome::Unknown).count(),
            clients: clients.len(),
            span_s: ends.max().unwrap_or(begin).saturating_sub(begin) as f64 / 1e6,
            took_s: began.elapsed().as_secs_f64(),
        }
    }

    fn print(&self, verdict: &Verdict) {
        say!(
            "{} operations of {} clients in {:.1} s, {} of unknown outcome, model {}",
            self.operations,
            self.clients,
            self.span_s,
            self.unknown,
            self.model
        );
        say!("{}", verdict.finding);
        let evaluated = verdict.evaluated;
        say!(
            "judged {} answered operations on {} keys in {:.2} s",
            evaluated.operations,
            evaluated.keys,
            self.took_s
        );
    }

    fn json(&self, verdict: &Verdict) -> serde_json::Value {
        let word = match &verdict.finding {
            Finding::Valid => "valid",
            Finding::Empty => "empty",
            Finding::Violation(_) => "violation",
            Finding::Undecided(_) => "undecided",
        };
        json!({
            "verdict": word,
            "model": self.model.name(),
            "operations": self.operations,
            "answered": verdict.evaluated.operations,
            "unknown": self.unknown,
            "clients": self.clients,
            "keys": verdict.evaluated.keys,
            "span_s": self.span_s,
            "took_s": self.took_s,
            "finding": verdict.finding.to_string(),
        })
    }
}
