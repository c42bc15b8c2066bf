//! The checkpoint format: what goes in comes out, and nothing damaged passes.

#![allow(clippy::unwrap_used)]

use isegoria_log::{
    CHUNK_BYTES_MAX, CheckpointError, CheckpointReader, CheckpointWriter, FORMAT_VERSION, FormatError,
    Identity,
};
use std::io::{Read, Write};

const OWN: Identity = Identity { epoch: 0, cluster: 7, node: 1 };

type Sections = Vec<(u8, Vec<u8>)>;

fn encode(sections: &Sections) -> Vec<u8> {
    let mut writer = CheckpointWriter::new(Vec::new(), OWN, 4711).unwrap();
    for (tag, bytes) in sections {
        writer.section(*tag).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap()
}

fn decode(bytes: &[u8]) -> Result<Sections, CheckpointError> {
    let mut reader = CheckpointReader::new(bytes, OWN)?;
    assert_eq!(reader.position(), 4711);
    let mut sections = Vec::new();
    while let Some(tag) = reader.next_section()? {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes)?;
        sections.push((tag, bytes));
    }
    Ok(sections)
}

#[test]
fn sections_come_back_whole_and_in_order() {
    let large: Vec<u8> = (0..CHUNK_BYTES_MAX * 2 + 17).map(|i| u8::try_from(i % 251).unwrap()).collect();
    let exact = vec![5; CHUNK_BYTES_MAX];
    let sections = vec![(3, b"abc".to_vec()), (3, vec![]), (9, large), (0, exact), (255, vec![1])];
    assert_eq!(decode(&encode(&sections)).unwrap(), sections);
    assert_eq!(decode(&encode(&vec![])).unwrap(), vec![]);
}

#[test]
fn bytes_without_a_section_go_to_section_zero_and_unread_ones_are_skipped() {
    let mut writer = CheckpointWriter::new(Vec::new(), OWN, 4711).unwrap();
    writer.write_all(b"plain").unwrap();
    writer.section(4).unwrap();
    let bytes = writer.finish().unwrap();
    assert_eq!(decode(&bytes).unwrap(), vec![(0, b"plain".to_vec()), (4, vec![])]);
    let mut reader = CheckpointReader::new(&bytes[..], OWN).unwrap();
    let mut nothing = [0; 8];
    assert_eq!(reader.read(&mut nothing).unwrap(), 0, "no section was entered");
    assert_eq!(reader.next_section().unwrap(), Some(0));
    assert_eq!(reader.read(&mut nothing[..2]).unwrap(), 2);
    assert_eq!(reader.next_section().unwrap(), Some(4));
    assert_eq!(reader.next_section().unwrap(), None);
    assert_eq!(reader.next_section().unwrap(), None);
    assert_eq!(CheckpointReader::new(&bytes[..], OWN).unwrap().verify().unwrap(), 4711);
}

#[test]
fn every_flipped_bit_truncation_and_extension_is_an_error() {
    let bytes = encode(&vec![(1, b"first".to_vec()), (2, vec![0; 40])]);
    for cut in 0..bytes.len() {
        assert!(decode(&bytes[..cut]).is_err(), "cut at {cut}");
    }
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(decode(&flipped).is_err(), "bit {bit}");
    }
    assert!(decode(&[&bytes[..], &[0]].concat()).is_err());
}

#[test]
fn a_stranger_and_the_future_are_refused() {
    let mut bytes = encode(&vec![]);
    let other = Identity { node: 2, ..OWN };
    let refused = CheckpointReader::new(&bytes[..], other).unwrap_err();
    assert!(matches!(refused, CheckpointError::Format(FormatError::Identity { .. })), "{refused}");
    bytes[8] = 9;
    let refused = CheckpointReader::new(&bytes[..], OWN).unwrap_err().to_string();
    assert!(
        refused.contains("version 9") && refused.contains(&format!("version {FORMAT_VERSION}")),
        "{refused}"
    );
}
