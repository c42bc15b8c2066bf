use crate::trials::lab::Rig;
use crate::trials::watch::{disk_bytes, resident_bytes};
use serde::Serialize;

/// What a cluster holds at one moment.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Sample {
    /// Since the load began, s.
    pub(crate) at_s: f64,
    /// Commands answered so far.
    pub(crate) answered: u64,
    /// What each node holds; none of a node that is away.
    pub(crate) nodes: Vec<Option<Held>>,
}

/// What one node holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Held {
    /// Resident memory, bytes.
    pub(crate) resident_bytes: u64,
    /// Its data directory, bytes.
    pub(crate) disk_bytes: u64,
    /// Vertices or slots held for replicas that may ask for them.
    pub(crate) history_count: u64,
    /// What they take, bytes.
    pub(crate) history_bytes: u64,
    /// Places for votes and chosen values.
    pub(crate) cell_count: u64,
    /// Entries of the conflict index.
    pub(crate) index_count: u64,
    /// Own proposals that are not chosen.
    pub(crate) proposal_count: u64,
    /// Committed and not executed.
    pub(crate) waiting_count: u64,
    /// Client sessions.
    pub(crate) session_count: u64,
}

/// One figure of a node that must not grow.
pub(crate) struct Figure {
    pub(crate) name: &'static str,
    pub(crate) of: fn(&Held) -> u64,
    /// A difference that is none: what comes and goes within a moment.
    pub(crate) slack: u64,
}

/// All that is counted.
pub(crate) const FIGURES: &[Figure] = &[
    Figure { name: "history", of: |held| held.history_count, slack: 2_000 },
    Figure { name: "history bytes", of: |held| held.history_bytes, slack: 8_000_000 },
    Figure { name: "cells", of: |held| held.cell_count, slack: 2_000 },
    Figure { name: "index", of: |held| held.index_count, slack: 2_000 },
    Figure { name: "proposals", of: |held| held.proposal_count, slack: 500 },
    Figure { name: "waiting", of: |held| held.waiting_count, slack: 500 },
    Figure { name: "sessions", of: |held| held.session_count, slack: 0 },
];

/// Looks at every node that is there.
pub(crate) async fn look(rig: &mut Rig, away: Option<usize>) -> Vec<Option<Held>> {
    let mut nodes = Vec::new();
    for index in 0..rig.watches.len() {
        nodes.push(if away == Some(index) { None } else { held(rig, index).await });
    }
    nodes
}

async fn held(rig: &mut Rig, index: usize) -> Option<Held> {
    let stats = rig.watches[index].look().await?;
    let process = &rig.cluster.nodes()[index];
    Some(Held {
        resident_bytes: resident_bytes(process.pid)?,
        disk_bytes: disk_bytes(&process.data_dir),
        history_count: stats.history_count,
        history_bytes: stats.history_bytes,
        cell_count: stats.cell_count,
        index_count: stats.index_count,
        proposal_count: stats.proposal_count,
        waiting_count: stats.waiting_count,
        session_count: stats.session_count,
    })
}
