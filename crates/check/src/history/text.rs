//! Bytes as JSON text and back.

use bytes::Bytes;
use std::fmt::Write;

const HEX: &str = "0x";

/// Bytes that are text are themselves; others, and text that would look like them, are hexadecimal.
pub(crate) fn to_text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.starts_with(HEX) => text.to_owned(),
        _ => bytes.iter().fold(HEX.to_owned(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        }),
    }
}

pub(super) fn from_text(text: &str) -> Result<Bytes, String> {
    let Some(digits) = text.strip_prefix(HEX) else {
        return Ok(Bytes::copy_from_slice(text.as_bytes()));
    };
    let byte = |pair: &[u8]| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    };
    let bytes: Option<Vec<u8>> = digits.as_bytes().chunks(2).map(byte).collect();
    bytes.map(Bytes::from).ok_or_else(|| {
        format!(
            "`{text}` begins with 0x, which announces bytes as pairs of hexadecimal digits (0-9, a-f); \
             write text that begins with 0x in hexadecimal too"
        )
    })
}

/// Lower case only: bytes have one text.
fn digit(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'a'..=b'f' => Some(character - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_bytes_come_back() {
        for bytes in [&b""[..], b"k1", b"0x", b"0xab", "é\u{1f600}".as_bytes(), b"\xff\x00", b"0", b"\n\""] {
            assert_eq!(from_text(&to_text(bytes)).unwrap(), bytes, "{bytes:?}");
        }
        assert_eq!(to_text(b"plain"), "plain");
        assert_eq!(to_text(b"\xff\x01"), "0xff01");
        assert_eq!(to_text(b"0xzz"), "0x30787a7a");
    }

    #[test]
    fn text_that_only_begins_like_bytes_is_refused() {
        for text in ["0xz", "0xabc", "0xAB", "0x\u{e9}"] {
            assert!(from_text(text).unwrap_err().contains(text), "{text}");
        }
    }
}
