/// Entries examined by one collection: a few microseconds if none is dropped, some
/// tens if all are.
pub(crate) const SWEEP_PER_COLLECT: usize = 512;

/// Entries examined for each access recorded while a sweep is under way; a batch has
/// many. With 4, an index whose keys are never used twice stays below about twice the
/// number of its undroppable entries (a pass over `t` entries takes `t / 4` accesses,
/// and an entry waits for at most two passes).
pub(crate) const SWEEP_PER_ACCESS: usize = 4;

/// Where the walk over the entries stands that looks for covered ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sweep {
    /// No entry is covered by the dropped floor.
    Idle,
    /// No entry before `cursor` is covered by the floor that the pass began with.
    Running {
        cursor: usize,
        /// The floor has risen since: another pass follows.
        again: bool,
    },
}

impl Sweep {
    /// The floor rose.
    pub(crate) fn restart(&mut self) {
        *self = match *self {
            Sweep::Idle => Sweep::Running { cursor: 0, again: false },
            Sweep::Running { cursor, .. } => Sweep::Running { cursor, again: cursor > 0 },
        };
    }

    /// The position to examine now, of `count`; none when all that is covered was found.
    pub(crate) fn next(&mut self, count: usize) -> Option<usize> {
        let Sweep::Running { cursor, again } = *self else { return None };
        *self = match (cursor < count, again) {
            (true, again) => Sweep::Running { cursor: cursor + 1, again },
            (false, true) if count > 0 => Sweep::Running { cursor: 1, again: false },
            (false, _) => Sweep::Idle,
        };
        match self {
            Sweep::Running { cursor, .. } => Some(*cursor - 1),
            Sweep::Idle => None,
        }
    }

    /// What was examined last is gone, and another entry stands there now.
    pub(crate) fn step_back(&mut self) {
        if let Sweep::Running { cursor, .. } = self {
            *cursor -= 1;
        }
    }
}

/// What a collection did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Collected {
    /// Entries that this call dropped.
    pub dropped_count: usize,
    /// Whether covered entries may remain: later calls, and each access recorded, go on.
    pub unfinished: bool,
}
