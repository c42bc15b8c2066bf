use bytes::{Bytes, BytesMut};
use std::ops::Range;

/// The longest inline command, bytes.
const INLINE_BYTES_MAX: usize = 64 * 1024;
/// The longest line that holds a length, with its end, bytes.
const HEADER_BYTES_MAX: usize = 32;
/// The shortest word of an array: `$0`, nothing, and two line ends.
const WORD_BYTES_MIN: usize = 6;

/// What is wrong with the bytes of a request. The connection cannot go on: where the next request begins
/// is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParseError {
    /// The number of words is no number, or too large.
    WordCount,
    /// The length of a word is no number, or too large.
    WordLength,
    /// A word does not begin with `$`.
    NotAWord(u8),
    /// A word goes on behind its length.
    NoLineEnd,
    /// All words together are too long.
    TooLong,
    /// An inline command does not end.
    InlineTooLong,
    /// An inline command has quotes.
    Quotes,
}

impl std::fmt::Display for ParseError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Protocol error: ")?;
        match self {
            ParseError::WordCount => f.write_str("invalid multibulk length"),
            ParseError::WordLength => f.write_str("invalid bulk length"),
            ParseError::NotAWord(byte) => write!(f, "expected '$', got '{}'", byte.escape_ascii()),
            ParseError::NoLineEnd => f.write_str("a word is longer than its length says"),
            ParseError::TooLong => f.write_str("the command is longer than this server takes"),
            ParseError::InlineTooLong => f.write_str("too big inline request"),
            ParseError::Quotes => f.write_str("inline commands cannot have quotes; send an array of strings"),
        }
    }
}

impl std::error::Error for ParseError {}

impl State {
    const START: State = State::Start { scanned: 0 };
}

/// Cuts the bytes of a connection into requests: arrays of strings, or inline commands.
///
/// It goes on where it stopped for want of bytes, so that the work is linear in them however they
/// are cut, and sets nothing aside for what is only announced.
#[derive(Debug)]
pub struct Parser {
    request_bytes_max: usize,
    state: State,
}

#[derive(Debug)]
enum State {
    /// At the first byte of a request; there is no line end below `scanned`.
    Start { scanned: usize },
    /// Within an array; positions are in the buffer.
    Words { left: usize, words: Vec<Range<usize>>, at: usize },
}

impl Parser {
    /// A parser at the beginning of a connection, for requests of up to so many bytes.
    #[must_use]
    pub fn new(request_bytes_max: usize) -> Parser {
        Parser { request_bytes_max, state: State::START }
    }

    /// The words of the next request in `buffer`, never none; nothing, if it is not all there.
    ///
    /// # Errors
    /// If what is there is no request, or none that is taken.
    pub fn next(&mut self, buffer: &mut BytesMut) -> Result<Option<Vec<Bytes>>, ParseError> {
        loop {
            let scanned = match &mut self.state {
                State::Start { scanned } => scanned,
                State::Words { left, words, at } => {
                    while *left > 0 {
                        let Some(word) = word(buffer, *at, self.request_bytes_max)? else { return Ok(None) };
                        *at = word.end + 2;
                        *left -= 1;
                        words.push(word);
                    }
                    let (words, request) = (std::mem::take(words), buffer.split_to(*at).freeze());
                    self.state = State::START;
                    return Ok(Some(words.into_iter().map(|word| request.slice(word)).collect()));
                }
            };
            match buffer.first() {
                None => return Ok(None),
                Some(b'*') => {
                    let Some(end) = header(buffer, 0, ParseError::WordCount)? else { return Ok(None) };
                    let count = number(&buffer[1..end]).ok_or(ParseError::WordCount)?;
                    // Redis takes a number below one for nothing at all.
                    let Some(left) = usize::try_from(count).ok().filter(|left| *left > 0) else {
                        let _ = buffer.split_to(end + 2);
                        continue;
                    };
                    if left > self.request_bytes_max / WORD_BYTES_MIN {
                        return Err(ParseError::WordCount);
                    }
                    self.state = State::Words { left, words: Vec::new(), at: end + 2 };
                }
                Some(_) => match inline(buffer, scanned)? {
                    None => return Ok(None),
                    Some(words) if words.is_empty() => {}
                    Some(words) => return Ok(Some(words)),
                },
            }
        }
    }

    /// Whether a request has begun and is not all there.
    #[must_use]
    pub fn is_within(&self, buffer: &BytesMut) -> bool {
        !buffer.is_empty() || matches!(self.state, State::Words { .. })
    }
}

/// Where the word at `at` is, without its length and its line end; nothing, if it is not all there.
fn word(buffer: &BytesMut, at: usize, bytes_max: usize) -> Result<Option<Range<usize>>, ParseError> {
    match buffer.get(at) {
        None => return Ok(None),
        Some(b'$') => {}
        Some(other) => return Err(ParseError::NotAWord(*other)),
    }
    let Some(end) = header(buffer, at, ParseError::WordLength)? else { return Ok(None) };
    let length = number(&buffer[at + 1..end]).and_then(|length| usize::try_from(length).ok());
    let length = length.filter(|length| *length <= bytes_max).ok_or(ParseError::WordLength)?;
    let word = end + 2..end + 2 + length;
    if word.end + 2 > bytes_max {
        return Err(ParseError::TooLong);
    }
    match buffer.get(word.end..word.end + 2) {
        None => Ok(None),
        Some(b"\r\n") => Ok(Some(word)),
        Some(_) => Err(ParseError::NoLineEnd),
    }
}

/// Where the line that begins at `at` ends, if its end is there.
fn header(buffer: &BytesMut, at: usize, long: ParseError) -> Result<Option<usize>, ParseError> {
    let seen = &buffer[at..buffer.len().min(at + HEADER_BYTES_MAX)];
    match seen.windows(2).position(|pair| pair == b"\r\n") {
        Some(length) => Ok(Some(at + length)),
        None if seen.len() == HEADER_BYTES_MAX => Err(long),
        None => Ok(None),
    }
}

fn number(digits: &[u8]) -> Option<i64> {
    isegoria_kv::redis::integer(digits)
}

/// A line of words between spaces.
fn inline(buffer: &mut BytesMut, scanned: &mut usize) -> Result<Option<Vec<Bytes>>, ParseError> {
    let unseen = buffer.iter().take(INLINE_BYTES_MAX).skip(*scanned);
    let Some(length) = unseen.copied().position(|byte| byte == b'\n').map(|place| *scanned + place) else {
        *scanned = buffer.len();
        return if buffer.len() < INLINE_BYTES_MAX { Ok(None) } else { Err(ParseError::InlineTooLong) };
    };
    *scanned = 0;
    let line = buffer.split_to(length + 1).freeze();
    if line.iter().any(|byte| matches!(byte, b'"' | b'\'')) {
        return Err(ParseError::Quotes);
    }
    let words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    Ok(Some(words.map(|word| line.slice_ref(word)).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(parser: &mut Parser, bytes: &[u8]) -> Result<Vec<Vec<Bytes>>, ParseError> {
        let (mut buffer, mut requests) = (BytesMut::from(bytes), Vec::new());
        while let Some(words) = parser.next(&mut buffer)? {
            requests.push(words);
        }
        Ok(requests)
    }

    fn error(bytes: &[u8]) -> ParseError {
        all(&mut Parser::new(1000), bytes).unwrap_err()
    }

    #[test]
    fn arrays_and_lines_are_requests() {
        let bytes = b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n\r\n*0\r\n*-1\r\nPING  x\n*1\r\n$0\r\n\r\n*1\r\n$4\r\n\r\n\r\n\r\n";
        let expected: Vec<Vec<Bytes>> = vec![
            vec!["GET".into(), "a".into()],
            vec!["PING".into(), "x".into()],
            vec!["".into()],
            vec!["\r\n\r\n".into()],
        ];
        assert_eq!(all(&mut Parser::new(1000), bytes), Ok(expected));
    }

    /// An announcement costs nothing: memory grows with what has come alone.
    #[test]
    fn nothing_is_set_aside_for_what_is_announced() {
        let mut parser = Parser::new(1 << 20);
        let mut buffer = BytesMut::from(&b"*100000\r\n$1\r\na\r\n$1000000\r\n"[..]);
        assert_eq!(parser.next(&mut buffer), Ok(None));
        let State::Words { left, words, .. } = &parser.state else { panic!("{parser:?}") };
        assert_eq!((*left, words.len()), (99_999, 1));
        assert!(
            words.capacity() < 10 && buffer.capacity() < 1000,
            "{} {}",
            words.capacity(),
            buffer.capacity()
        );
    }

    #[test]
    fn what_is_no_request_is_refused() {
        assert_eq!(error(b"*x\r\n"), ParseError::WordCount);
        assert_eq!(error(b"*+1\r\n"), ParseError::WordCount);
        assert_eq!(error(b"*1000\r\n"), ParseError::WordCount);
        assert_eq!(error(b"*99999999999999999999999999999999"), ParseError::WordCount);
        assert_eq!(error(b"*1\r\n*1\r\n$1\r\na\r\n"), ParseError::NotAWord(b'*'));
        assert_eq!(error(b"*1\r\n$-1\r\n"), ParseError::WordLength);
        assert_eq!(error(b"*1\r\n$536870912\r\n"), ParseError::WordLength);
        assert_eq!(error(b"*1\r\n$99999999999999999999\r\n"), ParseError::WordLength);
        assert_eq!(error(b"*1\r\n$1000\r\n"), ParseError::TooLong);
        assert_eq!(error(b"*1\r\n$1\r\nab\r\n"), ParseError::NoLineEnd);
        assert_eq!(error(b"SET a 'b'\n"), ParseError::Quotes);
        assert_eq!(error(&[b'a'; INLINE_BYTES_MAX]), ParseError::InlineTooLong);
    }
}
