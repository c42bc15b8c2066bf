//! Histories that were really executed, ways to spoil them, and judges too simple to err.
#![allow(dead_code, unused_imports, clippy::unwrap_used)] // Each test file uses its own part.

mod lists;
mod porcupine;
mod spoil;

pub(crate) use lists::{Lists, draw_transaction, spoil_list};
pub(crate) use porcupine::{porcupine_accepts_kv, porcupine_accepts_lists};
pub(crate) use spoil::spoil;

use bytes::Bytes;
use isegoria_check::history::{Answer, Call, History, Model, Operation, Outcome};
use isegoria_kv::{Kv, Output};
use isegoria_machine::StateMachine;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

pub(crate) fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

/// What a generated history is like.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    pub(crate) clients: u64,
    pub(crate) operations: usize,
    /// Probability that an answer is lost; half of these operations take effect nevertheless.
    pub(crate) unknown: f64,
    /// Probability that an operation is refused and not executed.
    pub(crate) failed: f64,
    /// The longest time between invocation, effect and return, µs.
    pub(crate) step_us: u64,
}

/// What operations are executed on, one after the other.
pub(crate) trait Store: Clone + Default {
    const MODEL: Model;

    fn execute(&mut self, call: &Call) -> Answer;
}

impl Store for Kv {
    const MODEL: Model = Model::Kv;

    fn execute(&mut self, call: &Call) -> Answer {
        let Call::Kv(op) = call else { panic!("not of the store") };
        Answer::Kv(self.apply(op.clone()))
    }
}

struct Planned {
    effect: (u64, u32),
    operation: Operation,
    is_executed: bool,
}

/// Executes operations of concurrent clients on a store, each at one moment between its
/// invocation and its return, and records what they are told. `draw` sees the store as it
/// is just before the operation takes effect.
pub(crate) fn execute<S: Store>(
    shape: &Shape,
    rng: &mut ChaCha8Rng,
    mut draw: impl FnMut(&mut ChaCha8Rng, &S) -> Call,
) -> History {
    let mut planned = plan(shape, rng);
    planned.sort_by_key(|planned| planned.effect);
    let mut store = S::default();
    let mut operations = Vec::new();
    for Planned { mut operation, is_executed, .. } in planned {
        operation.call = draw(rng, &store);
        if is_executed {
            let executed = store.execute(&operation.call);
            if let Outcome::Ok { answer, .. } = &mut operation.outcome {
                *answer = executed;
            }
        }
        operations.push(operation);
    }
    History { model: S::MODEL, operations }
}

fn plan(shape: &Shape, rng: &mut ChaCha8Rng) -> Vec<Planned> {
    let mut clocks = vec![0; usize::try_from(shape.clients).unwrap()];
    let mut planned = Vec::new();
    for _ in 0..shape.operations {
        // Whoever is furthest behind comes next, so that clients stay concurrent.
        let client = (0..clocks.len()).min_by_key(|client| clocks[*client]).unwrap();
        let invoked_us = clocks[client] + rng.random_range(0..=shape.step_us);
        let effect_us = invoked_us + rng.random_range(0..=shape.step_us);
        let returned_us = effect_us + rng.random_range(0..=shape.step_us);
        clocks[client] = returned_us;
        let answer = Answer::Kv(Output::Ok);
        let (outcome, effect_us, is_executed) = match rng.random_range(0.0..1.0) {
            dice if dice < shape.unknown => {
                // It may take effect much later than its client waited for it.
                let late = rng.random_range(0..=shape.step_us * 10);
                (Outcome::Unknown, invoked_us + late, rng.random_bool(0.5))
            }
            dice if dice < shape.unknown + shape.failed => (Outcome::Failed, effect_us, false),
            _ => (Outcome::Ok { returned_us, answer }, effect_us, true),
        };
        let (client, call) = (client as u64, Call::List(Vec::new()));
        let operation = Operation { client, invoked_us, call, outcome };
        planned.push(Planned { effect: (effect_us, rng.random()), operation, is_executed });
    }
    planned
}

/// Tries every order of the operations: for histories of very few.
pub(crate) fn some_order_explains<S: Store>(history: &History) -> bool {
    let operations: Vec<&Operation> =
        history.operations.iter().filter(|operation| operation.outcome != Outcome::Failed).collect();
    try_orders(&operations, &mut vec![false; operations.len()], &S::default())
}

fn try_orders<S: Store>(operations: &[&Operation], done: &mut [bool], store: &S) -> bool {
    let returned = |index: usize| operations[index].outcome.returned_us();
    let waiting: Vec<usize> = (0..operations.len()).filter(|index| !done[*index]).collect();
    // What was not answered may never take effect.
    if waiting.iter().all(|index| returned(*index).is_none()) {
        return true;
    }
    waiting.iter().any(|next| {
        let is_late =
            |other: &usize| returned(*other).is_some_and(|time| time < operations[*next].invoked_us);
        if waiting.iter().any(is_late) {
            return false;
        }
        let mut store = store.clone();
        let executed = store.execute(&operations[*next].call);
        if let Outcome::Ok { answer, .. } = &operations[*next].outcome
            && *answer != executed
        {
            return false;
        }
        done[*next] = true;
        let found = try_orders(operations, done, &store);
        done[*next] = false;
        found
    })
}

/// A history of the store, in its text form.
pub(crate) fn read(lines: &str) -> History {
    History::read(lines.trim().as_bytes()).unwrap()
}

/// The operations, a line each.
pub(crate) fn lines(history: &History) -> String {
    history.operations.iter().map(|operation| format!("{operation}\n")).collect()
}
