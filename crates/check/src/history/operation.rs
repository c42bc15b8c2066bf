use crate::history::{List, Model};
use bytes::Bytes;
use isegoria_kv::{Op, Output};

/// One operation of one client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Who asked.
    pub client: u64,
    /// When it was asked, microseconds.
    pub invoked_us: u64,
    /// What was asked.
    pub call: Call,
    /// What came of it.
    pub outcome: Outcome,
}

/// What a client asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// An operation of the key-value store.
    Kv(Op),
    /// A transaction on lists: its parts, at one moment, in this order.
    List(Vec<Part>),
}

/// A part of a transaction on lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Appends an element to a list; nobody appends the same element to it twice.
    Append(Bytes, Bytes),
    /// Reads a whole list.
    Read(Bytes),
}

/// What came of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was answered.
    Ok {
        /// When, microseconds; not before it was asked.
        returned_us: u64,
        /// With what.
        answer: Answer,
    },
    /// It may take effect at any time after it was asked, or never.
    Unknown,
    /// It was certainly not executed.
    Failed,
}

/// What a client is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// By the key-value store.
    Kv(Output),
    /// By a transaction on lists: what each part read; nothing for an append.
    List(Vec<Option<List>>),
}

impl Call {
    /// The model that it is an operation of.
    #[must_use]
    pub fn model(&self) -> Model {
        match self {
            Call::Kv(_) => Model::Kv,
            Call::List(_) => Model::ListAppend,
        }
    }

    /// The operation's name in a history.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Call::Kv(Op::Get(_)) => "get",
            Call::Kv(Op::Put(..)) => "put",
            Call::Kv(Op::Delete(_)) => "del",
            Call::Kv(Op::Incr(..)) => "incr",
            Call::Kv(Op::Add(..)) => "add",
            Call::Kv(Op::Append(..)) => "append",
            Call::Kv(Op::CompareAndSet { .. }) => "cas",
            Call::Kv(Op::MultiGet(_)) => "mget",
            Call::Kv(Op::MultiPut(_)) => "mput",
            Call::Kv(Op::Pipeline(_) | Op::Transaction(_)) => "redis",
            Call::List(parts) => match parts.as_slice() {
                [Part::Append(..)] => "append",
                [_, ..] if parts.iter().all(|part| matches!(part, Part::Read(_))) => "read",
                _ => "txn",
            },
        }
    }
}

impl Part {
    /// The list that it is about.
    #[must_use]
    pub fn key(&self) -> &Bytes {
        match self {
            Part::Append(key, _) | Part::Read(key) => key,
        }
    }
}

impl Outcome {
    /// When it was answered, microseconds.
    #[must_use]
    pub fn returned_us(&self) -> Option<u64> {
        match self {
            Outcome::Ok { returned_us, .. } => Some(*returned_us),
            Outcome::Unknown | Outcome::Failed => None,
        }
    }
}

impl From<Op> for Call {
    fn from(op: Op) -> Call {
        Call::Kv(op)
    }
}

impl From<Vec<Part>> for Call {
    fn from(parts: Vec<Part>) -> Call {
        Call::List(parts)
    }
}

impl From<Output> for Answer {
    fn from(output: Output) -> Answer {
        Answer::Kv(output)
    }
}

impl From<Vec<Option<List>>> for Answer {
    fn from(reads: Vec<Option<List>>) -> Answer {
        Answer::List(reads)
    }
}
