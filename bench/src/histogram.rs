//! Latency histograms: how they are recorded, sent as text, and kept in files.

use crate::LatencyUs;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::interval_log::IntervalLogWriterBuilder;
use hdrhistogram::serialization::{Deserializer, Serializer, V2Serializer};
use std::time::Duration;

/// The longest latency that is told apart, µs: a minute. Longer ones count as this.
const LATENCY_MAX_US: u64 = 60_000_000;

/// An empty histogram: 1 µs to a minute, three significant digits.
pub(crate) fn empty() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LATENCY_MAX_US, 3).expect("constant bounds")
}

/// Records a latency.
pub(crate) fn record(histogram: &mut Histogram<u64>, latency: Duration) {
    histogram.saturating_record(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX).max(1));
}

/// The percentiles that are reported; none without a measurement.
pub(crate) fn percentiles(histogram: &Histogram<u64>) -> Option<LatencyUs> {
    let at = |quantile: f64| histogram.value_at_quantile(quantile);
    (!histogram.is_empty()).then(|| LatencyUs {
        p50: at(0.5),
        p95: at(0.95),
        p99: at(0.99),
        p999: at(0.999),
        max: histogram.max(),
    })
}

/// The histogram in HDR's V2 encoding, not compressed, as base64.
pub(crate) fn to_text(histogram: &Histogram<u64>) -> String {
    let mut bytes = Vec::new();
    V2Serializer::new().serialize(histogram, &mut bytes).expect("writing into memory");
    encode_base64(&bytes)
}

/// The histogram of such a text.
pub(crate) fn from_text(text: &str) -> Option<Histogram<u64>> {
    let bytes = decode_base64(text)?;
    Deserializer::new().deserialize(&mut bytes.as_slice()).ok()
}

/// A file in HDR's interval log format with one interval, in µs: standard tools read it.
pub(crate) fn to_log(histogram: &Histogram<u64>, window: Duration) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut serializer = V2Serializer::new();
    IntervalLogWriterBuilder::new()
        .add_comment("latencies of one measured window, microseconds")
        .with_max_value_divisor(1.0)
        .begin_log_with(&mut bytes, &mut serializer)
        .and_then(|mut log| {
            log.write_histogram(histogram, Duration::ZERO, window, None)
                .map_err(|_| std::io::ErrorKind::Other.into())
        })
        .expect("writing into memory");
    bytes
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// RFC 4648, section 4.
fn encode_base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let bits = (0..3).fold(0, |bits, index| bits << 8 | u32::from(*chunk.get(index).unwrap_or(&0)));
        for index in 0..4 {
            let digit = bits >> (18 - 6 * index) & 63;
            text.push(if index <= chunk.len() { char::from(ALPHABET[digit as usize]) } else { '=' });
        }
    }
    text
}

fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=').as_bytes();
    if !text.len().is_multiple_of(4) || text.len() - digits.len() > 2 {
        return None;
    }
    let mut bytes = Vec::with_capacity(digits.len() * 3 / 4);
    for chunk in digits.chunks(4) {
        let mut bits = 0;
        for index in 0..4 {
            let digit = match chunk.get(index) {
                Some(letter) => ALPHABET.iter().position(|known| known == letter)?,
                None => 0,
            };
            bits = bits << 6 | u32::try_from(digit).ok()?;
        }
        bytes.extend_from_slice(&bits.to_be_bytes()[1..chunk.len()]);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
    use proptest::prelude::*;

    #[test]
    fn percentiles_are_those_of_the_sorted_list() {
        let mut histogram = empty();
        assert_eq!(percentiles(&histogram), None);
        for latency in 1..=1000 {
            record(&mut histogram, Duration::from_micros(latency));
        }
        let found = percentiles(&histogram).unwrap();
        assert_eq!((found.p50, found.p95, found.p99, found.p999, found.max), (500, 950, 990, 999, 1000));
    }

    #[test]
    fn extremes_are_clamped_and_counted() {
        let mut histogram = empty();
        record(&mut histogram, Duration::ZERO);
        record(&mut histogram, Duration::from_secs(3600));
        assert_eq!((histogram.len(), histogram.min()), (2, 1));
        assert!(histogram.max() >= LATENCY_MAX_US && histogram.max() < 2 * LATENCY_MAX_US);
    }

    #[test]
    fn base64_is_the_standards() {
        for (plain, text) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(encode_base64(plain.as_bytes()), text);
            assert_eq!(decode_base64(text).unwrap(), plain.as_bytes());
        }
        for text in ["Z", "Zg=", "Zg===", "Z===", "Zm8*", "=", "====", "Zé=="] {
            assert_eq!(decode_base64(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn text_survives_a_round_trip(latencies in prop::collection::vec(0u64..100_000_000, 0..200)) {
            let mut histogram = empty();
            latencies.iter().for_each(|latency| record(&mut histogram, Duration::from_micros(*latency)));
            prop_assert_eq!(from_text(&to_text(&histogram)).unwrap(), histogram);
        }

        #[test]
        fn no_text_panics(text in "[A-Za-z0-9+/]{0,40}={0,3}") {
            let _ = from_text(&text);
        }
    }

    #[test]
    fn the_file_is_an_interval_log() {
        let mut histogram = empty();
        record(&mut histogram, Duration::from_micros(1234));
        let bytes = to_log(&histogram, Duration::from_secs(10));
        let entries: Vec<_> = IntervalLogIterator::new(&bytes).map(Result::unwrap).collect();
        let interval = entries.iter().find_map(|entry| match entry {
            LogEntry::Interval(interval) => Some(interval),
            _ => None,
        });
        let interval = interval.expect("one interval");
        assert_eq!(interval.duration(), Duration::from_secs(10));
        assert_eq!(from_text(interval.encoded_histogram()).unwrap(), histogram);
    }
}
