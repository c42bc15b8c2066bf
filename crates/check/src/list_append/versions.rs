use crate::history::List;
use crate::list_append::transactions::{Access, Transactions, number};

/// Not seen in any read.
pub(crate) const UNSEEN: u32 = u32::MAX;

/// The order in which each list grew: read off its longest read, as every other read is
/// a beginning of that.
#[derive(Debug)]
pub(crate) struct Versions {
    /// The elements of each list, in order.
    pub(crate) lists: Vec<Vec<u32>>,
    /// The place of each element in its list, or [`UNSEEN`].
    pub(crate) places: Vec<u32>,
    pub(crate) reads: Vec<Read>,
}

/// A read of a list by a transaction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Read {
    pub(crate) transaction: u32,
    pub(crate) key: u32,
    /// How many elements it saw that are not its own.
    pub(crate) length: u32,
}

/// What is wrong already before transactions are put in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// An element that nobody appended.
    Phantom { reader: u32, key: u32, text: Vec<u8> },
    /// An element of a transaction that was not executed.
    Aborted { reader: u32, element: u32 },
    /// One element twice.
    Doubled { reader: u32, element: u32 },
    /// Two reads of which neither is a beginning of the other.
    Incompatible { reader: u32, other: u32, key: u32 },
    /// A transaction does not see what it did itself, or reads differently twice.
    Internal { transaction: u32, key: u32 },
    /// Two appends of one transaction to one list, the second one seen without the first
    /// one before it.
    Reordered { writer: u32, first: u32, second: u32 },
}

/// What a transaction did with one list so far.
#[derive(Default)]
struct Own {
    key: u32,
    appended: Vec<u32>,
    /// How many elements of others it saw, if it has read.
    length: Option<usize>,
}

struct Builder<'t, 'a> {
    transactions: &'t Transactions<'a>,
    versions: Versions,
    /// Who read each list's longest version.
    longest_by: Vec<u32>,
    ids: Vec<u32>,
}

impl Versions {
    pub(crate) fn build(transactions: &Transactions<'_>) -> Result<Versions, Flaw> {
        let mut builder = Builder {
            transactions,
            versions: Versions {
                lists: vec![Vec::new(); transactions.keys.len()],
                places: vec![UNSEEN; transactions.elements.len()],
                reads: Vec::new(),
            },
            longest_by: vec![0; transactions.keys.len()],
            ids: Vec::new(),
        };
        for transaction in transactions.indices() {
            builder.add(transaction)?;
        }
        builder.versions.check_own_order(transactions)?;
        Ok(builder.versions)
    }

    pub(crate) fn is_seen(&self, element: u32) -> bool {
        self.places[element as usize] != UNSEEN
    }

    fn check_own_order(&self, transactions: &Transactions<'_>) -> Result<(), Flaw> {
        for writer in transactions.indices() {
            let appended = transactions.get(writer).accesses.iter().filter_map(|access| match access {
                Access::Append(element) => Some(*element),
                Access::Read { .. } => None,
            });
            let mut appended: Vec<u32> = appended.collect();
            // By list; within one list in the order of the transaction.
            appended.sort_by_key(|element| transactions.element_of(*element).key);
            for pair in appended.windows(2) {
                let key = |index: usize| transactions.element_of(pair[index]).key;
                let place = |index: usize| self.places[pair[index] as usize];
                if key(0) == key(1) && place(1) != UNSEEN && place(0) > place(1) {
                    return Err(Flaw::Reordered { writer, first: pair[0], second: pair[1] });
                }
            }
        }
        Ok(())
    }
}

impl Builder<'_, '_> {
    fn add(&mut self, transaction: u32) -> Result<(), Flaw> {
        let mut owns: Vec<Own> = Vec::new();
        for access in &self.transactions.get(transaction).accesses {
            let key = match access {
                Access::Append(element) => self.transactions.element_of(*element).key,
                Access::Read { key, .. } => *key,
            };
            let place = owns.iter().position(|own| own.key == key).unwrap_or_else(|| {
                owns.push(Own { key, ..Own::default() });
                owns.len() - 1
            });
            match access {
                Access::Append(element) => owns[place].appended.push(*element),
                Access::Read { list, .. } => self.read(transaction, list, &mut owns[place])?,
            }
        }
        Ok(())
    }

    fn read(&mut self, reader: u32, list: &List, own: &mut Own) -> Result<(), Flaw> {
        self.identify(reader, own.key, list)?;
        let internal = Flaw::Internal { transaction: reader, key: own.key };
        let Some(others) = self.ids.strip_suffix(own.appended.as_slice()) else { return Err(internal) };
        let length = others.len();
        let is_own = |element: &u32| self.transactions.element_of(*element).writer == reader;
        if others.iter().any(is_own) || own.length.is_some_and(|before| before != length) {
            return Err(internal);
        }
        own.length = Some(length);
        self.extend(reader, own.key)?;
        self.versions.reads.push(Read { transaction: reader, key: own.key, length: number(length) });
        Ok(())
    }

    /// Looks up the elements of a list that was read.
    fn identify(&mut self, reader: u32, key: u32, list: &List) -> Result<(), Flaw> {
        self.ids.clear();
        for (place, text) in list.iter().enumerate() {
            // Nearly always it is what the longest read has there.
            let expected = self.versions.lists[key as usize].get(place).copied();
            let expected = expected.filter(|element| self.transactions.element_of(*element).text == text);
            let Some(element) = expected.or_else(|| self.transactions.find(key, text)) else {
                return Err(Flaw::Phantom { reader, key, text: text.to_vec() });
            };
            let writer = self.transactions.element_of(element).writer;
            if self.transactions.get(writer).is_failed {
                return Err(Flaw::Aborted { reader, element });
            }
            self.ids.push(element);
        }
        Ok(())
    }

    /// Compares the list that was read with the longest one, which it may replace.
    fn extend(&mut self, reader: u32, key: u32) -> Result<(), Flaw> {
        let longest = &mut self.versions.lists[key as usize];
        for (place, element) in self.ids.iter().enumerate() {
            let known = self.versions.places[*element as usize];
            if longest.get(place) == Some(element) {
                continue;
            }
            if (known as usize) < place {
                return Err(Flaw::Doubled { reader, element: *element });
            }
            if place < longest.len() || known != UNSEEN {
                return Err(Flaw::Incompatible { reader, other: self.longest_by[key as usize], key });
            }
            self.versions.places[*element as usize] = number(place);
            longest.push(*element);
            self.longest_by[key as usize] = reader;
        }
        Ok(())
    }
}
