use crate::{BenchError, PutEncoder};
use isegoria::Endpoint;
use isegoria_client::{ClientOptions, Pool, SessionIndex};
use isegoria_types::NodeId;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// How often clients that keep to a rate look whether they may go on.
const PACE_TICK: Duration = Duration::from_millis(1);
/// How often the load looks whether it is to stop.
const STOP_TICK: Duration = Duration::from_millis(100);

/// What a load does: puts, round and round a fixed set of keys.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    /// The nodes, and where they take commands.
    pub(crate) endpoints: Vec<(NodeId, Endpoint)>,
    /// Clients with one outstanding command each, spread over the nodes.
    pub(crate) clients: usize,
    /// Size of a value, bytes.
    pub(crate) payload_bytes: usize,
    /// How many keys.
    pub(crate) keys: u64,
    /// It ends by itself after so many answers.
    pub(crate) commands: Option<u64>,
    /// The most commands a second.
    pub(crate) rate: Option<f64>,
}

/// What a load has got so far; read while it runs.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    answered: AtomicU64,
    /// Ended without an answer.
    failed: AtomicU64,
    stop: AtomicBool,
}

/// Clients of this process at work in the background, until they are stopped or done.
/// Unlike the load processes of `bench` they measure nothing: what is on trial is the cluster.
#[derive(Debug)]
pub(crate) struct Pressure {
    counters: Arc<Counters>,
    task: JoinHandle<Result<(), BenchError>>,
}

impl Pressure {
    pub(crate) fn begin(job: Job) -> Pressure {
        let counters = Arc::new(Counters::default());
        let task = tokio::spawn(work(job, Arc::clone(&counters)));
        Pressure { counters, task }
    }

    pub(crate) fn answered(&self) -> u64 {
        self.counters.answered.load(Ordering::Relaxed)
    }

    pub(crate) fn failed(&self) -> u64 {
        self.counters.failed.load(Ordering::Relaxed)
    }

    pub(crate) fn is_over(&self) -> bool {
        self.task.is_finished()
    }

    /// Waits until it is done.
    pub(crate) async fn end(self) -> Result<(), BenchError> {
        self.task.await.map_err(|error| BenchError::Load(error.to_string()))?
    }

    /// Has it submit nothing more; what is under way may or may not be done.
    pub(crate) async fn stop(self) -> Result<(), BenchError> {
        self.counters.stop.store(true, Ordering::Relaxed);
        self.end().await
    }
}

async fn work(job: Job, counters: Arc<Counters>) -> Result<(), BenchError> {
    let endpoints: Vec<Endpoint> = job.endpoints.iter().map(|(_, endpoint)| endpoint.clone()).collect();
    let mut pool = Pool::connect(&endpoints, ClientOptions::default()).await.map_err(failed)?;
    let homes: Vec<NodeId> = job.endpoints.iter().map(|(node, _)| *node).collect();
    // In turn, so that every session is used.
    let mut idle: VecDeque<SessionIndex> =
        (0..job.clients).map(|client| pool.add_session(homes[client % homes.len()])).collect();
    let mut encoder = PutEncoder::new(job.payload_bytes, 1);
    let (began, mut submitted, mut ended) = (Instant::now(), 0_u64, 0_u64);
    while !counters.stop.load(Ordering::Relaxed) && job.commands.is_none_or(|commands| ended < commands) {
        let mut room = job
            .commands
            .map_or(u64::MAX, |commands| commands - submitted)
            .min(job.rate.map_or(u64::MAX, |rate| due(rate, began.elapsed()).saturating_sub(submitted)));
        while room > 0
            && let Some(session) = idle.pop_front()
        {
            if pool.is_expired(session) {
                pool.renew(session).await.map_err(failed)?;
            }
            pool.submit(session, encoder.put(submitted % job.keys)).map_err(failed)?;
            (submitted, room) = (submitted + 1, room - 1);
        }
        let pause = if job.rate.is_some() && !idle.is_empty() { PACE_TICK } else { STOP_TICK };
        let Ok(ends) = tokio::time::timeout(pause, pool.completions()).await else { continue };
        let good = ends.iter().filter(|end| end.result.is_ok()).count() as u64;
        counters.answered.fetch_add(good, Ordering::Relaxed);
        counters.failed.fetch_add(ends.len() as u64 - good, Ordering::Relaxed);
        ended += ends.len() as u64;
        idle.extend(ends.iter().map(|end| end.session));
    }
    Ok(())
}

/// Commands that a rate allows within a time.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // A count of commands.
fn due(rate: f64, elapsed: Duration) -> u64 {
    (rate * elapsed.as_secs_f64()) as u64
}

pub(crate) fn failed(error: impl std::fmt::Display) -> BenchError {
    BenchError::Load(error.to_string())
}
