use std::fmt;

/// One call to the storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Call {
    /// A segment's file is filled and synced under another name,
    CreateSegment,
    /// and gets its name.
    PublishSegment,
    /// Records, or zeros and what was read in a repair.
    Write,
    Sync,
    /// The seal of an idle log.
    Seal,
    WriteCheckpoint,
    SyncCheckpoint,
    PublishCheckpoint,
    RemoveCheckpoint,
    RemoveSegment,
    SyncNames,
    Read,
    /// The list of incarnations is replaced.
    WriteIncarnation,
    PublishIncarnation,
}

impl Call {
    /// Whether it may want space that the disk does not have.
    fn takes_space(self) -> bool {
        matches!(self, Call::CreateSegment | Call::WriteCheckpoint | Call::WriteIncarnation)
    }

    fn is_read(self) -> bool {
        self == Call::Read
    }

    pub(crate) fn is_sync(self) -> bool {
        matches!(self, Call::Sync | Call::SyncCheckpoint | Call::SyncNames)
    }
}

/// What happens to one chosen call to the storage of one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interruption {
    /// The process dies before it.
    DiesBefore,
    /// The process dies when half of it is done.
    DiesWithin,
    /// The process dies behind it; what was written is still in the machine's cache.
    DiesBehind,
    /// The power goes behind it.
    PowerCutBehind,
    /// It fails with an error of the device (`EIO`).
    Io,
    /// It fails for want of space (`ENOSPC`), as do others that want space for a while.
    NoSpace,
}

impl Interruption {
    /// Every kind.
    pub const ALL: [Interruption; 6] = [
        Interruption::DiesBefore,
        Interruption::DiesWithin,
        Interruption::DiesBehind,
        Interruption::PowerCutBehind,
        Interruption::Io,
        Interruption::NoSpace,
    ];

    /// Its name: what a replay file says.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Interruption::DiesBefore => "dies-before",
            Interruption::DiesWithin => "dies-within",
            Interruption::DiesBehind => "dies-behind",
            Interruption::PowerCutBehind => "power-cut-behind",
            Interruption::Io => "eio",
            Interruption::NoSpace => "enospc",
        }
    }

    /// That of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Interruption> {
        Interruption::ALL.into_iter().find(|interruption| interruption.name() == name)
    }
}

/// Which call to the storage of which node is interrupted, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InterruptedCall {
    /// The node's index; reduced to the number of nodes.
    pub node: usize,
    /// Which call, from 1 on, over all lives of the node.
    pub number: u64,
    /// How.
    pub how: Interruption,
}

/// Why a call did not do all of what it was to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The process is gone; the power, too.
    Dies { power_cut: bool },
    /// An error of the device.
    Io(Call),
    /// No space.
    NoSpace(Call),
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stop::Dies { power_cut: false } => write!(f, "the process died"),
            Stop::Dies { power_cut: true } => write!(f, "the power went"),
            Stop::Io(call) => write!(f, "{call:?} failed: EIO"),
            Stop::NoSpace(call) => write!(f, "{call:?} failed: ENOSPC"),
        }
    }
}

/// How much of a call is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    All,
    Half,
    /// It fails: a write may have done a part, a sync may have lost everything.
    Failing,
    None,
}

/// Counts the calls to one node's storage, and lets some of them fail.
#[derive(Clone, Debug, Default)]
pub(crate) struct Calls {
    pub(crate) count: u64,
    pub(crate) interruption: Option<(u64, Interruption)>,
    /// The interruption has happened.
    pub(crate) interrupted: bool,
    /// So many syncs of the log fail next.
    pub(crate) failing_syncs: u32,
    /// So many starts find a read that fails.
    pub(crate) failing_reads: u32,
    /// So many syncs that have something to do next say that they did it, and did not.
    pub(crate) lying_syncs: u32,
    /// There is no space.
    pub(crate) is_full: bool,
}

impl Calls {
    /// How much of the next call is done, and how it ends.
    pub(crate) fn next(&mut self, call: Call) -> (Part, Result<(), Stop>) {
        self.count += 1;
        if let Some((number, how)) = self.interruption
            && number == self.count
        {
            self.interrupted = true;
            return self.interrupt(call, how);
        }
        if self.is_full && call.takes_space() {
            return (Part::Failing, Err(Stop::NoSpace(call)));
        }
        if call == Call::Sync && self.failing_syncs > 0 {
            self.failing_syncs -= 1;
            return (Part::Failing, Err(Stop::Io(call)));
        }
        if call.is_read() && self.failing_reads > 0 {
            self.failing_reads -= 1;
            return (Part::Failing, Err(Stop::Io(call)));
        }
        (Part::All, Ok(()))
    }

    /// Nothing fails any more but the call that was chosen.
    pub(crate) fn heal(&mut self) {
        let Calls { count, interruption, interrupted, .. } = *self;
        *self = Calls { count, interruption, interrupted, ..Calls::default() };
    }

    fn interrupt(&mut self, call: Call, how: Interruption) -> (Part, Result<(), Stop>) {
        let dies = Err(Stop::Dies { power_cut: false });
        match how {
            Interruption::DiesBefore => (Part::None, dies),
            Interruption::DiesWithin => (Part::Half, dies),
            Interruption::DiesBehind => (Part::All, dies),
            Interruption::PowerCutBehind => (Part::All, Err(Stop::Dies { power_cut: true })),
            Interruption::Io => (Part::Failing, Err(Stop::Io(call))),
            // A read or a sync of what is there has no such error.
            Interruption::NoSpace if call.is_read() || call.is_sync() => (Part::All, Ok(())),
            Interruption::NoSpace => {
                self.is_full = true;
                (Part::Failing, Err(Stop::NoSpace(call)))
            }
        }
    }
}
