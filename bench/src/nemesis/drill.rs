use super::actor::Actor;
use super::board::{self, Board};
use super::finding::Trouble;
use super::journal::Journal;
use super::mix::Work;
use super::plan::{Edge, Plan};
use super::probe::await_answer;
use super::report::Verdict;
use super::settings::Settings;
use super::stage::Stage;
use crate::local_cluster::NodeProcess;
use isegoria::Endpoint;
use isegoria_client::{Client, ClientError, ClientOptions};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

/// After so long without an answer, the outcome of an operation counts as unknown. Every
/// other client is patient enough for tries at several nodes; the others leave much behind
/// that is still under way, and go on.
const DEADLINES_MS: [u64; 2] = [5_000, 100];
/// The same for a final read: nothing is down then.
const FINAL_DEADLINE_MS: u64 = 30_000;
/// How long after the last fault a node may take until it answers.
const ANSWER_AGAIN_MAX: Duration = Duration::from_secs(60);

/// Clients at work on a cluster while faults happen to it.
pub(crate) struct Drill<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) seed: u64,
    pub(crate) stage: &'a mut Stage,
    pub(crate) work: Work,
    pub(crate) journal: Arc<Mutex<Journal>>,
    pub(crate) board: Arc<Mutex<Board>>,
    /// After the last fault ended, how long it took until every node answered.
    pub(crate) answered_again: Option<Duration>,
}

impl Drill<'_> {
    /// Work under faults, then without, then reads of everything through every node.
    pub(crate) async fn run(&mut self, plan: &Plan) -> Result<(), Trouble> {
        let mut ready = Vec::new();
        for number in 0..self.settings.clients {
            let home = number % self.settings.nodes;
            ready.push(self.actor(number, home, DEADLINES_MS[number / self.settings.nodes % 2]).await?);
        }
        let (stop, stopped) = watch::channel(false);
        // All clients have the same ticks: what they do at once meets at the nodes.
        let began = Instant::now();
        let ticks = || tokio::time::interval_at(began, self.settings.pace());
        let working = ready.into_iter().map(|actor| actor.work(ticks(), stopped.clone()));
        let mut actors: JoinSet<_> = working.collect();
        let (journal, board) = (self.journal.clone(), self.board.clone());
        let ended = tokio::select! {
            ended = self.faults(plan, began) => ended,
            trouble = first_trouble(&mut actors) => Err(trouble),
            never = board::tell(journal, board) => match never {},
        };
        let _ = stop.send(true);
        let left: Result<Vec<()>, Trouble> = actors.join_all().await.into_iter().collect();
        left?;
        ended?;
        self.read_everything().await
    }

    /// Client number `number` of the history, which asks the node `home` while it can.
    async fn actor(&self, number: usize, home: usize, deadline_ms: u64) -> Result<Actor, Trouble> {
        let mut endpoints = self.endpoints();
        endpoints.rotate_left(home);
        let mut options = ClientOptions::default();
        options.session.deadline_ms = deadline_ms;
        let client = Client::connect(&endpoints, options).await;
        let refused =
            |error: ClientError| Trouble::found(Verdict::Stuck, format!("a client cannot connect: {error}"));
        Ok(Actor {
            number: number as u64,
            client: client.map_err(refused)?,
            mix: self.work.mix(self.seed, number as u64),
            journal: self.journal.clone(),
        })
    }

    fn endpoints(&self) -> Vec<Endpoint> {
        self.stage.cluster.nodes().iter().filter_map(|node| node.client.clone()).collect()
    }

    /// Does what the plan says, and waits until everything answers again.
    async fn faults(&mut self, plan: &Plan, began: Instant) -> Result<(), Trouble> {
        for step in &plan.steps {
            self.stage.while_none_dies(sleep_until(began + step.at)).await?;
            match step.edge {
                Edge::Begin => board::begin(&step.fault, self.stage, &self.board).await?,
                Edge::End => board::end(&step.fault, self.stage, &self.board).await?,
            }
        }
        self.stage.while_none_dies(sleep_until(began + self.settings.duration())).await?;
        let healed = Instant::now();
        let asked = all_answer(self.stage.cluster.nodes().to_vec());
        self.stage.while_none_dies(asked).await?.map_err(|what| Trouble::found(Verdict::Stuck, what))?;
        self.answered_again = Some(healed.elapsed());
        Ok(())
    }

    /// Reads every key through every node.
    async fn read_everything(&mut self) -> Result<(), Trouble> {
        for node in 0..self.settings.nodes {
            let mut reader = self.actor(self.settings.clients + node, node, FINAL_DEADLINE_MS).await?;
            for op in self.work.reads() {
                if !reader.call(&op).await? {
                    let name = &self.stage.cluster.nodes()[node].name;
                    let what = format!("a final read through {name} was not answered: {op:?}");
                    return Err(Trouble::found(Verdict::Stuck, what));
                }
            }
        }
        Ok(())
    }
}

/// Waits until every node answers; or says which does not.
pub(crate) async fn all_answer(nodes: Vec<NodeProcess>) -> Result<(), String> {
    let deadline = Instant::now() + ANSWER_AGAIN_MAX;
    for NodeProcess { name, client, .. } in nodes {
        let Some(endpoint) = client else { continue };
        let left = deadline.saturating_duration_since(Instant::now());
        await_answer(&endpoint, left).await.map_err(|why| {
            let seconds = ANSWER_AGAIN_MAX.as_secs();
            format!("{name} did not answer within {seconds} s after the faults: {why}")
        })?;
    }
    Ok(())
}

/// Why a client gave up; they do not end otherwise while they may work.
async fn first_trouble(actors: &mut JoinSet<Result<(), Trouble>>) -> Trouble {
    loop {
        match actors.join_next().await {
            Some(Ok(Err(trouble))) => return trouble,
            Some(Ok(Ok(()))) => {}
            Some(Err(panic)) => std::panic::resume_unwind(panic.into_panic()),
            None => std::future::pending().await,
        }
    }
}
