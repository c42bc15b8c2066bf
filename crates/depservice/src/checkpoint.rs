use bytes::Bytes;
use isegoria_types::{Access, KeyHash, NodeId, Prefix};
use serde::{Deserialize, Serialize};

/// Scopes in one piece: each takes up to [`isegoria_types::Footprint::SCOPE_BYTES_MAX`].
const SCOPES_A_PIECE: usize = 8;

/// The contents of an index, in normal form: what a checkpoint record holds, and
/// what fingerprints and comparisons are made of.
///
/// The dropped floor is part of it: an index that forgot what it dropped would
/// answer requests that it can no longer judge.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Checkpoint {
    /// What was dropped.
    pub dropped: Prefix,
    /// Each leader's announced floor, in order of leaders.
    pub announced: Vec<(NodeId, Prefix)>,
    /// Every vertex recorded.
    pub seen: Prefix,
    /// The vertices that conflict with everything.
    pub barrier: Prefix,
    /// The largest vertices per leader for each key and access, sorted, without
    /// what the dropped floor covers.
    pub entries: Vec<(KeyHash, Access, Prefix)>,
    /// The same for each scope.
    pub scopes: Vec<(Bytes, Prefix)>,
}

impl Checkpoint {
    /// The same contents in pieces of at most `entry_count_max` entries (at least one
    /// piece), for a log whose records have a limit; with fewer scopes, which are larger.
    /// [`crate::KeyedIndex::absorb`] takes them in any order.
    ///
    /// # Panics
    /// If `entry_count_max` is 0.
    #[must_use]
    pub fn pieces(mut self, entry_count_max: usize) -> Vec<Checkpoint> {
        assert!(entry_count_max > 0, "a piece of a checkpoint holds at least one entry");
        let entries = std::mem::take(&mut self.entries);
        let scopes = std::mem::take(&mut self.scopes);
        let of_entries = |chunk: &[_]| Checkpoint { entries: chunk.to_vec(), ..Checkpoint::default() };
        let of_scopes = |chunk: &[_]| Checkpoint { scopes: chunk.to_vec(), ..Checkpoint::default() };
        let mut chunks = entries.chunks(entry_count_max);
        self.entries = chunks.next().unwrap_or_default().to_vec();
        let mut pieces = vec![self];
        pieces.extend(chunks.map(of_entries));
        pieces.extend(scopes.chunks(SCOPES_A_PIECE).map(of_scopes));
        pieces
    }
}
