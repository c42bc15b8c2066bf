use super::drawing::Drawing;
use crate::trials::RecoverySizes;
use crate::{BenchError, Knobs, RecoveryArgs, Scenario};
use serde::Deserialize;
use std::path::Path;
use toml::{Table, Value};

/// A figure's file: what is run, and how it is drawn.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct FigureFile {
    /// Above the chart.
    pub(crate) title: String,
    /// What is drawn.
    pub(crate) drawing: Drawing,
    /// What all runs have in common: the keys of a scenario.
    base: Table,
    /// Runs that differ in some of them; one without a name, if there is none.
    #[serde(default)]
    variant: Vec<Variant>,
    /// Each of these for each value, the last one fastest.
    #[serde(default)]
    sweep: Vec<Sweep>,
    /// How long nodes take to come back, beside the runs: with the protocols and nodes of the first of them, and
    /// else as `isegoria bench recovery` does it.
    recovery: Option<RecoverySizes>,
    /// What is different where it is to be quick.
    #[serde(default)]
    quick: Table,
}

#[derive(Clone, Debug, Deserialize)]
struct Variant {
    label: String,
    /// The keys of a scenario.
    #[serde(flatten)]
    knobs: Table,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sweep {
    /// A key of a scenario.
    knob: String,
    values: Vec<Value>,
    /// Fewer of them, where it is to be quick.
    quick: Option<Vec<Value>>,
}

/// One run of a figure.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    /// The variant's name; empty, if there is but one.
    pub(crate) variant: String,
    /// The swept keys and their values.
    pub(crate) point: Vec<(String, Value)>,
    pub(crate) scenario: Scenario,
}

impl FigureFile {
    /// Reads a figure's file.
    ///
    /// # Errors
    /// If it cannot be read or does not parse: one sentence with the file.
    pub(crate) fn read(file: &Path) -> Result<FigureFile, BenchError> {
        let refuse = |sentence: String| BenchError::Usage(format!("{}: {sentence}", file.display()));
        let text = std::fs::read_to_string(file).map_err(|error| refuse(error.to_string()))?;
        isegoria::from_toml(&text).map_err(|error| refuse(error.to_string()))
    }

    /// All runs, in order, with every rule checked.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub(crate) fn plan(&self, file: &Path, quick: bool) -> Result<Vec<Planned>, BenchError> {
        let nameless = vec![Variant { label: String::new(), knobs: Table::new() }];
        let variants = if self.variant.is_empty() { &nameless } else { &self.variant };
        let mut planned = Vec::new();
        for variant in variants {
            for point in self.points(quick) {
                let mut table = self.base.clone();
                table.extend(variant.knobs.clone());
                if quick {
                    table.extend(self.quick.clone());
                }
                table.extend(point.iter().cloned());
                let refuse = |sentence: String| BenchError::Usage(format!("{}: {sentence}", file.display()));
                let knobs: Knobs = table.try_into().map_err(|error: toml::de::Error| {
                    refuse(error.message().split_whitespace().collect::<Vec<_>>().join(" "))
                })?;
                let knobs = knobs.beside(file);
                let scenario = Scenario::new(knobs).map_err(|error| refuse(error.to_string()))?;
                if let Some(missing) = self.drawing.lacks(&scenario) {
                    return Err(refuse(missing.to_owned()));
                }
                planned.push(Planned { variant: variant.label.clone(), point, scenario });
            }
        }
        Ok(planned)
    }

    /// The trial that is asked for beside the runs, with every rule checked.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub(crate) fn recovery(
        &self,
        file: &Path,
        planned: &[Planned],
        quick: bool,
    ) -> Result<Option<RecoveryArgs>, BenchError> {
        let Some((sizes, first)) = self.recovery.as_ref().zip(planned.first()) else { return Ok(None) };
        let args = sizes.args(&first.scenario, quick);
        args.check().map_err(|error| BenchError::Usage(format!("{}: recovery: {error}", file.display())))?;
        Ok(Some(args))
    }

    /// Every choice of one value for each swept key.
    fn points(&self, quick: bool) -> Vec<Vec<(String, Value)>> {
        let mut points = vec![Vec::new()];
        for sweep in &self.sweep {
            let values = sweep.quick.as_ref().filter(|_| quick).unwrap_or(&sweep.values);
            let with = |point: &Vec<(String, Value)>, value: &Value| {
                let mut point = point.clone();
                point.push((sweep.knob.clone(), value.clone()));
                point
            };
            points = points
                .iter()
                .flat_map(|point| values.iter().map(|value| with(point, value)).collect::<Vec<_>>())
                .collect();
        }
        points
    }
}

impl Planned {
    /// What the run is called among those of its figure.
    pub(crate) fn label(&self) -> String {
        let point = self.point.iter().map(|(knob, value)| format!("{knob} {}", plain(value)));
        let words: Vec<String> =
            Some(self.variant.clone()).filter(|name| !name.is_empty()).into_iter().chain(point).collect();
        if words.is_empty() { "all".to_owned() } else { words.join(", ") }
    }

    /// The same where there is little room: of several swept keys the values alone.
    pub(crate) fn short_label(&self) -> String {
        if self.point.len() < 2 {
            return self.label();
        }
        let values = self.point.iter().map(|(_, value)| plain(value));
        let variant = Some(self.variant.clone()).filter(|name| !name.is_empty());
        variant.into_iter().chain(values).collect::<Vec<_>>().join(", ")
    }

    /// The swept value of a key as a number.
    pub(crate) fn number(&self, knob: &str) -> Option<f64> {
        let (_, value) = self.point.iter().find(|(name, _)| name == knob)?;
        #[allow(clippy::cast_precision_loss)] // A setting.
        value.as_float().or_else(|| value.as_integer().map(|number| number as f64))
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A run at this point of some sweep.
    pub(crate) fn planned(point: &[(&str, f64)]) -> Planned {
        let point = point.iter().map(|(knob, value)| ((*knob).to_owned(), Value::Float(*value))).collect();
        Planned { variant: String::new(), point, scenario: Scenario::new(Knobs::default()).unwrap() }
    }

    fn plan(text: &str, quick: bool) -> Result<Vec<Planned>, BenchError> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("F0.toml");
        std::fs::write(&file, text).unwrap();
        FigureFile::read(&file)?.plan(&file, quick)
    }

    const FILE: &str = r#"
        title = "a title"
        drawing = "curve"
        [base]
        protocols = ["multipaxos"]
        duration = 5
        [[variant]]
        label = "small"
        payload = 16
        [[variant]]
        label = "large"
        payload = 4096
        [[sweep]]
        knob = "conflict"
        values = [0.0, 0.1]
        [[sweep]]
        knob = "clients"
        values = [1, 2, 3]
        quick = [7]
        [quick]
        duration = 1
    "#;

    #[test]
    fn runs_are_variants_times_points() {
        let all = plan(FILE, false).unwrap();
        let found: Vec<(usize, f64, usize)> = all
            .iter()
            .map(|one| (one.scenario.payload, one.scenario.conflict, one.scenario.clients))
            .collect();
        assert_eq!(found.len(), 12);
        assert_eq!(found[..4], [(16, 0.0, 1), (16, 0.0, 2), (16, 0.0, 3), (16, 0.1, 1)]);
        assert_eq!(all[11].label(), "large, conflict 0.1, clients 3");
        assert_eq!((all[11].number("clients"), all[11].number("payload")), (Some(3.0), None));
        let quick = plan(FILE, true).unwrap();
        assert_eq!(quick.len(), 4);
        assert!(quick.iter().all(|one| one.scenario.clients == 7 && one.scenario.duration == 1.0));
    }

    #[test]
    fn a_bad_file_is_one_sentence() {
        for (from, to, expected) in [
            ("duration = 5", "durations = 5", "unknown field `durations`"),
            ("payload = 16", "payloads = 16", "unknown field `payloads`"),
            ("knob = \"conflict\"", "knob = \"conflicts\"", "unknown field `conflicts`"),
            ("title", "titles", "unknown field `titles`"),
            ("\"curve\"", "\"cake\"", "unknown variant `cake`"),
            ("0.1]", "7.0]", "conflict = 7"),
        ] {
            let said = plan(&FILE.replacen(from, to, 1), false).unwrap_err().to_string();
            assert!(said.contains(expected) && said.contains("F0.toml") && !said.contains('\n'), "{said}");
        }
    }
}
