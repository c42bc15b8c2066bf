//! Requests are read the same however they are cut, as another implementation reads them; any bytes
//! are read without a panic.

use bytes::{Bytes, BytesMut};
use isegoria_kv::redis::Reply;
use isegoria_resp::{Parser, Protocol, encode, rehearse};
use proptest::collection::vec;
use proptest::prelude::*;
use redis_protocol::resp2::encode::extend_encode as encode2;
use redis_protocol::resp2::types::BytesFrame as Frame2;
use redis_protocol::resp3::decode::complete::decode_bytes as decode3;
use redis_protocol::resp3::types::BytesFrame as Frame3;

const LIMIT: usize = 64 * 1024;

fn words() -> impl Strategy<Value = Vec<Bytes>> {
    vec(vec(any::<u8>(), 0..40).prop_map(Bytes::from), 1..8)
}

fn encoded(requests: &[Vec<Bytes>]) -> BytesMut {
    let mut bytes = BytesMut::new();
    for words in requests {
        let frame = Frame2::Array(words.iter().cloned().map(Frame2::BulkString).collect());
        encode2(&mut bytes, &frame, false).expect("a request");
    }
    bytes
}

/// How many things are in a frame, or the number that it is.
fn size(frame: &Frame3) -> i64 {
    match frame {
        Frame3::Map { data, .. } => i64::try_from(data.len()).expect("a request"),
        Frame3::Array { data, .. } => i64::try_from(data.len()).expect("a request"),
        Frame3::Number { data, .. } => *data,
        Frame3::Null => 0,
        other => panic!("{other:?}"),
    }
}

/// Bytes that look like requests more often than dice would make them.
fn almost_requests() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => vec(prop_oneof![Just("GET"), Just("MULTI"), Just("EXEC"), Just("HELLO"), Just("3"), Just("SET"), Just("")], 1..4)
            .prop_map(|words| encoded(&[words.into_iter().map(|word| Bytes::from_static(word.as_bytes())).collect()]).to_vec()),
        1 => Just(b"*2\r\n$3\r\nGET\r\n".to_vec()),
        1 => Just(b"*-1\r\n*0\r\nPING\r\n\r\n".to_vec()),
        1 => Just(b"*1\r\n*1\r\n$4\r\nPING\r\n".to_vec()),
        1 => Just(b"$536870912\r\n".to_vec()),
        1 => vec(any::<u8>(), 0..12),
        1 => vec(prop_oneof![Just(b'*'), Just(b'$'), Just(b'\r'), Just(b'\n'), Just(b'1'), Just(b'-')], 0..12),
    ];
    vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn what_another_implementation_writes_is_read(requests in vec(words(), 0..6), cuts in vec(1..30usize, 1..6)) {
        let bytes = encoded(&requests);
        let (mut parser, mut buffer, mut read) = (Parser::new(LIMIT), BytesMut::new(), Vec::new());
        let (mut rest, mut sizes) = (&bytes[..], cuts.iter().cycle());
        while !rest.is_empty() {
            let (piece, later) = rest.split_at(rest.len().min(*sizes.next().expect("a request")));
            buffer.extend_from_slice(piece);
            rest = later;
            while let Some(words) = parser.next(&mut buffer).expect("a request") {
                read.push(words);
            }
        }
        prop_assert_eq!(read, requests);
        prop_assert!(!parser.is_within(&buffer));
    }

    #[test]
    fn any_bytes_are_read_the_same_however_they_are_cut(
        bytes in almost_requests(),
        cuts in vec(1..30usize, 1..6),
    ) {
        let whole = rehearse(&bytes, &[usize::MAX], LIMIT);
        prop_assert_eq!(&rehearse(&bytes, &cuts, LIMIT), &whole);
        prop_assert_eq!(&rehearse(&bytes, &[1], LIMIT), &whole);
    }

    #[test]
    fn another_implementation_reads_what_is_said(
        pairs in vec((vec(any::<u8>(), 0..9), vec(any::<u8>(), 0..9)), 0..5),
        number in any::<i64>(),
    ) {
        let pairs: Vec<(Bytes, Bytes)> = pairs.into_iter().map(|(field, value)| (field.into(), value.into())).collect();
        let values = pairs.iter().map(|(field, _)| Some(field.clone())).chain([None]).collect();
        let mut to = BytesMut::new();
        for reply in [Reply::Map(pairs.clone()), Reply::Array(values), Reply::Number(number), Reply::Nil] {
            encode(&reply, Protocol::Three, &mut to);
        }
        let (mut rest, mut frames) = (to.freeze(), Vec::new());
        while !rest.is_empty() {
            let (frame, used) = decode3(&rest).expect("a request").expect("a whole frame");
            frames.push(frame);
            rest = rest.slice(used..);
        }
        prop_assert_eq!(frames.len(), 4);
        let distinct: std::collections::BTreeMap<_, _> = pairs.iter().cloned().collect();
        let sizes: Vec<i64> = frames.iter().map(size).collect();
        let expected = [distinct.len(), pairs.len() + 1].map(|count| i64::try_from(count).expect("a request"));
        prop_assert_eq!(sizes, vec![expected[0], expected[1], number, 0]);
    }
}
