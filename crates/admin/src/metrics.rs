use isegoria_runtime::{Latencies, Stats};
use std::fmt::Write;

/// What a metric is to Prometheus.
#[derive(Clone, Copy)]
enum Kind {
    Counter,
    Gauge,
}

/// Name without its prefix, kind, what it says, and where it comes from.
type Metric = (&'static str, Kind, &'static str, fn(&Stats) -> f64);

use Kind::{Counter, Gauge};

const METRICS: [Metric; 42] = [
    ("learner", Gauge, "1 if the process only follows the others.", |s| f64::from(u8::from(s.is_learner))),
    ("refusing", Gauge, "1 if all requests are refused: the disk is full or does not keep up.", |s| {
        f64::from(u8::from(s.is_refusing))
    }),
    ("peers_connected", Gauge, "Other nodes that this one has a link to.", |s| count(s.peer_count)),
    ("commands_applied_total", Counter, "Commands applied to the state machine.", |s| count(s.applied_count)),
    ("replies_total", Counter, "Answers given to clients.", |s| count(s.reply_count)),
    ("requests_refused_total", Counter, "Requests refused.", |s| count(s.refused_count)),
    ("requests_overloaded_total", Counter, "Requests refused because too much waited or came.", |s| {
        count(s.overloaded_count)
    }),
    ("requests_expired_total", Counter, "Requests dropped because nobody waited any more.", |s| {
        count(s.expired_count)
    }),
    ("requests_pending", Gauge, "Requests that wait for their answer.", |s| count(s.pending_count)),
    ("effects_held", Gauge, "Messages and commits that wait for the disk.", |s| count(s.held_count)),
    ("batches_total", Counter, "Batches submitted.", |s| count(s.batch_count)),
    ("vertices_proposed_total", Counter, "Own vertices proposed.", |s| count(s.proposed_count)),
    ("vertices_conflicting_total", Counter, "Own vertices that depended on something open.", |s| {
        count(s.conflicting_count)
    }),
    ("conflict_ratio", Gauge, "Share of own vertices that depended on something open, 0 to 1.", |s| {
        ratio(s.conflicting_count, s.proposed_count)
    }),
    ("vertices_fast_total", Counter, "Own vertices chosen on the fast path.", |s| count(s.fast_count)),
    ("vertices_slow_total", Counter, "Own vertices chosen on the slow path.", |s| count(s.slow_count)),
    ("fast_path_ratio", Gauge, "Share of own vertices chosen on the fast path, 0 to 1.", |s| {
        ratio(s.fast_count, s.fast_count + s.slow_count)
    }),
    ("noops_total", Counter, "Noops proposed by recoveries.", |s| count(s.noop_count)),
    ("resubmitted_total", Counter, "Own batches submitted again after a recovery was faster.", |s| {
        count(s.resubmitted_count)
    }),
    ("elections_won_total", Counter, "Times this node became leader.", |s| count(s.elected_count)),
    ("messages_rejected_total", Counter, "Messages that no correct peer sends.", |s| count(s.rejected_count)),
    ("link_frames_dropped_total", Counter, "Frames that a full link dropped.", |s| {
        count(s.link_dropped_count)
    }),
    ("link_frames_sent_total", Counter, "Frames sent to peers.", |s| count(s.link_sent_count)),
    ("link_calls_total", Counter, "Calls that carried them.", |s| count(s.link_call_count)),
    ("fsyncs_total", Counter, "Syncs of the log.", |s| count(s.fsync_count)),
    ("fsync_seconds_total", Counter, "Time that they took, s.", |s| count(s.fsync_us) / 1e6),
    ("log_bytes", Gauge, "Log kept, bytes.", |s| count(s.log_bytes)),
    ("checkpoints_total", Counter, "Checkpoints completed.", |s| count(s.checkpoint_count)),
    ("history_vertices", Gauge, "Values held for replicas that have not executed them.", |s| {
        count(s.history_count)
    }),
    ("history_bytes", Gauge, "What those values take, bytes.", |s| count(s.history_bytes)),
    ("cuts_total", Counter, "Times that was forgotten which a node that is away may lack.", |s| {
        count(s.cut_count)
    }),
    ("snapshots_installed_total", Counter, "Snapshots of other nodes installed.", |s| {
        count(s.snapshot_count)
    }),
    ("vertices_waiting", Gauge, "Committed vertices or slots that are not executed.", |s| {
        count(s.waiting_count)
    }),
    ("sessions", Gauge, "Client sessions remembered.", |s| count(s.session_count)),
    ("cells", Gauge, "Places for votes and chosen values.", |s| count(s.cell_count)),
    ("index_entries", Gauge, "Entries of the conflict index.", |s| count(s.index_count)),
    ("proposals_open", Gauge, "Own proposals that are not chosen, or held back.", |s| {
        count(s.proposal_count)
    }),
    (
        "held_back_total",
        Counter,
        "Batches held back because own ones waited too long for their execution.",
        |s| count(s.held_back_count),
    ),
    ("oldest_unexecuted_seconds", Gauge, "How long the oldest own proposal has not been executed, s.", |s| {
        count(s.oldest_ms) / 1e3
    }),
    ("components_total", Counter, "Components of the dependency graph that were executed.", |s| {
        count(s.component_count)
    }),
    ("component_vertices_max", Gauge, "The largest of them, vertices.", |s| count(s.component_max)),
    ("replayed_records", Gauge, "Records replayed at the start.", |s| count(s.replayed_count)),
];

#[allow(clippy::cast_precision_loss)] // Counts beyond 2^53 are none.
fn count(count: u64) -> f64 {
    count as f64
}

fn ratio(part: u64, whole: u64) -> f64 {
    // Of nothing there is no share.
    if whole == 0 { f64::NAN } else { count(part) / count(whole) }
}

/// Everything that a node counts, as Prometheus reads it. Shares of nothing are left out: that of the fast path
/// where a protocol has none, and that of conflicts where nothing was proposed.
#[must_use]
pub fn metrics(stats: &Stats) -> String {
    let mut text = String::new();
    for (name, kind, help, value) in METRICS {
        let value = value(stats);
        if value.is_nan() {
            continue;
        }
        let kind = match kind {
            Counter => "counter",
            Gauge => "gauge",
        };
        head(&mut text, name, kind, help);
        line(&mut text, name, "", value);
    }
    head(&mut text, "recoveries_total", "counter", "Recoveries of vertices begun here, by cause.");
    for (cause, number) in [
        ("own", stats.own_recovery_count),
        ("down", stats.down_recovery_count),
        ("late", stats.recovery_count - stats.own_recovery_count - stats.down_recovery_count),
    ] {
        line(&mut text, "recoveries_total", &format!("{{cause=\"{cause}\"}}"), count(number));
    }
    histogram(&mut text, "commit_seconds", "From taking a request to its decision, s.", &stats.commit);
    histogram(
        &mut text,
        "answer_seconds",
        "From taking a request to its answer, after execution, s.",
        &stats.answer,
    );
    text
}

// Writing into memory does not fail.
fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(text, "# HELP isegoria_{name} {help}\n# TYPE isegoria_{name} {kind}");
}

fn line(text: &mut String, name: &str, labels: &str, value: f64) {
    let _ = writeln!(text, "isegoria_{name}{labels} {value}");
}

fn histogram(text: &mut String, name: &str, help: &str, latencies: &Latencies) {
    head(text, name, "histogram", help);
    let bucket = format!("{name}_bucket");
    let mut below = 0;
    for (bound_us, number) in latencies.buckets() {
        below += number;
        let bound = bound_us.map_or("+Inf".to_owned(), |us| (count(us) / 1e6).to_string());
        line(text, &bucket, &format!("{{le=\"{bound}\"}}"), count(below));
    }
    line(text, &format!("{name}_sum"), "", count(latencies.sum_us()) / 1e6);
    line(text, &format!("{name}_count"), "", count(below));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_line_is_one_of_prometheus_s() {
        let mut stats = Stats { applied_count: 7, fast_count: 3, slow_count: 1, ..Stats::default() };
        stats.recovery_count = 5;
        stats.own_recovery_count = 2;
        stats.answer.note(std::time::Duration::from_micros(100));
        stats.answer.note(std::time::Duration::from_secs(1000));
        let text = metrics(&stats);
        for expected in [
            "isegoria_commands_applied_total 7\n",
            "isegoria_fast_path_ratio 0.75\n",
            "isegoria_recoveries_total{cause=\"late\"} 3\n",
            "isegoria_answer_seconds_bucket{le=\"0.000064\"} 0\n",
            "isegoria_answer_seconds_bucket{le=\"0.000128\"} 1\n",
            "isegoria_answer_seconds_bucket{le=\"+Inf\"} 2\n",
            "isegoria_answer_seconds_count 2\n",
            "isegoria_answer_seconds_sum 1000.0001\n",
        ] {
            assert!(text.contains(expected), "{expected} in {text}");
        }
        assert!(!text.contains("conflict_ratio"), "nothing was proposed: {text}");
        let mut seen = BTreeSet::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (name, value) = line.rsplit_once(' ').unwrap();
            assert!(value.parse::<f64>().is_ok(), "{line}");
            assert!(seen.insert(name), "{name} is there twice");
        }
    }
}
