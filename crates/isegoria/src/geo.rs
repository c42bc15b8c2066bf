use crate::{ConfigFileError, RttMatrix};
use isegoria_transport::Distance;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The longest round trip and the largest jitter, ms.
const MS_MAX: f64 = 10_000.0;

/// How far apart the nodes of a cluster are made to seem: `[geo]` of its configuration.
/// Links hold back what leaves for half of the round trip; the same for every protocol.
///
/// Not done here: nothing is lost, and bandwidth is not limited.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GeoConfig {
    /// The site of each node, in the order of the nodes. Several nodes may be at one.
    pub sites: Vec<String>,
    /// The round-trip time from the node of the row to that of the column, ms.
    pub rtt_ms: Vec<Vec<f64>>,
    /// What each way takes more, at most; drawn evenly for each departure, ms.
    #[serde(default)]
    pub jitter_ms: f64,
}

impl GeoConfig {
    /// `count` nodes at these sites of a matrix, or at its first ones.
    ///
    /// # Errors
    /// If a site is unknown, or there are more or fewer than nodes.
    pub fn new(
        matrix: &RttMatrix,
        sites: Option<&[String]>,
        count: usize,
        jitter_ms: f64,
    ) -> Result<GeoConfig, ConfigFileError> {
        let sites = match sites {
            Some(sites) => sites.to_vec(),
            None => matrix.sites().iter().take(count).cloned().collect(),
        };
        let row = |from: &String| sites.iter().map(|to| matrix.rtt_ms(from, to)).collect();
        let rtt_ms = sites.iter().map(row).collect::<Result<Vec<Vec<f64>>, _>>()?;
        let geo = GeoConfig { sites, rtt_ms, jitter_ms };
        geo.check(count)?;
        Ok(geo)
    }

    /// Checks every rule for a cluster of `count` nodes.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn check(&self, count: usize) -> Result<(), ConfigFileError> {
        let refuse = |sentence: String| Err(ConfigFileError(sentence));
        if self.sites.len() != count {
            let found = self.sites.len();
            return refuse(format!("geo.sites: {found} sites for {count} nodes; name the site of each node"));
        }
        if self.rtt_ms.len() != count || self.rtt_ms.iter().any(|row| row.len() != count) {
            return refuse(format!(
                "geo.rtt_ms: must be {count} rows of {count} round-trip times, one a node"
            ));
        }
        let is_time = |ms: &f64| (0.0..=MS_MAX).contains(ms);
        if let Some(ms) = self.rtt_ms.iter().flatten().find(|ms| !is_time(ms)) {
            return refuse(format!("geo.rtt_ms = {ms}: must be between 0 and {MS_MAX} ms"));
        }
        if !is_time(&self.jitter_ms) {
            return refuse(format!("geo.jitter_ms = {}: must be between 0 and {MS_MAX} ms", self.jitter_ms));
        }
        Ok(())
    }

    /// The time from one node to another and back, ms; 0 to oneself.
    #[must_use]
    pub fn round_trip_ms(&self, from: usize, to: usize) -> f64 {
        if from == to { 0.0 } else { self.rtt_ms[from][to] }
    }

    /// The matrix of these sites, as a file that [`RttMatrix::from_csv`] reads.
    #[must_use]
    pub fn to_csv(&self) -> String {
        let first = |index: &usize| !self.sites[..*index].contains(&self.sites[*index]);
        let indices: Vec<usize> = (0..self.sites.len()).filter(first).collect();
        let line = |name: &str, cells: Vec<String>| format!("{name},{}\n", cells.join(","));
        let mut text = line("region", indices.iter().map(|index| self.sites[*index].clone()).collect());
        for from in &indices {
            let cells = indices.iter().map(|to| self.rtt_ms[*from][*to].to_string());
            text.push_str(&line(&self.sites[*from], cells.collect()));
        }
        text
    }

    /// How far each node is from this one, in the order of the nodes.
    #[must_use]
    pub fn distances(&self, from: usize) -> Vec<Distance> {
        let ms = |ms: f64| Duration::from_secs_f64(ms / 1e3);
        let distance = |to| match to {
            to if to == from => Distance::default(),
            to => Distance { one_way: ms(self.rtt_ms[from][to] / 2.0), jitter: ms(self.jitter_ms) },
        };
        (0..self.sites.len()).map(distance).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix() -> RttMatrix {
        RttMatrix::from_csv("region,a,b,c\na,0.2,60,70\nb,60,0.2,130\nc,70,130,0.2\n").unwrap()
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn nodes_are_as_far_apart_as_their_sites() {
        let geo = GeoConfig::new(&matrix(), Some(&names(&["c", "a", "a"])), 3, 4.0).unwrap();
        let ways: Vec<Duration> = geo.distances(1).iter().map(|distance| distance.one_way).collect();
        assert_eq!(ways, [35_000, 0, 100].map(Duration::from_micros), "two nodes at one site are near");
        assert_eq!(geo.distances(1)[0].jitter, Duration::from_millis(4));
        assert_eq!((geo.round_trip_ms(0, 1), geo.round_trip_ms(1, 1)), (70.0, 0.0));
        assert_eq!(GeoConfig::new(&matrix(), None, 2, 0.0).unwrap().sites, ["a", "b"]);
        let written = RttMatrix::from_csv(&geo.to_csv()).unwrap();
        assert_eq!(GeoConfig::new(&written, Some(&geo.sites), 3, 4.0).unwrap(), geo);
    }

    #[test]
    fn sites_and_nodes_are_as_many() {
        let refusal = |sites: &[&str], count, jitter| {
            GeoConfig::new(&matrix(), Some(&names(sites)), count, jitter).unwrap_err().to_string()
        };
        assert!(refusal(&["a", "b"], 3, 0.0).contains("2 sites for 3 nodes"));
        assert!(refusal(&["a", "x"], 2, 0.0).contains("unknown site `x`"));
        assert!(refusal(&["a", "b"], 2, -1.0).contains("geo.jitter_ms"));
        assert!(
            GeoConfig::new(&matrix(), None, 4, 0.0).unwrap_err().to_string().contains("3 sites for 4 nodes")
        );
    }
}
