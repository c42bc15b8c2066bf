use crate::history::{Answer, Call, History, List, Outcome, Part};
use bytes::Bytes;
use hashbrown::HashMap;

/// The transactions of a history, with keys and elements numbered.
#[derive(Debug)]
pub(crate) struct Transactions<'a> {
    pub(crate) list: Vec<Transaction<'a>>,
    pub(crate) keys: Vec<&'a Bytes>,
    pub(crate) elements: Vec<Element<'a>>,
    by_text: HashMap<(u32, &'a [u8]), u32, foldhash::fast::FixedState>,
}

/// A transaction that may have taken effect, or one that certainly has not.
#[derive(Debug)]
pub(crate) struct Transaction<'a> {
    /// The operation in the history.
    pub(crate) operation: usize,
    pub(crate) invoked_us: u64,
    /// Nothing if the outcome is unknown.
    pub(crate) returned_us: Option<u64>,
    pub(crate) is_failed: bool,
    pub(crate) accesses: Vec<Access<'a>>,
}

/// What a transaction does with one list.
#[derive(Debug)]
pub(crate) enum Access<'a> {
    Append(u32),
    /// Reads of unknown outcome tell nothing and are left out.
    Read {
        key: u32,
        list: &'a List,
    },
}

/// Something that was appended.
#[derive(Debug)]
pub(crate) struct Element<'a> {
    pub(crate) key: u32,
    pub(crate) text: &'a [u8],
    /// The transaction that appended it.
    pub(crate) writer: u32,
}

/// Why the history says nothing: the operation whose record makes no sense.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unusable {
    /// It appends what another one appended to the same list.
    Twice(usize),
    /// Its answer does not fit its call.
    Misfit(usize),
}

impl<'a> Transactions<'a> {
    pub(crate) fn collect(history: &'a History) -> Result<Transactions<'a>, Unusable> {
        let mut all = Transactions {
            list: Vec::new(),
            keys: Vec::new(),
            elements: Vec::new(),
            by_text: HashMap::default(),
        };
        let mut keys: HashMap<&'a Bytes, u32, foldhash::fast::FixedState> = HashMap::default();
        for (index, operation) in history.operations.iter().enumerate() {
            let Call::List(parts) = &operation.call else { continue };
            let reads = match &operation.outcome {
                Outcome::Ok { answer: Answer::List(reads), .. } if reads.len() == parts.len() => {
                    reads.as_slice()
                }
                Outcome::Ok { .. } => return Err(Unusable::Misfit(index)),
                Outcome::Unknown | Outcome::Failed => &[],
            };
            let writer = number(all.list.len());
            let mut accesses = Vec::with_capacity(parts.len());
            for (place, part) in parts.iter().enumerate() {
                let key = *keys.entry(part.key()).or_insert_with(|| {
                    all.keys.push(part.key());
                    number(all.keys.len() - 1)
                });
                match (part, reads.get(place)) {
                    (Part::Append(_, text), _) => {
                        accesses.push(Access::Append(
                            all.element(key, text, writer).ok_or(Unusable::Twice(index))?,
                        ));
                    }
                    (Part::Read(_), Some(Some(list))) => accesses.push(Access::Read { key, list }),
                    (Part::Read(_), None) => {}
                    (Part::Read(_), Some(None)) => return Err(Unusable::Misfit(index)),
                }
            }
            all.list.push(Transaction {
                operation: index,
                invoked_us: operation.invoked_us,
                returned_us: operation.outcome.returned_us(),
                is_failed: operation.outcome == Outcome::Failed,
                accesses,
            });
        }
        Ok(all)
    }

    /// A new element, unless it is there.
    fn element(&mut self, key: u32, text: &'a Bytes, writer: u32) -> Option<u32> {
        let id = number(self.elements.len());
        self.elements.push(Element { key, text, writer });
        self.by_text.insert((key, text), id).is_none().then_some(id)
    }

    pub(crate) fn find(&self, key: u32, text: &[u8]) -> Option<u32> {
        self.by_text.get(&(key, text)).copied()
    }

    pub(crate) fn get(&self, transaction: u32) -> &Transaction<'a> {
        &self.list[transaction as usize]
    }

    pub(crate) fn element_of(&self, element: u32) -> &Element<'a> {
        &self.elements[element as usize]
    }

    /// The transactions' numbers.
    pub(crate) fn indices(&self) -> impl Iterator<Item = u32> + use<> {
        0..number(self.list.len())
    }
}

pub(crate) fn number(count: usize) -> u32 {
    u32::try_from(count).expect("fewer than 2^32 transactions, keys and elements")
}
