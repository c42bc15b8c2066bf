use isegoria::{ConfigFileError, GeoConfig, Regions};
use std::path::PathBuf;

/// How far apart nodes are to be: a file of regions, and what flags say instead of it.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct WideArea {
    /// Emulate the distance between sites: regions (TOML), or round-trip times (CSV)
    #[arg(long, value_name = "FILE")]
    pub geo: Option<PathBuf>,
    /// The site of each node, separated by commas [default: those of the regions, or the first of the matrix]
    #[arg(long, value_name = "A,B", value_delimiter = ',', requires = "geo")]
    pub sites: Option<Vec<String>>,
    /// What each way between sites takes more, at most, ms
    #[arg(long, value_name = "MS", requires = "geo", allow_negative_numbers = true)]
    pub jitter_ms: Option<f64>,
    /// Probability that a packet between sites is lost, and sent again a round trip later
    #[arg(long, value_name = "R", requires = "geo", allow_negative_numbers = true)]
    pub loss: Option<f64>,
    /// What passes one way between two nodes, Mbit/s
    #[arg(long, value_name = "MBIT", requires = "geo", allow_negative_numbers = true)]
    pub bandwidth_mbit: Option<f64>,
}

impl WideArea {
    /// What the file and the flags say together; none without a file.
    ///
    /// # Errors
    /// If the file cannot be read or breaks a rule, or a flag says nothing without one.
    pub fn regions(self) -> Result<Option<Regions>, ConfigFileError> {
        let WideArea { geo, sites, jitter_ms, loss, bandwidth_mbit } = self;
        let Some(file) = geo else {
            let stray = [
                ("sites", sites.is_some()),
                ("jitter-ms", jitter_ms.is_some()),
                ("loss", loss.is_some()),
                ("bandwidth-mbit", bandwidth_mbit.is_some()),
            ];
            return match stray.into_iter().find(|(_, given)| *given) {
                Some((name, _)) => Err(ConfigFileError(format!(
                    "{name}: says nothing without distances; add --geo configs/regions/three.toml, or leave it out"
                ))),
                None => Ok(None),
            };
        };
        let mut regions = Regions::from_file(&file)?;
        regions.sites = sites.or(regions.sites);
        let quality = &mut regions.quality;
        quality.jitter_ms = jitter_ms.unwrap_or(quality.jitter_ms);
        quality.loss = loss.unwrap_or(quality.loss);
        quality.bandwidth_mbit = bandwidth_mbit.or(quality.bandwidth_mbit);
        Ok(Some(regions))
    }

    /// As [`WideArea::regions`], with `count` nodes put there.
    ///
    /// # Errors
    /// As there, or if the sites do not fit the nodes.
    pub fn place(self, count: usize) -> Result<Option<GeoConfig>, ConfigFileError> {
        self.regions()?.map(|regions| regions.place(count)).transpose()
    }
}
