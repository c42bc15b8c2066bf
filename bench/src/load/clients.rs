use super::arrivals::Arrivals;
use super::meter::{Meter, Phase, Say};
use super::preload;
use super::service::{End, Service, homes};
use crate::BenchError;
use crate::load::recording::Recording;
use crate::load::{LoadPlan, LoadResult};
use crate::operation::{Operation, OperationChooser};
use isegoria_transport::{Alarm, Lateness};
use isegoria_types::NodeId;
use std::time::{Duration, Instant};

/// What has waited longer than this for its answer when an open loop's window ends is an error of it.
const LATE: Duration = Duration::from_secs(1);

/// The clients of one process, driven by one task.
pub(crate) struct Clients {
    service: Service,
    seats: Vec<Client>,
    /// If operations are recorded. Nothing else costs a run without a history.
    recording: Option<Recording>,
    /// In an open loop: when operations begin.
    arrivals: Option<Arrivals>,
}

struct Client {
    /// Which of the plan's seats it has.
    home: usize,
    operations: OperationChooser,
    /// When its outstanding operation began: was submitted, or in an open loop was to be.
    began: Instant,
    /// What it writes once it has read that.
    then_put: Option<u64>,
    /// Whether an operation is outstanding.
    is_busy: bool,
    /// Whether anything of it ended in the measured window.
    answered: bool,
}

impl Clients {
    /// Connects and writes what the workload needs to be there; submits nothing else.
    pub(crate) async fn connect(plan: &LoadPlan) -> Result<Clients, BenchError> {
        let mut service = Service::connect(plan).await?;
        let homes = homes(plan);
        preload::run(&mut service, homes.len(), plan).await?;
        service.emulate(plan);
        let client = |(index, home)| Client {
            home,
            operations: OperationChooser::new(plan, plan.first_client + index),
            began: Instant::now(),
            then_put: None,
            is_busy: false,
            answered: false,
        };
        let seats = homes.into_iter().enumerate().map(client).collect();
        let recording = plan.history.as_ref().map(|history| Recording::begin(plan, history)).transpose()?;
        Ok(Clients { service, seats, recording, arrivals: None })
    }

    /// Runs the warm-up and the measured window.
    pub(crate) async fn run(mut self, plan: &LoadPlan, say: Say) -> Result<LoadResult, BenchError> {
        let start = Instant::now();
        let begin = start + Duration::from_secs_f64(plan.warm_up_s);
        let nodes: Vec<NodeId> = plan.seats.iter().map(|seats| seats.node).collect();
        let mut meter = Meter::new((start, begin), Duration::from_secs_f64(plan.duration_s), nodes);
        if plan.timeline {
            meter.keep_timelines();
        }
        match plan.rate_per_s {
            Some(rate) => {
                let mut arrivals = Arrivals::new(plan, rate, start);
                // Every client is idle until an operation arrives for it.
                let homes = self.seats.iter().enumerate();
                homes.for_each(|(index, client)| arrivals.idle(client.home, index));
                self.arrivals = Some(arrivals);
            }
            None => {
                for index in 0..self.seats.len() {
                    self.begin(index, start).await?;
                }
            }
        }
        let mut alarm = Alarm::default();
        loop {
            let next_arrival = self.arrivals.as_ref().and_then(Arrivals::next);
            let due = next_arrival.map_or(meter.next_event(), |next| next.min(meter.next_event()));
            let ends = tokio::select! {
                biased;
                ends = self.service.ends() => ends?,
                () = alarm.at(due) => Vec::new(),
            };
            // One look at the clock a round. It is late for what ended and early for
            // what begins: latencies are never told too short.
            let now = Instant::now();
            if now >= meter.next_event() {
                meter.pass(now, say)?;
                if meter.phase == Phase::Over {
                    return self.finish(meter, &ends);
                }
            }
            if let Some(recording) = &mut self.recording {
                recording.note(&ends)?;
            }
            for end in ends {
                self.on_end(end, now, &mut meter).await?;
            }
            self.on_arrivals(now).await?;
        }
    }

    /// A command of a client has ended: it goes on, or begins what comes next.
    async fn on_end(&mut self, end: End, now: Instant, meter: &mut Meter) -> Result<(), BenchError> {
        let index = end.client;
        let client = &mut self.seats[index];
        if let Some(key) = client.then_put.take()
            && end.result.is_ok()
        {
            return self.service.submit(index, &Operation::Put(key)).await;
        }
        client.is_busy = false;
        client.answered |= meter.note(client.home, end.result.map(drop), (now, client.began))?;
        let home = client.home;
        match &mut self.arrivals {
            None => self.begin(index, now).await,
            Some(arrivals) => match arrivals.waiting(home) {
                Some(intended) => self.begin(index, intended).await,
                None => {
                    arrivals.idle(home, index);
                    Ok(())
                }
            },
        }
    }

    /// Begins what was to begin by now, as far as there are idle clients.
    async fn on_arrivals(&mut self, now: Instant) -> Result<(), BenchError> {
        while let Some((index, intended)) = self.arrivals.as_mut().and_then(|arrivals| arrivals.arrive(now)) {
            self.begin(index, intended).await?;
        }
        Ok(())
    }

    /// The window is over, and so is the history, with what ended in this very round.
    fn finish(self, mut meter: Meter, ends: &[End]) -> Result<LoadResult, BenchError> {
        if let Some(mut recording) = self.recording {
            recording.note(ends)?;
            recording.finish()?;
        }
        let silent = self.seats.iter().filter(|client| !client.answered).count() as u64;
        match &self.arrivals {
            None => meter.note_errors("no_answer", silent),
            // What is in flight at the end is in no histogram; what has been for long, nobody may overlook.
            Some(arrivals) => {
                let now = Instant::now();
                let is_late = |client: &&Client| client.is_busy && now.duration_since(client.began) > LATE;
                let late = self.seats.iter().filter(is_late).count() as u64;
                meter.note_errors("unanswered", late);
                meter.note_errors("unsent", arrivals.unsent_count(meter.window_began()));
            }
        }
        Ok(LoadResult {
            link_lateness: self.service.lateness(),
            send_lateness: self.arrivals.as_ref().map(Arrivals::lateness).map(Lateness::summary),
            ..meter.into_result()
        })
    }

    /// Begins the client's next operation, which is measured from `began` on.
    async fn begin(&mut self, index: usize, began: Instant) -> Result<(), BenchError> {
        let client = &mut self.seats[index];
        client.began = began;
        client.is_busy = true;
        if let Some(recording) = &mut self.recording {
            let command = recording.next_command(index, client.operations.keys());
            return self.service.submit_encoded(index, command).await;
        }
        let operation = client.operations.next();
        if let Operation::ReadModifyWrite(key) = operation {
            client.then_put = Some(key);
        }
        self.service.submit(index, &operation).await
    }
}
