use super::link::{LinkState, Shared};
use super::queue::Parcel;
use super::service::{PeerRequest, PeerResponse};
use super::{Delivered, Welcome};
use crate::codec::{ENVELOPE_BYTES, caller_transport};
use crate::{Backoff, LogLimit, Mismatch, Road, dial};
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tarpc::client::{Channel, Config, RpcError};
use tarpc::context;
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior, Sleep};
use tokio_util::task::AbortOnDropHandle;

/// Above this many calls in flight frames wait, however long the way is.
const CALLS_MAX: usize = 4096;

/// A connection that lived this long was a good one: the next dial comes at once.
const GOOD_LIFE: Duration = Duration::from_secs(1);

type Caller = Channel<PeerRequest, PeerResponse>;

/// Why there is no connection (any more).
#[derive(Debug, thiserror::Error)]
enum Lost {
    #[error("cannot connect: {0}")]
    Dial(#[from] io::Error),
    #[error("refused: {0}")]
    Refused(#[from] Mismatch),
    #[error("connection lost: {0}")]
    Call(#[from] RpcError),
    #[error("it does not answer")]
    Silent,
    #[error("it answered with something else")]
    WrongAnswer,
}

/// Dials, carries frames until the connection is lost, and again.
pub(super) async fn run(shared: Arc<Shared>, state: watch::Sender<LinkState>) {
    let mut backoff = Backoff::default();
    let log_limit = LogLimit::default();
    loop {
        let started = Instant::now();
        let lost = match connect(&shared).await {
            Ok((connection, welcome, greeting)) => {
                let round_trip = greeting + 2 * shared.link.options.distance.one_way;
                state.send_replace(LinkState::Up { welcome, round_trip });
                Carrier::new(&shared, connection).run().await
            }
            Err(lost) => lost,
        };
        let frame_count = shared.queue.clear();
        shared.dropped_count.fetch_add(frame_count, Ordering::Relaxed);
        if started.elapsed() >= GOOD_LIFE {
            backoff.reset();
        }
        report(&shared, &lost, &log_limit);
        let now = match lost {
            Lost::Refused(mismatch) => LinkState::Refused(mismatch),
            _ => LinkState::Down,
        };
        state.send_if_modified(|state| std::mem::replace(state, now.clone()) != now);
        tokio::time::sleep(backoff.next_pause()).await;
    }
}

fn report(shared: &Shared, lost: &Lost, log_limit: &LogLimit) {
    let (from, to) = (shared.link.identity.node, shared.link.to);
    if !matches!(lost, Lost::Refused(_)) {
        tracing::debug!(%from, %to, "link: {lost}");
    } else if let Some(suppressed) = log_limit.permit() {
        tracing::warn!(%from, %to, suppressed, "link: {lost}");
    }
}

struct Connection {
    caller: Caller,
    dispatch: AbortOnDropHandle<()>,
}

async fn connect(shared: &Shared) -> Result<(Connection, Welcome, Duration), Lost> {
    let link = &shared.link;
    let patience = Duration::from_millis(link.options.silence_ms);
    let attempt = async {
        let stream = dial(&link.endpoint).await?;
        let mut config = Config::default();
        config.max_in_flight_requests = CALLS_MAX;
        // As many: a call that had to wait for its place could be overtaken by a later one.
        config.pending_request_buffer = CALLS_MAX;
        let client = tarpc::client::new(config, caller_transport(stream, link.options.frame_bytes_max));
        let dispatch = client.dispatch;
        // Errors show in the calls; tarpc's own log line could not be limited.
        let dispatch = AbortOnDropHandle::new(tokio::spawn(async { drop(dispatch.await) }));
        let caller: Caller = client.client;
        let hello = PeerRequest::Hello { hello: link.identity.hello(link.to) };
        let began = Instant::now();
        match caller.call(deadline(patience), hello).await? {
            PeerResponse::Hello(answer) => Ok((Connection { caller, dispatch }, answer?, began.elapsed())),
            PeerResponse::Deliver(_) => Err(Lost::WrongAnswer),
        }
    };
    tokio::time::timeout(patience, attempt).await.unwrap_or(Err(Lost::Silent))
}

/// A deadline that our own watch over silence always comes before.
fn deadline(silence: Duration) -> context::Context {
    let mut context = context::current();
    context.deadline = Instant::now() + silence * 4 + Duration::from_secs(60);
    context
}

/// Carries frames over one connection. Counts what is in flight, also if it is
/// dropped at an await.
struct Carrier<'a> {
    shared: &'a Shared,
    connection: Connection,
    in_flight: InFlight<'a>,
    /// What has left for a peer that is far away.
    road: Road<Parcel>,
    silence: Duration,
}

struct InFlight<'a> {
    shared: &'a Shared,
    frame_count: u64,
    byte_count: usize,
}

impl Drop for InFlight<'_> {
    /// What is not confirmed when the connection ends counts as dropped.
    fn drop(&mut self) {
        self.shared.dropped_count.fetch_add(self.frame_count, Ordering::Relaxed);
    }
}

/// The answer to a call, and what the call carried.
struct Answer {
    frame_count: u64,
    byte_count: usize,
    outcome: Result<PeerResponse, RpcError>,
}

impl<'a> Carrier<'a> {
    fn new(shared: &'a Shared, connection: Connection) -> Carrier<'a> {
        let silence = Duration::from_millis(shared.link.options.silence_ms);
        let in_flight = InFlight { shared, frame_count: 0, byte_count: 0 };
        let road = Road::new(shared.link.options.distance, shared.link.lateness.clone());
        Carrier { shared, connection, in_flight, road, silence }
    }

    async fn run(mut self) -> Lost {
        let shared = self.shared;
        let options = shared.link.options;
        // New calls are polled first in, first out, and a call queues itself in its first poll: it never has
        // to wait for a place, nor for tokio's next turn.
        let mut calls = FuturesUnordered::new();
        let mut heartbeat = interval(options.heartbeat_ms);
        let mut silent_ms = 0;
        let mut linger = std::pin::pin!(tokio::time::sleep(Duration::ZERO));
        let mut lingering = false;
        loop {
            loop {
                while calls.len() < CALLS_MAX
                    && let Some(parcel) = self.road.take()
                {
                    calls.push(self.call(parcel));
                }
                if calls.len() >= options.window_max {
                    break;
                }
                let Some(parcel) = self.take() else { break };
                self.depart(parcel);
            }
            if !lingering && calls.len() >= options.window_max && !shared.queue.is_empty() {
                arm(linger.as_mut(), options.linger_ms);
                lingering = true;
            }
            tokio::select! {
                biased;
                Some(answer) = calls.next() => {
                    silent_ms = 0;
                    if let Err(lost) = self.settle(answer) {
                        return lost;
                    }
                }
                _ = &mut self.connection.dispatch => return RpcError::Shutdown.into(),
                () = shared.flushed.notified() => {}
                () = self.road.arrival(), if calls.len() < CALLS_MAX => {}
                () = &mut linger, if lingering => {
                    lingering = false;
                    if calls.len() < CALLS_MAX && let Some(parcel) = self.take() {
                        self.depart(parcel);
                    }
                }
                _ = heartbeat.tick() => {
                    if calls.is_empty() {
                        calls.push(self.call(Parcel { frames: Bytes::new(), frame_count: 0 }));
                        silent_ms = 0;
                    } else {
                        // Ticks that were missed count once: it was we who were asleep.
                        silent_ms += options.heartbeat_ms;
                    }
                    if u128::from(silent_ms) >= self.silence.as_millis() {
                        return Lost::Silent;
                    }
                }
            }
        }
    }

    /// Takes what waits, as far as there is room for more on its way.
    fn take(&mut self) -> Option<Parcel> {
        let options = &self.shared.link.options;
        if self.in_flight.byte_count >= options.queue_bytes_max {
            return None;
        }
        let bytes_max = options.call_bytes_max.min(options.frame_bytes_max.saturating_sub(ENVELOPE_BYTES));
        let parcel = self.shared.queue.take(bytes_max)?;
        self.in_flight.frame_count += parcel.frame_count;
        self.in_flight.byte_count += parcel.frames.len();
        Some(parcel)
    }

    fn depart(&mut self, parcel: Parcel) {
        let bytes = parcel.frames.len() + ENVELOPE_BYTES;
        self.road.depart(parcel, bytes);
    }

    fn call(&self, parcel: Parcel) -> impl Future<Output = Answer> + use<> {
        let Parcel { frames, frame_count } = parcel;
        let byte_count = frames.len();
        self.shared.call_count.fetch_add(1, Ordering::Relaxed);
        let (caller, context) = (self.connection.caller.clone(), deadline(self.silence));
        // A call that tokio made wait for the next turn, because this one has done much, would be
        // overtaken by those behind it.
        tokio::task::unconstrained(async move {
            let outcome = caller.call(context, PeerRequest::Deliver { frames }).await;
            Answer { frame_count, byte_count, outcome }
        })
    }

    fn settle(&mut self, answer: Answer) -> Result<(), Lost> {
        let dropped = match answer.outcome? {
            PeerResponse::Deliver(Delivered { dropped }) => dropped,
            PeerResponse::Hello(_) => return Err(Lost::WrongAnswer),
        };
        let count = if dropped { &self.shared.dropped_count } else { &self.shared.sent_count };
        count.fetch_add(answer.frame_count, Ordering::Relaxed);
        self.in_flight.frame_count -= answer.frame_count;
        self.in_flight.byte_count -= answer.byte_count;
        Ok(())
    }
}

fn interval(period_ms: u64) -> Interval {
    let mut interval = tokio::time::interval(Duration::from_millis(period_ms.max(1)));
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

fn arm(linger: std::pin::Pin<&mut Sleep>, linger_ms: u64) {
    linger.reset(tokio::time::Instant::now() + Duration::from_millis(linger_ms));
}
