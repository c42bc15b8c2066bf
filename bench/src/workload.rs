use crate::ycsb::{Letter, Ycsb};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

/// The most keys of a `zipf` workload and the largest pool: keys of one client lie above.
pub(crate) const SHARED_KEYS_MAX: u64 = 1 << 32;
/// The most keys that are written before anything is measured.
const PRELOADED_MAX: u64 = 10_000_000;

/// Which keys clients use, and for what. Every operation is a put, but for those of YCSB.
///
/// The literature means three different things by "conflict rate", so they have names.
/// Two commands conflict if they have the same key.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Workload {
    /// EPaxos (SOSP'13): with the conflict probability one fixed hot key, otherwise a
    /// fresh key that is never used again.
    Epaxos13,
    /// Atlas (EuroSys'20): with the conflict probability a key of a shared pool,
    /// otherwise the client's own key, again and again.
    Atlas20 {
        /// Number of keys in the pool.
        pool: u64,
    },
    /// Keys 0, 1, 2 … with probabilities proportional to 1, 2^-theta, 3^-theta … The
    /// conflict rate follows from that and is not a setting.
    Zipf {
        /// The skew; 0 is uniform.
        theta: f64,
        /// Number of keys.
        keys: u64,
    },
    /// A workload of YCSB.
    Ycsb(Ycsb),
}

/// Text that is no workload: one sentence with the cure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct WorkloadError(String);

impl Workload {
    /// Whether `--conflict` means anything to it.
    #[must_use]
    pub fn takes_conflict(&self) -> bool {
        !matches!(self, Workload::Zipf { .. } | Workload::Ycsb(_))
    }

    /// The name without options.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Workload::Epaxos13 => "epaxos13",
            Workload::Atlas20 { .. } => "atlas20",
            Workload::Zipf { .. } => "zipf",
            Workload::Ycsb(ycsb) => ycsb.letter.name(),
        }
    }

    /// The keys that have to be there before anything is measured.
    #[must_use]
    pub fn preloaded(&self) -> Range<u64> {
        match self {
            Workload::Ycsb(ycsb) => 0..ycsb.keys,
            _ => 0..0,
        }
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), WorkloadError> {
        let refuse = |what: &str| {
            Err(WorkloadError(format!("workload option `{key}={value}` of {}: {what}", self.name())))
        };
        let count = || value.parse().ok().filter(|count| (1..=SHARED_KEYS_MAX).contains(count));
        match (&*self, key) {
            (Workload::Atlas20 { .. }, "pool") => match count() {
                Some(pool) => *self = Workload::Atlas20 { pool },
                None => return refuse("give a number of keys from 1 to 4294967296"),
            },
            (Workload::Zipf { theta, .. }, "keys") => match count() {
                Some(keys) => *self = Workload::Zipf { theta: *theta, keys },
                None => return refuse("give a number of keys from 1 to 4294967296"),
            },
            (Workload::Zipf { keys, .. }, "theta") => match value.parse() {
                Ok(theta) if (0.0..=10.0).contains(&theta) => *self = Workload::Zipf { theta, keys: *keys },
                _ => return refuse("give a skew from 0 to 10, such as 0.99"),
            },
            (Workload::Ycsb(ycsb), "keys") => match value.parse() {
                Ok(keys) if (1..=PRELOADED_MAX).contains(&keys) => {
                    *self = Workload::Ycsb(Ycsb { keys, ..*ycsb });
                }
                _ => return refuse("give a number of records from 1 to 10000000"),
            },
            (Workload::Ycsb(ycsb), "theta") => match value.parse() {
                Ok(theta) if (0.0..=10.0).contains(&theta) => {
                    *self = Workload::Ycsb(Ycsb { theta, ..*ycsb });
                }
                _ => return refuse("give a skew from 0 to 10, such as 0.99"),
            },
            (Workload::Epaxos13, _) => return refuse("it has no options"),
            (Workload::Atlas20 { .. }, _) => return refuse("its only option is pool"),
            (Workload::Zipf { .. } | Workload::Ycsb(_), _) => {
                return refuse("its options are theta and keys");
            }
        }
        Ok(())
    }
}

impl FromStr for Workload {
    type Err = WorkloadError;

    fn from_str(text: &str) -> Result<Workload, WorkloadError> {
        let (name, options) = text.split_once(':').unwrap_or((text, ""));
        let mut workload = match name {
            "epaxos13" => Workload::Epaxos13,
            "atlas20" => Workload::Atlas20 { pool: 1 },
            "zipf" => Workload::Zipf { theta: 0.99, keys: 1_000_000 },
            _ => match Letter::ALL.into_iter().find(|letter| letter.name() == name) {
                Some(letter) => Workload::Ycsb(Ycsb { letter, keys: 100_000, theta: 0.99 }),
                None => {
                    return Err(WorkloadError(format!(
                        "unknown workload `{name}`; choose one of epaxos13, atlas20, zipf, ycsb-a to ycsb-f"
                    )));
                }
            },
        };
        for option in options.split(',').filter(|option| !option.is_empty()) {
            let (key, value) = option.split_once('=').ok_or_else(|| {
                WorkloadError(format!(
                    "workload option `{option}`: write it as key=value, such as zipf:theta=0.9,keys=1000"
                ))
            })?;
            workload.set(key, value)?;
        }
        Ok(workload)
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            Workload::Epaxos13 | Workload::Atlas20 { pool: 1 } => Ok(()),
            Workload::Atlas20 { pool } => write!(f, ":pool={pool}"),
            Workload::Zipf { theta, keys } | Workload::Ycsb(Ycsb { theta, keys, .. }) => {
                write!(f, ":theta={theta},keys={keys}")
            }
        }
    }
}

impl Serialize for Workload {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Workload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Workload, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_options_survive_a_round_trip() {
        for (text, printed) in [
            ("epaxos13", "epaxos13"),
            ("atlas20", "atlas20"),
            ("atlas20:pool=8", "atlas20:pool=8"),
            ("zipf", "zipf:theta=0.99,keys=1000000"),
            ("zipf:keys=10", "zipf:theta=0.99,keys=10"),
            ("zipf:theta=0", "zipf:theta=0,keys=1000000"),
        ] {
            let workload: Workload = text.parse().unwrap();
            assert_eq!(workload.to_string(), printed);
            assert_eq!(printed.parse(), Ok(workload));
            let json = serde_json::to_string(&workload).unwrap();
            assert_eq!(serde_json::from_str::<Workload>(&json).unwrap(), workload);
        }
    }

    #[test]
    fn a_refusal_names_the_cure() {
        for (text, expected) in [
            ("ycsb", "epaxos13, atlas20, zipf"),
            ("", "unknown workload ``"),
            ("zipf:theta", "key=value"),
            ("zipf:theta=-1", "from 0 to 10"),
            ("zipf:theta=NaN", "from 0 to 10"),
            ("zipf:keys=0", "from 1"),
            ("zipf:pool=1", "theta and keys"),
            ("atlas20:pool=0", "from 1"),
            ("epaxos13:pool=1", "no options"),
        ] {
            let sentence = text.parse::<Workload>().unwrap_err().to_string();
            assert!(sentence.contains(expected), "{sentence}");
        }
    }
}
