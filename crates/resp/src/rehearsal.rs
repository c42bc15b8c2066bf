use crate::intake::Intake;
use bytes::BytesMut;
use isegoria_kv::redis::{Command, Reply};

/// What a connection does with `bytes` that come in these pieces, a size in bytes each, over and over: the
/// commands it would have executed, and what it says, with `OK` for the reply to each command. For
/// tests of what does not depend on a cluster.
#[must_use]
pub fn rehearse(bytes: &[u8], pieces: &[usize], request_bytes_max: usize) -> (Vec<Command>, Vec<u8>) {
    let mut intake = Intake::new(1, request_bytes_max);
    let (mut commands, mut said, mut read) = (Vec::new(), BytesMut::new(), BytesMut::new());
    let (mut rest, mut sizes) = (bytes, pieces.iter().cycle());
    loop {
        let mut pack = intake.next_pack(&mut read);
        if pack.is_empty() {
            let size = sizes.next().map_or(rest.len(), |size| rest.len().min((*size).max(1)));
            if size == 0 {
                break;
            }
            let (piece, later) = rest.split_at(size);
            read.extend_from_slice(piece);
            rest = later;
            continue;
        }
        let closes = pack.closes;
        let replies = vec![Reply::Ok; pack.commands.len()];
        commands.append(&mut pack.commands);
        pack.answer(replies, None, &mut said);
        pack.answer(Vec::new(), None, &mut said);
        if closes {
            break;
        }
    }
    (commands, said.to_vec())
}
