//! What a checkpoint of a node process holds, in the log's checkpoint format: a section
//! of the node's records, and one of the replica's snapshot where there is a replica.
//!
//! Reading one that somebody else wrote ends in an error, never in a panic.

use crate::snapshot::REPLICA_SECTION;
use crate::{Beside, Replica};
use isegoria_log::{CheckpointReader, CheckpointWriter};
use isegoria_node::Node;
use std::io::{self, Read, Write};

/// The section of a checkpoint with the node's records.
const NODE_SECTION: u8 = 1;
/// The process as it is now, to be written beside running work.
pub fn freeze_process<N: Node, W: Write>(
    node: &N,
    beside: &Beside,
) -> impl FnOnce(&mut CheckpointWriter<W>) -> io::Result<()> + Send + use<N, W> {
    let mut records = Vec::new();
    node.checkpoint(&mut records);
    let replica = beside.replica().map(Replica::freeze);
    move |sink| {
        sink.section(NODE_SECTION)?;
        let mut encoded = Vec::new();
        for record in &records {
            encoded.clear();
            encoded = postcard::to_extend(record, encoded).map_err(io::Error::other)?;
            sink.write_all(&(encoded.len() as u64).to_le_bytes())?;
            sink.write_all(&encoded)?;
        }
        if let Some(replica) = replica {
            sink.section(REPLICA_SECTION)?;
            replica(sink)?;
        }
        Ok(())
    }
}

/// Brings a fresh process to where a checkpoint was taken; the number of records.
///
/// # Errors
/// If reading fails, or the content is not that of a checkpoint of this protocol.
pub fn restore_process<N: Node, R: Read>(
    mut reader: CheckpointReader<R>,
    node: &mut N,
    beside: &mut Beside,
) -> io::Result<u64> {
    let mut count = 0;
    while let Some(tag) = reader.next_section().map_err(io::Error::other)? {
        match (tag, &mut *beside) {
            (NODE_SECTION, _) => count += restore_node(&mut reader, node)?,
            (REPLICA_SECTION, Beside::Replica(replica)) => replica.restore(&mut reader)?,
            _ => {}
        }
    }
    Ok(count)
}

fn restore_node<N: Node>(from: &mut impl Read, node: &mut N) -> io::Result<u64> {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes)?;
    let invalid = || io::Error::new(io::ErrorKind::InvalidData, "a record that does not decode");
    let (mut rest, mut count) = (&bytes[..], 0);
    while let Some((length, tail)) = rest.split_first_chunk::<8>() {
        let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| invalid())?;
        let (record, tail) = tail.split_at_checked(length).ok_or_else(invalid)?;
        node.replay(postcard::from_bytes(record).map_err(|_| invalid())?);
        rest = tail;
        count += 1;
    }
    if rest.is_empty() { Ok(count) } else { Err(invalid()) }
}
