use super::finding::Trouble;
use super::journal::Journal;
use super::mix::Mix;
use super::report::Verdict;
use isegoria_client::{Client, ClientError};
use isegoria_kv::Op;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior};

/// Longer than any deadline of a call.
const CALL_MAX: Duration = Duration::from_secs(60);

/// One client: calls an operation, writes down how it ended, and goes on with the next,
/// whatever became of it.
pub(crate) struct Actor {
    pub(crate) number: u64,
    pub(crate) client: Client,
    pub(crate) mix: Mix,
    pub(crate) journal: Arc<Mutex<Journal>>,
}

impl Actor {
    /// Works at every tick until `stop` says so, and ends with no operation outstanding.
    pub(crate) async fn work(
        mut self,
        mut ticks: Interval,
        mut stop: watch::Receiver<bool>,
    ) -> Result<(), Trouble> {
        // A client that waited for an answer goes on with the others, and makes up for nothing.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        while !*stop.borrow() {
            tokio::select! {
                _ = ticks.tick() => {}
                _ = stop.changed() => return Ok(()),
            }
            let op = self.mix.next_op();
            self.call(&op).await?;
        }
        Ok(())
    }

    /// One operation; says whether it was answered.
    pub(crate) async fn call(&mut self, op: &Op) -> Result<bool, Trouble> {
        let payload = postcard::to_stdvec(op).expect("encoding into memory");
        let asked = (self.journal.lock().before_us(), self.mix.call(op));
        // The library ends a call at its deadline. Should it not, this must show as well.
        let called = tokio::time::timeout(CALL_MAX, self.client.call(payload.into())).await;
        let answer = match called.unwrap_or(Err(ClientError::Closed)) {
            Ok(output) => Ok(self
                .mix
                .answer(op, &output)
                .ok_or_else(|| Trouble::found(Verdict::Violation, format!("{op:?} got another's answer")))?),
            Err(error) => {
                self.mix.lost(op);
                Err(error)
            }
        };
        let answered = answer.is_ok();
        self.journal.lock().note(self.number, asked, answer)?;
        Ok(answered)
    }
}
