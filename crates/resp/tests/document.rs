//! `docs/resp.md` lists what is supported, and nothing else.
#![allow(clippy::disallowed_methods)] // A test of a file.

use isegoria_resp::{CONNECTION_COMMANDS, data_commands};
use std::collections::BTreeSet;

#[test]
fn the_document_lists_every_command() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/resp.md");
    let text = std::fs::read_to_string(path).expect("it is there");
    let table = text
        .split("## Commands")
        .nth(1)
        .expect("it is there")
        .split("Everything else")
        .next()
        .expect("it is there");
    // Options of a command are in brackets behind it.
    let mut outside = String::new();
    let mut depth = 0;
    for letter in table.chars() {
        depth += i32::from(letter == '(') - i32::from(letter == ')');
        if depth == 0 {
            outside.push(letter);
        }
    }
    let listed: BTreeSet<&str> = outside.split('`').skip(1).step_by(2).collect();
    let supported: BTreeSet<&str> = data_commands().chain(CONNECTION_COMMANDS).collect();
    assert_eq!(listed, supported);
}
