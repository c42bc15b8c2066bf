use bytes::{Buf, BufMut, BytesMut};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io;
use std::marker::PhantomData;
use std::time::{Duration, Instant};
use tarpc::{ClientMessage, Request, Response, context};
use tokio_util::codec::{Decoder, Encoder, Framed};

use crate::Stream;

/// The largest message on a connection unless an option says otherwise, bytes.
pub const FRAME_BYTES_MAX: usize = 8 * 1024 * 1024;

/// What a message needs besides the bytes that it carries: tags, ids, lengths.
pub(crate) const ENVELOPE_BYTES: usize = 64;

const PREFIX_BYTES: usize = 4;

/// Read and write buffers start at this size and flush above it.
const BUFFER_BYTES: usize = 64 * 1024;

/// How long a server keeps an unanswered call, whatever the caller wishes.
const CALL_DEADLINE: Duration = Duration::from_secs(60);

/// From caller to server: tarpc's message without its deadline and trace context,
/// which a hostile caller could make overflow the clock.
#[derive(Serialize, Deserialize)]
enum Up<T> {
    Call(u64, T),
    Cancel(u64),
}

/// A connection as the server sees it.
pub(crate) type ServerTransport<Req, Resp> = Framed<Stream, ServerCodec<Req, Resp>>;

/// A connection as the caller sees it.
pub(crate) type CallerTransport<Req, Resp> = Framed<Stream, CallerCodec<Req, Resp>>;

/// Postcard with a length before each message; lengths are checked before anything is allocated.
#[derive(Debug)]
pub(crate) struct ServerCodec<Req, Resp> {
    /// The largest message that is read or written now, bytes.
    pub(crate) bytes_max: usize,
    context: context::Context,
    types: PhantomData<fn(Req) -> Resp>,
}

/// The other side of [`ServerCodec`].
#[derive(Debug)]
pub(crate) struct CallerCodec<Req, Resp> {
    bytes_max: usize,
    types: PhantomData<fn(Resp) -> Req>,
}

/// Frames a stream for a server.
pub(crate) fn server_transport<Req, Resp>(stream: Stream, bytes_max: usize) -> ServerTransport<Req, Resp> {
    let codec = ServerCodec { bytes_max, context: context::current(), types: PhantomData };
    let mut framed = Framed::with_capacity(stream, codec, BUFFER_BYTES);
    framed.set_backpressure_boundary(BUFFER_BYTES);
    framed
}

/// Frames a stream for a caller.
pub(crate) fn caller_transport<Req, Resp>(stream: Stream, bytes_max: usize) -> CallerTransport<Req, Resp> {
    let codec = CallerCodec { bytes_max, types: PhantomData };
    let mut framed = Framed::with_capacity(stream, codec, BUFFER_BYTES);
    framed.set_backpressure_boundary(BUFFER_BYTES);
    framed
}

impl<Req: DeserializeOwned, Resp> Decoder for ServerCodec<Req, Resp> {
    type Item = ClientMessage<Req>;
    type Error = io::Error;

    fn decode(&mut self, source: &mut BytesMut) -> io::Result<Option<ClientMessage<Req>>> {
        let Some(up) = take::<Up<Req>>(source, self.bytes_max)? else { return Ok(None) };
        let mut context = self.context;
        Ok(Some(match up {
            Up::Call(id, message) => {
                context.deadline = Instant::now() + CALL_DEADLINE;
                ClientMessage::Request(Request { context, id, message })
            }
            Up::Cancel(request_id) => {
                ClientMessage::Cancel { trace_context: context.trace_context, request_id }
            }
        }))
    }
}

impl<Req, Resp: Serialize> Encoder<Response<Resp>> for ServerCodec<Req, Resp> {
    type Error = io::Error;

    fn encode(&mut self, response: Response<Resp>, target: &mut BytesMut) -> io::Result<()> {
        put(&response, target, self.bytes_max)
    }
}

impl<Req, Resp: DeserializeOwned> Decoder for CallerCodec<Req, Resp> {
    type Item = Response<Resp>;
    type Error = io::Error;

    fn decode(&mut self, source: &mut BytesMut) -> io::Result<Option<Response<Resp>>> {
        take(source, self.bytes_max)
    }
}

impl<Req: Serialize, Resp> Encoder<ClientMessage<Req>> for CallerCodec<Req, Resp> {
    type Error = io::Error;

    fn encode(&mut self, message: ClientMessage<Req>, target: &mut BytesMut) -> io::Result<()> {
        let up = match message {
            ClientMessage::Request(request) => Up::Call(request.id, request.message),
            ClientMessage::Cancel { request_id, .. } => Up::Cancel(request_id),
            _ => return Err(io::ErrorKind::Unsupported.into()),
        };
        put(&up, target, self.bytes_max)
    }
}

/// Takes one message off the front, if it is all there.
fn take<T: DeserializeOwned>(source: &mut BytesMut, bytes_max: usize) -> io::Result<Option<T>> {
    let Some((prefix, body)) = source.split_first_chunk::<PREFIX_BYTES>() else { return Ok(None) };
    let length = u32::from_be_bytes(*prefix) as usize;
    if length > bytes_max {
        return Err(invalid(format!("a message of {length} bytes, and the limit is {bytes_max}")));
    }
    let Some(body) = body.get(..length) else { return Ok(None) };
    let (message, rest) = postcard::take_from_bytes(body).map_err(|error| invalid(error.to_string()))?;
    if !rest.is_empty() {
        return Err(invalid(format!("{} bytes behind a message", rest.len())));
    }
    source.advance(PREFIX_BYTES + length);
    Ok(Some(message))
}

/// Appends one message; leaves the target as it was if the message is too large.
fn put<T: Serialize>(message: &T, target: &mut BytesMut, bytes_max: usize) -> io::Result<()> {
    let start = target.len();
    target.put_u32(0);
    let outcome = postcard::serialize_with_flavor(message, Append(target))
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error.to_string()));
    let length = target.len() - start - PREFIX_BYTES;
    let prefix = match (outcome, u32::try_from(length)) {
        (Ok(()), Ok(prefix)) if length <= bytes_max => prefix,
        (outcome, _) => {
            target.truncate(start);
            outcome?;
            let sentence = format!("a message of {length} bytes, and the limit is {bytes_max}");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, sentence));
        }
    };
    target[start..start + PREFIX_BYTES].copy_from_slice(&prefix.to_be_bytes());
    Ok(())
}

fn invalid(sentence: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, sentence)
}

/// Encodes straight into the connection's write buffer: slices are copied once,
/// as slices (`Extend` would push byte by byte).
struct Append<'a>(&'a mut BytesMut);

impl postcard::ser_flavors::Flavor for Append<'_> {
    type Output = ();

    fn try_extend(&mut self, data: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(data);
        Ok(())
    }

    fn try_push(&mut self, data: u8) -> postcard::Result<()> {
        self.0.put_u8(data);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use proptest::prelude::*;

    #[test]
    fn a_length_above_the_limit_is_refused_before_its_body_comes() {
        let mut source = BytesMut::from(&b"\xff\xff\xff\xff"[..]);
        assert!(take::<Bytes>(&mut source, 1 << 20).is_err());
        assert!(source.capacity() < 1 << 10);
        let mut target = BytesMut::from(&b"before"[..]);
        assert!(put(&Bytes::from_static(&[0; 40]), &mut target, 40).is_err());
        assert_eq!(target, &b"before"[..]);
    }

    #[test]
    fn bytes_behind_a_message_are_refused() {
        let mut source = BytesMut::from(&b"\x00\x00\x00\x02\x07\x07"[..]);
        assert!(take::<u8>(&mut source, 100).is_err());
        assert_eq!(take::<(u8, u8)>(&mut source, 100).unwrap(), Some((7, 7)));
    }

    /// `Duration::MAX` as a deadline makes tarpc's own decoding panic.
    #[test]
    fn no_deadline_crosses_the_wire() {
        let mut target = BytesMut::new();
        put(&Up::Call(7, 1u8), &mut target, 100).unwrap();
        assert_eq!(&target[PREFIX_BYTES..], [0, 7, 1]);
    }

    proptest! {
        #[test]
        fn messages_survive_any_cut(list in prop::collection::vec((any::<u64>(), prop::collection::vec(any::<u8>(), 0..30)), 1..8), cut in 1..20usize) {
            let mut wire = BytesMut::new();
            for (id, body) in &list {
                put(&(*id, Bytes::from(body.clone())), &mut wire, 100).unwrap();
            }
            let (mut source, mut back) = (BytesMut::new(), Vec::new());
            for piece in wire.chunks(cut) {
                source.extend_from_slice(piece);
                while let Some((id, body)) = take::<(u64, Bytes)>(&mut source, 100).unwrap() {
                    back.push((id, body.to_vec()));
                }
            }
            prop_assert_eq!(back, list);
        }

        #[test]
        fn any_bytes_decode_or_fail(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let mut source = BytesMut::from(&bytes[..]);
            while let Ok(Some(_)) = take::<Up<(u64, Option<Bytes>)>>(&mut source, 50) {}
        }
    }
}
