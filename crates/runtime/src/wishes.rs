use crate::inbox::Arrival;
use crate::node_loop::{LoopError, NodeLoop};
use crate::outward::Wire;
use isegoria_machine::Frozen;
use isegoria_node::{Input, Node};
use isegoria_replica::Installed;
use std::sync::Arc;

/// What the replica beside the node wishes of its driver.
impl<N: Node> NodeLoop<N> {
    /// Carries out what the replica wishes.
    pub(crate) fn after_replica(&mut self) -> Result<(), LoopError> {
        for members in self.replica_out.components.iter_mut().flat_map(|components| components.drain(..)) {
            self.stories.executes(&members);
        }
        for reply in self.replica_out.replies.drain(..) {
            if let Some((number, since)) = self.clients.reply(reply) {
                self.stats.reply_count += 1;
                self.stats.answer.note(self.now - since);
                self.stories.answers(number, self.now);
            }
        }
        for (to, message) in self.replica_out.sends.drain(..) {
            self.outward.send(to, &Wire::<N>::Replica(message));
        }
        // One that waits for the disk is not replaced: on a slow disk none would ever be told.
        if let Some(progress) = self.replica_out.announce.take()
            && self.announcement.is_none()
        {
            self.announcement = Some((self.journal.end(), progress));
        }
        if let Some((number, frozen)) = self.replica_out.write.take() {
            self.write_snapshot(number, frozen);
        }
        if let Some(Installed { from, kept, .. }) = self.replica_out.installed.take() {
            self.stats.snapshot_count += 1;
            tracing::info!(%from, kept = kept.len(), "caught up by a snapshot");
        }
        if std::mem::take(&mut self.replica_out.cut_agreed) {
            self.stats.cut_count += 1;
            tracing::info!("agreed to forget what a node that is away may lack: it will take a snapshot");
        }
        if let Some(prefix) = self.replica_out.executed.take() {
            self.step(Input::Executed(prefix))?;
        }
        if let Some(prefix) = self.replica_out.collect.take() {
            self.step(Input::Collect(prefix))?;
        }
        if let Some(prefix) = self.replica_out.cut.take() {
            self.step(Input::Cut(prefix))?;
        }
        if let Some(command) = self.replica_out.propose.take() {
            self.step(Input::submit_alone(command))?;
        }
        while let Some(vertex) = self.replica_out.blocked.pop() {
            self.step(Input::Blocked(vertex))?;
        }
        for (order, batch) in std::mem::take(&mut self.replica_out.learned) {
            self.step(Input::Learned(order, batch))?;
        }
        Ok(())
    }

    /// Writes a snapshot for others beside running work.
    fn write_snapshot(&mut self, number: u64, frozen: Frozen) {
        let inbox = Arc::clone(&self.inbox);
        let write = move || {
            let mut bytes = Vec::new();
            let written = frozen(&mut bytes).is_ok();
            inbox.push(Arrival::Snapshot { number, bytes: written.then(|| bytes.into()) });
        };
        if let Err(error) = std::thread::Builder::new().name("snapshot".to_owned()).spawn(write) {
            tracing::warn!(%error, "no snapshot could be written for a node that is behind");
            self.beside.on_written(number, None);
        }
    }

    /// Progress may be told once the log that proves it is durable.
    pub(crate) fn announce(&mut self) -> Result<(), LoopError> {
        let durable = self.journal.durable();
        let Some((_, message)) = self.announcement.take_if(|(position, _)| *position <= durable) else {
            return Ok(());
        };
        self.outward.send(self.others(), &Wire::<N>::Replica(message.clone()));
        self.beside.on_message(self.own, message, &mut self.replica_out);
        self.after_replica()
    }
}
