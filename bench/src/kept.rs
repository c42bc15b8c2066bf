use crate::{BenchError, Environment, Row};
use serde::Deserialize;
use serde_json::Value;
use std::path::Path;

/// A result folder, read again.
pub(crate) struct Kept {
    /// The folder's name.
    pub(crate) name: String,
    /// What was asked for.
    pub(crate) input: String,
    /// Where it ran, if it was kept.
    pub(crate) environment: Option<Environment>,
    /// The rows of each run; a comparison has one, a figure has several, a trial has none.
    pub(crate) runs: Vec<KeptRun>,
    /// What the figure shows.
    pub(crate) title: Option<String>,
    /// Whether it was made in a hurry.
    pub(crate) quick: bool,
    /// Charts, with what each shows.
    pub(crate) charts: Vec<(String, String)>,
    /// The table that people read.
    pub(crate) table: String,
}

/// A run of a folder.
#[derive(Debug, Deserialize)]
pub(crate) struct KeptRun {
    /// What it is called among those of a figure; empty, if there is only one.
    #[serde(default)]
    pub(crate) label: String,
    pub(crate) rows: Vec<Row>,
}

#[derive(Deserialize)]
struct FigureSummary {
    title: String,
    quick: bool,
    charts: Vec<Chart>,
    runs: Vec<KeptRun>,
}

#[derive(Deserialize)]
struct Chart {
    file: String,
    label: String,
}

impl Kept {
    /// Reads a folder.
    ///
    /// # Errors
    /// If there is none, or it is not one of `isegoria bench`.
    pub(crate) fn read(dir: &Path) -> Result<Kept, BenchError> {
        let refuse = |why: String| BenchError::Usage(format!("{}: {why}", dir.display()));
        let text = |file: &str| std::fs::read_to_string(dir.join(file));
        let summary = text("summary.json").map_err(|error| {
            refuse(format!(
                "no summary.json ({error}); give a folder that `isegoria bench` made, such as results/…"
            ))
        })?;
        let summary: Value =
            serde_json::from_str(&summary).map_err(|error| refuse(format!("summary.json: {error}")))?;
        let name =
            dir.canonicalize().ok().and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
        let mut kept = Kept {
            name: name.unwrap_or_else(|| dir.display().to_string()),
            input: text("input.toml").or_else(|_| text("input.json")).unwrap_or_default(),
            environment: text("env.json").ok().and_then(|env| serde_json::from_str(&env).ok()),
            runs: Vec::new(),
            title: None,
            quick: false,
            charts: Vec::new(),
            table: text("table.txt").unwrap_or_default(),
        };
        if let Ok(rows) = serde_json::from_value::<Vec<Row>>(summary.clone()) {
            kept.runs.push(KeptRun { label: String::new(), rows });
        } else if let Ok(figure) = serde_json::from_value::<FigureSummary>(summary) {
            kept.runs = figure.runs;
            kept.title = Some(figure.title);
            kept.quick = figure.quick;
            for Chart { file, label } in figure.charts {
                // A name, and no way out of the folder.
                if !file.contains('/') {
                    let svg = text(&file).map_err(|error| refuse(format!("{file}: {error}")))?;
                    kept.charts.push((label, svg));
                }
            }
        }
        Ok(kept)
    }
}
