/// The longest text that is told from others, bytes.
const LENGTH_MAX: u64 = 1 << 16;

/// A set of lengths of texts, a bit each: unions of thousands of lengths, each shifted by
/// the length of a text that may have been appended, must cost next to nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lengths {
    words: Vec<u64>,
}

/// A text that is too long to be told from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

impl Lengths {
    pub(crate) fn contains(&self, length: u64) -> bool {
        let Ok((word, bit)) = place(length) else { return false };
        self.words.get(word).is_some_and(|word| word & bit != 0)
    }

    pub(crate) fn insert(&mut self, length: u64) -> Result<(), TooLong> {
        let (word, bit) = place(length)?;
        self.words.resize(self.words.len().max(word + 1), 0);
        self.words[word] |= bit;
        Ok(())
    }

    /// Adds all lengths that are `by` less than one of these.
    pub(crate) fn insert_shorter(&mut self, by: u64) {
        let Ok((skipped, bit)) = place(by) else { return };
        let shift = bit.trailing_zeros();
        for word in 0..self.words.len().saturating_sub(skipped) {
            let low = self.words[word + skipped] >> shift;
            let next = self.words.get(word + skipped + 1).copied().unwrap_or(0);
            let high = if shift == 0 { 0 } else { next << (64 - shift) };
            self.words[word] |= low | high;
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }
}

/// The word and the bit of a length.
fn place(length: u64) -> Result<(usize, u64), TooLong> {
    match usize::try_from(length / 64) {
        Ok(word) if length <= LENGTH_MAX => Ok((word, 1 << (length % 64))),
        _ => Err(TooLong),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Against a set of numbers.
    #[test]
    fn shifting_means_what_it_means_for_numbers() {
        for by in [0, 1, 5, 63, 64, 65, 127, 128, 200, 1000, LENGTH_MAX + 1] {
            let mut lengths = Lengths::default();
            let mut dumb: BTreeSet<u64> = [0, 1, 62, 63, 64, 65, 127, 128, 190, 640, 1001].into();
            dumb.iter().for_each(|length| lengths.insert(*length).unwrap());
            lengths.insert_shorter(by);
            let shorter: Vec<u64> = dumb.iter().filter_map(|length| length.checked_sub(by)).collect();
            dumb.extend(shorter);
            assert!((0..2000).all(|length| lengths.contains(length) == dumb.contains(&length)), "{by}");
            assert_eq!(lengths.len(), dumb.len(), "{by}");
        }
        assert_eq!(Lengths::default().insert(LENGTH_MAX + 1), Err(TooLong));
        assert!(!Lengths::default().contains(LENGTH_MAX + 1));
    }
}
