//! The load process: clients with one outstanding request each, many on one connection a
//! node, in a closed loop, or in an open one that they only bound.
//!
//! It reads one line with a [`LoadPlan`] from standard input, connects, says that it is
//! ready, and begins when standard input ends: so several processes begin at once. What
//! it says is one [`LoadLine`] a line of standard output.
//!
//! Invariants: a latency runs from before the submission, in an open loop from when it was to
//! be, to after the answer; what ends during the warm-up is not measured, and what began in it and ends in the
//! window is; nothing runs once the result is said. Not done here: answers are not checked (the histories of `bench --history` do that).

mod arrivals;
mod clients;
mod meter;
mod plan;
mod preload;
mod recording;
mod service;
mod timeline;
mod values;

pub use plan::{HistoryPlan, LoadLine, LoadPlan, LoadResult, NodeLatencies, Seats, Second, WindowEdge};

use crate::BenchError;
use std::io::{BufRead, Read, Write};

/// `isegoria load`, started by `isegoria bench`.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct LoadArgs {}

/// Runs the load that standard input asks for. Must run on a current-thread runtime:
/// all clients of the process live in this one task.
///
/// # Errors
/// If the plan does not parse, no node can be reached, or the cluster refuses every
/// command. The sentence is said as a [`LoadLine`] too.
pub async fn main(_: LoadArgs) -> Result<(), BenchError> {
    let outcome = run().await;
    if let Err(error) = &outcome {
        say(&LoadLine::Failed(error.to_string()))?;
    }
    outcome
}

async fn run() -> Result<(), BenchError> {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).map_err(BenchError::io("reading the load plan"))?;
    let plan: LoadPlan = serde_json::from_str(&line)
        .map_err(|error| BenchError::Usage(format!("the load plan on standard input: {error}")))?;
    let clients = clients::Clients::connect(&plan).await?;
    say(&LoadLine::Ready(true))?;
    // Whoever started this closes our input when all load processes are ready.
    let go = tokio::task::spawn_blocking(|| std::io::stdin().lock().read_to_end(&mut Vec::new()));
    let _ = go.await;
    let result = clients.run(&plan, say).await?;
    say(&LoadLine::Result(result))
}

fn say(line: &LoadLine) -> Result<(), BenchError> {
    let mut text = serde_json::to_string(line).expect("a line is JSON");
    text.push('\n');
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(BenchError::io("writing the load's progress"))
}
