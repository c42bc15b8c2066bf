//! Who may import whom (ARCHITECTURE.md): read from `cargo metadata`, so that an import
//! against the layers fails here and not in a review.
#![allow(clippy::disallowed_types)] // A test of the workspace: it reads its metadata.

use cargo_metadata::{DependencyKind, MetadataCommand, Package};
use std::collections::BTreeMap;

/// Each crate with its layer and the crates of the same layer that it may import.
const LAYERS: [(&str, u8, &[&str]); 25] = [
    ("isegoria-types", 0, &[]),
    ("isegoria-machine", 0, &["isegoria-types"]),
    ("isegoria-node", 0, &["isegoria-types"]),
    ("isegoria-depservice", 1, &[]),
    ("isegoria-acceptor", 1, &[]),
    ("isegoria-proposer", 1, &[]),
    ("isegoria-multileader", 1, &["isegoria-proposer"]),
    ("isegoria-replica", 1, &["isegoria-log"]),
    ("isegoria-session", 1, &[]),
    ("isegoria-log", 1, &[]),
    ("isegoria-kv", 1, &[]),
    ("isegoria-bpaxos", 2, &[]),
    ("isegoria-epaxos", 2, &[]),
    ("isegoria-multipaxos", 2, &[]),
    ("isegoria-check", 3, &[]),
    ("isegoria-sim", 3, &["isegoria-check"]),
    ("isegoria-storage", 4, &[]),
    ("isegoria-transport", 4, &[]),
    ("isegoria-runtime", 4, &["isegoria-storage", "isegoria-transport"]),
    ("isegoria-client", 4, &["isegoria-transport"]),
    ("isegoria-resp", 4, &["isegoria-client", "isegoria-transport"]),
    ("isegoria-admin", 4, &["isegoria-client", "isegoria-runtime", "isegoria-transport"]),
    ("isegoria", 5, &[]),
    ("isegoria-bench", 5, &["isegoria"]),
    ("isegoria-server", 5, &["isegoria", "isegoria-bench"]),
];

/// What the pure layers (0 to 2) may not depend on; a clock, dice or IO would come in with it.
const IMPURE: [&str; 9] =
    ["tokio", "tarpc", "rand", "rand_chacha", "socket2", "rustix", "mio", "tempfile", "parking_lot"];

fn layers() -> BTreeMap<&'static str, (u8, &'static [&'static str])> {
    LAYERS.iter().map(|(name, layer, peers)| (*name, (*layer, *peers))).collect()
}

/// The first thing that a package imports against the layers.
fn objection(package: &str, imports: &[&str]) -> Option<String> {
    let layers = layers();
    let Some((layer, peers)) = layers.get(package) else {
        return Some(format!("{package} has no layer; add it to LAYERS and to ARCHITECTURE.md"));
    };
    imports.iter().find_map(|import| {
        if *layer <= 2 && IMPURE.contains(import) {
            return Some(format!(
                "{package} (L{layer}) imports {import}: pure layers have no clock, dice or IO"
            ));
        }
        let (other, _) = layers.get(import)?;
        // L3 knows protocols only as type parameters, L4 not at all.
        let allowed = match layer {
            0..=2 => other < layer || peers.contains(import),
            3 | 4 => *other <= 1 || peers.contains(import),
            _ => other < layer || peers.contains(import),
        };
        (!allowed).then(|| format!("{package} (L{layer}) imports {import} (L{other})"))
    })
}

fn imports(package: &Package) -> Vec<&str> {
    let normal = package.dependencies.iter().filter(|dependency| dependency.kind == DependencyKind::Normal);
    normal.map(|dependency| dependency.name.as_str()).collect()
}

#[test]
fn imports_follow_the_layers() {
    let metadata = MetadataCommand::new().no_deps().exec().expect("cargo metadata");
    assert!(metadata.packages.len() >= LAYERS.len(), "every crate of the table exists");
    for package in &metadata.packages {
        assert_eq!(objection(&package.name, &imports(package)), None);
    }
}

#[test]
fn the_check_can_fail() {
    assert!(objection("isegoria-types", &["isegoria-node"]).is_some());
    assert!(objection("isegoria-bpaxos", &["isegoria-multipaxos"]).is_some());
    assert!(objection("isegoria-runtime", &["isegoria-bpaxos"]).is_some());
    assert!(objection("isegoria-replica", &["tokio"]).is_some());
    assert!(objection("isegoria-unheard-of", &[]).is_some());
    assert!(objection("isegoria-runtime", &["isegoria-node", "tokio"]).is_none());
}
