use crate::ConfigFileError;
use isegoria_transport::Distance;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The longest round trip and the largest jitter, ms.
const MS_MAX: f64 = 10_000.0;
/// The most of the packets that may be lost: beyond half, a link hardly is one.
const LOSS_MAX: f64 = 0.5;
/// The narrowest and the widest link, Mbit/s.
const MBIT_RANGE: std::ops::RangeInclusive<f64> = 0.01..=1e6;

/// How far apart the nodes of a cluster are made to seem: `[geo]` of its configuration.
/// Links hold back what leaves for half of the round trip; the same for every protocol. What is
/// lost is sent again a round trip later, as over TCP, and holds up what follows.
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
    /// The probability that a packet is lost, 0..=0.5.
    #[serde(default)]
    pub loss: f64,
    /// What passes one way between two nodes, Mbit/s; as much as there is, if none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bandwidth_mbit: Option<f64>,
}

impl GeoConfig {
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
        if !(0.0..=LOSS_MAX).contains(&self.loss) {
            return refuse(format!("geo.loss = {}: give a probability from 0 to {LOSS_MAX}", self.loss));
        }
        if let Some(mbit) = self.bandwidth_mbit.filter(|mbit| !MBIT_RANGE.contains(mbit)) {
            let (least, most) = (MBIT_RANGE.start(), MBIT_RANGE.end());
            return refuse(format!("geo.bandwidth_mbit = {mbit}: give {least} to {most} Mbit/s"));
        }
        Ok(())
    }

    /// The time from one node to another and back, as links have it: half of what the matrix says of either
    /// direction, ms; 0 to oneself.
    #[must_use]
    pub fn round_trip_ms(&self, from: usize, to: usize) -> f64 {
        if from == to { 0.0 } else { f64::midpoint(self.rtt_ms[from][to], self.rtt_ms[to][from]) }
    }

    /// The matrix of these sites, as a file that [`crate::RttMatrix::from_csv`] reads.
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
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // At most a terabit a second.
        let bytes_per_s = self.bandwidth_mbit.map(|mbit| (mbit * 125_000.0) as u64);
        let distance = |to| match to {
            to if to == from => Distance::default(),
            to => Distance {
                one_way: ms(self.rtt_ms[from][to] / 2.0),
                jitter: ms(self.jitter_ms),
                loss: self.loss,
                bytes_per_s,
            },
        };
        (0..self.sites.len()).map(distance).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LinkQuality, Regions, RttMatrix};

    fn regions(sites: &[&str], jitter_ms: f64) -> Regions {
        let text = "region,a,b,c\na,0.2,60,70\nb,60,0.2,130\nc,70,130,0.2\n";
        let sites = sites.iter().map(|site| (*site).to_owned()).collect();
        let quality = LinkQuality { jitter_ms, bandwidth_mbit: Some(8.0), ..LinkQuality::default() };
        Regions { matrix: RttMatrix::from_csv(text).unwrap(), sites: Some(sites), quality }
    }

    #[test]
    fn nodes_are_as_far_apart_as_their_sites() {
        let geo = regions(&["c", "a", "a"], 4.0).place(3).unwrap();
        let ways: Vec<Duration> = geo.distances(1).iter().map(|distance| distance.one_way).collect();
        assert_eq!(ways, [35_000, 0, 100].map(Duration::from_micros), "two nodes at one site are near");
        let far = geo.distances(1)[0];
        assert_eq!((far.jitter, far.bytes_per_s), (Duration::from_millis(4), Some(1_000_000)));
        assert_eq!((geo.round_trip_ms(0, 1), geo.round_trip_ms(1, 1)), (70.0, 0.0));
        let written = RttMatrix::from_csv(&geo.to_csv()).unwrap();
        let again = Regions { matrix: written, ..regions(&["c", "a", "a"], 4.0) };
        assert_eq!(again.place(3).unwrap(), geo);
    }

    #[test]
    fn sites_and_nodes_are_as_many() {
        let refusal =
            |sites: &[&str], count, jitter| regions(sites, jitter).place(count).unwrap_err().to_string();
        assert!(refusal(&["a", "b"], 3, 0.0).contains("2 sites for 3 nodes"));
        assert!(refusal(&["a", "x"], 2, 0.0).contains("unknown site `x`"));
        assert!(refusal(&["a", "b"], 2, -1.0).contains("geo.jitter_ms"));
        let all = Regions { sites: None, ..regions(&[], 0.0) };
        assert!(all.place(4).unwrap_err().to_string().contains("3 sites for 4 nodes"));
    }
}
