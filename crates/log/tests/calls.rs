//! What is called after what.

#![allow(clippy::unwrap_used)]

use isegoria_log::{Appender, Identity, Position, Repair, RepairCalls, SegmentHeader, WriteBatch, settle};
use std::collections::BTreeMap;
use std::ops::Range;

const OWN: Identity = Identity { epoch: 0, cluster: 7, node: 1 };

/// Notes what is written again and synced.
#[derive(Default)]
struct Calls {
    again: Vec<(Position, Range<Position>)>,
    synced: Vec<Position>,
    removed: Vec<Position>,
}

impl RepairCalls for Calls {
    type Error = ();

    fn remove_segment(&mut self, first: Position) -> Result<(), ()> {
        self.removed.push(first);
        Ok(())
    }

    fn extend(&mut self, _: &SegmentHeader) -> Result<(), ()> {
        Ok(())
    }

    fn cut(&mut self, _: &SegmentHeader, _: Position) -> Result<(), ()> {
        Ok(())
    }

    fn write_again(&mut self, segment: &SegmentHeader, range: Range<Position>) -> Result<(), ()> {
        self.again.push((segment.first, range));
        Ok(())
    }

    fn sync(&mut self, segment: &SegmentHeader) -> Result<(), ()> {
        self.synced.push(segment.first);
        Ok(())
    }

    fn sync_names(&mut self) -> Result<(), ()> {
        Ok(())
    }
}

fn segment(header: SegmentHeader) -> Vec<u8> {
    let mut bytes = header.encode().to_vec();
    bytes.resize(usize::try_from(header.segment_bytes).unwrap(), 0);
    bytes
}

/// A process that ended between the write that ends a segment and its sync: what it wrote
/// is in the cache, and the log ends at the beginning of the next segment, which was made
/// before. The next seal will say that all of the first one is durable.
#[test]
fn what_ends_a_segment_is_written_again_too() {
    let first = SegmentHeader { identity: OWN, first: 0, segment_bytes: 256 };
    let (mut appender, mut batch) = (Appender::new(first, first.first_frame()), WriteBatch::default());
    let mut segments = BTreeMap::from([(0, segment(first))]);
    let mut durable = 0;
    for _ in 0..3 {
        durable = appender.end();
        appender.append(|bytes| bytes.extend([1; 50])).unwrap();
        batch.clear();
        appender.take_into(&mut batch);
        let piece = batch.pieces().next().unwrap();
        let at = usize::try_from(piece.offset).unwrap();
        let to: &mut Vec<u8> = segments.get_mut(&piece.header.first).unwrap();
        to[at..at + piece.bytes.len()].copy_from_slice(piece.bytes);
        if batch.pieces().count() == 2 {
            break;
        }
    }
    segments.insert(256, segment(first.next()));
    let mut repair = Repair::new(OWN, 0);
    for (name, bytes) in &segments {
        repair.segment(*name, bytes).unwrap();
    }
    let tail = repair.finish().unwrap().unwrap();
    assert_eq!((tail.header.first, tail.durable), (256, durable), "the log ends in the second segment");
    let mut calls = Calls::default();
    settle(&tail, &[0, 256], &mut calls).unwrap();
    assert_eq!(calls.again, [(0, durable..256), (256, tail.end..tail.end)]);
    assert_eq!(calls.synced, [0, 256]);
    // A segment behind the end goes.
    let mut calls = Calls::default();
    settle(&tail, &[0, 256, 512], &mut calls).unwrap();
    assert_eq!(calls.removed, [512]);
}
