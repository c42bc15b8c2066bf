use isegoria::{ConfigFileError, ProtocolSpec};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// The protocols of a run, each with its options, in the order in which they run.
#[derive(Clone, Debug, PartialEq)]
pub struct ProtocolList(Vec<ProtocolSpec>);

impl ProtocolList {
    /// Every protocol that is built in, with default options.
    ///
    /// # Panics
    /// Never: a protocol's own name parses.
    #[must_use]
    pub fn all() -> ProtocolList {
        let specs =
            isegoria::protocols().iter().map(|protocol| protocol.name().parse().expect("a known name"));
        ProtocolList(specs.collect())
    }

    /// The protocols.
    pub fn iter(&self) -> std::slice::Iter<'_, ProtocolSpec> {
        self.0.iter()
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none, which no list that was parsed is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn of<'a>(parts: impl IntoIterator<Item = &'a str>) -> Result<ProtocolList, ConfigFileError> {
        let mut specs: Vec<ProtocolSpec> = Vec::new();
        for part in parts {
            let spec: ProtocolSpec = part.parse()?;
            if specs.iter().any(|other| other.to_string() == part) {
                return Err(ConfigFileError(format!(
                    "protocols: `{part}` is named twice; use --repeat to measure it more than once"
                )));
            }
            specs.push(spec);
        }
        if specs.is_empty() {
            return Err(ConfigFileError("protocols: name at least one, such as simple-bpaxos".to_owned()));
        }
        Ok(ProtocolList(specs))
    }
}

/// Splits at the commas behind which a protocol begins. Options contain commas too, but
/// an option is `key=value`, and a protocol's name has no `=`.
fn split(text: &str) -> Vec<&str> {
    let mut starts = vec![0];
    for (comma, _) in text.match_indices(',') {
        let next = &text[comma + 1..];
        let word = next.find([',', ':', '=']).map_or(next, |end| &next[..=end]);
        if !word.ends_with('=') {
            starts.push(comma + 1);
        }
    }
    let ends = starts.iter().skip(1).map(|start| start - 1).chain([text.len()]);
    starts.iter().zip(ends).map(|(start, end)| &text[*start..end]).collect()
}

impl FromStr for ProtocolList {
    type Err = ConfigFileError;

    fn from_str(text: &str) -> Result<ProtocolList, ConfigFileError> {
        ProtocolList::of(split(text))
    }
}

impl fmt::Display for ProtocolList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.0.iter().map(ProtocolSpec::to_string).collect();
        f.write_str(&names.join(","))
    }
}

impl Serialize for ProtocolList {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(ProtocolSpec::to_string))
    }
}

impl<'de> Deserialize<'de> for ProtocolList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ProtocolList, D::Error> {
        let names = Vec::<String>::deserialize(deserializer)?;
        ProtocolList::of(names.iter().map(String::as_str)).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_of_options_do_not_split() {
        for (text, expected) in [
            ("multipaxos", vec!["multipaxos"]),
            ("multipaxos,simple-bpaxos", vec!["multipaxos", "simple-bpaxos"]),
            ("multipaxos:leader=2,phase1=2,phase2=2", vec!["multipaxos:leader=2,phase1=2,phase2=2"]),
            (
                "multipaxos:leader=2,phase1=2,simple-bpaxos:quorum=grid-2x3,tick_ms=5,multipaxos",
                vec!["multipaxos:leader=2,phase1=2", "simple-bpaxos:quorum=grid-2x3,tick_ms=5", "multipaxos"],
            ),
            ("", vec![""]),
            ("a,,b", vec!["a", "", "b"]),
        ] {
            assert_eq!(split(text), expected);
        }
    }

    #[test]
    fn bad_lists_are_refused_with_a_sentence() {
        for (text, expected) in [
            ("raft-ish", "unknown protocol `raft-ish`; choose one of epaxos, atlas"),
            ("multipaxos,raft-ish", "unknown protocol `raft-ish`"),
            ("", "unknown protocol ``"),
            ("multipaxos,multipaxos", "--repeat"),
        ] {
            let sentence = text.parse::<ProtocolList>().unwrap_err().to_string();
            assert!(sentence.contains(expected), "{sentence}");
        }
    }

    #[test]
    fn the_list_survives_a_round_trip() {
        let list: ProtocolList = "multipaxos:leader=2,simple-bpaxos".parse().unwrap();
        assert_eq!(list.to_string().parse(), Ok(list.clone()));
        let json = serde_json::to_string(&list).unwrap();
        assert_eq!(json, r#"["multipaxos:leader=2","simple-bpaxos"]"#);
        assert_eq!(serde_json::from_str::<ProtocolList>(&json).unwrap(), list);
        assert_eq!(ProtocolList::all().len(), isegoria::protocols().len());
    }
}
