use super::finding::Trouble;
use super::report::Verdict;
use super::stage::Stage;
use rand::Rng;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

/// The signal of a kill.
const SIGKILL: i32 = 9;

/// The power goes: disks stop at once and forget what was not synced, processes die, and
/// everything is started again on what the disks hold. Mostly of all nodes: the promises
/// that are left are those on the disks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PowerCut {
    /// Of this node; of all, if of none.
    pub(crate) node: Option<usize>,
    pub(crate) down: Duration,
}

impl PowerCut {
    pub(crate) fn draw(node: usize, rng: &mut impl Rng) -> PowerCut {
        let is_lone = rng.random_bool(0.2);
        let down_ms = if is_lone { 20..3000 } else { 20..300 };
        let down = Duration::from_millis(rng.random_range(down_ms));
        PowerCut { node: is_lone.then_some(node), down }
    }

    fn nodes(self, stage: &Stage) -> Vec<usize> {
        self.node.map_or_else(|| (0..stage.cluster.nodes().len()).collect(), |node| vec![node])
    }

    pub(crate) async fn begin(self, stage: &mut Stage) -> Result<(), Trouble> {
        let nodes = self.nodes(stage);
        stage.disks()?.cut_power(&nodes).await.map_err(Trouble::io("cutting the power"))?;
        for (node, status) in stage.cluster.strike(&nodes).await {
            if let Some(how) = wrong_end(&status) {
                let name = &stage.cluster.nodes()[node].name;
                return Err(Trouble::found(Verdict::NodeFailed, format!("{name} {how} when the power went")));
            }
        }
        for node in nodes {
            stage.disks()?.replay(node).await.map_err(Trouble::io("mounting a disk again"))?;
        }
        Ok(())
    }

    pub(crate) async fn end(self, stage: &mut Stage) -> Result<(), Trouble> {
        for node in self.nodes(stage) {
            let name = stage.cluster.nodes()[node].name.clone();
            stage.cluster.restart(&name).await?;
        }
        Ok(())
    }
}

/// A process whose disk is gone dies by the kill that follows, or says before that it cannot
/// go on.
fn wrong_end(status: &io::Result<ExitStatus>) -> Option<String> {
    match status {
        Ok(status) if status.signal() == Some(SIGKILL) || status.code() == Some(1) => None,
        Ok(status) => Some(format!("ended with {status}")),
        Err(error) => Some(format!("could not be waited for ({error})")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_no_way_to_lose_a_disk() {
        let ended = |raw| wrong_end(&Ok(ExitStatus::from_raw(raw)));
        assert_eq!((ended(SIGKILL), ended(1 << 8)), (None, None));
        // Success, a panic, an abort.
        for raw in [0, 101 << 8, 6] {
            assert!(ended(raw).unwrap().contains("ended with"), "{raw}");
        }
    }
}
