//! Histories: what clients asked a system and what they were told, and when.
//!
//! A history is text, one JSON object a line: a header, then the operations in any order.
//!
//! ```text
//! {"isegoria_history":1,"model":"kv"}
//! {"client":3,"invoked_us":120,"returned_us":450,"op":["put","k1","v17"],"outcome":"ok","result":null}
//! ```
//!
//! Times are microseconds on one clock. `outcome` is `ok`; `unknown` (it may take effect
//! at any time after `invoked_us`, or never); or `failed` (it was certainly not executed).
//! `returned_us` and `result` belong to `ok` alone. A client may have several operations
//! outstanding.
//!
//! | model | op | result |
//! |---|---|---|
//! | `kv` | `["get",k]` | text or null |
//! | | `["put",k,v]`, `["mput",[[k,v],…]]`, `["add",k,by]` | null |
//! | | `["del",k]`, `["cas",k,expected or null,v]` | true or false |
//! | | `["incr",k,by]` | number, or `"not a number"` |
//! | | `["append",k,v]` | the new length, bytes |
//! | | `["mget",[k,…]]` | a list of texts or nulls |
//! | `list-append` | `["append",k,v]` | null, or a number that nobody looks at |
//! | | `["read",[k,…]]` | a list a key |
//! | | `["txn",[["append",k,v],["read",k],…]]` | a list or null a part |
//!
//! Bytes that are not UTF-8, or that begin with `0x`, are written as `0x` and hexadecimal
//! digits, so that every text means one thing.
//!
//! Invariant: what [`Writer`] wrote, [`History::read`] reads back. No input makes the
//! reader panic: it names the line and what is wrong. Nothing here judges a history; what
//! the checkers say of one is a [`Verdict`].

mod decode;
mod describe;
mod encode;
mod list;
mod operation;
mod reader;
mod text;
mod verdict;
mod writer;

pub use list::List;
pub use operation::{Answer, Call, Operation, Outcome, Part};
pub use reader::{HistoryError, LINE_BYTES_MAX};
pub use verdict::{Anomaly, Evaluated, Finding, Verdict};
pub use writer::Writer;

pub(crate) use describe::shortened;
pub(crate) use text::to_text;

use std::fmt;
use std::str::FromStr;

/// What the operations of a history mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Model {
    /// The key-value store of `isegoria-kv`.
    Kv,
    /// Lists that are appended to and read whole, several in one transaction.
    ListAppend,
}

/// A recorded history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// What the operations mean.
    pub model: Model,
    /// The operations, in the order of the file.
    pub operations: Vec<Operation>,
}

impl Model {
    /// The name in the header.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Model::Kv => "kv",
            Model::ListAppend => "list-append",
        }
    }
}

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A word that names no model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown model `{0}`; choose kv or list-append")]
pub struct UnknownModel(String);

impl FromStr for Model {
    type Err = UnknownModel;

    fn from_str(word: &str) -> Result<Model, UnknownModel> {
        [Model::Kv, Model::ListAppend]
            .into_iter()
            .find(|model| model.name() == word)
            .ok_or_else(|| UnknownModel(word.to_owned()))
    }
}
