use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What a node's promises survive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// A power cut: every batch is synced before it counts.
    #[default]
    Fsync,
    /// A crash of the process, but not of the machine: written, not synced.
    Os,
    /// Nothing. The node must never come back under its old identity.
    Memory,
}

/// A word that is no durability.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "durability `{0}` is unknown; choose `fsync` (survives a power cut), `os` (survives a crash of the \
     process) or `memory` (survives nothing)"
)]
pub struct UnknownDurability(String);

impl FromStr for Durability {
    type Err = UnknownDurability;

    fn from_str(word: &str) -> Result<Durability, UnknownDurability> {
        match word {
            "fsync" => Ok(Durability::Fsync),
            "os" => Ok(Durability::Os),
            "memory" => Ok(Durability::Memory),
            other => Err(UnknownDurability(other.to_owned())),
        }
    }
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Durability::Fsync => "fsync",
            Durability::Os => "os",
            Durability::Memory => "memory",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_values_agree() {
        for durability in [Durability::Fsync, Durability::Os, Durability::Memory] {
            assert_eq!(durability.to_string().parse(), Ok(durability));
        }
        let refused = "disk".parse::<Durability>().unwrap_err().to_string();
        for word in ["disk", "fsync", "os", "memory"] {
            assert!(refused.contains(&format!("`{word}`")), "{refused}");
        }
    }
}
