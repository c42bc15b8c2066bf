//! How trials tell of the rules that their runs kept or broke.

/// The sentences of all runs, each with the protocol that it is about.
pub(crate) fn broken<'a>(runs: impl IntoIterator<Item = (&'a str, &'a [String])>) -> Vec<String> {
    let named = |(protocol, broken): (&'a str, &'a [String])| {
        broken.iter().map(move |rule| format!("{protocol}: {rule}"))
    };
    runs.into_iter().flat_map(named).collect()
}

/// What a table says of one run.
pub(crate) fn told(broken: &[String]) -> String {
    if broken.is_empty() { "every rule is kept".to_owned() } else { broken.join("; ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_broken_rule_is_told_with_its_protocol() {
        let [none, two] = [vec![], vec!["a".to_owned(), "b".to_owned()]];
        assert_eq!(broken([("x", &none[..]), ("y", &two[..])]), ["y: a", "y: b"]);
        assert_eq!([told(&none), told(&two)], ["every rule is kept", "a; b"]);
    }
}
