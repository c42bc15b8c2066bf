//! The field's figures, each from one file in `configs/figures`: what is run, how it is drawn.
//!
//! Invariants: a figure is made of nothing but its file, so that it can be made again; beside every chart are
//! its raw data, and what the measured rows say of themselves. Nothing here measures: a figure's runs are those of
//! `isegoria bench`.
//!
//! Not done here: figures of other systems' papers are not copied, only their axes.

mod chart;
mod drawing;
mod file;

use crate::results::{Folder, file_stem};
use crate::runner::{Interrupts, Latencies, Runner, print};
use crate::trials::RecoveryFigures;
use crate::{BenchError, Environment, RecoveryArgs, Row, cap, histogram, reference, table, trials};
pub(crate) use chart::{Axis, Bar, Bars, Line, Lines};
use drawing::Ran;
use file::{FigureFile, Planned};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// `isegoria bench figure`
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Runs what the figure's file says, draws it, and keeps everything in DIR/<date>-<commit>-<ID>/: figure*.svg, the file
itself (input.toml), summary.json, table.txt, env.json and all histograms.

Examples:
  isegoria bench figure F1
  isegoria bench figure all --quick
  isegoria bench figure list")]
pub struct FigureArgs {
    /// The figures, such as F1; `all` of them; or `list`, which names them
    #[arg(value_name = "ID", required = true)]
    pub ids: Vec<String>,
    /// Fewer and shorter runs, to see that all of it works: for no conclusions
    #[arg(long)]
    pub quick: bool,
    /// Where the figures' files are
    #[arg(long, value_name = "DIR", default_value = "configs/figures")]
    pub figures: PathBuf,
    /// Where the runs' folders are made
    #[arg(long, value_name = "DIR", default_value = "results")]
    pub out: PathBuf,
    /// Where the nodes keep their data during the runs; the system's temporary directory if left out
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
}

/// A figure with all of its runs, checked.
struct Figure {
    id: String,
    file: PathBuf,
    read: FigureFile,
    planned: Vec<Planned>,
    recovery: Option<RecoveryArgs>,
}

/// What came of a figure's runs.
struct Measured {
    runs: Vec<Ran>,
    recovered: Option<RecoveryFigures>,
    table_text: String,
    note: String,
}

/// Makes figures.
///
/// # Errors
/// If a file breaks a rule, before anything is started, or a run fails.
pub(crate) async fn run(args: FigureArgs, executable: PathBuf) -> Result<(), BenchError> {
    let known = known(&args.figures)?;
    if args.ids == ["list"] {
        let titles = known.iter().map(|id| Ok((id, FigureFile::read(&path(&args.figures, id))?.title)));
        let titles = titles.collect::<Result<Vec<_>, BenchError>>()?;
        return print(&titles.iter().map(|(id, title)| format!("{id:<4} {title}\n")).collect::<String>());
    }
    let ids = if args.ids == ["all"] { known.clone() } else { args.ids.clone() };
    let plan = |id: &String| {
        if !known.contains(id) {
            let known = known.join(", ");
            return Err(BenchError::Usage(format!(
                "there is no figure `{id}`; choose some of {known}, or all"
            )));
        }
        let file = path(&args.figures, id);
        let read = FigureFile::read(&file)?;
        let planned = read.plan(&file, args.quick)?;
        let recovery = read.recovery(&file, &planned, args.quick)?;
        Ok(Figure { id: id.clone(), file, read, planned, recovery })
    };
    let figures = ids.iter().map(plan).collect::<Result<Vec<Figure>, BenchError>>()?;
    let data_dir = args.data_dir.clone().unwrap_or_else(std::env::temp_dir);
    std::fs::create_dir_all(&data_dir)
        .map_err(BenchError::io(format!("making the data directory {}", data_dir.display())))?;
    let mut interrupts = Interrupts::new().map_err(BenchError::io("waiting for signals"))?;
    for figure in figures {
        make(figure, &args, (&executable, &data_dir), &mut interrupts).await?;
    }
    Ok(())
}

/// How many runs a figure has, with every rule checked.
///
/// # Errors
/// The first rule that its file breaks.
pub fn figure_runs(figures: &Path, id: &str, quick: bool) -> Result<usize, BenchError> {
    let file = path(figures, id);
    let read = FigureFile::read(&file)?;
    let planned = read.plan(&file, quick)?;
    read.recovery(&file, &planned, quick)?;
    Ok(planned.len())
}

fn path(dir: &Path, id: &str) -> PathBuf {
    dir.join(id).with_extension("toml")
}

/// The names of all figures, by number.
fn known(dir: &Path) -> Result<Vec<String>, BenchError> {
    let listed = std::fs::read_dir(dir).map_err(|error| {
        let dir = dir.display();
        BenchError::Usage(format!(
            "cannot read {dir}: {error}; run this in the repository, or give --figures DIR"
        ))
    })?;
    let files = listed.filter_map(|entry| Some(entry.ok()?.path()));
    let toml = files.filter(|file| file.extension().is_some_and(|extension| extension == "toml"));
    let mut ids: Vec<String> = toml.filter_map(|file| Some(file.file_stem()?.to_str()?.to_owned())).collect();
    ids.sort_by_key(|id| {
        (id.trim_start_matches(|c: char| !c.is_ascii_digit()).parse::<u32>().ok(), id.clone())
    });
    Ok(ids)
}

/// Runs, draws and keeps one figure.
async fn make(
    figure: Figure,
    args: &FigureArgs,
    (executable, data_dir): (&Path, &Path),
    interrupts: &mut Interrupts,
) -> Result<(), BenchError> {
    let Figure { id, file, read, planned, recovery } = figure;
    let environment = Environment::inspect(data_dir);
    let name = if args.quick { format!("{id}-quick") } else { id.clone() };
    let folder = Folder::create(&args.out, &environment.git_commit, &name)?;
    let measured = match measure(&id, planned, &folder, (executable, data_dir), interrupts).await {
        Ok(measured) => match &recovery {
            Some(recovery) => recover(recovery, measured, (executable, data_dir), interrupts).await,
            None => Ok(measured),
        },
        Err(error) => Err(error),
    };
    let Measured { runs, recovered, table_text, note } = match measured {
        Ok(measured) => measured,
        Err(error) => {
            folder.discard();
            return Err(error);
        }
    };
    let title = if args.quick { format!("{} (quick)", read.title) } else { read.title.clone() };
    let mut charts = Vec::new();
    let curves = recovered.iter().flat_map(RecoveryFigures::charts);
    for (number, (label, svg)) in read.drawing.draw(&title, &runs).into_iter().chain(curves).enumerate() {
        let chart = if number == 0 { "figure.svg".to_owned() } else { format!("figure-{}.svg", number + 1) };
        folder.write(&chart, svg.as_bytes())?;
        charts.push(json!({ "file": chart, "label": label }));
    }
    let summary = json!({
        "figure": id,
        "title": title,
        "quick": args.quick,
        "charts": charts,
        "recovery": recovered.as_ref().map(|found| json!({ "input": recovery, "found": found })),
        "runs": runs.iter().enumerate().map(told).collect::<Vec<Value>>(),
    });
    let input =
        std::fs::read_to_string(&file).map_err(BenchError::io(format!("reading {}", file.display())))?;
    let json = |value: &Value| format!("{value:#}\n");
    let files = [
        ("input.toml", input),
        ("env.json", json(&serde_json::to_value(&environment).expect("an environment is JSON"))),
        ("summary.json", json(&summary)),
        ("table.txt", format!("{title}\n\n{table_text}{note}")),
    ];
    let (nodes, clients) = (span(&runs, |row| row.nodes), span(&runs, |row| row.clients));
    let durability = runs.first().and_then(|run| run.rows.first()).map_or("", |row| &row.durability);
    folder.keep(&files, [&nodes, &clients, &id, durability, &title])?;
    print(&format!("{title}\n\n{table_text}{note}kept in {}\n", folder.path().display()))?;
    let empty = runs
        .iter()
        .flat_map(|run| &run.rows)
        .find(|row| row.repetitions.iter().any(|one| one.completed == 0));
    match empty {
        Some(row) => Err(BenchError::NothingCompleted { protocol: row.protocol.clone() }),
        None => Ok(()),
    }
}

/// All runs of a figure, one after the other; their histograms go to the folder.
async fn measure(
    id: &str,
    planned: Vec<Planned>,
    folder: &Folder,
    (executable, data_dir): (&Path, &Path),
    interrupts: &mut Interrupts,
) -> Result<Measured, BenchError> {
    let mut measured =
        Measured { runs: Vec::new(), recovered: None, table_text: String::new(), note: String::new() };
    let count = planned.len();
    for (index, mut planned) in planned.into_iter().enumerate() {
        let asked_cap = planned.scenario.cap_cpu;
        let note = cap::give_up_if_impossible(&mut planned.scenario)
            + &reference::leave_out_missing(&mut planned.scenario);
        if !measured.note.contains(&note) {
            measured.note.push_str(&note);
        }
        eprintln!("{id}, {} of {count}: {}", index + 1, planned.label());
        let rows = Runner::new(&planned.scenario, executable, data_dir, interrupts).run_all().await?;
        let ran = Ran::keep(folder, index, (planned, asked_cap), rows)?;
        let text = format!("== {} ==\n{}\n", ran.planned.label(), table::table(&ran.rows));
        measured.table_text.push_str(&text);
        measured.runs.push(ran);
    }
    Ok(measured)
}

/// How long nodes take to come back, beside the runs.
async fn recover(
    args: &RecoveryArgs,
    measured: Measured,
    places: (&Path, &Path),
    interrupts: &mut Interrupts,
) -> Result<Measured, BenchError> {
    let found = trials::measure_recovery(args, places, interrupts).await?;
    let RecoveryArgs { clients, payload, durability, repeat, .. } = args;
    let about = format!(
        "{clients} clients, values of {payload} B in the log, {durability}, medians of {repeat} restarts, no CPU caps"
    );
    let table_text = format!("{}== recovery: {about} ==\n{}\n", measured.table_text, found.table());
    Ok(Measured { recovered: Some(found), table_text, ..measured })
}

impl Ran {
    /// What came of run number `index`, with its histograms and its matrix in the folder.
    fn keep(
        folder: &Folder,
        index: usize,
        (planned, asked_cap): (Planned, Option<f64>),
        measured: Vec<(Row, Latencies)>,
    ) -> Result<Ran, BenchError> {
        let (rows, histograms): (Vec<Row>, Vec<Latencies>) = measured.into_iter().unzip();
        let mut latencies = Vec::new();
        for (row, repetitions) in rows.iter().zip(&histograms) {
            let mut all = histogram::empty();
            for (number, (one, window)) in repetitions.iter().enumerate() {
                all.add(one).map_err(|error| BenchError::Load(error.to_string()))?;
                let stem = format!("{}.{}.{}", index + 1, file_stem(&row.protocol), number + 1);
                folder.write(&format!("{stem}.hdr"), &histogram::to_log(one, *window))?;
            }
            latencies.push(all);
        }
        if let Some(geo) = &planned.scenario.distance {
            folder.write(&rtt_file(index), geo.to_csv().as_bytes())?;
        }
        Ok(Ran { planned, asked_cap, rows, latencies })
    }
}

/// The round-trip times of a run of a figure.
fn rtt_file(index: usize) -> String {
    format!("{}.rtt.csv", index + 1)
}

fn told((index, run): (usize, &Ran)) -> Value {
    let point: serde_json::Map<String, Value> = run
        .planned
        .point
        .iter()
        .map(|(knob, value)| (knob.clone(), serde_json::to_value(value).expect("a setting is JSON")))
        .collect();
    json!({
        "label": run.planned.label(),
        "variant": run.planned.variant,
        "point": point,
        "input": run.planned.scenario.to_toml(&rtt_file(index)),
        "rows": run.rows,
    })
}

/// The smallest and the largest of a figure's rows.
fn span(runs: &[Ran], of: impl Fn(&Row) -> usize) -> String {
    let all = || runs.iter().flat_map(|run| &run.rows).map(&of);
    match (all().min(), all().max()) {
        (Some(least), Some(most)) if least < most => format!("{least} to {most}"),
        (Some(only), _) => only.to_string(),
        _ => String::new(),
    }
}
