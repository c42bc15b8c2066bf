//! The table that people read: a row a protocol, units in the header.

use crate::measurement::ms;
use crate::report::ReferenceRow;
use crate::runner::LEADER_MOVED;
use crate::{METHOD_SIMULATED, Row, Second};
use isegoria_transport::LatenessSummary;

/// What was measured how, below each table.
fn face(rows: &[Row]) -> String {
    let links = rows.iter().find_map(|row| row.links.as_ref());
    let wan = links.map_or("no emulated WAN".to_owned(), |links| {
        format!("distance emulated in the links: {}", links.described())
    });
    if rows.iter().any(|row| row.method == METHOD_SIMULATED) {
        return "way: simulated. The nodes' own code ran in virtual time; links are as long as they are said to be, and each\n     \
                message takes its node's processor a fixed time. Nothing was measured.\n"
            .to_owned();
    }
    let mut text = match rows.iter().find_map(|row| row.cap_cpu) {
        Some(share) => format!(
            "way: each node has {share} of a processor in a cgroup of its own, the load has the rest of the machine \
             ({wan}).\n     The busiest node saturates first, as on a machine of its own that is as slow.\n"
        ),
        None => format!(
            "way: CPU per command on one machine (no CPU caps, {wan}).\n     All processes share its cores, so ops/s is not \
             what a cluster gives. Where processors are the limit,\n     1,000,000 / (CPU µs/cmd of the busiest node) is the \
             ops/s of equal machines, one a node.\n"
        ),
    };
    for (row, reference) in rows.iter().filter_map(|row| Some((row, row.reference.as_ref()?))) {
        let links = if row.links.is_some() { ". What holds back its bytes is in no CPU column" } else { "" };
        let ReferenceRow { version, promise } = reference;
        text.push_str(&format!("not ours, {}: {version}; {promise}{links}\n", row.protocol));
    }
    for crash in rows.iter().filter_map(|row| row.crash.as_ref()).take(1) {
        text.push_str(&format!("crash: {} {} s into the window\n", crash.described(), crash.at_s));
    }
    for row in rows {
        let links = row.link_lateness.map(|late| late_by("what a link held back", late));
        let sends = row.send_lateness.map(|late| late_by("what was to begin", late));
        let words: Vec<String> = links.into_iter().chain(sends).collect();
        if !words.is_empty() {
            text.push_str(&format!("late, {}: {}\n", row.protocol, words.join("; ")));
        }
    }
    text
}

/// How late, p99, µs, what is to be on time may be, before figures are doubtful.
pub(crate) const LATE_US: u64 = 3_000;

fn late_by(what: &str, late: LatenessSummary) -> String {
    let verdict = if late.p99_us > LATE_US { " (too much: the machine was busy)" } else { "" };
    format!("{what} p50 {:.2} ms, p99 {:.2} ms{verdict}", ms(late.p50_us), ms(late.p99_us))
}

struct Column {
    head: &'static str,
    unit: &'static str,
    cell: fn(&Row) -> String,
}

const COLUMNS: &[Column] = &[
    Column { head: "protocol", unit: "", cell: |row| row.protocol.clone() },
    Column { head: "throughput", unit: "ops/s", cell: throughput },
    Column { head: "p50", unit: "µs", cell: |row| grouped(row.latency_us.p50) },
    Column { head: "p95", unit: "µs", cell: |row| grouped(row.latency_us.p95) },
    Column { head: "p99", unit: "µs", cell: |row| grouped(row.latency_us.p99) },
    Column { head: "p99.9", unit: "µs", cell: |row| grouped(row.latency_us.p999) },
    Column {
        head: "commit p50",
        unit: "µs",
        cell: |row| row.commit_us.map_or("–".to_owned(), |commit| grouped(commit.p50)),
    },
    Column { head: "errors", unit: "", cell: |row| grouped(row.errors) },
    Column {
        head: "CPU servers", unit: "µs/cmd", cell: |row| decimal(row.cpu_us_per_command.servers_total)
    },
    Column { head: "busiest", unit: "µs/cmd", cell: |row| decimal(row.cpu_us_per_command.busiest_node) },
    Column { head: "clients", unit: "µs/cmd", cell: |row| decimal(row.cpu_us_per_command.clients) },
    Column { head: "conflict", unit: "set %", cell: |row| percent(row.conflict_configured) },
    Column { head: "vertices", unit: "found %", cell: |row| percent(row.conflict_measured) },
    Column { head: "fast path", unit: "%", cell: |row| percent(row.fast_path_ratio) },
    Column { head: "durability", unit: "", cell: |row| row.durability.clone() },
    Column { head: "batch", unit: "max", cell: |row| ours(row, grouped(row.batch as u64)) },
    Column { head: "batch", unit: "mean", cell: |row| decimal(row.batch_measured) },
    Column { head: "payload", unit: "B", cell: |row| grouped(row.payload_bytes as u64) },
];

/// What a system of others does not have.
fn ours(row: &Row, cell: String) -> String {
    if row.reference.is_some() { "–".to_owned() } else { cell }
}

/// The table of `rows`, with a line above it about what they share and below it about
/// what was measured how.
pub(crate) fn table(rows: &[Row]) -> String {
    let mut lines: Vec<Vec<String>> = vec![
        COLUMNS.iter().map(|column| column.head.to_owned()).collect(),
        COLUMNS.iter().map(|column| column.unit.to_owned()).collect(),
    ];
    lines.extend(rows.iter().map(|row| COLUMNS.iter().map(|column| (column.cell)(row)).collect()));
    let mut text = rows.first().map(about).unwrap_or_default();
    text.push_str(&aligned(&lines));
    for row in rows.iter().filter(|row| row.errors > 0) {
        let kinds: Vec<String> =
            row.errors_by_kind.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        text.push_str(&format!("{}: errors: {}\n", row.protocol, kinds.join(", ")));
        if row.errors_by_kind.contains_key("unsent") {
            text.push_str("unsent: all clients of a site were waiting; give more --clients than rate x latency, or a lower --rate\n");
        }
    }
    if rows.iter().any(|row| row.errors_by_kind.contains_key(LEADER_MOVED)) {
        text.push_str("leader_moved: n1 did not lead to the end, and limits are those of a protocol that it leads; give a higher --cap-cpu, or fewer --clients\n");
    }
    text.push_str(&sites(rows));
    text.push_str(&timelines(rows));
    text.push_str(&face(rows));
    text
}

/// Latency by site beside what distance allows, where it is emulated.
fn sites(rows: &[Row]) -> String {
    if rows.iter().all(|row| row.sites.is_empty()) {
        return String::new();
    }
    let text = |words: [&str; 8]| words.map(str::to_owned).to_vec();
    let mut lines = vec![
        text(["latency by site", "node", "site", "limit", "p50", "p50 / limit", "p99", "commit p50"]),
        text(["", "", "", "ms", "ms", "", "ms", "ms"]),
    ];
    for row in rows {
        lines.extend(row.sites.iter().map(|at| {
            vec![
                row.protocol.clone(),
                at.node.clone(),
                at.site.clone(),
                format!("{:.1}", at.limit_us / 1e3),
                tenths(at.latency_us.p50),
                at.ratio.map_or("–".to_owned(), |ratio| format!("{ratio:.3}")),
                tenths(at.latency_us.p99),
                at.commit_us.map_or("–".to_owned(), |commit| tenths(commit.p50)),
            ]
        }));
    }
    format!("\n{}\n", aligned(&lines))
}

/// Seconds of a timeline that are told: so many before a node is lost, and so many from then on.
const SECONDS_TOLD: (usize, usize) = (2, 10);

/// Answers in the seconds around the loss of a node, by the node that clients ask first.
fn timelines(rows: &[Row]) -> String {
    let told = || rows.iter().filter_map(|row| Some((row, &row.repetitions.first()?.timelines)));
    let length = told().flat_map(|(_, nodes)| nodes.values()).map(Vec::len).max().unwrap_or(0);
    let Some(crash) = rows.iter().find_map(|row| row.crash.as_ref()).filter(|_| length > 0) else {
        return String::new();
    };
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // A second of the window.
    let lost = crash.at_s as usize;
    let seconds = || lost.saturating_sub(SECONDS_TOLD.0)..length.min(lost + SECONDS_TOLD.1);
    let line = |protocol: &str, node: &str, cell: &dyn Fn(usize) -> String| -> Vec<String> {
        [protocol.to_owned(), node.to_owned()].into_iter().chain(seconds().map(cell)).collect()
    };
    let mut lines = vec![
        line("answers in second", "node", &|second| second.to_string()),
        line("", "", &|second| if second == lost { "lost".to_owned() } else { String::new() }),
    ];
    for (row, nodes) in told() {
        lines.extend(nodes.iter().map(|(node, timeline)| {
            let answered = |second: &Second| grouped(second.answered);
            line(&row.protocol, node, &|at| timeline.get(at).map_or("–".to_owned(), answered))
        }));
    }
    format!("\n{}\n", aligned(&lines))
}

fn tenths(us: u64) -> String {
    format!("{:.1}", ms(us))
}

/// Cells under each other: the first column to the left, the others to the right, with a
/// rule below the first two lines, which are heads and units.
pub(crate) fn aligned(lines: &[Vec<String>]) -> String {
    let count = lines.first().map_or(0, Vec::len);
    let width = |index: usize| lines.iter().map(|line| line[index].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..count).map(width).collect();
    let mut text = String::new();
    for (number, line) in lines.iter().enumerate() {
        if number == 2 {
            text.push_str(&"-".repeat(widths.iter().sum::<usize>() + 2 * count.saturating_sub(1)));
            text.push('\n');
        }
        let cells = line.iter().zip(&widths).enumerate().map(|(index, (cell, width))| {
            if index == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

fn about(row: &Row) -> String {
    let times = if row.repeat == 1 {
        "1 run each".to_owned()
    } else {
        format!("medians of {} runs each, ± half the spread", row.repeat)
    };
    format!(
        "{} nodes, {} in {} load process(es), workload {}, {} s after {} s of warm-up, {times}\n",
        row.nodes,
        load(row),
        row.load_processes,
        row.workload,
        row.duration_s,
        row.warm_up_s
    )
}

fn load(row: &Row) -> String {
    let clients = grouped(row.clients as u64);
    match row.offered_ops_s {
        None => format!("{clients} closed-loop clients"),
        Some(rate) => format!("{rate} ops/s in an open loop, at most {clients} outstanding,"),
    }
}

fn throughput(row: &Row) -> String {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // A rate.
    let rate = grouped(row.throughput_ops_s.round() as u64);
    let (low, high) = row.spread.throughput_ops_s;
    if row.repeat == 1 || row.throughput_ops_s <= 0.0 {
        return rate;
    }
    format!("{rate} ±{:.0}%", (high - low) / 2.0 / row.throughput_ops_s * 100.0)
}

/// A number with commas between groups of three digits.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

pub(crate) fn decimal(value: Option<f64>) -> String {
    value.map_or("–".to_owned(), |value| format!("{value:.1}"))
}

fn percent(share: Option<f64>) -> String {
    share.map_or("–".to_owned(), |share| format!("{:.1}", share * 100.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::row;

    #[test]
    fn digits_are_grouped() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn a_row_a_protocol_in_columns() {
        let text = table(&[row("simple-bpaxos", &[12_345.4]), row("multipaxos", &[2.0])]);
        let lines: Vec<&str> = text.lines().collect();
        assert!(
            lines[0].starts_with("3 nodes, 256 closed-loop clients in 1 load process(es), workload epaxos13")
        );
        assert!(lines[2].contains("ops/s") && lines[2].contains("µs/cmd"));
        assert!(lines[4].starts_with("simple-bpaxos") && lines[4].contains("12,345  400"));
        assert!(
            lines[5].starts_with("multipaxos") && lines[5].contains('–'),
            "no dependencies, no fast path"
        );
        assert_eq!(lines[6], "simple-bpaxos: errors: 2 unknown");
        assert!(lines[8].contains("no CPU caps, no emulated WAN"));
        let end = |line: &str| line.chars().count();
        assert_eq!(end(lines[4]), end(lines[3]), "numbers end where the rule ends");
        assert_eq!(end(lines[5]), end(lines[3]));
    }

    #[test]
    fn the_seconds_around_a_crash_are_told() {
        let mut row = row("epaxos", &[10.0]);
        assert_eq!(timelines(std::slice::from_ref(&row)), "");
        row.crash = Some("n2@3:silent".parse().unwrap());
        let second = |answered| Second { answered, ..Second::default() };
        let timeline: Vec<Second> = (100..130).map(second).collect();
        row.repetitions[0].timelines.insert("n1".to_owned(), timeline);
        let text = timelines(&[row]);
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[1][3..6], ["node", "1", "2"]);
        assert_eq!(lines[2], ["lost"]);
        assert_eq!(lines[4][..4], ["epaxos", "n1", "101", "102"]);
        assert_eq!(lines[4].len(), 2 + 12, "two before, and ten from then on: {text}");
    }

    #[test]
    fn repetitions_show_their_spread() {
        let text = table(&[row("multipaxos", &[90.0, 100.0, 110.0])]);
        assert!(text.contains("100 ±10%") && text.contains("medians of 3 runs"), "{text}");
    }
}
