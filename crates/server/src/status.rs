use crate::failure::Failure;
use crate::say::say;
use crate::whom::Whom;
use clap::Args;
use isegoria::{Endpoint, Stats};
use isegoria_client::{ClientOptions, Question, ask as ask_node};
use serde_json::json;
use std::process::ExitCode;

/// How long a node may take to answer, ms.
const PATIENCE_MS: u64 = 3_000;

/// `isegoria status`
#[derive(Args)]
#[command(after_help = "\
State: serves; refuses (the disk is full, or does not keep up); learner (it follows without a vote and refuses clients);
down (it does not answer; why is said below). Columns: commands applied to the state machine since the process started,
those of a snapshot not counted; requests that wait for their answer, and committed vertices or slots
that wait for their execution; own proposals chosen on the fast path, and those that depended on something open;
recoveries and leader elections begun here; the largest component of the dependency graph; sessions of clients; log.

Exit codes: 0 every node answered, 1 one did not, 2 bad usage or configuration.

Examples:
  isegoria status --config cluster.toml
  isegoria status --connect 127.0.0.1:7101,127.0.0.1:7103
  isegoria status --config cluster.toml --json")]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    whom: Whom,
    /// Print a list of objects, one a node, with everything that it counts
    #[arg(long)]
    json: bool,
}

/// A node to ask, and what it said.
struct Answer {
    node: String,
    outcome: Result<Stats, String>,
}

pub(crate) async fn run(args: StatusArgs) -> Result<ExitCode, Failure> {
    let asked = args.whom.nodes()?;
    let answers =
        futures::future::join_all(asked.into_iter().map(|(node, endpoint)| ask(node, endpoint))).await;
    if args.json {
        let list: Vec<_> = answers.iter().map(object).collect();
        say!("{:#}", json!(list));
    } else {
        answers_as_table(&answers).iter().for_each(|line| say!("{line}"));
    }
    let all_answered = answers.iter().all(|answer| answer.outcome.is_ok());
    Ok(if all_answered { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn ask(node: String, endpoint: Endpoint) -> Answer {
    let mut options = ClientOptions::default();
    options.connection.open_ms = PATIENCE_MS;
    options.connection.call_ms = PATIENCE_MS;
    let outcome = match ask_node(&endpoint, Question::Status, options).await {
        Ok(text) => {
            serde_json::from_str(&text).map_err(|error| format!("{endpoint} said no counters: {error}"))
        }
        Err(error) => Err(error.to_string()),
    };
    Answer { node, outcome }
}

fn object(answer: &Answer) -> serde_json::Value {
    match &answer.outcome {
        Ok(stats) => json!({ "node": answer.node, "state": state(stats), "stats": stats }),
        Err(why) => json!({ "node": answer.node, "state": "down", "why": why }),
    }
}

fn state(stats: &Stats) -> &'static str {
    match stats {
        Stats { is_learner: true, .. } => "learner",
        Stats { is_refusing: true, .. } => "refuses",
        _ => "serves",
    }
}

const COLUMNS: [&str; 11] = [
    "state",
    "applied",
    "pending",
    "waiting",
    "fast %",
    "conflict %",
    "recoveries",
    "elected",
    "largest",
    "sessions",
    "log MB",
];

/// A line a node, in the order in which they were named; below, why those that are down are so.
fn answers_as_table(answers: &[Answer]) -> Vec<String> {
    let width = answers.iter().map(|answer| answer.node.len()).max().unwrap_or(0).max(4);
    let line = |node: &str, cells: &[String]| {
        let cells: Vec<String> = cells
            .iter()
            .zip(COLUMNS)
            .map(|(cell, title)| format!("{cell:>0$}", title.len().max(9)))
            .collect();
        format!("{node:<width$}  {}", cells.join("  ")).trim_end().to_owned()
    };
    let mut lines = vec![line("node", &COLUMNS.map(str::to_owned))];
    for answer in answers {
        lines.push(match &answer.outcome {
            Ok(stats) => line(&answer.node, &cells(stats)),
            Err(_) => line(&answer.node, &["down".to_owned()]),
        });
    }
    for answer in answers {
        if let Err(why) = &answer.outcome {
            lines.push(format!("{} is down: {why}", answer.node));
        }
    }
    lines
}

fn cells(stats: &Stats) -> [String; 11] {
    let chosen_count = stats.fast_count + stats.slow_count;
    [
        state(stats).to_owned(),
        stats.applied_count.to_string(),
        stats.pending_count.to_string(),
        stats.waiting_count.to_string(),
        share(stats.fast_count, chosen_count),
        share(stats.conflicting_count, stats.proposed_count),
        stats.recovery_count.to_string(),
        stats.elected_count.to_string(),
        stats.component_max.to_string(),
        stats.session_count.to_string(),
        format!("{:.1}", megabytes(stats.log_bytes)),
    ]
}

/// A percentage; a dash where there is nothing to have a share of.
fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "–".to_owned();
    }
    let tenths = u128::from(part) * 1_000 / u128::from(whole);
    format!("{}.{}", tenths / 10, tenths % 10)
}

#[allow(clippy::cast_precision_loss)] // For people.
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_a_line_a_node_and_says_who_is_down() {
        let stats = Stats { applied_count: 7, fast_count: 2, slow_count: 1, ..Stats::default() };
        let answers = [
            Answer { node: "n1".to_owned(), outcome: Ok(stats) },
            Answer { node: "n2".to_owned(), outcome: Err("nobody there".to_owned()) },
            Answer { node: "n3".to_owned(), outcome: Ok(Stats { is_learner: true, ..Stats::default() }) },
            Answer { node: "n4".to_owned(), outcome: Ok(Stats { is_refusing: true, ..Stats::default() }) },
        ];
        let lines = answers_as_table(&answers);
        let words: Vec<Vec<&str>> = lines.iter().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(words[1][..6], ["n1", "serves", "7", "0", "0", "66.6"]);
        assert_eq!(words[2], ["n2", "down"]);
        assert_eq!(words[3][..6], ["n3", "learner", "0", "0", "0", "–"]);
        assert_eq!(words[4][..2], ["n4", "refuses"]);
        assert_eq!(lines[5..], ["n2 is down: nobody there"]);
    }
}
