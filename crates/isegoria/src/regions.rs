use crate::{ConfigFileError, GeoConfig, RttMatrix, from_toml};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// What the links between sites are like, beside their length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LinkQuality {
    /// What each way takes more, at most; drawn evenly for each departure, ms.
    pub jitter_ms: f64,
    /// The probability that a packet is lost and sent again a round trip later, 0..=0.5.
    pub loss: f64,
    /// What passes one way between two nodes, Mbit/s; as much as there is, if none.
    pub bandwidth_mbit: Option<f64>,
}

/// Where nodes can be, and how far it is from one place to another: a matrix of round-trip
/// times (CSV, see [`RttMatrix`]), or a TOML file such as those of `configs/regions`, which names a matrix and
/// chooses sites of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Regions {
    /// The round-trip times.
    pub matrix: RttMatrix,
    /// The site of each node, if they were chosen.
    pub sites: Option<Vec<String>>,
    /// What the links are like.
    pub quality: LinkQuality,
}

/// The TOML file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    /// The matrix, beside this file.
    rtt: PathBuf,
    sites: Option<Vec<String>>,
    #[serde(default)]
    jitter_ms: f64,
    #[serde(default)]
    loss: f64,
    bandwidth_mbit: Option<f64>,
}

impl Regions {
    /// Reads a file, a TOML file if its name ends so and a matrix if not.
    ///
    /// # Errors
    /// If it, or the matrix that it names, cannot be read or breaks a rule: one sentence with the cure.
    pub fn from_file(path: &Path) -> Result<Regions, ConfigFileError> {
        if path.extension().is_none_or(|extension| extension != "toml") {
            let matrix = RttMatrix::from_file(path)?;
            return Ok(Regions { matrix, sites: None, quality: LinkQuality::default() });
        }
        let refuse = |sentence: String| ConfigFileError(format!("{}: {sentence}", path.display()));
        let text = std::fs::read_to_string(path)
            .map_err(|error| ConfigFileError(format!("cannot read {}: {error}", path.display())))?;
        let File { rtt, sites, jitter_ms, loss, bandwidth_mbit } =
            from_toml(&text).map_err(|ConfigFileError(sentence)| refuse(sentence))?;
        let matrix = RttMatrix::from_file(&path.parent().unwrap_or(Path::new("")).join(rtt))?;
        for site in sites.iter().flatten() {
            matrix.rtt_ms(site, site).map_err(|ConfigFileError(sentence)| refuse(sentence))?;
        }
        Ok(Regions { matrix, sites, quality: LinkQuality { jitter_ms, loss, bandwidth_mbit } })
    }

    /// `count` nodes at the chosen sites, or at the first ones.
    ///
    /// # Errors
    /// If a site is unknown, there are more or fewer than nodes, or a link breaks a rule.
    pub fn place(&self, count: usize) -> Result<GeoConfig, ConfigFileError> {
        let sites = match &self.sites {
            Some(sites) => sites.clone(),
            None => self.matrix.sites().iter().take(count).cloned().collect(),
        };
        let row = |from: &String| sites.iter().map(|to| self.matrix.rtt_ms(from, to)).collect();
        let rtt_ms = sites.iter().map(row).collect::<Result<Vec<Vec<f64>>, _>>()?;
        let LinkQuality { jitter_ms, loss, bandwidth_mbit } = self.quality;
        let geo = GeoConfig { sites, rtt_ms, jitter_ms, loss, bandwidth_mbit };
        geo.check(count)?;
        Ok(geo)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MATRIX: &str = "region,a,b,c\na,0.2,60,70\nb,60,0.2,130\nc,70,130,0.2\n";

    fn read(text: &str) -> Result<Regions, ConfigFileError> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("rtt.csv"), MATRIX).unwrap();
        let file = dir.path().join("x.toml");
        std::fs::write(&file, text).unwrap();
        Regions::from_file(&file)
    }

    #[test]
    fn a_file_chooses_sites_of_the_matrix_beside_it() {
        let text = "rtt = \"rtt.csv\"\nsites = [\"c\", \"a\"]\nloss = 0.01\nbandwidth-mbit = 8\n";
        let regions = read(text).unwrap();
        let geo = regions.place(2).unwrap();
        assert_eq!((geo.sites.join(","), geo.round_trip_ms(0, 1)), ("c,a".to_owned(), 70.0));
        assert_eq!((geo.loss, geo.bandwidth_mbit, geo.jitter_ms), (0.01, Some(8.0), 0.0));
        let first = read("rtt = \"rtt.csv\"\n").unwrap();
        assert_eq!(first.place(2).unwrap().sites, ["a", "b"]);
    }

    #[test]
    fn a_bad_file_is_one_sentence_with_its_name() {
        let refusal = |text: &str, count| {
            let refused = read(text).and_then(|regions| regions.place(count)).unwrap_err().to_string();
            assert!(!refused.contains('\n'), "{refused}");
            refused
        };
        for (more, count, expected) in [
            ("sites = [\"a\", \"mars\"]", 2, "x.toml: unknown site `mars`"),
            ("colour = 1", 2, "x.toml: line 2: `colour = 1`: unknown field `colour`"),
            ("sites = [\"a\", \"b\"]", 3, "2 sites for 3 nodes"),
            ("loss = 0.7", 2, "geo.loss = 0.7"),
            ("bandwidth-mbit = 0", 2, "geo.bandwidth_mbit = 0"),
            ("jitter-ms = -1", 2, "geo.jitter_ms = -1"),
        ] {
            let said = refusal(&format!("rtt = \"rtt.csv\"\n{more}\n"), count);
            assert!(said.contains(expected), "{more}: {said}");
        }
        assert!(refusal("rtt = \"nowhere.csv\"", 2).contains("cannot read"));
        assert!(refusal("sites = []", 2).contains("missing field `rtt`"));
    }
}
