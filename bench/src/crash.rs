use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// A node that is killed in the middle of a run, and is not started again: `n2@5`.
#[derive(Clone, Debug, PartialEq)]
pub struct Crash {
    /// The node's name.
    pub node: String,
    /// How long after the beginning of the measured window, s.
    pub at_s: f64,
}

impl FromStr for Crash {
    type Err = String;

    fn from_str(text: &str) -> Result<Crash, String> {
        let parsed = text.split_once('@').and_then(|(node, at)| Some((node, at.parse::<f64>().ok()?)));
        match parsed.filter(|(node, at_s)| !node.is_empty() && *at_s >= 0.0 && at_s.is_finite()) {
            Some((node, at_s)) => Ok(Crash { node: node.to_owned(), at_s }),
            None => Err(format!("crash = {text}: write NODE@SECONDS, such as n2@5")),
        }
    }
}

impl fmt::Display for Crash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.node, self.at_s)
    }
}

impl Serialize for Crash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Crash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Crash, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_written_as_it_is_read() {
        let crash: Crash = "n2@2.5".parse().unwrap();
        assert_eq!((crash.node.as_str(), crash.at_s, crash.to_string().as_str()), ("n2", 2.5, "n2@2.5"));
        for bad in ["n2", "n2@", "@3", "n2@-1", "n2@inf", "n2@soon"] {
            assert!(bad.parse::<Crash>().unwrap_err().contains("NODE@SECONDS"), "{bad}");
        }
    }
}
