use crate::local_cluster::LocalCluster;
use rand::Rng;
use std::time::Duration;

/// A node's process stands still (SIGSTOP) and goes on (SIGCONT), as one that is swapped out
/// or whose machine is suspended: it comes back with all it had, and knows of nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pause {
    pub(crate) node: usize,
    pub(crate) length: Duration,
}

impl Pause {
    /// Shorter than anybody notices, or long enough to be given up.
    pub(crate) fn draw(node: usize, rng: &mut impl Rng) -> Pause {
        let length_ms = if rng.random_bool(0.3) { 20..500 } else { 500..6000 };
        Pause { node, length: Duration::from_millis(rng.random_range(length_ms)) }
    }

    pub(crate) fn begin(self, cluster: &LocalCluster) {
        cluster.pause(self.node);
    }

    pub(crate) fn end(self, cluster: &LocalCluster) {
        cluster.resume(self.node);
    }
}
