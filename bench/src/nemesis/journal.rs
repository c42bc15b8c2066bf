use crate::BenchError;
use crate::history::{Clock, Recorder, outcome_without_answer};
use isegoria_check::history::{Answer, Call, Model, Outcome};
use isegoria_client::ClientError;
use serde::Serialize;
use std::path::Path;
use std::time::{Duration, Instant};

/// How many operations ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// All that ended.
    pub operations: u64,
    /// Answered.
    pub ok: u64,
    /// Perhaps executed, now or later.
    pub unknown: u64,
    /// Certainly not executed.
    pub failed: u64,
}

/// What all clients of a run write down.
#[derive(Debug)]
pub(crate) struct Journal {
    recorder: Recorder,
    counts: Counts,
    /// When an answer came last, or the first operation was called.
    last_answer: Option<Instant>,
    longest_gap: Duration,
}

impl Journal {
    pub(crate) fn begin(file: &Path, model: Model) -> Result<Journal, BenchError> {
        let recorder = Recorder::create(file, model, Clock::start())?;
        Ok(Journal { recorder, counts: Counts::default(), last_answer: None, longest_gap: Duration::ZERO })
    }

    /// The time for an operation that is about to be called.
    pub(crate) fn before_us(&mut self) -> u64 {
        self.last_answer.get_or_insert_with(Instant::now);
        self.recorder.before_us()
    }

    /// Writes down how a client's operation ended, just now.
    pub(crate) fn note(
        &mut self,
        client: u64,
        asked: (u64, Call),
        result: Result<Answer, ClientError>,
    ) -> Result<(), BenchError> {
        let outcome = match result {
            Ok(answer) => self.recorder.answered(answer),
            Err(ClientError::Submit(error)) => outcome_without_answer(&error),
            Err(_) => Outcome::Unknown,
        };
        self.counts.operations += 1;
        match &outcome {
            Outcome::Ok { .. } => {
                self.counts.ok += 1;
                self.longest_gap = self.longest_gap();
                self.last_answer = Some(Instant::now());
            }
            Outcome::Unknown => self.counts.unknown += 1,
            Outcome::Failed => self.counts.failed += 1,
        }
        self.recorder.record(client, asked, outcome)
    }

    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    /// The longest time without any answer, up to now.
    pub(crate) fn longest_gap(&self) -> Duration {
        let gap = self.last_answer.map_or(Duration::ZERO, |last| last.elapsed());
        self.longest_gap.max(gap)
    }

    pub(crate) fn finish(self) -> Result<(), BenchError> {
        self.recorder.finish()
    }
}
