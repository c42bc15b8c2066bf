use crate::trials::pressure::failed;
use crate::{BenchError, PutEncoder};
use hashbrown::HashMap;
use isegoria::Endpoint;
use isegoria_client::{ClientOptions, Completed, Pool, SessionIndex, SubmitError};
use isegoria_types::{NodeId, RequestId};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use std::time::{Duration, Instant};

/// The longest time in which nothing is looked at.
const TICK: Duration = Duration::from_millis(1);
/// After its deadline a request ends within this.
const DRAIN: Duration = Duration::from_secs(1);
/// Requests that one session may have under way.
const IN_FLIGHT_MAX: usize = 256;

/// A load that does not wait for answers.
#[derive(Clone, Debug)]
pub(crate) struct OpenLoop {
    /// The nodes, and where they take commands.
    pub(crate) endpoints: Vec<(NodeId, Endpoint)>,
    /// How long each phase is, s, and how much it offers, requests/s.
    pub(crate) phases: Vec<(u64, f64)>,
    /// How long a client waits for an answer, ms.
    pub(crate) deadline_ms: u64,
    /// Size of a value, bytes.
    pub(crate) payload_bytes: usize,
    /// Seed of the arrivals.
    pub(crate) seed: u64,
}

/// What happened in one second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Second {
    /// Requests that were due in it.
    pub(crate) offered: u64,
    /// Those of them that were answered before their deadline, whenever that was.
    pub(crate) served: u64,
    /// Those whose every send was refused until their deadline.
    pub(crate) refused: u64,
    /// Those of unknown outcome at their deadline.
    pub(crate) unknown: u64,
    /// Those that the load generator could not send: 0, or the run says nothing.
    pub(crate) unsent: u64,
    /// Answers that came in it, to whatever request.
    pub(crate) answered: u64,
}

impl OpenLoop {
    /// Offers every phase, one after the other, and waits for what is under way then.
    /// Arrivals are Poisson: nobody waits for anybody.
    pub(crate) async fn run(self, mut tell: impl FnMut(usize, &Second)) -> Result<Vec<Second>, BenchError> {
        let mut clients = Clients::connect(&self).await?;
        let mut arrivals = Arrivals::new(&self.phases, self.seed);
        let began = Instant::now();
        let end = Duration::from_secs(self.phases.iter().map(|(seconds, _)| seconds).sum());
        let over = end + Duration::from_millis(self.deadline_ms) + DRAIN;
        let mut told = 0;
        while began.elapsed() < over && (began.elapsed() < end || !clients.under_way.is_empty()) {
            while let Some(at) = arrivals.due(began.elapsed()) {
                clients.submit(second(at))?;
            }
            let ends = tokio::time::timeout(TICK, clients.pool.completions()).await.unwrap_or_default();
            clients.note(ends, second(began.elapsed()));
            let now = second(began.elapsed());
            if now > told && now <= clients.seconds.len() {
                tell(told, &clients.seconds[told]);
                told = now;
            }
        }
        Ok(clients.seconds)
    }
}

#[allow(clippy::cast_possible_truncation)] // Seconds of a run.
fn second(at: Duration) -> usize {
    at.as_secs() as usize
}

/// When requests are due.
struct Arrivals {
    /// The end of each phase, and its rate a second.
    phases: Vec<(Duration, f64)>,
    next: Duration,
    rng: ChaCha8Rng,
}

impl Arrivals {
    fn new(phases: &[(u64, f64)], seed: u64) -> Arrivals {
        let mut end = Duration::ZERO;
        let ends = phases.iter().map(|(seconds, rate)| {
            end += Duration::from_secs(*seconds);
            (end, *rate)
        });
        Arrivals { phases: ends.collect(), next: Duration::ZERO, rng: ChaCha8Rng::seed_from_u64(seed) }
    }

    /// The next arrival, if it is due by `now`.
    fn due(&mut self, now: Duration) -> Option<Duration> {
        let at = self.next;
        if at > now {
            return None;
        }
        let rate = self.phases.iter().find(|(end, _)| at < *end)?.1;
        let gap = -(1.0 - self.rng.random::<f64>()).ln() / rate;
        self.next = at + Duration::from_secs_f64(gap.clamp(1e-9, 10.0));
        Some(at)
    }
}

struct Clients {
    pool: Pool,
    sessions: Vec<SessionIndex>,
    next: usize,
    encoder: PutEncoder,
    submitted: u64,
    /// The second in which each request was due.
    under_way: HashMap<RequestId, usize>,
    seconds: Vec<Second>,
}

impl Clients {
    async fn connect(load: &OpenLoop) -> Result<Clients, BenchError> {
        let endpoints: Vec<Endpoint> = load.endpoints.iter().map(|(_, endpoint)| endpoint.clone()).collect();
        let mut options = ClientOptions::default();
        options.session.deadline_ms = load.deadline_ms;
        options.session.in_flight_max = IN_FLIGHT_MAX;
        let mut pool = Pool::connect(&endpoints, options).await.map_err(failed)?;
        let most = load.phases.iter().map(|(_, rate)| *rate).fold(0.0, f64::max);
        // A session counts what ended above one that did not, so twice what is needed.
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let count = (most * load.deadline_ms as f64 / 1e3 / IN_FLIGHT_MAX as f64 * 2.0) as usize + 32;
        let home = |index: usize| load.endpoints[index % load.endpoints.len()].0;
        let sessions = (0..count).map(|index| pool.add_session(home(index))).collect();
        let length: u64 = load.phases.iter().map(|(seconds, _)| seconds).sum();
        Ok(Clients {
            pool,
            sessions,
            next: 0,
            encoder: PutEncoder::new(load.payload_bytes, load.seed),
            submitted: 0,
            under_way: HashMap::new(),
            seconds: vec![Second::default(); usize::try_from(length).unwrap_or(0)],
        })
    }

    /// Submits a request that was due in this second; by the next session that has room.
    fn submit(&mut self, due: usize) -> Result<(), BenchError> {
        self.seconds[due].offered += 1;
        let count = self.sessions.len();
        let turns = (0..count).map(|turn| self.sessions[(self.next + turn) % count]);
        let Some(session) = turns.into_iter().find(|session| self.pool.room(*session) > 0) else {
            self.seconds[due].unsent += 1;
            return Ok(());
        };
        self.next = (session.0 + 1) % count;
        let put = self.encoder.put(self.submitted % 10_000);
        self.submitted += 1;
        let request = self.pool.submit(session, put).map_err(failed)?;
        self.under_way.insert(request, due);
        Ok(())
    }

    fn note(&mut self, ends: Vec<Completed>, now: usize) {
        for end in ends {
            let Some(due) = self.under_way.remove(&end.request) else { continue };
            match end.result {
                Ok(_) => {
                    self.seconds[due].served += 1;
                    if let Some(second) = self.seconds.get_mut(now) {
                        second.answered += 1;
                    }
                }
                Err(SubmitError::Overloaded) => self.seconds[due].refused += 1,
                Err(_) => self.seconds[due].unknown += 1,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrivals_keep_to_the_rate_of_their_phase() {
        let mut arrivals = Arrivals::new(&[(10, 100.0), (10, 1_000.0)], 1);
        let mut counts = [0_u32; 20];
        let far = Duration::from_secs(1_000);
        while let Some(at) = arrivals.due(far) {
            counts[second(at)] += 1;
        }
        let (slow, quick): (u32, u32) = (counts[..10].iter().sum(), counts[10..].iter().sum());
        assert!((900..1_100).contains(&slow) && (9_700..10_300).contains(&quick), "{slow} {quick}");
        assert_eq!(Arrivals::new(&[(1, 1.0)], 1).due(Duration::ZERO), Some(Duration::ZERO));
    }
}
