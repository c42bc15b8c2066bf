use crate::BenchError;
use crate::cpu::{Process, processor_time_us};
use crate::histogram;
use crate::load::timeline::Timeline;
use crate::load::{LoadLine, LoadResult, NodeLatencies, WindowEdge};
use hdrhistogram::Histogram;
use isegoria_client::SubmitError;
use isegoria_types::NodeId;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How often progress is said.
const PROGRESS: Duration = Duration::from_secs(1);

/// What is said while the clients run.
pub(crate) type Say = fn(&LoadLine) -> Result<(), BenchError>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    WarmUp,
    Measured,
    Over,
}

/// What is counted, and when.
pub(crate) struct Meter {
    pub(crate) phase: Phase,
    /// When the next phase begins.
    next_phase: Instant,
    next_progress: Instant,
    duration: Duration,
    window_began: Instant,
    window_s: f64,
    cpu_before_us: Option<u64>,
    cpu_us: Option<u64>,
    done: u64,
    completed: u64,
    errors: BTreeMap<String, u64>,
    /// In the order of the plan's seats.
    latencies: Vec<(NodeId, Histogram<u64>)>,
    /// One a seat, if each second is to be told.
    timelines: Vec<Timeline>,
}

impl Meter {
    pub(crate) fn new((start, begin): (Instant, Instant), duration: Duration, nodes: Vec<NodeId>) -> Meter {
        Meter {
            phase: Phase::WarmUp,
            next_phase: begin,
            next_progress: start + PROGRESS,
            duration,
            window_began: begin,
            window_s: 0.0,
            cpu_before_us: None,
            cpu_us: None,
            done: 0,
            completed: 0,
            errors: BTreeMap::new(),
            latencies: nodes.into_iter().map(|node| (node, histogram::empty())).collect(),
            timelines: Vec::new(),
        }
    }

    /// Has it tell each second.
    pub(crate) fn keep_timelines(&mut self) {
        self.timelines.resize_with(self.latencies.len(), Timeline::default);
    }

    pub(crate) fn next_event(&self) -> Instant {
        self.next_phase.min(self.next_progress)
    }

    /// Does what is due.
    pub(crate) fn pass(&mut self, now: Instant, say: Say) -> Result<(), BenchError> {
        if now >= self.next_progress {
            self.next_progress = now + PROGRESS;
            say(&LoadLine::Done(self.done))?;
        }
        if now < self.next_phase {
            return Ok(());
        }
        match self.phase {
            Phase::WarmUp => {
                self.phase = Phase::Measured;
                self.window_began = now;
                self.next_phase = now + self.duration;
                self.cpu_before_us = processor_time_us(Process::Own);
                say(&LoadLine::Window(WindowEdge::Begin))
            }
            Phase::Measured => {
                self.phase = Phase::Over;
                self.window_s = (now - self.window_began).as_secs_f64();
                let before = self.cpu_before_us;
                let after = processor_time_us(Process::Own);
                self.cpu_us = before.zip(after).map(|(before, after)| after.saturating_sub(before));
                say(&LoadLine::Window(WindowEdge::End))
            }
            Phase::Over => Ok(()),
        }
    }

    /// Counts the end of an operation of a client of seat `home`, and how long it took. Says whether it
    /// ended in the measured window.
    pub(crate) fn note(
        &mut self,
        home: usize,
        result: Result<(), SubmitError>,
        (now, began): (Instant, Instant),
    ) -> Result<bool, BenchError> {
        self.done += 1;
        if let Err(error @ (SubmitError::TooLarge { .. } | SubmitError::Undecodable)) = &result {
            // Every further command would end like this.
            return Err(BenchError::Load(error.to_string()));
        }
        if self.phase != Phase::Measured {
            return Ok(false);
        }
        match result {
            Ok(()) => {
                self.completed += 1;
                let took = now - began;
                histogram::record(&mut self.latencies[home].1, took);
                if let Some(timeline) = self.timelines.get_mut(home) {
                    timeline.note(now - self.window_began, took);
                }
            }
            Err(error) => *self.errors.entry(kind(&error).to_owned()).or_default() += 1,
        }
        Ok(true)
    }

    /// When the measured window began.
    pub(crate) fn window_began(&self) -> Instant {
        self.window_began
    }

    /// Counts what is not the end of an operation, by kind.
    pub(crate) fn note_errors(&mut self, kind: &str, count: u64) {
        if count > 0 {
            *self.errors.entry(kind.to_owned()).or_default() += count;
        }
    }

    pub(crate) fn into_result(self) -> LoadResult {
        let window = Duration::from_secs_f64(self.window_s);
        let mut timelines = self.timelines.into_iter().map(|timeline| timeline.finish(window));
        let told = |(node, latencies): &(NodeId, Histogram<u64>)| NodeLatencies {
            node: *node,
            histogram: histogram::to_text(latencies),
            timeline: timelines.next().unwrap_or_default(),
        };
        LoadResult {
            completed: self.completed,
            errors: self.errors,
            window_s: self.window_s,
            cpu_us: self.cpu_us,
            latencies: self.latencies.iter().map(told).collect(),
            link_lateness: None,
            send_lateness: None,
        }
    }
}

fn kind(error: &SubmitError) -> &'static str {
    match error {
        SubmitError::TooLarge { .. } => "too_large",
        SubmitError::Overloaded => "overloaded",
        SubmitError::Unavailable => "unavailable",
        SubmitError::NoSpace => "no_space",
        SubmitError::Unknown(_) => "unknown",
        SubmitError::SessionExpired => "session_expired",
        SubmitError::Undecodable => "undecodable",
        _ => "other",
    }
}
