//! The traces on file.
#![allow(clippy::disallowed_methods)] // Reading and blessing files is what this module is for.

use isegoria_sim::script::first_difference;
use std::path::PathBuf;

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// Compares a trace with the one on file, or files it if `GOLDEN=bless` is set.
pub(crate) fn compare(name: &str, trace: &str) {
    let file = directory().join(format!("{name}.txt"));
    if std::env::var("GOLDEN").is_ok_and(|value| value == "bless") {
        std::fs::write(&file, trace).unwrap_or_else(|error| panic!("writing {}: {error}", file.display()));
        return;
    }
    let expected = std::fs::read_to_string(&file).unwrap_or_default();
    if let Some(difference) = first_difference(&expected, trace) {
        panic!(
            "the trace of {name} is not the one on file (-), at {difference}\
             If the new one is right: GOLDEN=bless cargo test -p isegoria-sim --test golden"
        );
    }
}

/// The names of all traces on file.
pub(crate) fn names() -> Vec<String> {
    let entries = std::fs::read_dir(directory()).expect("the directory of traces");
    let paths = entries.map(|entry| entry.expect("an entry of the directory of traces").path());
    let traces = paths.filter(|path| path.extension().is_some_and(|extension| extension == "txt"));
    traces.map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned()).collect()
}
