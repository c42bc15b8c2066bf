//! `isegoria report`: one page of result folders, for whoever was not there.
//!
//! Invariant: the page stands alone (no scripts, fonts or pictures from elsewhere), and every folder's caveats stand
//! above its figures. Not done here: nothing is computed anew, but for the bars of comparisons that have no chart.

use crate::figure::{Bar, Bars};
use crate::kept::{Kept, KeptRun};
use crate::measurement::ms;
use crate::table::LATE_US;
use crate::{BenchError, Environment, METHOD_SIMULATED, Row, print};
use isegoria::Durability;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use std::path::PathBuf;

/// `isegoria report`
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Example:
  isegoria report results/2026-01-01-aaaaaaaaaa-F1 results/2026-01-01-aaaaaaaaaa-unbatched --out report.html")]
pub struct ReportArgs {
    /// Folders that `isegoria bench` made
    #[arg(value_name = "DIR", required = true)]
    pub folders: Vec<PathBuf>,
    /// The page
    #[arg(long, value_name = "FILE", default_value = "report.html")]
    pub out: PathBuf,
    /// Above the page
    #[arg(long, value_name = "TEXT", default_value = "Isegoria: measurements")]
    pub title: String,
}

/// `isegoria report`.
///
/// # Errors
/// If none of the folders is one, or the page cannot be written. What is none among others is left out, and said.
pub fn run(args: &ReportArgs) -> Result<(), BenchError> {
    let (mut kept, mut refused) = (Vec::new(), Vec::new());
    for folder in &args.folders {
        match Kept::read(folder) {
            Ok(folder) => kept.push(folder),
            Err(error) => refused.push(error),
        }
    }
    if kept.is_empty() {
        return Err(refused.remove(0));
    }
    for error in refused {
        eprintln!("left out: {error}");
    }
    let page = page(&args.title, &kept).into_string();
    std::fs::write(&args.out, page).map_err(BenchError::io(format!("writing {}", args.out.display())))?;
    print(&format!("{} folders in {}\n", kept.len(), args.out.display()))
}

const STYLE: &str = "
body { font: 15px/1.45 system-ui, sans-serif; max-width: 1120px; margin: 2em auto; padding: 0 1em; color: #1a1a1a }
h2 { margin-top: 2.5em; border-bottom: 1px solid #ccc } h3 { margin-bottom: .3em }
table { border-collapse: collapse; margin: .6em 0; font-variant-numeric: tabular-nums }
th, td { padding: .15em .7em; text-align: right; border-bottom: 1px solid #eee } th { border-bottom: 1px solid #999 }
th:first-child, td:first-child { text-align: left } .caveats { background: #fff6dd; border-left: 4px solid #e0a800; padding: .5em 1em }
figure { margin: 1em 0 } figure svg { max-width: 100%; height: auto } pre { overflow-x: auto; background: #f6f6f6; padding: .8em; font-size: 12px }
dl { display: grid; grid-template-columns: max-content auto; gap: .1em 1em } dt { color: #666 } dd { margin: 0 }
";

fn page(title: &str, folders: &[Kept]) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head { meta charset="utf-8"; title { (title) } style { (PreEscaped(STYLE)) } }
            body {
                h1 { (title) }
                ul { @for kept in folders { li { a href=(format!("#{}", kept.name)) { (heading(kept)) } } } }
                @for kept in folders { (section(kept)) }
            }
        }
    }
}

fn heading(kept: &Kept) -> String {
    match &kept.title {
        Some(title) => format!("{title} ({})", kept.name),
        None => kept.name.clone(),
    }
}

fn section(kept: &Kept) -> Markup {
    let caveats = caveats(kept);
    html! {
        section id=(kept.name) {
            h2 { (heading(kept)) }
            @if let Some(environment) = &kept.environment { (ran_on(environment)) }
            @if !caveats.is_empty() {
                div .caveats { strong { "Before you believe it" } ul { @for caveat in &caveats { li { (caveat) } } } }
            }
            @for (label, svg) in &kept.charts { (chart(label, svg)) }
            @if kept.charts.is_empty() {
                @for run in &kept.runs { @for (label, svg) in bars(run) { (chart(&label, &svg)) } }
            }
            @for run in &kept.runs { (rows(run)) }
            details { summary { "The table as it was printed" } pre { (kept.table) } }
            details { summary { "What was asked for" } pre { (kept.input) } }
        }
    }
}

fn chart(label: &str, svg: &str) -> Markup {
    // Drawn by this program; what stands before the picture is of no use within a page.
    let svg = svg.find("<svg").map_or("", |start| &svg[start..]);
    html! { figure { (PreEscaped(svg)) @if !label.is_empty() { figcaption { (label) } } } }
}

fn ran_on(environment: &Environment) -> Markup {
    let sync = environment.fsync_p50_us.map_or("unknown".to_owned(), |us| format!("{us} µs"));
    html! {
        dl {
            dt { "commit" } dd { (environment.git_commit) @if environment.git_dirty { ", with changes that are not committed" } }
            dt { "processor" } dd { (environment.cpu_model) ", " (environment.cpu_cores) " cores" }
            dt { "system" } dd { (environment.os) ", kernel " (environment.kernel) }
            dt { "memory" } dd { (environment.memory_bytes >> 30) " GiB" }
            dt { "disk" } dd { (environment.file_system) ", a sync takes " (sync) " (median)" }
            dt { "compiler" } dd { (environment.rustc) ", " (environment.profile) }
        }
    }
}

/// What the reader should know about this very folder.
fn caveats(kept: &Kept) -> Vec<String> {
    let rows = || kept.runs.iter().flat_map(|run| &run.rows);
    let mut found = Vec::new();
    let mut say = |applies: bool, sentence: &str| {
        if applies {
            found.push(sentence.to_owned());
        }
    };
    say(kept.quick, "A quick run, to see that all of it works: for no conclusions.");
    if let Some(environment) = &kept.environment {
        say(environment.git_dirty, "The sources differed from the commit.");
        say(environment.profile == "debug", "A debug build: every figure is several times too bad.");
        let synced = rows().any(|row| row.durability == Durability::Fsync.to_string());
        say(
            synced && environment.file_system == "tmpfs",
            "The disk was memory (tmpfs), so that syncs cost nothing.",
        );
    }
    let simulated = |row: &&Row| row.method == METHOD_SIMULATED;
    say(
        rows().any(|row| simulated(&row)),
        "Some rows are simulated: the nodes' own code in virtual time, with a fixed processor time a message. They say what \
         distance and the number of messages do, and nothing about this machine.",
    );
    let rows = || rows().filter(|row| !simulated(row));
    say(
        rows().any(|row| row.cap_cpu.is_none()),
        "All nodes and the load shared the machine's processors: throughput is not what a cluster gives; compare the \
         processor time a command, of the busiest node.",
    );
    say(
        rows().any(|row| row.cap_cpu.is_some()),
        "Each node had a share of a processor; the shares, and so the throughputs, are small on purpose.",
    );
    if let Some(links) = rows().find_map(|row| row.links.as_ref()) {
        found.push(format!("The distance between sites was emulated in the links: {}.", links.described()));
    }
    for (row, reference) in rows().filter_map(|row| Some((row, row.reference.as_ref()?))) {
        let sentence =
            format!("{} is a system of others ({}): {}.", row.protocol, reference.version, reference.promise);
        if !found.contains(&sentence) {
            found.push(sentence);
        }
    }
    if let Some(crash) = rows().find_map(|row| row.crash.as_ref()) {
        found.push(format!("{} {} s into the window, on purpose.", crash.described(), crash.at_s));
    }
    let mut say = |applies: bool, sentence: &str| {
        if applies {
            found.push(sentence.to_owned());
        }
    };
    say(rows().any(|row| row.repeat == 1), "Measured once: there is no spread to compare with.");
    say(
        rows().any(|row| row.durability != Durability::Fsync.to_string()),
        "Some rows do not survive a power cut (memory, os).",
    );
    say(rows().any(|row| row.reads > 0.0), "Operations were recorded, which costs time.");
    say(rows().any(|row| row.errors > 0), "Some commands had no answer; see the errors.");
    let late = rows().filter_map(|row| Some(row.link_lateness?.p99_us)).max().filter(|us| *us > LATE_US);
    if let Some(us) = late {
        found.push(format!("Emulated links were late by {} ms at p99: the machine was busy.", us / 1000));
    }
    found
}

/// Charts of a comparison, which keeps none.
fn bars(run: &KeptRun) -> Vec<(String, String)> {
    let one = |value, whisker| vec![Some(Bar { value, whisker, limit: None })];
    let bars = |title: &str, y: &str, of: &dyn Fn(&Row) -> Option<Vec<Option<Bar>>>| {
        let series: Vec<_> =
            run.rows.iter().filter_map(|row| Some((row.protocol.clone(), of(row)?))).collect();
        let svg =
            Bars { title: title.to_owned(), y: y.to_owned(), groups: vec![String::new()], series }.svg();
        (String::new(), svg)
    };
    vec![
        bars("Latency", "ms: bar p50", &|row| {
            Some(one(ms(row.latency_us.p50), Some(ms(row.latency_us.p99))))
        }),
        bars("Processor time of all nodes", "µs a command", &|row| {
            Some(one(row.cpu_us_per_command.servers_total?, None))
        }),
    ]
}

fn rows(run: &KeptRun) -> Markup {
    let decimal = |value: Option<f64>| value.map_or("–".to_owned(), |value| format!("{value:.1}"));
    let percent =
        |value: Option<f64>| value.map_or("–".to_owned(), |value| format!("{:.1}", value * 100.0));
    html! {
        @if !run.label.is_empty() { h3 { (run.label) } }
        table {
            tr { th { "protocol" } th { "nodes" } th { "clients" } th { "ops/s" } th { "p50 ms" } th { "p99 ms" } th { "commit p50 ms" }
                 th { "errors" } th { "CPU µs/cmd" } th { "busiest" } th { "conflicts set %" } th { "found %" } th { "fast path %" } th { "durability" } }
            @for row in &run.rows {
                tr {
                    td { (row.protocol) } td { (row.nodes) } td { (row.clients) } td { (format!("{:.0}", row.throughput_ops_s)) }
                    td { (format!("{:.2}", ms(row.latency_us.p50))) } td { (format!("{:.2}", ms(row.latency_us.p99))) }
                    td { (decimal(row.commit_us.map(|commit| ms(commit.p50)))) } td { (row.errors) }
                    td { (decimal(row.cpu_us_per_command.servers_total)) } td { (decimal(row.cpu_us_per_command.busiest_node)) }
                    td { (percent(row.conflict_configured)) } td { (percent(row.conflict_measured)) } td { (percent(row.fast_path_ratio)) }
                    td { (row.durability) }
                }
            }
        }
        @if run.rows.iter().any(|row| !row.sites.is_empty()) {
            table {
                tr { th { "site" } th { "protocol" } th { "limit ms" } th { "p50 ms" } th { "p50 / limit" } th { "p99 ms" } }
                @for row in &run.rows { @for at in &row.sites {
                    tr {
                        td { (at.site) } td { (row.protocol) } td { (format!("{:.1}", at.limit_us / 1e3)) } td { (format!("{:.1}", ms(at.latency_us.p50))) }
                        td { (at.ratio.map_or("–".to_owned(), |ratio| format!("{ratio:.3}"))) } td { (format!("{:.1}", ms(at.latency_us.p99))) }
                    }
                } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::row;
    use std::path::Path;

    fn kept(rows: Vec<Row>) -> Kept {
        let mut environment = Environment::inspect(Path::new("."));
        environment.profile = "debug".to_owned();
        Kept {
            name: "2026-01-01-abc-x".to_owned(),
            input: "name = \"<x>\"".to_owned(),
            environment: Some(environment),
            runs: vec![KeptRun { label: String::new(), rows }],
            title: None,
            quick: true,
            charts: Vec::new(),
            table: "a & b".to_owned(),
        }
    }

    #[test]
    fn a_page_stands_alone_and_says_its_caveats_first() {
        let text = page("t <1>", &[kept(vec![row("multipaxos", &[12.0])])]).into_string();
        for word in ["t &lt;1&gt;", "a &amp; b", "name = &quot;&lt;x&gt;&quot;", "multipaxos", "<svg"] {
            assert!(text.contains(word), "{word}");
        }
        for elsewhere in ["<script", "<link", "src=", "@import"] {
            assert!(!text.contains(elsewhere), "{elsewhere}");
        }
        let (caveats, figures) = (text.find("quick run").unwrap(), text.find("<svg").unwrap());
        assert!(caveats < figures);
    }

    #[test]
    fn caveats_are_those_of_the_run() {
        let has = |kept: &Kept, word: &str| caveats(kept).iter().any(|sentence| sentence.contains(word));
        let one = kept(vec![row("multipaxos", &[1.0])]);
        assert!(has(&one, "debug") && has(&one, "Measured once") && has(&one, "shared the machine"));
        assert!(has(&one, "no answer"), "the made-up row has errors");
        let mut good = kept(vec![row("multipaxos", &[1.0, 2.0, 3.0])]);
        good.quick = false;
        good.runs[0].rows[0].cap_cpu = Some(0.5);
        assert!(!has(&good, "Measured once") && !has(&good, "shared the machine") && !has(&good, "quick"));
        assert!(has(&good, "share of a processor"));
    }
}
