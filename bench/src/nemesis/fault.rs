use super::kill::Kill;
use super::pause::Pause;
use crate::local_cluster::{ClusterError, LocalCluster};
use rand::Rng;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// What can be done to a cluster, by the name on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FaultKind {
    /// A node is killed and started again later.
    Kill,
    /// A node's process stands still for a while.
    Pause,
}

impl FaultKind {
    const ALL: [(&'static str, FaultKind); 2] = [("kill", FaultKind::Kill), ("pause", FaultKind::Pause)];

    /// A fault of this kind at `node`, with everything that is left to chance drawn.
    pub(crate) fn draw(self, node: usize, rng: &mut impl Rng) -> Fault {
        match self {
            FaultKind::Kill => Fault::Kill(Kill::draw(node, rng)),
            FaultKind::Pause => Fault::Pause(Pause::draw(node, rng)),
        }
    }
}

/// The kinds of faults of a run; none for a run without faults.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FaultKinds(Vec<FaultKind>);

impl FaultKinds {
    /// The kinds, without repetition.
    #[must_use]
    pub fn kinds(&self) -> &[FaultKind] {
        &self.0
    }
}

impl FromStr for FaultKinds {
    type Err = String;

    fn from_str(text: &str) -> Result<FaultKinds, String> {
        if text == "none" {
            return Ok(FaultKinds::default());
        }
        let mut kinds = Vec::new();
        for name in text.split(',') {
            let Some((_, kind)) = FaultKind::ALL.iter().find(|(known, _)| *known == name) else {
                let names = FaultKind::ALL.map(|(name, _)| name).join(", ");
                return Err(format!(
                    "unknown fault `{name}`; choose from {names}, separated by commas, or none"
                ));
            };
            kinds.push(*kind);
        }
        kinds.sort_unstable();
        kinds.dedup();
        Ok(FaultKinds(kinds))
    }
}

impl fmt::Display for FaultKinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name =
            |kind: &FaultKind| FaultKind::ALL.iter().find(|(_, other)| other == kind).map(|(name, _)| *name);
        let names: Vec<&str> = self.0.iter().filter_map(name).collect();
        f.write_str(if names.is_empty() { "none" } else { "" })?;
        f.write_str(&names.join(","))
    }
}

/// One fault, ready to be done. Its node counts as down from begin to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Kill(Kill),
    Pause(Pause),
}

impl Fault {
    /// Which node it hits, from 0.
    pub(crate) fn node(self) -> usize {
        match self {
            Fault::Kill(kill) => kill.node,
            Fault::Pause(pause) => pause.node,
        }
    }

    /// How long it lasts.
    pub(crate) fn length(self) -> Duration {
        match self {
            Fault::Kill(kill) => kill.down,
            Fault::Pause(pause) => pause.length,
        }
    }

    /// How many kills it takes part in, each with a start that follows.
    pub(crate) fn kill_count(self) -> usize {
        match self {
            Fault::Kill(kill) => 1 + usize::from(kill.again_after.is_some()),
            Fault::Pause(_) => 0,
        }
    }

    /// How many pauses it is.
    pub(crate) fn pause_count(self) -> usize {
        usize::from(matches!(self, Fault::Pause(_)))
    }

    pub(crate) async fn begin(self, cluster: &mut LocalCluster) {
        match self {
            Fault::Kill(kill) => kill.begin(cluster).await,
            Fault::Pause(pause) => pause.begin(cluster),
        }
    }

    /// Undoes it, and waits until its node serves again.
    pub(crate) async fn end(self, cluster: &mut LocalCluster) -> Result<(), ClusterError> {
        match self {
            Fault::Kill(kill) => kill.end(cluster).await,
            Fault::Pause(pause) => {
                pause.end(cluster);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_names_are_faults() {
        for (text, expected) in
            [("kill", "kill"), ("none", "none"), ("kill,kill", "kill"), ("pause,kill", "kill,pause")]
        {
            assert_eq!(text.parse::<FaultKinds>().unwrap().to_string(), expected);
        }
        for text in ["", "freeze", "kill,freeze", "kill,none", "Kill"] {
            let sentence = text.parse::<FaultKinds>().unwrap_err();
            assert!(sentence.contains("unknown fault") && sentence.contains("kill"), "{sentence}");
        }
    }
}
