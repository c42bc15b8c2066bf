use super::service::End;
use super::values::Values;
use crate::history::{Clock, Recorder, outcome_without_answer};
use crate::load::{HistoryPlan, LoadPlan};
use crate::operation::name;
use crate::{BenchError, KeyChooser};
use bytes::Bytes;
use isegoria_check::history::{Call, Model, Outcome};
use isegoria_kv::{Op, Output};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Dice of the clients beside those that choose keys, which are numbered from 0.
const DICE_STREAM: u64 = 1 << 40;

/// A load whose operations are recorded: gets among the puts, and a value of its own for
/// every put.
///
/// In the history a key is its number as text and a value its label, so that what is the
/// same in all values is not kept; a value that was read is compared with it first.
#[derive(Debug)]
pub(crate) struct Recording {
    recorder: Recorder,
    values: Values,
    reads: f64,
    seats: Vec<Seat>,
}

#[derive(Debug)]
struct Seat {
    /// The client's number in the whole run.
    client: u64,
    rng: ChaCha8Rng,
    put_count: u64,
    /// What has no answer yet, and when it was submitted.
    outstanding: Option<(u64, Call)>,
}

impl Recording {
    /// Begins this process's part of the history.
    pub(crate) fn begin(plan: &LoadPlan, history: &HistoryPlan) -> Result<Recording, BenchError> {
        let clock = Clock::with_origin(history.origin_us);
        let seat = |index: usize| {
            let client = (plan.first_client + index) as u64;
            let mut rng = ChaCha8Rng::seed_from_u64(plan.seed);
            rng.set_stream(DICE_STREAM + client);
            Seat { client, rng, put_count: 0, outstanding: None }
        };
        let count = plan.seats.iter().map(|seats| seats.clients).sum();
        Ok(Recording {
            recorder: Recorder::create(&history.file, Model::Kv, clock)?,
            values: Values::new(plan.payload_bytes, plan.seed),
            reads: history.reads,
            seats: (0..count).map(seat).collect(),
        })
    }

    /// The next command of a client, which is submitted at once.
    pub(crate) fn next_command(&mut self, index: usize, keys: &mut KeyChooser) -> Bytes {
        let seat = &mut self.seats[index];
        let (real, recorded) = if seat.rng.random_bool(self.reads) {
            let key = keys.next_key_to_read();
            (Op::Get(name(key)), Op::Get(recorded_key(key)))
        } else {
            let key = keys.next_key();
            seat.put_count += 1;
            let label = Values::label(seat.client, seat.put_count);
            (Op::Put(name(key), self.values.value(&label)), Op::Put(recorded_key(key), label))
        };
        seat.outstanding = Some((self.recorder.before_us(), recorded.into()));
        postcard::to_stdvec(&real).expect("encoding into memory").into()
    }

    /// Writes down what ended; the clock is read now.
    pub(crate) fn note(&mut self, ends: &[End]) -> Result<(), BenchError> {
        for end in ends {
            let outcome = match &end.result {
                Ok(output) => self.recorder.answered(self.decode(output)?.into()),
                Err(error) => outcome_without_answer(error),
            };
            let seat = &mut self.seats[end.client];
            let asked = seat.outstanding.take().expect("a client's operation ends once");
            self.recorder.record(seat.client, asked, outcome)?;
        }
        Ok(())
    }

    /// The output, with the label in the place of a value.
    fn decode(&self, output: &[u8]) -> Result<Output, BenchError> {
        match postcard::from_bytes(output) {
            Ok(Output::Value(Some(value))) => Ok(Output::Value(Some(self.values.label_of(value)))),
            Ok(output) => Ok(output),
            Err(_) => Err(BenchError::Load("an answer does not decode".to_owned())),
        }
    }

    /// Writes down what is outstanding, as unknown.
    pub(crate) fn finish(mut self) -> Result<(), BenchError> {
        for seat in self.seats {
            if let Some(asked) = seat.outstanding {
                self.recorder.record(seat.client, asked, Outcome::Unknown)?;
            }
        }
        self.recorder.finish()
    }
}

fn recorded_key(key: u64) -> Bytes {
    key.to_string().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use isegoria_check::history::{Answer, History};
    use std::path::PathBuf;

    fn plan(file: PathBuf, clients: usize) -> LoadPlan {
        LoadPlan {
            first_client: 4,
            workload: "atlas20".parse().unwrap(),
            conflict: 0.5,
            history: Some(HistoryPlan { file, origin_us: 0, reads: 0.5 }),
            ..crate::load::plan::tests::plan(&[clients])
        }
    }

    fn end(index: usize, output: &Output) -> End {
        End { client: index, result: Ok(postcard::to_stdvec(output).unwrap().into()) }
    }

    /// What is recorded is what was asked and answered, but for the filling of values.
    #[test]
    fn commands_and_answers_are_recorded_with_labels() {
        let dir = tempfile::tempdir().unwrap();
        let plan = plan(dir.path().join("part"), 2);
        let history = plan.history.clone().unwrap();
        let mut recording = Recording::begin(&plan, &history).unwrap();
        let mut keys = KeyChooser::new(&plan.workload, plan.conflict, plan.seed, 4);
        let filled = Values::new(100, 1).value(b"9.9");
        let mut asked = Vec::new();
        for _ in 0..100 {
            let op: Op = postcard::from_bytes(&recording.next_command(0, &mut keys)).unwrap();
            let output = match &op {
                Op::Get(_) => Output::Value(Some(filled.clone())),
                _ => Output::Ok,
            };
            recording.note(&[end(0, &output)]).unwrap();
            asked.push(op);
        }
        recording.next_command(1, &mut keys);
        recording.finish().unwrap();

        let file = std::io::BufReader::new(std::fs::File::open(&history.file).unwrap());
        let operations = History::read(file).unwrap().operations;
        assert_eq!(operations.len(), 101);
        assert_eq!((operations[0].client, operations[100].client), (4, 5));
        assert_eq!(operations[100].outcome, Outcome::Unknown, "outstanding in the end");
        for (op, operation) in asked.iter().zip(&operations) {
            let Outcome::Ok { answer, .. } = &operation.outcome else { panic!("{operation:?}") };
            match (op, &operation.call) {
                (Op::Get(key), Call::Kv(Op::Get(recorded))) => {
                    assert_eq!(u64::from_be_bytes(key[..].try_into().unwrap()).to_string(), *recorded);
                    assert_eq!(*answer, Answer::Kv(Output::Value(Some("9.9".into()))));
                }
                (Op::Put(_, value), Call::Kv(Op::Put(_, label))) => {
                    assert!(value.len() == 100 && value.starts_with(label) && label.starts_with(b"4."));
                }
                other => panic!("{other:?}"),
            }
        }
        let gets = asked.iter().filter(|op| matches!(op, Op::Get(_))).count();
        assert!((30..70).contains(&gets), "{gets}");
    }
}
