use super::fault::Fault;
use super::journal::{Counts, Journal};
use crate::local_cluster::{ClusterError, LocalCluster};
use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

const SECOND: Duration = Duration::from_secs(1);
/// How often it is looked whether this process runs.
const LOOKS_PER_SECOND: u32 = 20;

/// What the faults have done so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Board {
    /// The names of the nodes that a fault holds now.
    pub(crate) down: BTreeSet<String>,
    pub(crate) kills: usize,
    pub(crate) restarts: usize,
    pub(crate) pauses: usize,
    /// The longest time that this process itself stood still: for so long the machine was
    /// overloaded, and a cluster that did not answer is not to blame.
    pub(crate) own_pause: Duration,
}

/// Begins a fault, and puts it on the board.
pub(crate) async fn begin(fault: Fault, cluster: &mut LocalCluster, board: &Mutex<Board>) {
    {
        let mut board = board.lock();
        board.down.insert(cluster.nodes()[fault.node()].name.clone());
        board.kills += fault.kill_count();
        board.pauses += fault.pause_count();
    }
    fault.begin(cluster).await;
}

/// Ends a fault, and takes it off the board.
pub(crate) async fn end(
    fault: Fault,
    cluster: &mut LocalCluster,
    board: &Mutex<Board>,
) -> Result<(), ClusterError> {
    fault.end(cluster).await?;
    let mut board = board.lock();
    board.down.remove(&cluster.nodes()[fault.node()].name);
    board.restarts += fault.kill_count();
    Ok(())
}

/// Says every second on standard error what happens.
pub(crate) async fn tell(journal: Arc<Mutex<Journal>>, board: Arc<Mutex<Board>>) -> Infallible {
    let began = Instant::now();
    let mut before = Counts::default();
    loop {
        for _ in 0..LOOKS_PER_SECOND {
            let due = Instant::now() + SECOND / LOOKS_PER_SECOND;
            tokio::time::sleep_until(due).await;
            let mut board = board.lock();
            board.own_pause = board.own_pause.max(due.elapsed());
        }
        let counts = journal.lock().counts();
        let down: Vec<String> = board.lock().down.iter().cloned().collect();
        eprintln!(
            "{:>4.0} s {:>7} ops {:>5} unknown {:>5} failed   down: {}",
            began.elapsed().as_secs_f64(),
            counts.ok - before.ok,
            counts.unknown - before.unknown,
            counts.failed - before.failed,
            if down.is_empty() { "-".to_owned() } else { down.join(" ") }
        );
        before = counts;
    }
}
