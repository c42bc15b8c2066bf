//! Each planted bug still applies to the tree, says what it is, and names what must kill
//! it. `scripts/mutants` shows that it does.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // A test of files.

use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the workspace")
}

fn patches() -> Vec<PathBuf> {
    let folder = root().join("crates/sim/mutants");
    let entries = std::fs::read_dir(&folder).expect("the folder of mutants");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}

fn applies(patch: &Path) -> bool {
    let status = Command::new("git").args(["apply", "--check"]).arg(patch).current_dir(root()).status();
    status.expect("git, which this test needs").success()
}

#[test]
fn each_mutant_applies() {
    let failing: Vec<PathBuf> = patches().into_iter().filter(|patch| !applies(patch)).collect();
    assert!(failing.is_empty(), "make these again: {failing:?}");
    assert!(patches().len() >= 30);
}

#[test]
fn each_mutant_names_its_killer() {
    let golden = root().join("crates/sim/tests/golden");
    for file in patches() {
        let text = std::fs::read_to_string(&file).expect("a patch");
        let mut lines = text.lines();
        let says = lines.next().is_some_and(|line| line.starts_with("# mutant: "));
        let killer: Vec<&str> = lines
            .next()
            .and_then(|line| line.strip_prefix("# killed-by: "))
            .map(|words| words.split(' ').collect())
            .unwrap_or_default();
        let known = match killer.as_slice() {
            ["golden", script] => golden.join(format!("{script}.txt")).exists(),
            ["sim", protocol, ..] => {
                ["simple-bpaxos", "unanimous-bpaxos", "atlas", "epaxos", "multipaxos"].contains(protocol)
            }
            ["test", package, _] => package.starts_with("isegoria-"),
            _ => false,
        };
        assert!(says && known, "{}: {killer:?}", file.display());
    }
}

#[test]
fn a_patch_that_does_not_apply_is_seen() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("stale.patch");
    let stale =
        "--- a/README.md\n+++ b/README.md\n@@ -1,1 +1,1 @@\n-nobody ever wrote this line\n+nor this\n";
    std::fs::write(&file, stale).expect("a file");
    assert!(!applies(&file));
}
