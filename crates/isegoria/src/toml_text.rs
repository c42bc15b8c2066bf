use crate::ConfigFileError;
use serde::de::DeserializeOwned;

/// Reads a configuration that is TOML: of a cluster, of regions, of a benchmark.
///
/// # Errors
/// If it does not parse: one sentence with the line that it stands in, and the cure.
pub fn from_toml<T: DeserializeOwned>(text: &str) -> Result<T, ConfigFileError> {
    toml::from_str(text).map_err(|error| ConfigFileError(sentence(text, &error)))
}

/// What does not parse, with the line that it stands in and the cure.
fn sentence(text: &str, error: &toml::de::Error) -> String {
    let message: Vec<&str> = error.message().split_whitespace().collect();
    let mut message = message.join(" ");
    for type_name in ["usize", "u64", "u32", "u16"] {
        message = message.replace(&format!("expected {type_name}"), "expected a whole number");
    }
    let span = error.span().unwrap_or_default();
    let line = text[..span.start].matches('\n').count();
    let shown: String = text.lines().nth(line).unwrap_or_default().trim().chars().take(80).collect();
    let line = line + 1;
    match (message.starts_with("missing field"), shown.starts_with('[')) {
        // What is missing stands nowhere; its table does.
        (true, true) => format!("line {line}: `{shown}`: {message}; add it below that line"),
        (true, false) => format!("{message}; add it above the first table"),
        _ if shown.is_empty() => format!("line {line}: {message}"),
        _ => format!("line {line}: `{shown}`: {message}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn what_does_not_parse_is_shown_with_its_line() {
        let said = |text: &str| from_toml::<BTreeMap<String, u16>>(text).unwrap_err().to_string();
        assert_eq!(
            said("a = 1\nb = \"x\""),
            "line 2: `b = \"x\"`: invalid type: string \"x\", expected a whole number"
        );
        assert!(said("a = ").starts_with("line 1: `a =`: "), "{}", said("a = "));
        assert_eq!(from_toml::<BTreeMap<String, u16>>("a = 1").unwrap()["a"], 1);
    }
}
