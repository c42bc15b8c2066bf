use super::namespaces::Namespaces;
use super::relays::Relays;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::str::FromStr;

/// From one node to another, by index: what the second hears of the first.
pub(crate) type Way = (usize, usize);

/// How links between nodes are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PartitionBy {
    /// Every node has a network namespace of its own, and a cut is a route into nothing.
    Namespaces,
    /// Every node reaches each other one through a relay in this process, which stops forwarding.
    Relays,
}

impl PartitionBy {
    const ALL: [(&'static str, PartitionBy); 2] =
        [("namespaces", PartitionBy::Namespaces), ("relays", PartitionBy::Relays)];
}

impl FromStr for PartitionBy {
    type Err = String;

    fn from_str(text: &str) -> Result<PartitionBy, String> {
        let found = PartitionBy::ALL.iter().find(|(name, _)| *name == text);
        found.map(|(_, by)| *by).ok_or_else(|| format!("unknown way `{text}`; choose namespaces or relays"))
    }
}

impl fmt::Display for PartitionBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = PartitionBy::ALL.iter().find(|(_, by)| by == self).map(|(name, _)| *name);
        f.write_str(name.unwrap_or_default())
    }
}

/// The links between the nodes.
#[derive(Debug)]
pub(crate) struct Network {
    by: Links,
    /// How many faults cut each way now.
    cuts: BTreeMap<Way, usize>,
}

#[derive(Debug)]
pub(crate) enum Links {
    Namespaces(Namespaces),
    Relays(Relays),
}

impl Network {
    pub(crate) fn new(by: Links) -> Network {
        Network { by, cuts: BTreeMap::new() }
    }

    pub(crate) fn by(&self) -> PartitionBy {
        match self.by {
            Links::Namespaces(_) => PartitionBy::Namespaces,
            Links::Relays(_) => PartitionBy::Relays,
        }
    }

    pub(crate) fn links(&self) -> &Links {
        &self.by
    }

    /// Cuts these ways, each once more.
    pub(crate) async fn cut(&mut self, ways: &[Way]) -> io::Result<()> {
        let mut fresh = Vec::new();
        for way in ways {
            let count = self.cuts.entry(*way).or_insert(0);
            *count += 1;
            fresh.extend((*count == 1).then_some(*way));
        }
        self.set(&fresh, false).await
    }

    /// Heals these ways, where nobody else cuts them.
    pub(crate) async fn heal(&mut self, ways: &[Way]) -> io::Result<()> {
        let mut healed = Vec::new();
        for way in ways {
            let count = self.cuts.entry(*way).or_insert(0);
            *count = count.saturating_sub(1);
            healed.extend((*count == 0).then_some(*way));
        }
        self.set(&healed, true).await
    }

    async fn set(&mut self, ways: &[Way], open: bool) -> io::Result<()> {
        match &mut self.by {
            Links::Namespaces(namespaces) => namespaces.set(ways, open).await,
            Links::Relays(relays) => {
                relays.set(ways, open);
                Ok(())
            }
        }
    }
}
