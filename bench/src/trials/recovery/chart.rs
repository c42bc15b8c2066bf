use super::MB;
use super::catch_up::CatchUp;
use super::restart::Restart;
use crate::figure::{Axis, Line, Lines};

/// Seconds over what had to be made up for, a line a protocol: of restarts, of commits, of snapshots. A chart that
/// nothing was measured for is left out.
pub(super) fn charts(restarts: &[Restart], catch_ups: &[CatchUp]) -> Vec<(String, String)> {
    let by = |way: &str, size: fn(&CatchUp) -> f64| {
        let rows = catch_ups.iter().filter(|row| row.way == way);
        rows.map(|row| (row.protocol.clone(), (size(row), row.caught_up_s))).collect::<Vec<_>>()
    };
    let restarted =
        restarts.iter().map(|row| (row.protocol.clone(), (megabytes(row.log_bytes), row.first_answer_s)));
    #[allow(clippy::cast_precision_loss)] // Counts of a run.
    let missed = |row: &CatchUp| row.absent_commands as f64;
    [
        ("restart until the first answer", "log that is replayed, MB", restarted.collect()),
        ("catching up by commits, under load", "commands that were missed", by("commits", missed)),
        (
            "catching up by a snapshot, under load",
            "state, MB",
            by("snapshot", |row| megabytes(row.state_bytes)),
        ),
    ]
    .into_iter()
    .filter(|(_, _, points)| !points.is_empty())
    .map(|(title, x, points)| (title.to_owned(), chart(title, x, points)))
    .collect()
}

#[allow(clippy::cast_precision_loss)] // Far below 2^52 bytes.
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / MB as f64
}

fn chart(title: &str, x: &str, points: Vec<(String, (f64, f64))>) -> String {
    Lines {
        title: title.to_owned(),
        x: Axis { label: x.to_owned(), log: true },
        y: Axis { label: "time, s".to_owned(), log: false },
        series: Line::by_name(points),
        marks: Vec::new(),
    }
    .svg()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_measured_is_drawn_and_nothing_else() {
        let restart = |protocol: &str, log_bytes| Restart {
            protocol: protocol.to_owned(),
            log_bytes,
            record_count: 1,
            ready_s: 0.1,
            first_answer_s: 0.2,
            mb_per_s: 1.0,
            repetitions: Vec::new(),
        };
        let found = charts(&[restart("atlas", MB), restart("atlas", 4 * MB), restart("epaxos", MB)], &[]);
        let [(label, svg)] = &found[..] else { panic!("{} charts", found.len()) };
        assert_eq!(label, "restart until the first answer");
        assert!(svg.contains("atlas") && svg.contains("epaxos") && svg.contains("MB"));
        let catch_up = CatchUp {
            protocol: "atlas".to_owned(),
            way: "snapshot",
            absent_commands: 5,
            state_bytes: 10 * MB,
            ready_s: 0.1,
            caught_up_s: 0.2,
            load_ops_s: 1.0,
        };
        let labels: Vec<String> = charts(&[], &[catch_up]).into_iter().map(|(label, _)| label).collect();
        assert_eq!(labels, ["catching up by a snapshot, under load"]);
    }
}
