use crate::scenario::RTT_FILE;
use crate::{BenchError, Environment, Row, Scenario, histogram, table};
use hdrhistogram::Histogram;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Above the lines of the index.
const INDEX_HEAD: &str = "\
# Results

One folder a run: `input.toml` (what was asked for; `isegoria bench --config` takes it), `env.json` (where it ran),
`<protocol>.<repetition>.hdr` (latencies, HDR interval logs in microseconds), `summary.json` (all figures; what `--json`
prints) and `table.txt`. Throughput on one machine is not that of a cluster; see the folder's table.

| run | nodes | clients | workload | durability | ops/s and servers' CPU µs/cmd |
|---|---|---|---|---|---|
";

/// The folder of one run. Made when the run begins, so that a run whose results could
/// not be kept does not start.
#[derive(Debug)]
pub(crate) struct Folder {
    out: PathBuf,
    name: String,
}

/// What a folder holds in the end.
pub(crate) struct Contents<'a> {
    pub(crate) scenario: &'a Scenario,
    pub(crate) environment: &'a Environment,
    pub(crate) rows: &'a [Row],
    /// The latencies of each row's repetitions, and the length of the window.
    pub(crate) histograms: &'a [Vec<(Histogram<u64>, Duration)>],
}

impl Folder {
    /// Makes `<out>/<date>-<commit>-<name>`, with a number behind it if it exists.
    pub(crate) fn create(out: &Path, commit: &str, name: &str) -> Result<Folder, BenchError> {
        let made = |path: &Path| BenchError::io(format!("making the folder {}", path.display()));
        std::fs::create_dir_all(out).map_err(made(out))?;
        let base = format!("{}-{commit}-{name}", today());
        for number in 1.. {
            let name = if number == 1 { base.clone() } else { format!("{base}-{number}") };
            let path = out.join(&name);
            match std::fs::create_dir(&path) {
                Ok(()) => return Ok(Folder { out: out.to_path_buf(), name }),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(made(&path)(error)),
            }
        }
        unreachable!("some number is free")
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.out.join(&self.name)
    }

    /// Removes the folder of a run that came to nothing.
    pub(crate) fn discard(self) {
        // It was made by this very run.
        let _ = std::fs::remove_dir_all(self.path());
    }

    /// Writes everything, and a line into the index.
    pub(crate) fn fill(&self, contents: &Contents<'_>) -> Result<(), BenchError> {
        let json = |value: serde_json::Result<String>| value.expect("figures are JSON") + "\n";
        self.write("input.toml", contents.scenario.to_toml(RTT_FILE).as_bytes())?;
        if let Some(geo) = &contents.scenario.distance {
            self.write(RTT_FILE, geo.to_csv().as_bytes())?;
        }
        self.write("env.json", json(serde_json::to_string_pretty(contents.environment)).as_bytes())?;
        self.write("summary.json", json(serde_json::to_string_pretty(contents.rows)).as_bytes())?;
        self.write("table.txt", table::table(contents.rows).as_bytes())?;
        for (row, histograms) in contents.rows.iter().zip(contents.histograms) {
            for (index, (latencies, window)) in histograms.iter().enumerate() {
                let file = format!("{}.{}.hdr", file_stem(&row.protocol), index + 1);
                self.write(&file, &histogram::to_log(latencies, *window))?;
            }
        }
        self.append_to_index(&index_line(&self.name, contents.rows))
    }

    /// Writes the files of a trial, and a line into the index: what was run, and what came out.
    pub(crate) fn keep(&self, files: &[(&str, String)], about: [&str; 5]) -> Result<(), BenchError> {
        for (file, text) in files {
            self.write(file, text.as_bytes())?;
        }
        let name = &self.name;
        self.append_to_index(&format!("| [{name}]({name}/table.txt) | {} |\n", about.join(" | ")))
    }

    /// Writes a file of the folder.
    pub(crate) fn write(&self, file: &str, bytes: &[u8]) -> Result<(), BenchError> {
        let path = self.path().join(file);
        std::fs::write(&path, bytes).map_err(BenchError::io(format!("writing {}", path.display())))
    }

    fn append_to_index(&self, line: &str) -> Result<(), BenchError> {
        let path = self.out.join("README.md");
        let before = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => INDEX_HEAD.to_owned(),
            Err(error) => return Err(BenchError::io(format!("reading {}", path.display()))(error)),
        };
        std::fs::write(&path, with_row(&before, line))
            .map_err(BenchError::io(format!("writing {}", path.display())))
    }
}

/// The index with a row behind those that it has; what people wrote below them stays there.
fn with_row(index: &str, row: &str) -> String {
    let is_row = |line: &&str| line.starts_with("| [") || line.starts_with("|---");
    let table = index.split_inclusive('\n').skip_while(|line| !is_row(line)).take_while(is_row);
    let table_bytes: usize = table.map(str::len).sum();
    let start: usize = index.split_inclusive('\n').take_while(|line| !is_row(line)).map(str::len).sum();
    let (above, below) = index.split_at(start + table_bytes);
    format!("{above}{row}{below}")
}

fn index_line(name: &str, rows: &[Row]) -> String {
    let Some(first) = rows.first() else { return String::new() };
    let figure = |row: &Row| {
        let cpu = row.cpu_us_per_command.servers_total.map_or("–".to_owned(), |cpu| format!("{cpu:.1}"));
        format!("{} {:.0} / {cpu}", row.protocol, row.throughput_ops_s)
    };
    let conflict = first.conflict_configured.map(|share| format!(" {} %", share * 100.0)).unwrap_or_default();
    format!(
        "| [{name}]({name}/table.txt) | {} | {} | {}{conflict} | {} | {} |\n",
        first.nodes,
        first.clients,
        first.workload,
        first.durability,
        rows.iter().map(figure).collect::<Vec<_>>().join(", ")
    )
}

/// A protocol with its options as a file name.
pub(crate) fn file_stem(protocol: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '=') { c } else { '_' };
    protocol.chars().map(plain).collect()
}

/// Today's date in UTC, such as 2026-01-31.
fn today() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (year, month, day) = civil(seconds / 86_400);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Year, month and day of a number of days since 1970-01-01, in the Gregorian calendar:
/// counted from a 1 March, so that leap days come last in a year.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468; // since 0000-03-01
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (year, month) = (400 * era + year_of_era, month + 3);
    if month > 12 { (year + 1, month - 12, day) } else { (year, month, day) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Knobs;
    use crate::report::tests::row;

    #[test]
    fn dates_follow_each_other() {
        for (days, date) in [
            (0, (1970, 1, 1)),
            (59, (1970, 3, 1)),
            (789, (1972, 2, 29)),
            (11_016, (2000, 2, 29)),
            (11_017, (2000, 3, 1)),
            (20_088, (2024, 12, 31)),
            (20_089, (2025, 1, 1)),
        ] {
            assert_eq!(civil(days), date);
        }
        let mut last = civil(0);
        for days in 1..200_000 {
            let next = civil(days);
            assert!(next > last && (next.2 == last.2 + 1 || next.2 == 1), "{last:?}, {next:?}");
            last = next;
        }
    }

    #[test]
    fn a_folder_holds_what_the_index_says() {
        let out = tempfile::tempdir().unwrap();
        let rows = [row("multipaxos:leader=2,phase2=2", &[5.0, 6.0]), row("simple-bpaxos", &[1.0, 2.0])];
        let scenario = Scenario::new(Knobs::default()).unwrap();
        let environment = Environment::inspect(out.path());
        let histograms = vec![vec![(histogram::empty(), Duration::from_secs(2)); 2]; 2];
        for number in 1..=2 {
            let folder = Folder::create(out.path(), "abc", &scenario.name).unwrap();
            let suffix = if number == 1 { "" } else { "-2" };
            assert!(folder.name.ends_with(&format!("-abc-epaxos13-n3-c256{suffix}")), "{}", folder.name);
            let contents = Contents {
                scenario: &scenario,
                environment: &environment,
                rows: &rows,
                histograms: &histograms,
            };
            folder.fill(&contents).unwrap();
            let mut files: Vec<String> = std::fs::read_dir(folder.path())
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            files.sort();
            let expected = [
                "env.json",
                "input.toml",
                "multipaxos_leader=2_phase2=2.1.hdr",
                "multipaxos_leader=2_phase2=2.2.hdr",
                "simple-bpaxos.1.hdr",
                "simple-bpaxos.2.hdr",
                "summary.json",
                "table.txt",
            ];
            assert_eq!(files, expected);
            let knobs = Knobs::from_file(&folder.path().join("input.toml")).unwrap();
            assert_eq!(Scenario::new(knobs).unwrap(), scenario, "the input can be run again");
        }
        let index = std::fs::read_to_string(out.path().join("README.md")).unwrap();
        let lines: Vec<&str> = index.lines().filter(|line| line.starts_with("| [")).collect();
        assert_eq!(lines.len(), 2);
        assert!(
            lines[1].contains("| 3 | 256 | epaxos13 0 % | fsync | multipaxos:leader=2,phase2=2 6 / 10.0"),
            "{index}"
        );
        assert_eq!(index.matches("# Results").count(), 1);
    }

    #[test]
    fn the_index_in_the_repository_begins_like_a_new_one() {
        let index = Path::new(env!("CARGO_MANIFEST_DIR")).join("../results/README.md");
        assert!(std::fs::read_to_string(index).unwrap().starts_with(INDEX_HEAD));
    }

    #[test]
    fn a_row_comes_behind_the_others_and_above_what_people_wrote() {
        let index = format!("{INDEX_HEAD}| [a](a) | 1 |\n\nprose\n| no row\n");
        let expected = format!("{INDEX_HEAD}| [a](a) | 1 |\n| [b](b) | 2 |\n\nprose\n| no row\n");
        assert_eq!(with_row(&index, "| [b](b) | 2 |\n"), expected);
        assert_eq!(with_row(INDEX_HEAD, "| [b](b) |\n"), format!("{INDEX_HEAD}| [b](b) |\n"));
        assert_eq!(with_row("prose\n", "| [b](b) |\n"), "prose\n| [b](b) |\n");
    }

    #[test]
    fn an_empty_folder_can_be_discarded() {
        let out = tempfile::tempdir().unwrap();
        let folder = Folder::create(out.path(), "abc", "x").unwrap();
        let path = folder.path();
        folder.discard();
        assert!(!path.exists());
    }
}
