use super::board::Board;
use super::finding::Trouble;
use super::stage::{Stage, log_since};
use parking_lot::Mutex;
use rand::Rng;
use std::time::Duration;

/// How a node says that its disk is full.
const NOTICED: &str = "no space";

/// A node's disk is full to the last block for a while. The node may refuse new commands; it
/// must not end, and has to serve again once there is space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DiskFull {
    pub(crate) node: usize,
    pub(crate) length: Duration,
}

impl DiskFull {
    /// Over before the log needs space, or long after.
    pub(crate) fn draw(node: usize, rng: &mut impl Rng) -> DiskFull {
        let length_ms = if rng.random_bool(0.2) { 20..500 } else { 1000..6000 };
        DiskFull { node, length: Duration::from_millis(rng.random_range(length_ms)) }
    }

    pub(crate) fn begin(self, stage: &mut Stage) -> Result<(), Trouble> {
        stage.mark_log(self.node);
        stage.disks()?.fill(self.node).map_err(Trouble::io("filling a disk"))
    }

    pub(crate) async fn end(self, stage: &mut Stage, board: &Mutex<Board>) -> Result<(), Trouble> {
        let noticed = log_since(&stage.cluster.nodes()[self.node], stage.log_mark(self.node));
        board.lock().tally.disk_fulls_noticed += usize::from(noticed.contains(NOTICED));
        stage.disks()?.free(self.node).map_err(Trouble::io("freeing a disk"))?;
        stage.await_service(self.node, "its disk was full").await
    }
}
