use super::fault::{Fault, FaultKind};
use super::finding::Trouble;
use super::journal::{Counts, Journal};
use super::stage::Stage;
use super::tally::Tally;
use parking_lot::Mutex;
use std::collections::BTreeMap;
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
    /// The names of the nodes that a fault holds now, and which.
    pub(crate) down: BTreeMap<String, FaultKind>,
    pub(crate) tally: Tally,
    /// The longest time that this process itself stood still: for so long the machine was
    /// overloaded, and a cluster that did not answer is not to blame.
    pub(crate) own_pause: Duration,
}

/// Begins a fault, and puts it on the board.
pub(crate) async fn begin(fault: &Fault, stage: &mut Stage, board: &Mutex<Board>) -> Result<(), Trouble> {
    let nodes = stage.cluster.nodes();
    let held = fault.down(nodes.len());
    let entries = held.iter().map(|node| (nodes[node.index()].name.clone(), fault.kind()));
    board.lock().down.extend(entries);
    fault.begin(stage, board).await
}

/// Ends a fault, and takes it off the board.
pub(crate) async fn end(fault: &Fault, stage: &mut Stage, board: &Mutex<Board>) -> Result<(), Trouble> {
    fault.end(stage, board).await?;
    let nodes = stage.cluster.nodes();
    let mut board = board.lock();
    for node in fault.down(nodes.len()).iter() {
        board.down.remove(&nodes[node.index()].name);
    }
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
        let describe = |(name, kind): (&String, &FaultKind)| match kind {
            FaultKind::Kill => name.clone(),
            other => format!("{name} ({other})"),
        };
        let down: Vec<String> = board.lock().down.iter().map(describe).collect();
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
