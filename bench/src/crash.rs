use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// A node that is lost in the middle of a run, and does not come back: `n2@5` kills its process, so that the system
/// tells everybody at once that their connections are gone; `n2@5:silent` stops it, so that nobody is told
/// anything, as when a site is cut off.
#[derive(Clone, Debug, PartialEq)]
pub struct Crash {
    /// The node's name.
    pub node: String,
    /// How long after the beginning of the measured window, s.
    pub at_s: f64,
    /// Whether nobody is told.
    pub is_silent: bool,
}

impl Crash {
    /// What happens, for people.
    #[must_use]
    pub fn described(&self) -> String {
        format!("{} {}", self.node, if self.is_silent { "falls silent" } else { "is killed" })
    }
}

impl FromStr for Crash {
    type Err = String;

    fn from_str(text: &str) -> Result<Crash, String> {
        let (bare, is_silent) = text.strip_suffix(":silent").map_or((text, false), |bare| (bare, true));
        let parsed = bare.split_once('@').and_then(|(node, at)| Some((node, at.parse::<f64>().ok()?)));
        match parsed.filter(|(node, at_s)| !node.is_empty() && *at_s >= 0.0 && at_s.is_finite()) {
            Some((node, at_s)) => Ok(Crash { node: node.to_owned(), at_s, is_silent }),
            None => Err(format!("crash = {text}: write NODE@SECONDS, such as n2@5, or n2@5:silent")),
        }
    }
}

impl fmt::Display for Crash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}{}", self.node, self.at_s, if self.is_silent { ":silent" } else { "" })
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
        let silent: Crash = "n2@3:silent".parse().unwrap();
        assert!(silent.is_silent && silent.at_s == 3.0 && silent.to_string() == "n2@3:silent");
        for bad in ["n2", "n2@", "@3", "n2@-1", "n2@inf", "n2@soon"] {
            assert!(bad.parse::<Crash>().unwrap_err().contains("NODE@SECONDS"), "{bad}");
        }
    }
}
