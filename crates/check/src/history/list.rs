use std::fmt;

/// A list of texts that a read returned, packed into one allocation: a history of lists
/// holds millions of elements, most of them again and again.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct List {
    /// Every element behind its length, seven bits a byte, the lowest first.
    packed: Vec<u8>,
    len: usize,
}

impl List {
    /// The empty list.
    #[must_use]
    pub fn new() -> List {
        List::default()
    }

    /// Adds an element at the end.
    pub fn push(&mut self, element: &[u8]) {
        let mut length = element.len();
        while length >= 0x80 {
            self.packed.push(low_seven_bits(length) | 0x80);
            length >>= 7;
        }
        self.packed.push(low_seven_bits(length));
        self.packed.extend_from_slice(element);
        self.len += 1;
    }

    /// How many elements.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The elements in order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = self.packed.as_slice();
        std::iter::from_fn(move || {
            let (mut length, mut shift) = (0, 0);
            loop {
                let (byte, behind) = rest.split_first()?;
                rest = behind;
                length |= usize::from(byte & 0x7f) << shift;
                shift += 7;
                if byte & 0x80 == 0 {
                    break;
                }
            }
            let (element, behind) = rest.split_at(length);
            rest = behind;
            Some(element)
        })
    }

    /// Gives back the room that is not needed.
    pub(crate) fn shrink(mut self) -> List {
        self.packed.shrink_to_fit();
        self
    }
}

#[allow(clippy::cast_possible_truncation)] // Seven bits fit.
fn low_seven_bits(number: usize) -> u8 {
    (number & 0x7f) as u8
}

impl<T: AsRef<[u8]>> FromIterator<T> for List {
    fn from_iter<I: IntoIterator<Item = T>>(elements: I) -> List {
        let mut list = List::new();
        for element in elements {
            list.push(element.as_ref());
        }
        list.shrink()
    }
}

impl fmt::Debug for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|element| element.escape_ascii().to_string())).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_of_every_length_come_back() {
        let elements: Vec<Vec<u8>> =
            [0, 1, 127, 128, 129, 16_383, 16_384, 3].iter().map(|length| vec![7; *length]).collect();
        let list: List = elements.iter().collect();
        assert_eq!(list.len(), elements.len());
        assert!(list.iter().eq(elements.iter().map(Vec::as_slice)));
        assert!(List::new().is_empty() && List::new().iter().next().is_none());
    }
}
