use super::{Lists, Store};
use bytes::Bytes;
use isegoria_check::history::{Answer, Call, History, Outcome};
use isegoria_kv::{Kv, Op};
use isegoria_machine::StateMachine;
use porcupine_rs::{Model, Operation, check_operations};

/// The store's own state machine, on the key `k`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct OneKey(Option<Bytes>);

impl Store for OneKey {
    const MODEL: isegoria_check::history::Model = Kv::MODEL;

    fn execute(&mut self, call: &Call) -> Answer {
        let mut store = Kv::default();
        if let Some(value) = &self.0 {
            store.apply(Op::Put("k".into(), value.clone()));
        }
        let answer = store.execute(call);
        self.0 = store.map().get_bytes(b"k");
        answer
    }
}

/// A store as a model of porcupine.
trait Stepped: Store + std::fmt::Debug + Eq + std::hash::Hash + Send + Sync {}

impl Stepped for OneKey {}
impl Stepped for Lists {}

#[derive(Clone, Debug)]
struct OfStore<S>(std::marker::PhantomData<S>);

impl<S: Stepped> Model for OfStore<S> {
    type State = S;
    type Op = (Call, Option<Answer>);
    type Metadata = ();

    fn init() -> S {
        S::default()
    }

    fn step(state: &S, (call, answer): &(Call, Option<Answer>)) -> (bool, S) {
        let mut state = state.clone();
        let executed = state.execute(call);
        (answer.as_ref().is_none_or(|answer| *answer == executed), state)
    }
}

/// What porcupine says of a history of the store, on the key `k`.
pub(crate) fn porcupine_accepts_kv(history: &History) -> bool {
    accepts::<OneKey>(history)
}

/// What porcupine says of a history of transactions on lists.
pub(crate) fn porcupine_accepts_lists(history: &History) -> bool {
    accepts::<Lists>(history)
}

fn accepts<S: Stepped>(history: &History) -> bool {
    let taken = history.operations.iter().filter(|operation| operation.outcome != Outcome::Failed);
    let operations: Vec<Operation<OfStore<S>>> = taken
        .map(|operation| {
            let (return_time, answer) = match &operation.outcome {
                Outcome::Ok { returned_us, answer } => {
                    (i64::try_from(*returned_us).unwrap(), Some(answer.clone()))
                }
                // At the very end is as good as never.
                _ => (i64::MAX, None),
            };
            let call_time = i64::try_from(operation.invoked_us).unwrap();
            let op = (operation.call.clone(), answer);
            Operation { client_id: None, call_time, return_time, op, metadata: None }
        })
        .collect();
    check_operations::<OfStore<S>>(&operations)
}
