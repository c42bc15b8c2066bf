use crate::ConfigFileError;
use std::path::Path;

/// The longest round trip that is emulated, ms.
const RTT_MAX_MS: f64 = 10_000.0;
/// How far the two directions of a pair may differ: the larger by this share, or by so many ms.
const ASYMMETRY_SHARE: f64 = 0.1;
const ASYMMETRY_MS: f64 = 1.0;

/// Measured round-trip times between sites, ms.
///
/// Invariant: every pair is there, in both directions, and they agree up to a tenth or a
/// millisecond; none is negative, or more than ten seconds.
#[derive(Clone, Debug, PartialEq)]
pub struct RttMatrix {
    sites: Vec<String>,
    /// From the site of the row to that of the column.
    ms: Vec<Vec<f64>>,
}

impl RttMatrix {
    /// Reads a CSV file: a first line with any word and the sites, then a line a site with
    /// its name and the round-trip times to each of them, ms. Lines that begin with `#` are
    /// comments.
    ///
    /// # Errors
    /// If it cannot be read, or breaks a rule: one sentence with the pair and the cure.
    pub fn from_file(path: &Path) -> Result<RttMatrix, ConfigFileError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| ConfigFileError(format!("cannot read {}: {error}", path.display())))?;
        RttMatrix::from_csv(&text)
            .map_err(|ConfigFileError(sentence)| ConfigFileError(format!("{}: {sentence}", path.display())))
    }

    /// As [`RttMatrix::from_file`], from the text of the file.
    ///
    /// # Errors
    /// If it breaks a rule.
    pub fn from_csv(text: &str) -> Result<RttMatrix, ConfigFileError> {
        let mut reader = csv::ReaderBuilder::new()
            .comment(Some(b'#'))
            .flexible(true)
            .trim(csv::Trim::All)
            .from_reader(text.as_bytes());
        let bad = |error: csv::Error| ConfigFileError(format!("no table of round-trip times: {error}"));
        let sites: Vec<String> = reader.headers().map_err(bad)?.iter().skip(1).map(str::to_owned).collect();
        let twice = |(index, site): &(usize, &String)| sites[..*index].contains(*site);
        if let Some((_, site)) = sites.iter().enumerate().find(twice) {
            return Err(ConfigFileError(format!("site `{site}` is there twice; leave one out")));
        }
        let mut rows = Vec::new();
        for record in reader.records() {
            let record = record.map_err(bad)?;
            let mut cells = record.iter();
            let from = cells.next().unwrap_or_default().to_owned();
            rows.push((from, cells.map(str::to_owned).collect::<Vec<_>>()));
        }
        let row = |from: &String| {
            let cells = rows.iter().find(|(name, _)| name == from).map(|(_, cells)| cells);
            let cell = |(index, to): (usize, &String)| {
                milliseconds(
                    from,
                    to,
                    cells.and_then(|cells| cells.get(index)).map_or("", |cell| cell.as_str()),
                )
            };
            sites.iter().enumerate().map(cell).collect::<Result<Vec<f64>, _>>()
        };
        let ms = sites.iter().map(row).collect::<Result<Vec<_>, _>>()?;
        if let Some((stray, _)) = rows.iter().find(|(name, _)| !sites.contains(name)) {
            return Err(ConfigFileError(format!(
                "the line of `{stray}` has no column; name it in the first line, or leave it out"
            )));
        }
        let matrix = RttMatrix { sites, ms };
        matrix.check()?;
        Ok(matrix)
    }

    fn check(&self) -> Result<(), ConfigFileError> {
        if self.sites.is_empty() {
            return Err(ConfigFileError(
                "no site; the first line is `region,SITE,SITE…`, and each further one SITE,MS,MS…".to_owned(),
            ));
        }
        for (index, site) in self.sites.iter().enumerate() {
            for (other, there) in self.sites[..index].iter().zip(&self.ms[index]) {
                let back = self.ms[self.index(other)?][index];
                let difference = (there - back).abs();
                if difference > (ASYMMETRY_SHARE * there.max(back)).max(ASYMMETRY_MS) {
                    return Err(ConfigFileError(format!(
                        "{site} to {other} takes {there} ms and {other} to {site} {back}; a round trip is the same \
                         from both ends, so measure again, or write the mean into both"
                    )));
                }
            }
        }
        Ok(())
    }

    /// All sites, in the order of the file.
    #[must_use]
    pub fn sites(&self) -> &[String] {
        &self.sites
    }

    /// The time from `from` to `to` and back, ms.
    ///
    /// # Errors
    /// If one of them is not in the matrix; the sentence names those that are.
    pub fn rtt_ms(&self, from: &str, to: &str) -> Result<f64, ConfigFileError> {
        Ok(self.ms[self.index(from)?][self.index(to)?])
    }

    fn index(&self, site: &str) -> Result<usize, ConfigFileError> {
        self.sites.iter().position(|known| known == site).ok_or_else(|| {
            ConfigFileError(format!("unknown site `{site}`; choose some of {}", self.sites.join(", ")))
        })
    }
}

fn milliseconds(from: &str, to: &str, cell: &str) -> Result<f64, ConfigFileError> {
    if cell.is_empty() {
        return Err(ConfigFileError(format!(
            "nothing is said about {from} to {to}; add the round-trip time, ms"
        )));
    }
    match cell.parse::<f64>() {
        Ok(ms) if (0.0..=RTT_MAX_MS).contains(&ms) => Ok(ms),
        _ => Err(ConfigFileError(format!(
            "{from} to {to}: `{cell}` is no round-trip time; give milliseconds from 0 to {RTT_MAX_MS}"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "# from, to\nregion,a,b,c\na,0.1,60.2,70\nb,60.0,0.1,130\nc, 71 ,130.5,0.2\n";

    #[test]
    fn a_matrix_is_read_by_names() {
        let matrix = RttMatrix::from_csv(GOOD).unwrap();
        assert_eq!(matrix.sites(), ["a", "b", "c"]);
        assert_eq!((matrix.rtt_ms("b", "a"), matrix.rtt_ms("c", "a")), (Ok(60.0), Ok(71.0)));
        let rows_in_another_order = "region,a,b\nb,60,0.1\na,0.1,60\n";
        assert_eq!(RttMatrix::from_csv(rows_in_another_order).unwrap().rtt_ms("a", "b"), Ok(60.0));
    }

    #[test]
    fn every_refusal_is_one_sentence_with_the_pair() {
        let refusal = |text: &str| RttMatrix::from_csv(text).unwrap_err().to_string();
        for (text, expected) in [
            (GOOD.replace("60.2", "-60.2"), "a to b: `-60.2`"),
            (GOOD.replace("60.2", "NaN"), "a to b: `NaN`"),
            (GOOD.replace("60.2", "far"), "a to b: `far`"),
            (GOOD.replace("60.2", "1e9"), "a to b: `1e9`"),
            (GOOD.replace("60.2", ""), "nothing is said about a to b"),
            (GOOD.replace(",130\n", "\n"), "nothing is said about b to c"),
            (GOOD.replace("c, 71 ,130.5,0.2\n", ""), "nothing is said about c to a"),
            (GOOD.replace("60.2", "90"), "b to a takes 60 ms and a to b 90"),
            (GOOD.replace("a,b,c\n", "a,b,b\n"), "`b` is there twice"),
            (format!("{GOOD}d,1,1,1\n"), "the line of `d` has no column"),
            (String::new(), "no site"),
        ] {
            let sentence = refusal(&text);
            assert!(sentence.contains(expected) && !sentence.contains('\n'), "{text}: {sentence}");
        }
        let matrix = RttMatrix::from_csv(GOOD).unwrap();
        assert!(matrix.rtt_ms("a", "mars").unwrap_err().to_string().contains("choose some of a, b, c"));
    }
}
