use crate::ConfigFileError;
use isegoria_types::{GridDependency, QuorumSystem};
use std::fmt;
use std::str::FromStr;
use toml::{Table, Value};

/// A protocol as it is named on the command line: `multipaxos:leader=2,phase2=2`.
///
/// The options `quorum`, `phase1`, `phase2` and `dependency` choose the quorum system, `apart` who does what;
/// the others belong to the protocol.
#[derive(Clone, Debug, PartialEq)]
pub struct ProtocolSpec {
    /// One of the names of [`crate::protocols`].
    pub name: String,
    /// The protocol's own options.
    pub options: Table,
    /// The quorum system, if one was chosen.
    pub quorum: Option<QuorumSystem>,
    /// So many nodes, the first ones, lead, propose and execute, and the others are the dependency service and the
    /// acceptors; if none, every node does everything.
    pub apart: Option<usize>,
    text: String,
}

impl fmt::Display for ProtocolSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for ProtocolSpec {
    type Err = ConfigFileError;

    fn from_str(text: &str) -> Result<ProtocolSpec, ConfigFileError> {
        let (name, rest) = text.split_once(':').unwrap_or((text, ""));
        crate::protocol(name)?;
        let mut options = Table::new();
        for option in rest.split(',').filter(|option| !option.is_empty()) {
            let (key, value) = option.split_once('=').ok_or_else(|| {
                ConfigFileError(format!(
                    "protocol option `{option}`: write it as key=value, such as {name}:key=1"
                ))
            })?;
            options.insert(key.to_owned(), parse_value(value));
        }
        let quorum = take_quorum(&mut options)?;
        let apart = take_count(&mut options, "apart")?;
        Ok(ProtocolSpec { name: name.to_owned(), options, quorum, apart, text: text.to_owned() })
    }
}

fn parse_value(text: &str) -> Value {
    if let Ok(number) = text.parse::<i64>() {
        return Value::Integer(number);
    }
    match text {
        "true" => Value::Boolean(true),
        "false" => Value::Boolean(false),
        _ => Value::String(text.to_owned()),
    }
}

/// Takes an option that is a number of nodes.
fn take_count(options: &mut Table, key: &str) -> Result<Option<usize>, ConfigFileError> {
    match options.remove(key) {
        None => Ok(None),
        Some(Value::Integer(number)) if number > 0 => Ok(usize::try_from(number).ok()),
        Some(other) => Err(ConfigFileError(format!("{key} = {other}: give a number of nodes, at least 1"))),
    }
}

/// Takes the options that choose a quorum system out of a protocol's options.
fn take_quorum(options: &mut Table) -> Result<Option<QuorumSystem>, ConfigFileError> {
    let mut count = |key: &str| take_count(options, key);
    let counts = (count("phase1")?, count("phase2")?, count("dependency")?);
    let named = match options.remove("quorum") {
        None => None,
        Some(Value::String(text)) => Some(parse_system(&text)?),
        Some(other) => return Err(unknown_system(&other.to_string())),
    };
    match (named, counts) {
        (named, (None, None, None)) => Ok(named),
        (None, (Some(phase1), Some(phase2), dependency)) => {
            Ok(Some(QuorumSystem::Counts { phase1, phase2, dependency }))
        }
        _ => Err(ConfigFileError(
            "quorum: give phase1 and phase2 together (and dependency, if it is no majority), or quorum=… alone"
                .to_owned(),
        )),
    }
}

fn unknown_system(text: &str) -> ConfigFileError {
    ConfigFileError(format!(
        "quorum = {text}: choose majority, grid-RxC, majority-without-NODE or tie-breaker-NODE, such as grid-2x3"
    ))
}

fn parse_system(text: &str) -> Result<QuorumSystem, ConfigFileError> {
    if text == "majority" {
        return Ok(QuorumSystem::Majority);
    }
    if let Some(node) = text.strip_prefix("majority-without-") {
        return Ok(QuorumSystem::MajorityWithout { node: node.to_owned() });
    }
    if let Some(node) = text.strip_prefix("tie-breaker-") {
        return Ok(QuorumSystem::TieBreaker { node: node.to_owned() });
    }
    let shape = text.strip_prefix("grid-").and_then(|shape| shape.split_once('x'));
    match shape.map(|(rows, columns)| (rows.parse(), columns.parse())) {
        Some((Ok(rows), Ok(columns))) => {
            Ok(QuorumSystem::Grid { rows, columns, dependency: GridDependency::RowAndColumn })
        }
        _ => Err(unknown_system(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        text.parse::<ProtocolSpec>().unwrap_err().to_string()
    }

    #[test]
    fn options_follow_a_colon() {
        let spec: ProtocolSpec = "multipaxos:leader=2,election_ms=500".parse().unwrap();
        assert_eq!((spec.name.as_str(), spec.options["leader"].as_integer()), ("multipaxos", Some(2)));
        assert_eq!(spec.to_string(), "multipaxos:leader=2,election_ms=500");
        let spec: ProtocolSpec = "multipaxos:phase1=3,phase2=2".parse().unwrap();
        assert_eq!(spec.quorum, Some(QuorumSystem::Counts { phase1: 3, phase2: 2, dependency: None }));
        let spec: ProtocolSpec = "simple-bpaxos:quorum=grid-2x3".parse().unwrap();
        assert!(matches!(spec.quorum, Some(QuorumSystem::Grid { rows: 2, columns: 3, .. })));
        assert!(spec.options.is_empty());
        let spec: ProtocolSpec = "simple-bpaxos:apart=2".parse().unwrap();
        assert_eq!((spec.apart, spec.options.is_empty()), (Some(2), true));
    }

    #[test]
    fn a_refusal_names_the_option_and_the_cure() {
        assert!(refusal("multipaxos:leader").contains("key=value"));
        assert!(refusal("raft-ish").contains("simple-bpaxos"), "the known names are listed");
        assert!(refusal("multipaxos:phase1=3").contains("phase2"));
        assert!(refusal("multipaxos:phase1=x,phase2=1").contains("phase1"));
        assert!(refusal("simple-bpaxos:quorum=ring").contains("grid-2x3"));
    }
}
