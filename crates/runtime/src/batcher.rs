use isegoria_types::{Batch, BatchBuilder, Command, Footprint};
use std::time::{Duration, Instant};

/// Collects commands into batches: what waits while one batch is on its way goes
/// together, up to a size, and never waits longer than a deadline.
#[derive(Debug)]
pub(crate) struct Batcher {
    builder: BatchBuilder,
    count_max: usize,
    bytes_max: usize,
    wait: Duration,
    /// When the first command of the open batch came.
    since: Option<Instant>,
}

impl Batcher {
    pub(crate) fn new(count_max: usize, bytes_max: usize, wait: Duration) -> Batcher {
        Batcher { builder: BatchBuilder::default(), count_max, bytes_max, wait, since: None }
    }

    /// Adds a command; a batch that is full by it must leave at once.
    pub(crate) fn push(&mut self, command: &Command, now: Instant) -> Option<(Batch, Footprint)> {
        self.since.get_or_insert(now);
        self.builder.push(command);
        let full = self.builder.len() >= self.count_max || self.builder.byte_len() >= self.bytes_max;
        full.then(|| self.take())
    }

    /// The open batch, if nothing is on its way or it has waited long enough.
    pub(crate) fn ripe(&mut self, in_flight_count: usize, now: Instant) -> Option<(Batch, Footprint)> {
        let since = self.since?;
        (in_flight_count == 0 || now >= since + self.wait).then(|| self.take())
    }

    /// When the open batch must leave.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.since.map(|since| since + self.wait)
    }

    fn take(&mut self) -> (Batch, Footprint) {
        self.since = None;
        self.builder.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use isegoria_types::{Action, ClientId, RequestId};

    fn command(number: u64) -> Command {
        Command {
            request: RequestId { client: ClientId(1), number },
            acked_below: 0,
            generation: 0,
            footprint: Footprint::default(),
            action: Action::Apply(bytes::Bytes::new()),
        }
    }

    #[test]
    fn a_batch_leaves_when_full_when_nothing_is_under_way_or_when_it_waited() {
        let start = Instant::now();
        let wait = Duration::from_millis(2);
        let mut batcher = Batcher::new(3, 1 << 20, wait);
        assert!(batcher.push(&command(0), start).is_none());
        assert!(batcher.ripe(1, start).is_none());
        assert_eq!(batcher.deadline(), Some(start + wait));
        assert_eq!(batcher.ripe(1, start + wait).unwrap().0.len(), 1);
        assert!(batcher.ripe(0, start + wait).is_none(), "nothing waits");
        batcher.push(&command(1), start);
        assert_eq!(batcher.ripe(0, start).unwrap().0.len(), 1);
        assert!(batcher.push(&command(2), start).is_none());
        assert!(batcher.push(&command(3), start).is_none());
        assert_eq!(batcher.push(&command(4), start).unwrap().0.len(), 3);
        assert_eq!(batcher.deadline(), None);
    }
}
