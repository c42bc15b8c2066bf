use super::chart::{Axis, Bar, Bars, Line, Lines};
use super::file::Planned;
use crate::measurement::ms;
use crate::{Row, Scenario, SiteRow};
use hdrhistogram::Histogram;
use serde::Deserialize;

/// Beyond this share the tail of a latency is a single answer or two.
const TAIL_POINTS: [(f64, &str); 5] =
    [(0.5, "p50"), (0.95, "p95"), (0.99, "p99"), (0.999, "p99.9"), (0.9999, "p99.99")];

/// A run of a figure, and what came of it.
pub(crate) struct Ran {
    pub(crate) planned: Planned,
    /// The cap that the file asks for, whether there is one or not.
    pub(crate) asked_cap: Option<f64>,
    /// One a protocol.
    pub(crate) rows: Vec<Row>,
    /// Of each row the latencies of all repetitions.
    pub(crate) latencies: Vec<Histogram<u64>>,
}

/// What a figure shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Drawing {
    /// Latency at each site, p50 and p99, beside the limit: a chart a variant.
    Sites,
    /// The share of commands that take longer, of commit and of execution: a chart a run.
    InverseCdf,
    /// Throughput of each protocol: a group a run.
    Throughput,
    /// Latency over throughput, as clients become more: a chart for each variant and other swept value.
    Curve,
    /// The share of the fast path over the conflict rate: a chart a variant.
    FastPath,
    /// The median latency over the number of nodes: the mean of all sites.
    Growth,
    /// p50 to p99.99: a chart a run.
    Tail,
    /// Answers in each second at each site, and their latency: two charts a protocol.
    Timeline,
    /// What the busiest node's processor would do alone, over the number of nodes: a chart a payload.
    Scaling,
    /// The measured median at each site over what `isegoria plan` predicts.
    Prediction,
}

impl Drawing {
    /// What a run of this scenario would not show.
    pub(crate) fn lacks(self, scenario: &Scenario) -> Option<&'static str> {
        match self {
            Drawing::Sites | Drawing::Growth | Drawing::Prediction if scenario.distance.is_none() => {
                Some("it draws sites, and there are none; add geo")
            }
            Drawing::Timeline if scenario.crash.is_none() => {
                Some("it draws what each second of a crash was like, and there is none; add crash")
            }
            _ => None,
        }
    }

    /// The charts, and what each is called beside the figure's own name.
    pub(crate) fn draw(self, title: &str, runs: &[Ran]) -> Vec<(String, String)> {
        match self {
            Drawing::Sites => sites(title, runs),
            Drawing::InverseCdf => each(runs, |run| inverse_cdf(title, run)),
            Drawing::Throughput => vec![(String::new(), throughput(title, runs))],
            Drawing::Curve => curves(title, runs),
            Drawing::FastPath => fast_path(title, runs),
            Drawing::Growth => vec![(String::new(), growth(title, runs))],
            Drawing::Tail => each(runs, |run| tail(title, run)),
            Drawing::Timeline => timelines(title, runs),
            Drawing::Scaling => scaling(title, runs),
            Drawing::Prediction => vec![(String::new(), prediction(title, runs))],
        }
    }
}

fn titled(title: &str, label: &str) -> String {
    if label.is_empty() { title.to_owned() } else { format!("{title}: {label}") }
}

fn each(runs: &[Ran], draw: impl Fn(&Ran) -> String) -> Vec<(String, String)> {
    runs.iter().map(|run| (run.planned.label(), draw(run))).collect()
}

/// Groups of runs with an equal key, in the order of the first of each.
fn grouped(runs: &[Ran], key: impl Fn(&Planned) -> String) -> Vec<(String, Vec<&Ran>)> {
    let mut groups: Vec<(String, Vec<&Ran>)> = Vec::new();
    for run in runs {
        let key = key(&run.planned);
        match groups.iter_mut().find(|(name, _)| *name == key) {
            Some((_, group)) => group.push(run),
            None => groups.push((key, vec![run])),
        }
    }
    groups
}

/// What is swept beside a knob.
fn beside(planned: &Planned, knob: &str) -> String {
    let point = planned.point.iter().filter(|(name, _)| name != knob).cloned().collect();
    let label = Planned { point, ..planned.clone() }.label();
    if label == "all" { String::new() } else { label }
}

fn sites(title: &str, runs: &[Ran]) -> Vec<(String, String)> {
    let chart = |(variant, runs): (String, Vec<&Ran>)| {
        let places = runs.iter().flat_map(|run| &run.rows).find(|row| !row.sites.is_empty());
        let groups =
            places.map(|row| row.sites.iter().map(|at| at.site.clone()).collect()).unwrap_or_default();
        let bar = |at: &SiteRow| {
            let whisker = Some(ms(at.latency_us.p99));
            Some(Bar { value: ms(at.latency_us.p50), whisker, limit: Some(at.limit_us / 1e3) })
        };
        let series = runs.iter().flat_map(|run| {
            let point = Planned { variant: String::new(), ..run.planned.clone() }.label();
            let name = move |row: &Row| match point.as_str() {
                "all" => row.protocol.clone(),
                point => format!("{}, {point}", row.protocol),
            };
            run.rows.iter().map(move |row| (name(row), row.sites.iter().map(bar).collect()))
        });
        let series = series.collect();
        let y = "latency, ms: bar p50".to_owned();
        (variant.clone(), Bars { title: titled(title, &variant), y, groups, series }.svg())
    };
    grouped(runs, |planned| planned.variant.clone()).into_iter().map(chart).collect()
}

#[allow(clippy::cast_precision_loss)] // Counts of a run are below 2^52.
fn above(counts: impl Iterator<Item = (u64, u64)>) -> Vec<(f64, f64)> {
    let counts: Vec<(u64, u64)> = counts.collect();
    let total: u64 = counts.iter().map(|(_, count)| count).sum();
    let mut left = total;
    let points = counts.into_iter().map(|(us, count)| {
        left -= count;
        (us as f64 / 1e3, left as f64 / total as f64)
    });
    points.collect()
}

fn inverse_cdf(title: &str, run: &Ran) -> String {
    let mut series = Vec::new();
    for (row, latencies) in run.rows.iter().zip(&run.latencies) {
        let recorded = latencies.iter_recorded().map(|at| (at.value_iterated_to(), at.count_at_value()));
        let name = format!("{}: answer at the client", row.protocol);
        series.push(Line { name, points: above(recorded), ..Line::default() });
        let mut commits: Vec<(u64, u64)> = row
            .repetitions
            .iter()
            .flat_map(|one| one.node_counters.values())
            .flat_map(|stats| stats.commit.counts().collect::<Vec<_>>())
            .collect();
        commits.sort_unstable();
        let name = format!("{}: commit at its node", row.protocol);
        series.push(Line { name, points: above(commits.into_iter()), ..Line::default() });
    }
    let x = Axis { label: "latency, ms".to_owned(), log: false };
    let y = Axis { label: "share of commands that take longer".to_owned(), log: true };
    let label = run.planned.label();
    Lines { title: titled(title, if label == "all" { "" } else { &label }), x, y, series, marks: vec![] }
        .svg()
}

fn throughput(title: &str, runs: &[Ran]) -> String {
    let groups = runs.iter().map(|run| run.planned.short_label()).collect();
    let value = |run: &Ran, protocol: &str| {
        let row = run.rows.iter().find(|row| row.protocol == protocol)?;
        Some(Bar { value: row.throughput_ops_s, ..Bar::default() })
    };
    let series = protocols(runs)
        .into_iter()
        .map(|name| (name.clone(), runs.iter().map(|run| value(run, &name)).collect()))
        .collect();
    Bars { title: title.to_owned(), y: format!("operations a second{}", caps(runs.iter())), groups, series }
        .svg()
}

/// Whether processors are capped, and whether they should be.
fn caps<'a>(runs: impl Iterator<Item = &'a Ran> + Clone) -> String {
    let capped = runs.clone().flat_map(|run| &run.rows).find_map(|row| row.cap_cpu);
    match (capped, runs.clone().find_map(|run| run.asked_cap)) {
        (Some(share), _) => format!(", {share} of a processor a node"),
        (None, Some(_)) => ", NOT CAPPED: all share the processors".to_owned(),
        (None, None) => String::new(),
    }
}

/// The protocols of all runs, in the order of the first of each.
fn protocols(runs: &[Ran]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for row in runs.iter().flat_map(|run| &run.rows) {
        if !names.contains(&row.protocol) {
            names.push(row.protocol.clone());
        }
    }
    names
}

/// A line for each protocol and variant through the points of some runs.
fn lines(runs: &[&Ran], point: impl Fn(&Ran, &Row) -> Option<(f64, f64)>) -> Vec<Line> {
    named_lines(runs, |row| row.protocol.clone(), point)
}

fn named_lines(
    runs: &[&Ran],
    name: impl Fn(&Row) -> String,
    point: impl Fn(&Ran, &Row) -> Option<(f64, f64)>,
) -> Vec<Line> {
    let varied = runs.iter().any(|run| run.planned.variant != runs[0].planned.variant);
    let rows = runs.iter().flat_map(|run| run.rows.iter().map(move |row| (run, row)));
    Line::by_name(rows.filter_map(|(run, row)| {
        let name = if varied { format!("{}, {}", name(row), run.planned.variant) } else { name(row) };
        Some((name, point(run, row)?))
    }))
}

fn curves(title: &str, runs: &[Ran]) -> Vec<(String, String)> {
    let chart = |(label, runs): (String, Vec<&Ran>)| {
        let series = lines(&runs, |_, row| Some((row.throughput_ops_s, ms(row.latency_us.p50))));
        let x = Axis { label: format!("operations a second{}", caps(runs.iter().copied())), log: false };
        let y = Axis { label: "median latency, ms".to_owned(), log: true };
        (label.clone(), Lines { title: titled(title, &label), x, y, series, marks: vec![] }.svg())
    };
    grouped(runs, |planned| beside(planned, "clients")).into_iter().map(chart).collect()
}

fn fast_path(title: &str, runs: &[Ran]) -> Vec<(String, String)> {
    let chart = |(label, runs): (String, Vec<&Ran>)| {
        let series = lines(&runs, |run, row| {
            Some((run.planned.number("conflict")? * 100.0, row.fast_path_ratio? * 100.0))
        });
        let x = Axis { label: "conflict rate that was asked for, %".to_owned(), log: false };
        let y = Axis { label: "vertices chosen on the fast path, %".to_owned(), log: false };
        (label.clone(), Lines { title: titled(title, &label), x, y, series, marks: vec![] }.svg())
    };
    grouped(runs, |planned| beside(planned, "conflict")).into_iter().map(chart).collect()
}

/// A protocol without its leader's number: where nodes become more, the best site is another.
fn plain(protocol: &str) -> String {
    match protocol.split_once(":leader=") {
        Some((name, number)) if number.chars().all(|c| c.is_ascii_digit()) => name.to_owned(),
        _ => protocol.to_owned(),
    }
}

#[allow(clippy::cast_precision_loss)] // A handful of sites.
fn mean(sites: &[SiteRow], of: impl Fn(&SiteRow) -> f64) -> Option<f64> {
    (!sites.is_empty()).then(|| sites.iter().map(of).sum::<f64>() / sites.len() as f64)
}

#[allow(clippy::cast_precision_loss)] // A handful of nodes.
fn growth(title: &str, runs: &[Ran]) -> String {
    let all: Vec<&Ran> = runs.iter().collect();
    let through = |of: fn(&SiteRow) -> f64| {
        named_lines(
            &all,
            |row| plain(&row.protocol),
            |_, row| Some((row.nodes as f64, mean(&row.sites, of)?)),
        )
    };
    let (measured, limits) = (through(|at| ms(at.latency_us.p50)), through(|at| at.limit_us / 1e3));
    let limits = limits.into_iter().map(|line| Line { is_limit: true, ..line });
    let series = measured.into_iter().zip(limits).flat_map(|(line, limit)| [line, limit]).collect();
    let x = Axis { label: "sites".to_owned(), log: false };
    let y = Axis { label: "median latency, mean of all sites, ms".to_owned(), log: false };
    Lines { title: title.to_owned(), x, y, series, marks: vec![] }.svg()
}

fn tail(title: &str, run: &Ran) -> String {
    let groups = TAIL_POINTS.map(|(_, name)| name.to_owned()).to_vec();
    let bars = |latencies: &Histogram<u64>| {
        // A quantile that rests on less than ten answers is none.
        #[allow(clippy::cast_precision_loss)]
        let holds = |quantile: f64| (latencies.len() as f64 * (1.0 - quantile)).round() >= 10.0;
        let bar = |(quantile, _): (f64, &str)| {
            let value = ms(latencies.value_at_quantile(quantile));
            holds(quantile).then_some(Bar { value, ..Bar::default() })
        };
        TAIL_POINTS.map(bar).to_vec()
    };
    let series =
        run.rows.iter().zip(&run.latencies).map(|(row, all)| (row.protocol.clone(), bars(all))).collect();
    let title = titled(title, &run.planned.label());
    Bars { title, y: "latency, ms".to_owned(), groups, series }.svg()
}

#[allow(clippy::cast_precision_loss)] // Seconds and counts of a run.
fn timelines(title: &str, runs: &[Ran]) -> Vec<(String, String)> {
    let mut charts = Vec::new();
    for run in runs {
        for row in &run.rows {
            let Some(one) = row.repetitions.first() else { continue };
            let site = |node: &str| {
                let at = row.sites.iter().find(|at| at.node == node);
                at.map_or(node.to_owned(), |at| format!("{node}, {}", at.site))
            };
            let series = |value: fn(&crate::Second) -> f64| {
                let line = |(node, seconds): (&String, &Vec<crate::Second>)| Line {
                    name: site(node),
                    points: seconds
                        .iter()
                        .enumerate()
                        // In the middle of the second that it tells of.
                        .map(|(at, second)| (at as f64 + 0.5, value(second)))
                        .collect(),
                    ..Line::default()
                };
                one.timelines.iter().map(line).collect::<Vec<_>>()
            };
            let crash = run.planned.scenario.crash.as_ref();
            let marks: Vec<(f64, String)> =
                crash.map(|crash| (crash.at_s, crash.described())).into_iter().collect();
            let x = Axis { label: "seconds".to_owned(), log: false };
            let mut add = |what: &str, log, series| {
                let y = Axis { label: what.to_owned(), log };
                let label = run.planned.label();
                let label =
                    if label == "all" { row.protocol.clone() } else { format!("{}, {label}", row.protocol) };
                let title = titled(title, &label);
                let svg = Lines { title, x: x.clone(), y, series, marks: marks.clone() }.svg();
                let kind = if log { "latency" } else { "answers" };
                charts.push((format!("{label}, {kind}"), svg));
            };
            add("answers in a second", false, series(|second| second.answered as f64));
            add("median latency of a second, ms", true, series(|second| ms(second.p50_us)));
        }
    }
    charts
}

#[allow(clippy::cast_precision_loss)] // A handful of nodes.
fn scaling(title: &str, runs: &[Ran]) -> Vec<(String, String)> {
    let chart = |(label, runs): (String, Vec<&Ran>)| {
        let series =
            lines(&runs, |_, row| Some((row.nodes as f64, 1e6 / row.cpu_us_per_command.busiest_node?)));
        let x = Axis { label: "nodes".to_owned(), log: false };
        let y = Axis { label: "commands a second of the busiest node's processor".to_owned(), log: false };
        (label.clone(), Lines { title: titled(title, &label), x, y, series, marks: vec![] }.svg())
    };
    grouped(runs, |planned| beside(planned, "nodes")).into_iter().map(chart).collect()
}

fn prediction(title: &str, runs: &[Ran]) -> String {
    let mut series: Vec<Line> = Vec::new();
    for run in runs {
        for row in &run.rows {
            let mut points: Vec<(f64, f64)> =
                row.sites.iter().map(|at| (at.limit_us / 1e3, ms(at.latency_us.p50))).collect();
            points.sort_by(|a, b| a.0.total_cmp(&b.0));
            let variant = &run.planned.variant;
            let name = if variant.is_empty() {
                row.protocol.clone()
            } else {
                format!("{}, {variant}", row.protocol)
            };
            series.push(Line { name, points, is_loose: true, ..Line::default() });
        }
    }
    let ends = series.iter().flat_map(|line| &line.points).map(|(x, _)| *x).fold(0.0, f64::max);
    series.push(Line { points: vec![(0.0, 0.0), (ends, ends)], is_limit: true, ..Line::default() });
    let x = Axis { label: "predicted, ms".to_owned(), log: false };
    let y = Axis { label: "measured median, ms".to_owned(), log: false };
    Lines { title: title.to_owned(), x, y, series, marks: vec![] }.svg()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LatencyUs;
    use crate::figure::file::tests::planned;
    use crate::report::tests::row;
    use crate::{Second, histogram};
    use std::time::Duration;

    fn ran(point: &[(&str, f64)], rows: Vec<Row>) -> Ran {
        let mut latencies = histogram::empty();
        (1..=100_000).for_each(|us| histogram::record(&mut latencies, Duration::from_micros(us)));
        Ran { planned: planned(point), asked_cap: None, latencies: vec![latencies; rows.len()], rows }
    }

    fn far(protocol: &str, p50_us: u64) -> Row {
        let at = |site: &str| SiteRow {
            node: "n1".to_owned(),
            site: site.to_owned(),
            limit_us: 50_000.0,
            latency_us: LatencyUs { p50: p50_us, p99: 2 * p50_us, ..LatencyUs::default() },
            commit_us: None,
            ratio: None,
        };
        Row { sites: vec![at("here"), at("there")], ..row(protocol, &[1.0]) }
    }

    #[test]
    fn sites_are_groups_and_protocols_series() {
        let charts =
            Drawing::Sites.draw("t", &[ran(&[("conflict", 0.02)], vec![far("a", 60_000), far("b", 90_000)])]);
        let (name, svg) = &charts[0];
        assert_eq!((charts.len(), name.as_str()), (1, ""));
        for word in ["here", "there", "a, conflict 0.02", "b, conflict 0.02", "what distance allows"] {
            assert!(svg.contains(word), "{word}");
        }
    }

    #[test]
    fn a_curve_goes_through_all_loads_of_one_conflict_rate() {
        let run = |conflict, clients| {
            ran(&[("conflict", conflict), ("clients", clients)], vec![row("a", &[clients])])
        };
        let charts = Drawing::Curve.draw("t", &[run(0.0, 1.0), run(0.0, 2.0), run(0.1, 1.0)]);
        let names: Vec<&str> = charts.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["conflict 0.0", "conflict 0.1"]);
        assert_eq!(charts[0].1.matches("<circle").count(), 2);
    }

    #[test]
    fn shares_above_fall_to_nothing() {
        assert_eq!(above([(1_000, 1), (2_000, 3)].into_iter()), [(1.0, 0.75), (2.0, 0.0)]);
        assert!(above(std::iter::empty()).is_empty());
    }

    #[test]
    fn a_tail_that_rests_on_a_few_answers_is_not_shown() {
        let run = ran(&[], vec![row("a", &[1.0])]);
        let all = tail("t", &run).matches("<rect").count();
        let few = Ran {
            latencies: vec![{
                let mut few = histogram::empty();
                few.record_n(5, 500).unwrap();
                few
            }],
            ..run
        };
        assert_eq!(all - tail("t", &few).matches("<rect").count(), 3, "p99, p99.9, p99.99");
    }

    #[test]
    fn every_drawing_draws() {
        let mut with_time = far("multipaxos", 70_000);
        with_time.repetitions[0].timelines =
            [("n1".to_owned(), vec![Second { answered: 5, p50_us: 7, max_us: 9 }; 3])].into();
        for drawing in [
            Drawing::Sites,
            Drawing::InverseCdf,
            Drawing::Throughput,
            Drawing::Curve,
            Drawing::FastPath,
            Drawing::Growth,
            Drawing::Tail,
            Drawing::Timeline,
            Drawing::Scaling,
            Drawing::Prediction,
        ] {
            let runs = [ran(&[("conflict", 0.0), ("nodes", 3.0)], vec![with_time.clone()])];
            let charts = drawing.draw("t", &runs);
            assert!(
                !charts.is_empty() && charts.iter().all(|(_, svg)| svg.contains("</svg>")),
                "{drawing:?}"
            );
        }
    }
}
