use isegoria_types::NodeId;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

/// What happened in a run: always hashed, and kept on request.
///
/// Equal configurations and seeds give equal traces, byte by byte.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    hasher: DefaultHasher,
    lines: Option<Vec<Line>>,
}

/// One line of a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// When, µs.
    pub at_us: u64,
    /// What.
    pub what: What,
}

/// What a line of a trace tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A message leaves.
    Sent {
        /// From whom.
        from: NodeId,
        /// To whom.
        to: NodeId,
        /// When it arrives, µs; `None` if it is lost.
        arrives_us: Option<u64>,
        /// The message.
        text: String,
    },
    /// A message arrives at a process that is up.
    Delivered {
        /// From whom.
        from: NodeId,
        /// To whom.
        to: NodeId,
        /// The message.
        text: String,
    },
    /// Something at one node: a commit, an application, a crash, a timer.
    At {
        /// The node.
        node: NodeId,
        /// What kind of thing.
        mark: Mark,
        /// What.
        text: String,
    },
    /// Something of the whole cluster, or of a client.
    Note(String),
}

/// What happened at a node, for whoever draws it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// The process starts.
    Up,
    /// The process dies.
    Down,
    /// A timer fires.
    Timer,
    /// Records are durable.
    Synced,
    /// A value is handed to the replica.
    Commit,
    /// A request is applied.
    Apply,
    /// A client's request comes, or is answered.
    Client,
}

impl Trace {
    pub(crate) fn new(kept: bool) -> Trace {
        Trace { hasher: DefaultHasher::new(), lines: kept.then(Vec::new) }
    }

    /// Hashes something that happened.
    pub(crate) fn note(&mut self, at_us: u64, what: &impl Hash) {
        self.hasher.write_u64(at_us);
        what.hash(&mut self.hasher);
    }

    /// Adds a line, if lines are kept.
    pub(crate) fn line(&mut self, at_us: u64, what: impl FnOnce() -> What) {
        if let Some(lines) = &mut self.lines {
            lines.push(Line { at_us, what: what() });
        }
    }

    /// A hash of everything that happened.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        self.hasher.finish()
    }

    /// The lines, if they were kept.
    #[must_use]
    pub fn lines(&self) -> &[Line] {
        self.lines.as_deref().unwrap_or_default()
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>6}.{:03} ms  ", self.at_us / 1000, self.at_us % 1000)?;
        match &self.what {
            What::Sent { from, to, arrives_us: Some(at), text } => {
                write!(f, "{from} → {to}  {text}, arrives at {}.{:03} ms", at / 1000, at % 1000)
            }
            What::Sent { from, to, arrives_us: None, text } => write!(f, "{from} ↛ {to}  {text}, lost"),
            What::Delivered { from, to, text } => write!(f, "{to} ← {from}  {text}"),
            What::At { node, text, .. } => write!(f, "{node}  {text}"),
            What::Note(text) => write!(f, "* {text}"),
        }
    }
}
