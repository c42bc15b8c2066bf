//! `isegoria bench diff`: what has changed between two result folders, and what is only noise.

use crate::kept::{Kept, KeptRun};
use crate::table::aligned;
use crate::{BenchError, Row, print};
use std::path::PathBuf;

/// `isegoria bench diff`
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Rows are compared that say the same of their load. The band of a figure is half of the spread of the repetitions of
either side, together, and at least --noise: a change within it is none. Compare runs of one machine, made in turn.

Exit codes: 0, 1 with --strict if something is worse, 2 bad usage.

Example:
  isegoria bench diff results/2026-01-01-aaaaaaaaaa-unbatched results/2026-01-02-bbbbbbbbbb-unbatched")]
pub struct DiffArgs {
    /// The folder of before
    #[arg(value_name = "A")]
    pub before: PathBuf,
    /// The folder of after
    #[arg(value_name = "B")]
    pub after: PathBuf,
    /// The least band, as a share: what a single run of this machine may be off
    #[arg(long, value_name = "SHARE", default_value_t = 0.1)]
    pub noise: f64,
    /// Exit code 1 if something is worse by more than its band
    #[arg(long)]
    pub strict: bool,
}

/// A figure, and its smallest and largest repetition.
type Spread = (f64, (f64, f64));

/// A figure of a row, its smallest and largest repetition, and whether more of it is better.
struct Measure {
    name: &'static str,
    of: fn(&Row) -> Option<Spread>,
    more_is_better: bool,
}

const MEASURES: [Measure; 5] = [
    Measure {
        name: "answered %",
        of: |row| {
            let completed: u64 = row.repetitions.iter().map(|one| one.completed).sum();
            let share = exact(completed) / exact(completed + row.errors).max(1.0) * 100.0;
            Some((share, (share, share)))
        },
        more_is_better: true,
    },
    Measure {
        name: "ops/s",
        of: |row| Some((row.throughput_ops_s, row.spread.throughput_ops_s)),
        more_is_better: true,
    },
    Measure {
        name: "p50 µs",
        of: |row| Some((exact(row.latency_us.p50), row.spread.p50_us)),
        more_is_better: false,
    },
    Measure {
        name: "p99 µs",
        of: |row| Some((exact(row.latency_us.p99), row.spread.p99_us)),
        more_is_better: false,
    },
    Measure {
        name: "CPU servers µs/cmd",
        of: |row| row.cpu_us_per_command.servers_total.zip(row.spread.servers_total_us),
        more_is_better: false,
    },
];

#[allow(clippy::cast_precision_loss)] // Latencies are below 2^52 µs.
fn exact(us: u64) -> f64 {
    us as f64
}

/// How one figure changed.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Change {
    before: f64,
    after: f64,
    /// What may be noise, as a share.
    band: f64,
    verdict: Verdict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Same,
    Better,
    Worse,
}

/// Compares two folders and prints what changed.
///
/// # Errors
/// If a folder is none, they have no row in common, or with `--strict` something is worse.
pub(crate) fn run(args: &DiffArgs) -> Result<(), BenchError> {
    if !(0.0..=10.0).contains(&args.noise) {
        return Err(BenchError::Usage(format!("noise = {}: give a share such as 0.1", args.noise)));
    }
    let (before, after) = (Kept::read(&args.before)?, Kept::read(&args.after)?);
    let pairs = pairs(&before, &after);
    if pairs.is_empty() {
        return Err(BenchError::Usage(format!(
            "{} and {} have no row of the same protocol and load; compare runs of one scenario",
            before.name, after.name
        )));
    }
    let mut lines = vec![
        ["", "", "before", "after", "after / before", "band", ""].map(str::to_owned).to_vec(),
        ["row", "figure", "", "", "", "± %", ""].map(str::to_owned).to_vec(),
    ];
    let mut worse = Vec::new();
    for (label, one, other) in &pairs {
        for measure in &MEASURES {
            let Some(change) = change(measure, (one, other), args.noise) else { continue };
            let ratio = change.after / change.before;
            let verdict = match change.verdict {
                Verdict::Same => "",
                Verdict::Better => "better",
                Verdict::Worse => "worse",
            };
            if change.verdict == Verdict::Worse {
                worse.push(format!("{label}: {} is {ratio:.2} of before", measure.name));
            }
            lines.push(vec![
                label.clone(),
                measure.name.to_owned(),
                format!("{:.1}", change.before),
                format!("{:.1}", change.after),
                format!("{ratio:.3}"),
                format!("{:.0}", change.band * 100.0),
                verdict.to_owned(),
            ]);
        }
    }
    let gone = unmatched(&before, &pairs);
    let mut note = commits(&before, &after);
    gone.iter().for_each(|label| note.push_str(&format!("only before: {label}\n")));
    worse.extend(gone.iter().map(|label| format!("{label}: it is not there any more")));
    print(&format!("{}{note}{} rows, {} figures worse\n", aligned(&lines), pairs.len(), worse.len()))?;
    if args.strict && !worse.is_empty() { Err(BenchError::Broken(worse)) } else { Ok(()) }
}

/// What the reader should know before believing a difference.
fn commits(before: &Kept, after: &Kept) -> String {
    let (Some(one), Some(other)) = (&before.environment, &after.environment) else { return String::new() };
    let mut text = format!("{} against {}\n", other.git_commit, one.git_commit);
    if (&one.cpu_model, &one.kernel, one.cpu_cores) != (&other.cpu_model, &other.kernel, other.cpu_cores) {
        text.push_str("note: the two ran on different machines or kernels; differences may be theirs\n");
    }
    if one.profile != other.profile {
        text.push_str("note: one is a debug build\n");
    }
    text
}

/// Rows of before that nothing of after can be compared with.
fn unmatched(before: &Kept, pairs: &[(String, &Row, &Row)]) -> Vec<String> {
    let rows = before.runs.iter().flat_map(|run| run.rows.iter().map(move |row| (called(run, row), row)));
    rows.filter(|(_, row)| !pairs.iter().any(|(_, matched, _)| std::ptr::eq(*matched, *row)))
        .map(|(label, _)| label)
        .collect()
}

fn called(run: &KeptRun, row: &Row) -> String {
    if run.label.is_empty() { row.protocol.clone() } else { format!("{}, {}", run.label, row.protocol) }
}

/// Rows of the same protocol under the same load, and what they are called.
fn pairs<'a>(before: &'a Kept, after: &'a Kept) -> Vec<(String, &'a Row, &'a Row)> {
    let mut pairs = Vec::new();
    for run in &before.runs {
        let others = after.runs.iter().filter(|other| other.label == run.label);
        let others: Vec<&Row> = others.flat_map(|other| &other.rows).collect();
        for row in &run.rows {
            if let Some(other) = others.iter().find(|other| load(other) == load(row)) {
                pairs.push((called(run, row), row, *other));
            }
        }
    }
    pairs
}

/// What has to be equal for a comparison to mean anything.
fn load(row: &Row) -> String {
    let run = (&row.protocol, row.nodes, row.clients, row.load_processes, row.duration_s, row.warm_up_s);
    let work =
        (&row.workload, row.conflict_configured, row.payload_bytes, row.reads, row.batch, &row.durability);
    let ways = (&row.method, row.offered_ops_s, row.cap_cpu, &row.links, &row.crash, &row.reference);
    format!("{run:?} {work:?} {ways:?}")
}

fn change(measure: &Measure, (before, after): (&Row, &Row), noise: f64) -> Option<Change> {
    let ((one, spread), (other, other_spread)) = ((measure.of)(before)?, (measure.of)(after)?);
    if one <= 0.0 {
        return None;
    }
    if other <= 0.0 && measure.more_is_better {
        return Some(Change { before: one, after: other, band: noise, verdict: Verdict::Worse });
    }
    if other <= 0.0 {
        return None;
    }
    let half = |value: f64, (low, high): (f64, f64)| (high - low) / 2.0 / value;
    let band = (half(one, spread) + half(other, other_spread)).max(noise);
    let ratio = other / one;
    let verdict = if ratio <= 1.0 + band && ratio >= 1.0 - band {
        Verdict::Same
    } else if (ratio > 1.0) == measure.more_is_better {
        Verdict::Better
    } else {
        Verdict::Worse
    };
    Some(Change { before: one, after: other, band, verdict })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::row;

    fn kept(rows: Vec<Row>) -> Kept {
        Kept {
            name: "x".to_owned(),
            input: String::new(),
            environment: None,
            runs: vec![KeptRun { label: String::new(), rows }],
            title: None,
            quick: false,
            charts: Vec::new(),
            table: String::new(),
        }
    }

    fn verdict(before: &[f64], after: &[f64]) -> Verdict {
        change(&MEASURES[1], (&row("multipaxos", before), &row("multipaxos", after)), 0.1).unwrap().verdict
    }

    #[test]
    fn a_change_within_the_band_is_none() {
        assert_eq!(verdict(&[100.0], &[109.0]), Verdict::Same);
        assert_eq!(verdict(&[100.0], &[91.0]), Verdict::Same);
        assert_eq!(verdict(&[100.0], &[120.0]), Verdict::Better);
        assert_eq!(verdict(&[100.0], &[80.0]), Verdict::Worse);
        assert_eq!(
            verdict(&[80.0, 100.0, 120.0], &[79.0, 80.0, 81.0]),
            Verdict::Same,
            "repetitions differed as much"
        );
        let (one, mut other) = (row("multipaxos", &[1.0]), row("multipaxos", &[1.0]));
        other.latency_us.p50 *= 2;
        assert_eq!(
            change(&MEASURES[2], (&one, &other), 0.1).unwrap().verdict,
            Verdict::Worse,
            "of latency less is better"
        );
    }

    #[test]
    fn only_rows_of_the_same_load_are_compared() {
        let mut larger = row("atlas", &[1.0]);
        larger.payload_bytes += 1;
        let before = kept(vec![row("multipaxos", &[1.0]), row("atlas", &[1.0])]);
        let after = kept(vec![larger, row("multipaxos", &[2.0])]);
        let pairs = pairs(&before, &after);
        let names: Vec<&str> = pairs.iter().map(|(name, ..)| name.as_str()).collect();
        assert_eq!(names, ["multipaxos"]);
        assert_eq!(unmatched(&before, &pairs), ["atlas"], "what is gone is told");
    }
}
