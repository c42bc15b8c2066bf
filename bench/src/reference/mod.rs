//! Systems that others made, under the same clients, keys, values, links and shares of processors: rows to hold
//! ours against.
//!
//! Invariant: a row of a reference says which version it was and what it promises, for that is never quite what
//! we promise; one that is not installed is left out, and that is said. Not done here: references do not
//! crash, and nothing of them is recorded or simulated.

mod cluster;
pub(crate) mod etcd_calls;
mod etcd_members;
mod links;
mod owner;
mod redis_servers;

pub(crate) use cluster::ReferenceCluster;

use crate::{BenchError, Scenario};
use isegoria::{Durability, GeoConfig};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::process::Command;
use std::str::FromStr;

/// A system of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reference {
    /// A redis-server that takes everything, and one at each other node that follows it.
    Redis,
    /// An etcd member at each node.
    Etcd,
}

/// What there is, in the order of rows.
const ALL: [Reference; 2] = [Reference::Redis, Reference::Etcd];

impl Reference {
    /// The program that is run.
    fn program(self) -> &'static str {
        match self {
            Reference::Redis => "redis-server",
            Reference::Etcd => "etcd",
        }
    }

    /// The package of Debian that has it.
    fn package(self) -> &'static str {
        match self {
            Reference::Redis => "redis-server",
            Reference::Etcd => "etcd-server",
        }
    }

    /// What is installed: "redis-server 7.0.15"; none if nothing is.
    pub(crate) fn version(self) -> Option<String> {
        let output = Command::new(self.program()).arg("--version").output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let number = version_number(&text)?;
        Some(format!("{} {number}", self.program()))
    }

    /// What an answer means, for people.
    pub(crate) fn promise(self) -> &'static str {
        match self {
            Reference::Redis => {
                "n1 takes everything and answers before any other node has it: what it answered can be lost with n1, and nothing goes on without it"
            }
            Reference::Etcd => {
                "Raft, led by n1; a majority has synced what it answered, whatever --durability says"
            }
        }
    }

    /// When a write counts as done there.
    pub(crate) fn durability(self, asked: Durability) -> Durability {
        match self {
            Reference::Redis => asked,
            Reference::Etcd => Durability::Fsync,
        }
    }

    /// The least latency at each node, µs, if distance is emulated: with `led`, that of a protocol that n1 leads.
    pub(crate) fn limits_us(self, geo: &GeoConfig, led: Vec<f64>) -> Vec<f64> {
        match self {
            Reference::Redis => (0..geo.sites.len()).map(|site| geo.round_trip_ms(site, 0) * 1e3).collect(),
            Reference::Etcd => led,
        }
    }
}

/// The first word that begins like a version: `v=7.0.15`, `3.4.23`.
fn version_number(text: &str) -> Option<&str> {
    let words = text.split_whitespace().map(|word| word.trim_start_matches("v="));
    words.into_iter().find(|word| word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('.'))
}

/// Leaves out the references that are not installed, and says so by name.
pub(crate) fn leave_out_missing(scenario: &mut Scenario) -> String {
    let missing = |reference: &Reference| reference.version().is_none();
    let note = |reference: &Reference| {
        format!(
            "note: {reference} is left out, for {} is not installed, or does not say its --version; on Debian: apt-get install {}\n",
            reference.program(),
            reference.package()
        )
    };
    let notes = scenario.references.iter().filter(|one| missing(one)).map(note).collect();
    scenario.references.retain(|reference| !missing(reference));
    notes
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reference::Redis => "redis",
            Reference::Etcd => "etcd",
        })
    }
}

impl FromStr for Reference {
    type Err = BenchError;

    fn from_str(text: &str) -> Result<Reference, BenchError> {
        let found = ALL.into_iter().find(|reference| reference.to_string() == text);
        found.ok_or_else(|| {
            let names: Vec<String> = ALL.iter().map(Reference::to_string).collect();
            BenchError::Usage(format!(
                "references: there is no `{text}`; choose some of {}",
                names.join(", ")
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_what_programs_say() {
        let redis =
            "Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=d81b8ff71cfb150e";
        assert_eq!(version_number(redis), Some("7.0.15"));
        assert_eq!(
            version_number("etcd Version: 3.4.23\nGit SHA: Not provided\nGo Version: go1.19.8\n"),
            Some("3.4.23")
        );
        assert_eq!(version_number("no version of anything."), None);
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        for reference in ALL {
            assert_eq!(reference.to_string().parse::<Reference>().unwrap(), reference);
        }
        let sentence = "mysql".parse::<Reference>().unwrap_err().to_string();
        assert!(sentence.contains("choose some of redis, etcd"), "{sentence}");
    }
}
