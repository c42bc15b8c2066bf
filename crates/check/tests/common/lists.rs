use super::{Store, bytes};
use bytes::Bytes;
use isegoria_check::history::{Answer, Call, History, List, Model, Outcome, Part};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

/// Lists that transactions append to and read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Lists {
    lists: BTreeMap<Bytes, Vec<Bytes>>,
    drawn_count: usize,
}

impl Lists {
    /// How many elements a list has.
    pub(crate) fn len(&self, key: &Bytes) -> usize {
        self.lists.get(key).map_or(0, Vec::len)
    }
}

impl Store for Lists {
    const MODEL: Model = Model::ListAppend;

    fn execute(&mut self, call: &Call) -> Answer {
        let Call::List(parts) = call else { panic!("not of lists") };
        let run = |part: &Part| match part {
            Part::Append(key, element) => {
                self.lists.entry(key.clone()).or_default().push(element.clone());
                None
            }
            Part::Read(key) => Some(self.lists.get(key).into_iter().flatten().collect::<List>()),
        };
        Answer::List(parts.iter().map(run).collect())
    }
}

/// A transaction of up to `parts` parts on `keys` lists; `count` numbers the elements.
pub(crate) fn draw_transaction(rng: &mut ChaCha8Rng, keys: u32, parts: usize, count: &mut u64) -> Call {
    let parts = rng.random_range(1..=parts);
    let draw = |_| {
        let key = bytes(&format!("l{}", rng.random_range(0..keys)));
        match rng.random_bool(0.5) {
            true => Part::Read(key),
            false => {
                *count += 1;
                Part::Append(key, bytes(&format!("e{count}")))
            }
        }
    };
    Call::List((0..parts).map(draw).collect())
}

/// Changes one read.
pub(crate) fn spoil_list(history: &mut History, rng: &mut ChaCha8Rng) {
    let mut reads: Vec<&mut List> = history
        .operations
        .iter_mut()
        .filter_map(|operation| match &mut operation.outcome {
            Outcome::Ok { answer: Answer::List(reads), .. } => Some(reads.iter_mut().flatten()),
            _ => None,
        })
        .flatten()
        .collect();
    if reads.is_empty() {
        return;
    }
    let all: Vec<Vec<u8>> = reads.iter().flat_map(|list| list.iter().map(<[u8]>::to_vec)).collect();
    let index = rng.random_range(0..reads.len());
    let mut elements: Vec<Vec<u8>> = reads[index].iter().map(<[u8]>::to_vec).collect();
    match rng.random_range(0..5) {
        0 => {
            elements.pop();
        }
        1 if !elements.is_empty() => {
            elements.remove(rng.random_range(0..elements.len()));
        }
        2 if elements.len() > 1 => {
            let place = rng.random_range(1..elements.len());
            elements.swap(place - 1, place);
        }
        3 if !all.is_empty() => elements.push(all[rng.random_range(0..all.len())].clone()),
        _ => elements.push(format!("e{}", rng.random_range(1..12)).into_bytes()),
    }
    *reads[index] = elements.iter().collect();
}
