//! Notes the compiler that builds this crate, for the record of a run's environment.
#![allow(clippy::disallowed_methods)] // A build script reads its environment.

use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let compiler = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let version = Command::new(compiler).arg("--version").output().ok();
    let text = version.and_then(|output| String::from_utf8(output.stdout).ok()).unwrap_or_default();
    println!("cargo:rustc-env=ISEGORIA_RUSTC_VERSION={}", text.trim());
}
