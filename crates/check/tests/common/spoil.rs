use super::bytes;
use bytes::Bytes;
use isegoria_check::history::{Answer, Call, History, Outcome};
use isegoria_kv::{Op, Output};
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

/// Changes one answer into another one of its kind.
pub(crate) fn spoil(history: &mut History, rng: &mut ChaCha8Rng) {
    let mut answered: Vec<(&Call, &mut Output)> = history
        .operations
        .iter_mut()
        .filter_map(|operation| match &mut operation.outcome {
            Outcome::Ok { answer: Answer::Kv(output), .. } if *output != Output::Ok => {
                Some((&operation.call, output))
            }
            _ => None,
        })
        .collect();
    if answered.is_empty() {
        return;
    }
    let seen: Vec<Option<Bytes>> = answered
        .iter()
        .flat_map(|(_, output)| match output {
            Output::Value(value) => vec![value.clone()],
            Output::Values(values) => values.clone(),
            _ => vec![None, Some(bytes("1"))],
        })
        .collect();
    let index = rng.random_range(0..answered.len());
    let (call, output) = &mut answered[index];
    let other = other_number(rng);
    **output = match &**output {
        Output::Value(_) => Output::Value(seen.choose(rng).unwrap().clone()),
        Output::Values(values) => {
            let mut values = values.clone();
            let place = rng.random_range(0..values.len());
            values[place] = seen.choose(rng).unwrap().clone();
            Output::Values(values)
        }
        Output::Number(_) if matches!(call, Call::Kv(Op::Incr(..))) && rng.random_bool(0.25) => {
            Output::NotANumber
        }
        Output::Number(number) => Output::Number(number.wrapping_add(other)),
        Output::Deleted(done) => Output::Deleted(!done),
        Output::Swapped(done) => Output::Swapped(!done),
        Output::NotANumber => Output::Number(other),
        Output::Ok | Output::Redis(_) | Output::WrongType | Output::TooLong => {
            unreachable!("it is not among them")
        }
    };
}

fn other_number(rng: &mut ChaCha8Rng) -> i64 {
    [-1, 1, 2, 3][rng.random_range(0..4)]
}
