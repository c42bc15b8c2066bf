use super::kv_keys::KvKeys;
use super::kv_mix::KvMix;
use super::list_mix::{ListMix, Lists};
use bytes::Bytes;
use isegoria_check::history::{Answer, Call, List, Model, Part};
use isegoria_kv::{Op, Output};
use parking_lot::Mutex;
use std::sync::Arc;

/// Ends an element of a list: a list is kept as text under its key.
const END: u8 = b';';

/// What the clients of a run do, and what all of them share.
#[derive(Clone, Debug)]
pub(crate) enum Work {
    Kv(Arc<Mutex<KvKeys>>),
    Lists(Arc<Mutex<Lists>>),
}

impl Work {
    pub(crate) fn new(model: Model, keys: usize) -> Work {
        match model {
            Model::Kv => Work::Kv(Arc::new(Mutex::new(KvKeys::new(keys)))),
            Model::ListAppend => Work::Lists(Arc::new(Mutex::new(Lists::new(keys)))),
        }
    }

    /// The operations of one client.
    pub(crate) fn mix(&self, seed: u64, client: u64) -> Mix {
        match self {
            Work::Kv(keys) => Mix::Kv(KvMix::new(seed, client, keys.clone())),
            Work::Lists(lists) => Mix::Lists(ListMix::new(seed, client, lists.clone())),
        }
    }

    /// Reads of all keys that were ever used.
    pub(crate) fn reads(&self) -> Vec<Op> {
        const KEYS_AT_ONCE: usize = 32;
        let all = match self {
            Work::Kv(keys) => keys.lock().all(),
            Work::Lists(lists) => lists.lock().all(),
        };
        all.chunks(KEYS_AT_ONCE).map(|keys| Op::MultiGet(keys.to_vec())).collect()
    }
}

/// One client's operations, and what they are in the history.
#[derive(Debug)]
pub(crate) enum Mix {
    Kv(KvMix),
    Lists(ListMix),
}

impl Mix {
    /// Nobody was told how an operation ended.
    pub(crate) fn lost(&mut self, op: &Op) {
        match self {
            Mix::Kv(mix) => mix.lost(op),
            // Elements of lists tell themselves apart.
            Mix::Lists(_) => {}
        }
    }

    pub(crate) fn next_op(&mut self) -> Op {
        match self {
            Mix::Kv(mix) => mix.next_op(),
            Mix::Lists(mix) => mix.next_op(),
        }
    }

    /// The operation as the history has it.
    pub(crate) fn call(&self, op: &Op) -> Call {
        match (self, op) {
            (Mix::Lists(_), Op::Append(key, element)) => {
                let bare = element.strip_suffix(&[END]).unwrap_or(element);
                vec![Part::Append(key.clone(), Bytes::copy_from_slice(bare))].into()
            }
            (Mix::Lists(_), Op::MultiGet(keys)) => {
                keys.iter().cloned().map(Part::Read).collect::<Vec<_>>().into()
            }
            _ => op.clone().into(),
        }
    }

    /// The answer as the history has it, if it is one to this operation; takes note of it
    /// for later operations.
    pub(crate) fn answer(&mut self, op: &Op, output: &[u8]) -> Option<Answer> {
        let output = postcard::from_bytes(output).ok().filter(|output| belongs(op, output))?;
        Some(match (self, output) {
            (Mix::Kv(mix), output) => {
                mix.learn(op, &output);
                output.into()
            }
            (Mix::Lists(_), Output::Values(values)) => {
                let list = |value: &Option<Bytes>| Some(elements(value.as_deref().unwrap_or_default()));
                values.iter().map(list).collect::<Vec<_>>().into()
            }
            (Mix::Lists(_), _) => vec![None].into(),
        })
    }
}

/// Whether an operation can be answered like this at all.
fn belongs(op: &Op, output: &Output) -> bool {
    match (op, output) {
        (Op::MultiGet(keys), Output::Values(values)) => keys.len() == values.len(),
        (Op::Get(_), Output::Value(_))
        | (Op::Put(..) | Op::Add(..) | Op::MultiPut(_), Output::Ok)
        | (Op::Delete(_), Output::Deleted(_))
        | (Op::Incr(..), Output::Number(_) | Output::NotANumber)
        | (Op::Append(..), Output::Number(_))
        | (Op::CompareAndSet { .. }, Output::Swapped(_)) => true,
        _ => false,
    }
}

/// The elements of a list that is kept as text. One without its end is a part of what
/// was appended: it stays with a mark, so that it is nobody's element.
fn elements(text: &[u8]) -> List {
    text.split_inclusive(|byte| *byte == END)
        .map(|element| match element.strip_suffix(&[END]) {
            Some(bare) => bare.to_vec(),
            None => [element, b"(cut)"].concat(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_texts_under_their_keys() {
        let lists = Work::new(Model::ListAppend, 2);
        let mut mix = lists.mix(1, 1);
        let append = Op::Append("l0".into(), "1.1;".into());
        assert_eq!(mix.call(&append), vec![Part::Append("l0".into(), "1.1".into())].into());
        let read = Op::MultiGet(vec!["l0".into(), "l1".into(), "l2".into()]);
        let values = vec![Some("1.1;2.7;".into()), None, Some("1.1;2".into())];
        let output = postcard::to_stdvec(&Output::Values(values)).unwrap();
        let list = |elements: &[&str]| Some(elements.iter().collect::<List>());
        let expected = vec![list(&["1.1", "2.7"]), list(&[]), list(&["1.1", "2(cut)"])];
        assert_eq!(mix.answer(&read, &output).unwrap(), expected.into());
        for strange in [Output::Number(3), Output::Values(vec![None])] {
            assert_eq!(mix.answer(&read, &postcard::to_stdvec(&strange).unwrap()), None, "{strange:?}");
        }
        assert_eq!(mix.answer(&read, b"\xff"), None);
        assert_eq!(lists.reads(), [Op::MultiGet(vec!["l0".into(), "l1".into()])]);
    }
}
