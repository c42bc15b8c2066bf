use crate::history::{History, Model, Verdict};
use crate::linearizability::check_kv;
use crate::list_append::check_list_append;

/// Judges a history by what its operations mean: linearizability of the key-value store,
/// or strict serializability of transactions on lists.
#[must_use]
pub fn judge(history: &History) -> Verdict {
    match history.model {
        Model::Kv => check_kv(history),
        Model::ListAppend => check_list_append(history),
    }
}
