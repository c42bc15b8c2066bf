use crate::local_cluster::{ClusterError, LocalCluster};
use rand::Rng;
use std::time::Duration;

/// A node is killed (SIGKILL), stays down, and is started again on its data directory.
/// Sometimes it is killed once more while it starts: reading a log must survive that too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kill {
    pub(crate) node: usize,
    pub(crate) down: Duration,
    /// How long after its first start it is killed again, if it is.
    pub(crate) again_after: Option<Duration>,
}

impl Kill {
    /// Short and long times down are different tests: after a short one the others have
    /// not even noticed, after a long one there is much to catch up with.
    pub(crate) fn draw(node: usize, rng: &mut impl Rng) -> Kill {
        let down_ms = if rng.random_bool(0.25) { 20..300 } else { 300..4000 };
        let down = Duration::from_millis(rng.random_range(down_ms));
        let again = rng.random_bool(0.2);
        let again_after = Duration::from_millis(rng.random_range(0..60));
        Kill { node, down, again_after: again.then_some(again_after) }
    }

    pub(crate) async fn begin(self, cluster: &mut LocalCluster) {
        let name = cluster.nodes()[self.node].name.clone();
        cluster.kill(&name).await;
    }

    pub(crate) async fn end(self, cluster: &mut LocalCluster) -> Result<(), ClusterError> {
        let name = cluster.nodes()[self.node].name.clone();
        if let Some(after) = self.again_after {
            cluster.launch(&name)?;
            tokio::time::sleep(after).await;
            cluster.kill(&name).await;
        }
        cluster.restart(&name).await
    }
}
