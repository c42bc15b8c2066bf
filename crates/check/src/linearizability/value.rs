use bytes::Bytes;
use hashbrown::{HashMap, HashSet};

/// The state of a key: absent, or a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ValueId(pub(crate) u32);

/// The key is not there.
pub(crate) const ABSENT: ValueId = ValueId(0);

/// A text of which nobody will ever know which it was.
pub(crate) const SOMETHING: ValueId = ValueId(1);

/// All values that a key may have had, each once.
///
/// A text is known by its length and a hash that can be extended at the end and cut
/// there, so that a long text that grew by a thousand appends is never copied or read
/// again. (Two polynomials over the integers modulo 2^61 - 1: 122 bits.)
#[derive(Debug)]
pub(crate) struct Values {
    values: Vec<Value>,
    by_text: HashMap<(u64, Hash), ValueId, foldhash::fast::FixedState>,
    numbers: HashMap<i64, ValueId, foldhash::fast::FixedState>,
    sight: Sight,
}

/// Which texts are told from others of their length.
#[derive(Debug, Default)]
enum Sight {
    #[default]
    All,
    Only {
        texts: HashSet<(u64, Hash), foldhash::fast::FixedState>,
        with_lengths: bool,
    },
}

#[derive(Clone, Debug)]
struct Value {
    length: u64,
    hash: Hash,
    numeral: Numeral,
    /// The text itself, where somebody wrote or saw it.
    content: Option<Bytes>,
}

impl Value {
    fn seen(&self) -> (u64, Hash, Numeral) {
        (self.length, self.hash, self.numeral)
    }
}

/// A text that is appended.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tail {
    pub(crate) text: Bytes,
    hash: Hash,
}

impl Tail {
    pub(crate) fn new(text: &Bytes) -> Tail {
        Tail { text: text.clone(), hash: Hash::of(text) }
    }

    pub(crate) fn length(&self) -> u64 {
        self.text.len() as u64
    }
}

impl Values {
    pub(crate) fn new() -> Values {
        let absent = Value { length: 0, hash: Hash::of(b""), numeral: Numeral::Empty, content: None };
        // Of no length that anybody could find, and nowhere in the index: it is none of the texts.
        let something = Value { length: u64::MAX, numeral: Numeral::No, ..absent.clone() };
        Values {
            values: vec![absent, something],
            by_text: HashMap::default(),
            numbers: HashMap::default(),
            sight: Sight::All,
        }
    }

    fn get(&self, id: ValueId) -> &Value {
        &self.values[id.0 as usize]
    }

    pub(crate) fn text(&mut self, text: &Bytes) -> ValueId {
        let numeral = Numeral::Empty.extended(text);
        let value =
            Value { length: text.len() as u64, hash: Hash::of(text), numeral, content: Some(text.clone()) };
        self.intern(value)
    }

    pub(crate) fn text_or_absent(&mut self, text: Option<&Bytes>) -> ValueId {
        text.map_or(ABSENT, |text| self.text(text))
    }

    /// A number as the store writes it.
    pub(crate) fn number_text(&mut self, number: i64) -> ValueId {
        if let Some(id) = self.numbers.get(&number) {
            return *id;
        }
        let id = self.text(&Bytes::from(number.to_string()));
        self.numbers.insert(number, id);
        id
    }

    pub(crate) fn appended(&mut self, to: ValueId, tail: &Tail) -> ValueId {
        let before = self.get(to);
        if before.hash == Hash::BLURRED {
            return self.grown(to, tail.length());
        }
        let value = Value {
            length: before.length.saturating_add(tail.length()),
            hash: before.hash.extended(tail),
            numeral: before.numeral.extended(&tail.text),
            content: None,
        };
        let id = self.intern(value);
        self.blurred(id)
    }

    /// The state after a text of which only the length matters was appended.
    pub(crate) fn grown(&mut self, from: ValueId, by: u64) -> ValueId {
        let length = match &self.sight {
            Sight::Only { with_lengths: false, .. } => 0,
            _ => self.length(from).saturating_add(by),
        };
        self.intern(Value { length, hash: Hash::BLURRED, numeral: Numeral::No, content: None })
    }

    /// From now on, only these texts are told from others of their length, and from those
    /// of other lengths, if it is `with_lengths`; beginnings of them too, if it is
    /// `with_beginnings`. What reads as a number is told from everything, and so is the
    /// beginning of a number.
    pub(crate) fn blur(&mut self, texts: &[Bytes], with_beginnings: bool, with_lengths: bool) {
        let mut seen: HashSet<(u64, Hash), foldhash::fast::FixedState> = HashSet::default();
        for text in texts {
            match with_beginnings {
                true => seen.extend((0..).zip(Hash::of_beginnings(text))),
                false => {
                    seen.insert((text.len() as u64, Hash::of(text)));
                }
            }
        }
        self.sight = Sight::Only { texts: seen, with_lengths };
    }

    /// What can be seen of a value.
    pub(crate) fn blurred(&mut self, id: ValueId) -> ValueId {
        let Sight::Only { texts, with_lengths } = &self.sight else { return id };
        let (length, hash, numeral) = self.get(id).seen();
        if numeral != Numeral::No || id == SOMETHING || texts.contains(&(length, hash)) {
            return id;
        }
        let length = if *with_lengths { length } else { 0 };
        self.intern(Value { length, hash: Hash::BLURRED, numeral: Numeral::No, content: None })
    }

    /// What `tail` was appended to, if that gave `to`; absent and empty are one here: `None` inside.
    pub(crate) fn stripped(&mut self, from: ValueId, tail: &Tail) -> Option<Option<ValueId>> {
        let value = self.get(from);
        let content = value.content.clone()?;
        if from == ABSENT || !content.ends_with(&tail.text) {
            return None;
        }
        let rest = content.slice(..content.len() - tail.text.len());
        if rest.is_empty() {
            return Some(None);
        }
        let hash = value.hash.cut(tail);
        // Reading the rest is cheap: a numeral ends at its first letter.
        let numeral = Numeral::Empty.extended(&rest);
        Some(Some(self.intern(Value { length: rest.len() as u64, hash, numeral, content: Some(rest) })))
    }

    fn intern(&mut self, value: Value) -> ValueId {
        let key = (value.length, value.hash);
        if let Some(id) = self.by_text.get(&key) {
            let known = &mut self.values[id.0 as usize];
            known.content = known.content.take().or(value.content);
            return *id;
        }
        let id = ValueId(u32::try_from(self.values.len()).expect("fewer values than configurations"));
        self.values.push(value);
        self.by_text.insert(key, id);
        id
    }

    /// The number that the store reads there: none where it says "not a number".
    pub(crate) fn number(&self, id: ValueId) -> Option<i64> {
        match self.get(id).numeral {
            _ if id == ABSENT => Some(0),
            Numeral::Digits { number, .. } => Some(number),
            Numeral::Empty | Numeral::Sign { .. } | Numeral::No => None,
        }
    }

    pub(crate) fn length(&self, id: ValueId) -> u64 {
        self.get(id).length
    }

    pub(crate) fn content(&self, id: ValueId) -> Option<&Bytes> {
        self.get(id).content.as_ref()
    }

    /// For people.
    pub(crate) fn show(&self, id: ValueId) -> String {
        match (&self.get(id).content, id) {
            (_, ABSENT) => "no value".to_owned(),
            (Some(text), _) => format!("`{}`", crate::history::shortened(&crate::history::to_text(text))),
            (None, _) if self.length(id) == 0 => "some text".to_owned(),
            (None, _) => format!("a text of {} bytes", self.length(id)),
        }
    }
}

/// How far a text reads as a decimal number: what is needed to go on reading at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Numeral {
    Empty,
    Sign { negative: bool },
    Digits { negative: bool, number: i64 },
    No,
}

impl Numeral {
    fn extended(self, text: &[u8]) -> Numeral {
        let mut numeral = self;
        for byte in text {
            numeral = match (numeral, byte) {
                (Numeral::Empty, b'+' | b'-') => Numeral::Sign { negative: *byte == b'-' },
                (Numeral::Empty, b'0'..=b'9') => Numeral::digit(false, 0, *byte),
                (Numeral::Sign { negative }, b'0'..=b'9') => Numeral::digit(negative, 0, *byte),
                (Numeral::Digits { negative, number }, b'0'..=b'9') => {
                    Numeral::digit(negative, number, *byte)
                }
                // For good: nothing that follows makes a number of it.
                _ => return Numeral::No,
            };
        }
        numeral
    }

    /// Whether nothing is a number that this was appended to.
    pub(crate) fn is_spoilt_by(tail: &[u8]) -> bool {
        tail.iter().any(|byte| !matches!(byte, b'0'..=b'9' | b'+' | b'-'))
    }

    fn digit(negative: bool, number: i64, byte: u8) -> Numeral {
        let digit = i64::from(byte - b'0');
        let shifted = number.checked_mul(10);
        let sum = shifted.and_then(|shifted| match negative {
            true => shifted.checked_sub(digit),
            false => shifted.checked_add(digit),
        });
        sum.map_or(Numeral::No, |number| Numeral::Digits { negative, number })
    }
}

const PRIME: u64 = (1 << 61) - 1;
const BASES: [u64; 2] = [0x1337_c0de_5eed_1e55, 0x0bad_cafe_1234_5677];

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Hash([u64; 2]);

impl Hash {
    fn of(text: &[u8]) -> Hash {
        Hash(BASES.map(|base| text.iter().fold(0, |hash, byte| with_byte(hash, base, *byte))))
    }

    /// Outside the field: the hash of no text.
    const BLURRED: Hash = Hash([u64::MAX; 2]);

    /// Of the first 0, 1, 2 … bytes.
    fn of_beginnings(text: &[u8]) -> impl Iterator<Item = Hash> {
        let start = Hash::of(b"");
        let longer = text.iter().scan(start, |hash, byte| {
            *hash = Hash([0, 1].map(|index| with_byte(hash.0[index], BASES[index], *byte)));
            Some(*hash)
        });
        std::iter::once(start).chain(longer)
    }

    fn extended(self, tail: &Tail) -> Hash {
        self.combine(tail, |hash, tail, power| sum(product(hash, power), tail))
    }

    fn cut(self, tail: &Tail) -> Hash {
        self.combine(tail, |hash, tail, power| product(sum(hash, PRIME - tail), inverse(power)))
    }

    fn combine(self, tail: &Tail, with: impl Fn(u64, u64, u64) -> u64) -> Hash {
        let of = |index: usize| with(self.0[index], tail.hash.0[index], power(BASES[index], tail.length()));
        Hash([of(0), of(1)])
    }
}

fn with_byte(hash: u64, base: u64, byte: u8) -> u64 {
    sum(product(hash, base), u64::from(byte) + 1)
}

fn sum(one: u64, two: u64) -> u64 {
    let sum = one + two;
    if sum >= PRIME { sum - PRIME } else { sum }
}

#[allow(clippy::cast_possible_truncation)] // Both halves are below 2^61.
fn product(one: u64, two: u64) -> u64 {
    let product = u128::from(one) * u128::from(two);
    sum((product & u128::from(PRIME)) as u64, (product >> 61) as u64)
}

fn power(base: u64, mut exponent: u64) -> u64 {
    let (mut result, mut square) = (1, base);
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = product(result, square);
        }
        square = product(square, square);
        exponent >>= 1;
    }
    result
}

/// By Fermat's little theorem.
fn inverse(number: u64) -> u64 {
    power(number, PRIME - 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Bytes {
        Bytes::copy_from_slice(text.as_bytes())
    }

    #[test]
    fn appending_and_stripping_meet_the_texts_themselves() {
        let mut values = Values::new();
        let (head, whole) = (values.text(&bytes("ab")), values.text(&bytes("ab12")));
        let tail = Tail::new(&bytes("12"));
        assert_eq!(values.appended(head, &tail), whole);
        assert_eq!(values.stripped(whole, &tail), Some(Some(head)));
        assert_eq!(values.stripped(head, &tail), None);
        assert_eq!(values.stripped(whole, &Tail::new(&bytes("ab12"))), Some(None));
        assert_eq!(values.stripped(ABSENT, &Tail::new(&bytes(""))), None);
        let twelve = values.appended(ABSENT, &tail);
        assert_eq!(twelve, values.text(&bytes("12")));
        assert_eq!((values.length(whole), values.length(ABSENT)), (4, 0));
        assert_ne!(values.text(&bytes("")), ABSENT);
    }

    /// A numeral read in pieces is what the standard library reads whole.
    #[test]
    fn numbers_are_read_as_the_store_reads_them() {
        let texts = [
            "",
            "+",
            "-",
            "0",
            "-0",
            "+7",
            "007",
            "12",
            "9223372036854775807",
            "9223372036854775808",
            "-9223372036854775808",
            "-9223372036854775809",
            "1x",
            "x1",
            " 1",
            "1 ",
            "--1",
            "+-1",
            "1-",
        ];
        for text in texts {
            for cut in 0..=text.len() {
                let mut values = Values::new();
                let head = match cut {
                    0 => ABSENT,
                    _ => values.text(&bytes(&text[..cut])),
                };
                let id = values.appended(head, &Tail::new(&bytes(&text[cut..])));
                assert_eq!(values.number(id), text.parse().ok(), "{text:?} cut at {cut}");
            }
        }
        assert_eq!(Values::new().number(ABSENT), Some(0));
    }
}
