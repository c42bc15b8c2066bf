use super::Clock;
use crate::BenchError;
use isegoria_check::history::{Answer, Call, Model, Operation, Outcome, Writer};
use isegoria_client::SubmitError;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

/// How much is written at once, bytes.
const BUFFER_BYTES: usize = 1 << 20;

/// A history that is being recorded.
#[derive(Debug)]
pub(crate) struct Recorder {
    writer: Writer<BufWriter<File>>,
    file: PathBuf,
    clock: Clock,
}

impl Recorder {
    pub(crate) fn create(file: &Path, model: Model, clock: Clock) -> Result<Recorder, BenchError> {
        let writer = File::create(file)
            .and_then(|file| Writer::new(BufWriter::with_capacity(BUFFER_BYTES, file), model))
            .map_err(writing(file))?;
        Ok(Recorder { writer, file: file.to_path_buf(), clock })
    }

    /// The time for an operation that is about to be submitted.
    pub(crate) fn before_us(&self) -> u64 {
        self.clock.before_us()
    }

    /// What came of an operation whose answer is here.
    pub(crate) fn answered(&self, answer: Answer) -> Outcome {
        Outcome::Ok { returned_us: self.clock.after_us(), answer }
    }

    /// Writes down an operation that ended, or that nobody waits for any more.
    pub(crate) fn record(
        &mut self,
        client: u64,
        (invoked_us, call): (u64, Call),
        outcome: Outcome,
    ) -> Result<(), BenchError> {
        let operation = Operation { client, invoked_us, call, outcome };
        self.writer.record(&operation).map_err(writing(&self.file))
    }

    pub(crate) fn finish(self) -> Result<(), BenchError> {
        self.writer.finish().map(drop).map_err(writing(&self.file))
    }
}

fn writing(file: &Path) -> impl FnOnce(std::io::Error) -> BenchError {
    BenchError::io(format!("writing {}", file.display()))
}

/// What came of an operation that ended without an answer: it counts as not executed only
/// where the client library promises that nothing was done.
pub(crate) fn outcome_without_answer(error: &SubmitError) -> Outcome {
    match error {
        SubmitError::TooLarge { .. }
        | SubmitError::Overloaded
        | SubmitError::Unavailable
        | SubmitError::NoSpace
        | SubmitError::SessionExpired
        | SubmitError::Undecodable => Outcome::Failed,
        // Errors of later versions promise nothing yet.
        _ => Outcome::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use isegoria_check::history::History;
    use isegoria_kv::{Op, Output};
    use isegoria_types::{ClientId, RequestId};

    #[test]
    fn what_is_recorded_is_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("h.jsonl");
        let mut recorder = Recorder::create(&file, Model::Kv, Clock::start()).unwrap();
        let op = Op::Put("k".into(), "v".into());
        let invoked = recorder.before_us();
        let outcome = recorder.answered(Output::Ok.into());
        recorder.record(3, (invoked, op.clone().into()), outcome.clone()).unwrap();
        recorder.record(4, (invoked, op.clone().into()), Outcome::Unknown).unwrap();
        recorder.finish().unwrap();
        let history = History::read(std::io::BufReader::new(File::open(&file).unwrap())).unwrap();
        assert_eq!((history.model, history.operations.len()), (Model::Kv, 2));
        assert_eq!(history.operations[0].outcome, outcome);
        assert!(outcome.returned_us() > Some(invoked));
        assert_eq!(history.operations[1].call, op.into());
    }

    #[test]
    fn a_timeout_is_unknown_and_a_refusal_failed() {
        let request = RequestId { client: ClientId(1), number: 1 };
        assert_eq!(outcome_without_answer(&SubmitError::Unknown(request)), Outcome::Unknown);
        assert_eq!(outcome_without_answer(&SubmitError::Unavailable), Outcome::Failed);
        assert_eq!(outcome_without_answer(&SubmitError::Overloaded), Outcome::Failed);
    }
}
