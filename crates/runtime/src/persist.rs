use isegoria_node::{Node, Outbox, Weight};
use isegoria_replica::{Beside, freeze_process, restore_process};
use isegoria_storage::{Durability, Log, Recovered, StoreError, WriteCheckpoint};
use isegoria_types::{Refusal, WINDOW_MAX};
use std::io;

/// The most log that may wait for the disk, bytes.
const BACKLOG_BYTES_MAX: u64 = 64 << 20;

/// The most records behind a checkpoint, if no number of bytes comes before. Each vertex or slot
/// that a node hears of is a record at least, and from a checkpoint on a restart can only
/// hold [`WINDOW_MAX`] numbers of one leader (ledger 26).
const CHECKPOINT_RECORDS_MAX: u64 = WINDOW_MAX / 4;

/// The log of a node, with what the gate needs to know about it.
pub(crate) struct Journal {
    log: Log,
    /// Nothing is kept: records are not even encoded.
    volatile: bool,
    checkpoint_end: u64,
    checkpoint_bytes: u64,
    /// Records behind the last checkpoint.
    record_count: u64,
    pub(crate) checkpoint_count: u64,
}

impl Journal {
    /// `record_count` records were replayed from it.
    pub(crate) fn new(log: Log, durability: Durability, checkpoint_bytes: u64, record_count: u64) -> Journal {
        let volatile = durability == Durability::Memory;
        let checkpoint_end = log.end().saturating_sub(log.log_bytes());
        Journal { log, volatile, checkpoint_end, checkpoint_bytes, record_count, checkpoint_count: 0 }
    }

    /// Appends a step's records; `wrote` is told where the log ends after each.
    pub(crate) fn append<N: Node>(
        &mut self,
        out: &mut Outbox<N>,
        mut wrote: impl FnMut(u64, Weight),
    ) -> Result<(), isegoria_storage::RecordTooLarge> {
        if self.volatile {
            out.records.clear();
            return Ok(());
        }
        self.record_count += out.records.len() as u64;
        for (record, weight) in out.records.drain(..) {
            let end = self.log.append(|buffer| {
                let bytes = std::mem::take(buffer);
                *buffer = postcard::to_extend(&record, bytes).expect("encoding into memory");
            })?;
            wrote(end, weight);
        }
        Ok(())
    }

    pub(crate) fn flush(&mut self) {
        self.log.flush();
    }

    pub(crate) fn end(&self) -> u64 {
        if self.volatile { 0 } else { self.log.end() }
    }

    pub(crate) fn durable(&self) -> u64 {
        if self.volatile { u64::MAX } else { self.log.durable() }
    }

    /// Up to where a restart brings everything back; nowhere if nothing is kept.
    pub(crate) fn kept(&self) -> Option<u64> {
        (!self.volatile).then(|| self.log.durable())
    }

    /// Why nothing new had better come, if so: the disk does not keep up, or has no room.
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        let backlog = self.log.end().saturating_sub(self.log.durable());
        match (self.volatile, self.log.is_space_short()) {
            (true, _) => None,
            (false, true) => Some(Refusal::NoSpace),
            (false, false) => (backlog > BACKLOG_BYTES_MAX).then_some(Refusal::Overloaded),
        }
    }

    pub(crate) fn log(&self) -> &Log {
        &self.log
    }

    /// Ends a checkpoint that is complete, and begins one if enough was written since, or
    /// if the replica became a snapshot that only a checkpoint would bring back.
    pub(crate) fn tend_checkpoint<N: Node>(&mut self, node: &N, beside: &mut Beside) {
        if self.volatile {
            // Nothing is brought back in any case.
            beside.checkpoint_begun();
            beside.checkpoint_ended(true);
            return;
        }
        match self.log.checkpoint_done() {
            Some(Ok(position)) => {
                self.checkpoint_count += 1;
                beside.checkpoint_ended(true);
                tracing::info!(position, "checkpoint written; older log segments removed");
            }
            Some(Err(error)) => {
                beside.checkpoint_ended(false);
                tracing::warn!(%error, "no checkpoint was written; the log is kept, and it will be tried again");
            }
            None => {}
        }
        let bytes = self.log.end().saturating_sub(self.checkpoint_end);
        let grown = is_grown((bytes, self.checkpoint_bytes), self.record_count);
        if (grown || beside.wants_checkpoint()) && !self.log.checkpoint_running() {
            match self.checkpoint(node, beside) {
                Ok(()) => beside.checkpoint_begun(),
                Err(error) => tracing::warn!(%error, "no checkpoint could be begun; the log is kept"),
            }
        }
    }

    /// Takes node and replica as they are at this very position, and writes them beside running work.
    fn checkpoint<N: Node>(&mut self, node: &N, beside: &Beside) -> Result<(), StoreError> {
        let write: WriteCheckpoint = Box::new(freeze_process(node, beside));
        self.checkpoint_end = self.log.end();
        self.record_count = 0;
        self.log.checkpoint(self.checkpoint_end, write).map(|_| ())
    }

    /// Waits until everything is written.
    pub(crate) fn close(self) -> Result<(), isegoria_storage::LogFailure> {
        self.log.close()
    }
}

/// Whether enough is behind the last checkpoint for another.
fn is_grown((bytes, bytes_max): (u64, u64), record_count: u64) -> bool {
    bytes > bytes_max || record_count > CHECKPOINT_RECORDS_MAX
}

/// Why what was stored cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// A record that passed its checksum does not decode: written by another version or protocol.
    #[error(
        "a record of the log at position {position} is not one of this protocol; start the node with the \
         protocol and version that wrote its data directory, or with a fresh directory"
    )]
    Record {
        /// Where its frame begins, bytes.
        position: u64,
    },
    /// The checkpoint's contents do not decode.
    #[error(
        "the checkpoint cannot be restored: {0}; restore the data directory from a backup, or start a fresh node"
    )]
    Checkpoint(#[source] io::Error),
    /// Reading failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Rebuilds node and replica from checkpoint and log. Returns the number of records replayed.
pub(crate) fn replay<N: Node>(
    recovered: Recovered,
    node: &mut N,
    beside: &mut Beside,
) -> Result<u64, ReplayError> {
    let mut count = 0;
    if let Some(checkpoint) = recovered.checkpoint {
        count += restore_process(checkpoint.reader, node, beside).map_err(ReplayError::Checkpoint)?;
    }
    for record in recovered.records {
        let record = record?;
        let decoded = postcard::from_bytes(&record.payload)
            .map_err(|_| ReplayError::Record { position: record.position })?;
        node.replay(decoded);
        count += 1;
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Small records reach the window of vertices before they reach the bytes.
    #[test]
    fn bytes_and_records_each_call_for_a_checkpoint() {
        assert!(is_grown((11, 10), 1) && !is_grown((10, 10), 1));
        assert!(is_grown((1, u64::MAX), WINDOW_MAX / 4 + 1) && !is_grown((1, u64::MAX), WINDOW_MAX / 4));
    }
}
