//! The bytes of a data directory, byte for byte, one file a format version. A difference
//! here is a format that old directories do not have: raise `FORMAT_VERSION`, then file
//! the new bytes with `GOLDEN=bless cargo test -p isegoria-log --test format`.

#![allow(clippy::unwrap_used, clippy::disallowed_types, clippy::disallowed_methods)] // A test of files.

use isegoria_log::{Appender, CheckpointWriter, FORMAT_VERSION, Identity, SegmentHeader, WriteBatch};
use std::io::Write;
use std::path::Path;

const OWN: Identity = Identity { epoch: 0, cluster: 0xC1, node: 2 };

fn compare(name: &str, bytes: &[u8]) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/format/v{FORMAT_VERSION}.{name}"));
    if std::env::var("GOLDEN").as_deref() == Ok("bless") {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, bytes).unwrap();
    }
    let filed = std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    assert_eq!(bytes, filed, "the format changed and its version did not");
}

/// Three records in two batches over two segments, sealed.
#[test]
fn segments() {
    let header = SegmentHeader { identity: OWN, first: 0, segment_bytes: 256 };
    let mut appender = Appender::new(header, header.first_frame());
    let mut bytes = Vec::new();
    for records in [&[&b"one"[..], b"two"][..], &[&[7; 120]]] {
        for record in records {
            appender.append(|buffer| buffer.extend_from_slice(record)).unwrap();
        }
        let mut batch = WriteBatch::default();
        appender.take_into(&mut batch);
        for piece in batch.pieces() {
            let at = usize::try_from(piece.header.first + piece.offset).unwrap();
            bytes.resize(bytes.len().max(at + piece.bytes.len()), 0);
            let begins = usize::try_from(piece.header.first).unwrap();
            bytes[begins..begins + 64].copy_from_slice(&piece.header.encode());
            bytes[at..at + piece.bytes.len()].copy_from_slice(piece.bytes);
        }
    }
    compare("segments", &bytes);
}

#[test]
fn checkpoint() {
    let mut writer = CheckpointWriter::new(Vec::new(), OWN, 4711).unwrap();
    for (tag, bytes) in [(1, &b"records"[..]), (2, b"snapshot")] {
        writer.section(tag).unwrap();
        writer.write_all(bytes).unwrap();
    }
    compare("checkpoint", &writer.finish().unwrap());
}
