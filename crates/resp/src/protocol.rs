use bytes::{BufMut, BytesMut};
use isegoria_kv::redis::{Failure, Kind, Reply};

/// Which version of the protocol a connection speaks; it begins with the older one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// RESP2.
    #[default]
    Two,
    /// RESP3: maps, sets and a null of their own.
    Three,
}

/// Writes a reply.
pub fn encode(reply: &Reply, protocol: Protocol, to: &mut BytesMut) {
    match reply {
        Reply::Ok => simple(to, "OK"),
        Reply::Nil => nil(to, protocol),
        Reply::NilArray if protocol == Protocol::Two => to.put_slice(b"*-1\r\n"),
        Reply::NilArray => nil(to, protocol),
        Reply::Number(number) => header(to, b':', *number),
        Reply::Bulk(value) => bulk(to, value),
        Reply::Kind(kind) => simple(to, kind_name(*kind)),
        Reply::Array(values) => {
            count(to, b'*', values.len());
            for value in values {
                match value {
                    Some(value) => bulk(to, value),
                    None => nil(to, protocol),
                }
            }
        }
        Reply::Map(pairs) => {
            map(to, protocol, pairs.len());
            for (field, value) in pairs {
                bulk(to, field);
                bulk(to, value);
            }
        }
        Reply::Set(members) => {
            count(to, if protocol == Protocol::Three { b'~' } else { b'*' }, members.len());
            members.iter().for_each(|member| bulk(to, member));
        }
        Reply::Error(failure) => error(to, failure_text(*failure)),
    }
}

fn kind_name(kind: Option<Kind>) -> &'static str {
    match kind {
        None => "none",
        Some(Kind::String) => "string",
        Some(Kind::Hash) => "hash",
        Some(Kind::Set) => "set",
        Some(Kind::List) => "list",
    }
}

/// Redis's own words, for clients look at them.
fn failure_text(failure: Failure) -> &'static str {
    match failure {
        Failure::WrongType => "WRONGTYPE Operation against a key holding the wrong kind of value",
        Failure::NotAnInteger => "ERR value is not an integer or out of range",
        Failure::FieldNotAnInteger => "ERR hash value is not an integer",
        Failure::Overflow => "ERR increment or decrement would overflow",
        Failure::TooLong => "ERR the reply is longer than 4 MiB; nothing was changed",
        Failure::StringTooLong => "ERR string exceeds maximum allowed size (proto-max-bulk-len)",
    }
}

pub(crate) fn simple(to: &mut BytesMut, text: &str) {
    line(to, b'+', text);
}

/// An error: a word in capitals, and a sentence.
pub(crate) fn error(to: &mut BytesMut, text: &str) {
    line(to, b'-', text);
}

/// One line; what would end it becomes a space.
fn line(to: &mut BytesMut, kind: u8, text: &str) {
    to.put_u8(kind);
    to.extend(text.bytes().map(|byte| if byte.is_ascii_control() { b' ' } else { byte }));
    to.put_slice(b"\r\n");
}

pub(crate) fn bulk(to: &mut BytesMut, value: &[u8]) {
    count(to, b'$', value.len());
    to.put_slice(value);
    to.put_slice(b"\r\n");
}

pub(crate) fn nil(to: &mut BytesMut, protocol: Protocol) {
    to.put_slice(if protocol == Protocol::Three { b"_\r\n" } else { b"$-1\r\n" });
}

/// The beginning of so many pairs.
pub(crate) fn map(to: &mut BytesMut, protocol: Protocol, pair_count: usize) {
    match protocol {
        Protocol::Three => count(to, b'%', pair_count),
        Protocol::Two => count(to, b'*', 2 * pair_count),
    }
}

/// The beginning of so many things.
pub(crate) fn count(to: &mut BytesMut, kind: u8, count: usize) {
    header(to, kind, i64::try_from(count).unwrap_or(i64::MAX));
}

pub(crate) fn header(to: &mut BytesMut, kind: u8, number: i64) {
    use std::fmt::Write;
    to.put_u8(kind);
    // Writing into memory does not fail.
    let _ = write!(to, "{number}\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(reply: &Reply, protocol: Protocol) -> String {
        let mut to = BytesMut::new();
        encode(reply, protocol, &mut to);
        String::from_utf8(to.to_vec()).unwrap()
    }

    #[test]
    fn replies_look_as_their_protocol_wants() {
        let pairs = Reply::Map(vec![("f".into(), "v".into())]);
        let members = Reply::Set(vec!["m".into()]);
        let values = Reply::Array(vec![Some("x".into()), None]);
        for (reply, two, three) in [
            (Reply::Ok, "+OK\r\n", "+OK\r\n"),
            (Reply::Nil, "$-1\r\n", "_\r\n"),
            (Reply::NilArray, "*-1\r\n", "_\r\n"),
            (Reply::Number(-7), ":-7\r\n", ":-7\r\n"),
            (Reply::Bulk("a\r\n".into()), "$3\r\na\r\n\r\n", "$3\r\na\r\n\r\n"),
            (Reply::Kind(None), "+none\r\n", "+none\r\n"),
            (values, "*2\r\n$1\r\nx\r\n$-1\r\n", "*2\r\n$1\r\nx\r\n_\r\n"),
            (pairs, "*2\r\n$1\r\nf\r\n$1\r\nv\r\n", "%1\r\n$1\r\nf\r\n$1\r\nv\r\n"),
            (members, "*1\r\n$1\r\nm\r\n", "~1\r\n$1\r\nm\r\n"),
        ] {
            assert_eq!(encoded(&reply, Protocol::Two), two);
            assert_eq!(encoded(&reply, Protocol::Three), three);
        }
        let mut to = BytesMut::new();
        error(&mut to, "ERR a\r\nb");
        assert_eq!(&to[..], b"-ERR a  b\r\n");
    }
}
