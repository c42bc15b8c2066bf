use crate::BenchError;
use crate::cpu::{Process, processor_time_us};
use crate::generator::{KeyChooser, PutEncoder};
use crate::histogram;
use crate::load::recording::Recording;
use crate::load::{LoadLine, LoadPlan, LoadResult, NodeLatencies, WindowEdge};
use hdrhistogram::Histogram;
use isegoria::Endpoint;
use isegoria_client::{ClientOptions, Completed, Pool, SessionIndex, SubmitError};
use isegoria_types::NodeId;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How often progress is said.
const PROGRESS: Duration = Duration::from_secs(1);

/// The clients of one process, driven by one task.
pub(crate) struct Clients {
    pool: Pool,
    seats: Vec<Client>,
    encoder: PutEncoder,
    /// If operations are recorded. Nothing else costs a run without a history.
    recording: Option<Recording>,
}

struct Client {
    session: SessionIndex,
    /// Which of the plan's seats it has.
    home: usize,
    keys: KeyChooser,
    /// When its outstanding command was submitted.
    submitted: Instant,
    /// Whether anything of it ended in the measured window.
    answered: bool,
}

/// What is said while the clients run.
type Say = fn(&LoadLine) -> Result<(), BenchError>;

impl Clients {
    /// Connects and opens every client's session; submits nothing.
    pub(crate) async fn connect(plan: &LoadPlan) -> Result<Clients, BenchError> {
        let endpoints: Vec<Endpoint> = plan.seats.iter().map(|seats| seats.endpoint.clone()).collect();
        let mut pool = Pool::connect(&endpoints, ClientOptions::default())
            .await
            .map_err(|error| BenchError::Load(error.to_string()))?;
        if let Some(geo) = &plan.geo {
            pool.emulate((0..geo.sites.len()).map(|site| geo.distances(site)).collect());
        }
        let homes = plan.seats.iter().enumerate();
        let homes = homes.flat_map(|(home, seats)| std::iter::repeat_n((home, seats.node), seats.clients));
        let seats = homes
            .enumerate()
            .map(|(index, (home, node))| Client {
                session: pool.add_session(node),
                home,
                keys: KeyChooser::new(&plan.workload, plan.conflict, plan.seed, plan.first_client + index),
                submitted: Instant::now(),
                answered: false,
            })
            .collect();
        let encoder = PutEncoder::new(plan.payload_bytes, plan.seed);
        let recording = plan.history.as_ref().map(|history| Recording::begin(plan, history)).transpose()?;
        Ok(Clients { pool, seats, encoder, recording })
    }

    /// Runs the warm-up and the measured window.
    pub(crate) async fn run(mut self, plan: &LoadPlan, say: Say) -> Result<LoadResult, BenchError> {
        let start = Instant::now();
        let begin = start + Duration::from_secs_f64(plan.warm_up_s);
        let nodes = plan.seats.iter().map(|seats| seats.node).collect();
        let mut meter = Meter::new((start, begin), Duration::from_secs_f64(plan.duration_s), nodes);
        for index in 0..self.seats.len() {
            self.submit(index, start).await?;
        }
        let alarm = tokio::time::sleep_until(meter.next_event().into());
        tokio::pin!(alarm);
        loop {
            let ends = tokio::select! {
                biased;
                ends = self.pool.completions() => ends,
                () = &mut alarm => Vec::new(),
            };
            // One look at the clock a round. It is late for what ended and early for
            // what begins: latencies are never told too short.
            let now = Instant::now();
            if now >= meter.next_event() {
                meter.pass(now, say)?;
                if meter.phase == Phase::Over {
                    return self.finish(meter, &ends);
                }
                alarm.as_mut().reset(meter.next_event().into());
            }
            if let Some(recording) = &mut self.recording {
                recording.note(&ends)?;
            }
            for end in ends {
                let index = end.session.0;
                meter.note(&mut self.seats[index], end, now)?;
                self.submit(index, now).await?;
            }
        }
    }

    /// The window is over, and so is the history, with what ended in this very round.
    fn finish(self, meter: Meter, ends: &[Completed]) -> Result<LoadResult, BenchError> {
        if let Some(mut recording) = self.recording {
            recording.note(ends)?;
            recording.finish()?;
        }
        Ok(meter.into_result(&self.seats))
    }

    /// Submits the client's next command.
    async fn submit(&mut self, index: usize, now: Instant) -> Result<(), BenchError> {
        let client = &mut self.seats[index];
        if self.pool.is_expired(client.session) {
            let renewed = self.pool.renew(client.session).await;
            renewed.map_err(|error| BenchError::Load(format!("a session expired, and: {error}")))?;
        }
        client.submitted = now;
        let command = match &mut self.recording {
            None => self.encoder.put(client.keys.next_key()),
            Some(recording) => recording.next_command(index, &mut client.keys),
        };
        self.pool.submit(client.session, command).map_err(|error| BenchError::Load(error.to_string()))?;
        Ok(())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    WarmUp,
    Measured,
    Over,
}

/// What is counted, and when.
struct Meter {
    phase: Phase,
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
}

impl Meter {
    fn new((start, begin): (Instant, Instant), duration: Duration, nodes: Vec<NodeId>) -> Meter {
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
        }
    }

    fn next_event(&self) -> Instant {
        self.next_phase.min(self.next_progress)
    }

    /// Does what is due.
    fn pass(&mut self, now: Instant, say: Say) -> Result<(), BenchError> {
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

    /// Counts the end of the client's command.
    fn note(&mut self, client: &mut Client, end: Completed, now: Instant) -> Result<(), BenchError> {
        self.done += 1;
        if let Err(error @ (SubmitError::TooLarge { .. } | SubmitError::Undecodable)) = &end.result {
            // Every further command would end like this.
            return Err(BenchError::Load(error.to_string()));
        }
        if self.phase != Phase::Measured {
            return Ok(());
        }
        client.answered = true;
        match end.result {
            Ok(_) => {
                self.completed += 1;
                histogram::record(&mut self.latencies[client.home].1, now - client.submitted);
            }
            Err(error) => *self.errors.entry(kind(&error).to_owned()).or_default() += 1,
        }
        Ok(())
    }

    fn into_result(mut self, seats: &[Client]) -> LoadResult {
        let silent = seats.iter().filter(|client| !client.answered).count() as u64;
        if silent > 0 {
            self.errors.insert("no_answer".to_owned(), silent);
        }
        LoadResult {
            completed: self.completed,
            errors: self.errors,
            window_s: self.window_s,
            cpu_us: self.cpu_us,
            latencies: self.latencies.iter().map(|(node, latencies)| in_text(*node, latencies)).collect(),
        }
    }
}

fn in_text(node: NodeId, latencies: &Histogram<u64>) -> NodeLatencies {
    NodeLatencies { node, histogram: histogram::to_text(latencies) }
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
