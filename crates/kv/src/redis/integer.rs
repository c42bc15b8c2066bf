/// The number that Redis reads in a text: decimal, 64 bits, without plus, spaces or leading zeros.
#[must_use]
pub fn integer(text: &[u8]) -> Option<i64> {
    if text.len() > 20 {
        return None;
    }
    let canonical = matches!(text, [b'0'] | [b'1'..=b'9', ..] | [b'-', b'1'..=b'9', ..]);
    let digits = std::str::from_utf8(text).ok().filter(|_| canonical)?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::integer;

    #[test]
    fn only_what_prints_back_is_a_number() {
        for number in [0, 1, -1, 10, i64::MAX, i64::MIN] {
            assert_eq!(integer(number.to_string().as_bytes()), Some(number));
        }
        for text in [
            "",
            "-",
            "+5",
            "007",
            "-0",
            "5 ",
            " 5",
            "5.0",
            "9223372036854775808",
            "1e3",
            "-01",
            "100000000000000000000",
        ] {
            assert_eq!(integer(text.as_bytes()), None, "{text}");
        }
    }
}
