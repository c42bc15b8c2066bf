use super::finding::Trouble;
use super::report::Verdict;
use super::stage::Stage;
use crate::local_cluster::{LocalCluster, NodeProcess};
use rand::Rng;
use std::io;
use std::process::ExitStatus;
use std::time::Duration;

/// How long a node that has something to sync may go on after its syncs began to fail.
const END_MAX: Duration = Duration::from_secs(15);
/// The exit code of a panic.
const PANIC: i32 = 101;

/// A node's syncs fail. It has to end by itself, having acknowledged nothing that is lost,
/// and is started again on the data that it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FsyncError {
    pub(crate) node: usize,
    /// How long it stays down after it ended.
    pub(crate) down: Duration,
}

impl FsyncError {
    pub(crate) fn draw(node: usize, rng: &mut impl Rng) -> FsyncError {
        FsyncError { node, down: Duration::from_millis(rng.random_range(20..2000)) }
    }

    pub(crate) async fn begin(self, stage: &mut Stage) -> Result<(), Trouble> {
        let NodeProcess { name, pid, .. } = stage.cluster.nodes()[self.node].clone();
        stage.failing_syncs()?.fail(pid).await.map_err(Trouble::io("making syncs fail"))?;
        let nodes = [self.node];
        let how = match tokio::time::timeout(END_MAX, stage.cluster.ended(&nodes)).await {
            // Nothing: it had ended before, and is told of as others that do.
            Ok(ends) => ends.iter().find_map(|(_, status)| wrong_end(status)),
            Err(_) => Some(format!("went on for {} s", END_MAX.as_secs())),
        };
        match how {
            Some(how) => {
                let what = format!("{name} {how} after its syncs failed");
                Err(Trouble::found(Verdict::NodeFailed, what))
            }
            None => Ok(()),
        }
    }

    pub(crate) async fn end(self, cluster: &mut LocalCluster) -> Result<(), Trouble> {
        let name = cluster.nodes()[self.node].name.clone();
        Ok(cluster.restart(&name).await?)
    }
}

/// What is wrong with how a node ended whose syncs fail: it says so, and not in a panic.
fn wrong_end(status: &io::Result<ExitStatus>) -> Option<String> {
    match status {
        Err(error) => Some(format!("could not be waited for ({error})")),
        Ok(status) => match status.code() {
            Some(code) if code != 0 && code != PANIC => None,
            _ => Some(format!("ended with {status}")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;

    #[test]
    fn a_node_must_not_die_of_a_failed_sync_in_any_way() {
        let ended = |raw| wrong_end(&Ok(ExitStatus::from_raw(raw)));
        assert_eq!((ended(1 << 8), ended(2 << 8)), (None, None));
        // Success, a panic, an abort.
        for raw in [0, 101 << 8, 6] {
            assert!(ended(raw).unwrap().contains("ended with"), "{raw}");
        }
    }
}
