use crate::Watermarks;
use crate::message::ReplicaMessage;
use bytes::Bytes;
use isegoria_types::{NodeId, NodeSet, Prefix};

/// The largest piece of a snapshot in one message, bytes.
pub(crate) const PIECE_BYTES_MAX: usize = 256 << 10;

/// Gossip periods after which a snapshot that nobody asks for is kept no longer.
const IDLE_PERIODS_MAX: u32 = 100;

/// The snapshot that a replica keeps for those who lack what is forgotten: one at a
/// time, for whoever asks, in pieces at the asker's pace.
///
/// While it is kept, so are the values of everything beyond it, because whoever has taken
/// it goes on by fetching; but no more of them than a replica may bear. The snapshot is kept
/// all the same: an asker that is up hears of what is decided meanwhile, as all nodes do,
/// and one that is not asks again. (Given up for its values, no large snapshot would ever
/// arrive under load: each would be given up while it is on its way.)
#[derive(Clone, Debug, Default)]
pub(crate) struct Offer {
    state: State,
    /// The values beyond it were too many and are not kept.
    alone: bool,
    /// Who asked for it and has not got it, as far as known.
    askers: NodeSet,
}

#[derive(Clone, Debug, Default)]
enum State {
    /// Nobody asked.
    #[default]
    Nothing,
    /// It is being written.
    Writing { snapshot: u64, executed: Prefix },
    /// It can be had.
    Ready { snapshot: u64, executed: Prefix, bytes: Bytes, idle_periods: u32 },
}

impl Offer {
    /// What the snapshot contains, if values beyond it are kept.
    pub(crate) fn keeps_beyond(&self) -> Option<&Prefix> {
        match &self.state {
            _ if self.alone => None,
            State::Nothing => None,
            State::Writing { executed, .. } | State::Ready { executed, .. } => Some(executed),
        }
    }

    /// Somebody asks for a snapshot: the answer. `None` if one is to be begun.
    pub(crate) fn on_take(&mut self, from: NodeId, useless: Option<u64>) -> Option<ReplicaMessage> {
        self.askers.insert(from);
        match self.state {
            State::Nothing => None,
            State::Writing { .. } => Some(ReplicaMessage::Preparing),
            State::Ready { snapshot, .. } if Some(snapshot) == useless => None,
            State::Ready { snapshot, .. } => Some(self.piece(snapshot, 0)),
        }
    }

    /// A snapshot with this number is being written.
    pub(crate) fn begin(&mut self, snapshot: u64, executed: Prefix) {
        self.state = State::Writing { snapshot, executed };
        self.alone = false;
    }

    /// It is written; `None` if that failed.
    pub(crate) fn on_written(&mut self, number: u64, bytes: Option<Bytes>) {
        if let State::Writing { snapshot, executed } = &mut self.state
            && *snapshot == number
        {
            self.state = match bytes {
                Some(bytes) => {
                    let executed = std::mem::take(executed);
                    State::Ready { snapshot: number, executed, bytes, idle_periods: 0 }
                }
                None => State::Nothing,
            };
        }
    }

    /// The piece of a snapshot that begins at `offset`.
    pub(crate) fn piece(&mut self, number: u64, offset: u64) -> ReplicaMessage {
        let withdrawn = ReplicaMessage::Withdrawn { snapshot: number };
        let State::Ready { snapshot, bytes, idle_periods, .. } = &mut self.state else { return withdrawn };
        let Some(from) = usize::try_from(offset).ok().filter(|from| *from <= bytes.len()) else {
            return withdrawn;
        };
        if *snapshot != number {
            return withdrawn;
        }
        *idle_periods = 0;
        let to = bytes.len().min(from.saturating_add(PIECE_BYTES_MAX));
        ReplicaMessage::Piece {
            snapshot: number,
            offset,
            size: bytes.len() as u64,
            bytes: bytes.slice(from..to),
        }
    }

    /// Somebody fetches: perhaps what is beyond the snapshot.
    pub(crate) fn on_fetch(&mut self) {
        if let State::Ready { idle_periods, .. } = &mut self.state {
            *idle_periods = 0;
        }
    }

    /// Time passes. The values beyond it are kept no longer if they are too many
    /// (`burdened`), and neither is it if nobody asks any more, or once all who asked have
    /// it and the last `cut`.
    pub(crate) fn on_gossip(&mut self, burdened: bool, cut: &Prefix, marks: &Watermarks) {
        self.alone |= burdened;
        let State::Ready { idle_periods, executed, .. } = &mut self.state else { return };
        *idle_periods += 1;
        let has = |asker| marks.of(asker).is_some_and(|has| has.covers(executed) && has.covers(cut));
        if *idle_periods > IDLE_PERIODS_MAX || self.askers.iter().all(has) {
            *self = Offer::default();
        }
    }
}

/// A snapshot on its way here, from one holder.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Taking {
    from: NodeId,
    /// The last one that was of no use.
    useless: Option<u64>,
    snapshot: Option<u64>,
    bytes: Vec<u8>,
}

/// What a message about a snapshot leads to.
pub(crate) enum Taken {
    /// It belongs to another snapshot, or repeats a piece.
    Nothing,
    /// The next question.
    Ask(NodeSet, ReplicaMessage),
    /// All of it is here.
    Whole { snapshot: u64, bytes: Vec<u8> },
}

impl Taking {
    pub(crate) fn begin(from: NodeId, useless: Option<u64>) -> Taking {
        Taking { from, useless, snapshot: None, bytes: Vec::new() }
    }

    pub(crate) fn from(&self) -> NodeId {
        self.from
    }

    /// What is asked next; the same again if no answer came.
    pub(crate) fn question(&self) -> (NodeSet, ReplicaMessage) {
        let question = match self.snapshot {
            None => ReplicaMessage::TakeSnapshot { useless: self.useless },
            Some(snapshot) => ReplicaMessage::NextPiece { snapshot, offset: self.bytes.len() as u64 },
        };
        (NodeSet::only(self.from), question)
    }

    pub(crate) fn on_piece(&mut self, (snapshot, offset, size): (u64, u64, u64), bytes: &[u8]) -> Taken {
        let expected = self.snapshot.is_none_or(|known| known == snapshot);
        if !expected || offset != self.bytes.len() as u64 {
            return Taken::Nothing;
        }
        self.snapshot = Some(snapshot);
        self.bytes.extend_from_slice(bytes);
        if (self.bytes.len() as u64) < size {
            let (to, question) = self.question();
            Taken::Ask(to, question)
        } else {
            Taken::Whole { snapshot, bytes: std::mem::take(&mut self.bytes) }
        }
    }

    /// The holder keeps it no longer.
    pub(crate) fn on_withdrawn(&mut self, snapshot: u64) -> Taken {
        if self.snapshot != Some(snapshot) {
            return Taken::Nothing;
        }
        *self = Taking::begin(self.from, self.useless);
        let (to, question) = self.question();
        Taken::Ask(to, question)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asker() -> NodeId {
        NodeId::new(1)
    }

    fn ready(bytes: Vec<u8>) -> Offer {
        let mut offer = Offer::default();
        assert!(offer.on_take(asker(), None).is_none());
        offer.begin(5, Prefix::new(&[3]));
        assert_eq!(offer.on_take(asker(), None), Some(ReplicaMessage::Preparing));
        offer.on_written(4, Some(Bytes::new()));
        offer.on_written(5, Some(bytes.into()));
        offer
    }

    #[test]
    fn pieces_make_a_whole_even_if_some_come_twice() {
        let whole: Vec<u8> = (0..PIECE_BYTES_MAX * 2 + 7).map(|byte| byte.to_le_bytes()[0]).collect();
        let (mut offer, mut taking) = (ready(whole.clone()), Taking::begin(NodeId::new(1), None));
        let mut answer = offer.on_take(asker(), None).unwrap();
        for _ in 0..10 {
            let ReplicaMessage::Piece { snapshot, offset, size, bytes } = answer.clone() else { panic!() };
            let taken = taking.on_piece((snapshot, offset, size), &bytes);
            assert!(matches!(taking.on_piece((snapshot, offset, size), &bytes), Taken::Nothing));
            match taken {
                Taken::Ask(_, ReplicaMessage::NextPiece { snapshot, offset }) => {
                    answer = offer.piece(snapshot, offset);
                }
                Taken::Whole { bytes, .. } => return assert_eq!(bytes, whole),
                _ => panic!("no question"),
            }
        }
        panic!("it never ends");
    }

    #[test]
    fn a_snapshot_that_is_withdrawn_is_begun_anew() {
        let (mut offer, mut taking) =
            (ready(vec![1; PIECE_BYTES_MAX + 1]), Taking::begin(NodeId::new(1), None));
        let ReplicaMessage::Piece { snapshot, offset, size, bytes } = offer.on_take(asker(), None).unwrap()
        else {
            panic!()
        };
        taking.on_piece((snapshot, offset, size), &bytes);
        for _ in 0..=IDLE_PERIODS_MAX {
            offer.on_gossip(false, &Prefix::default(), &Watermarks::new(NodeSet::first(3)));
        }
        let (_, ReplicaMessage::NextPiece { snapshot, offset }) = taking.question() else { panic!() };
        let ReplicaMessage::Withdrawn { snapshot } = offer.piece(snapshot, offset) else { panic!() };
        assert!(matches!(taking.on_withdrawn(snapshot), Taken::Ask(_, ReplicaMessage::TakeSnapshot { .. })));
        assert_eq!(taking, Taking::begin(NodeId::new(1), None));
        assert!(offer.keeps_beyond().is_none());
    }

    #[test]
    fn what_is_beyond_may_become_too_much_and_the_snapshot_is_there_all_the_same() {
        let mut offer = ready(vec![1; PIECE_BYTES_MAX + 1]);
        assert!(offer.keeps_beyond().is_some());
        offer.on_gossip(true, &Prefix::default(), &Watermarks::new(NodeSet::first(3)));
        assert!(offer.keeps_beyond().is_none());
        assert!(matches!(offer.piece(5, 7), ReplicaMessage::Piece { .. }));
        offer.begin(6, Prefix::default());
        assert!(offer.keeps_beyond().is_some(), "another begins anew");
    }

    #[test]
    fn it_is_kept_until_the_asker_has_it_and_the_last_cut() {
        let mut offer = ready(vec![1]);
        let (cut, mut marks) = (Prefix::new(&[4]), Watermarks::new(NodeSet::first(3)));
        let mut is_kept = |below| {
            marks.announce(asker(), &Prefix::new(&[below]));
            offer.on_gossip(false, &cut, &marks);
            offer.keeps_beyond().is_some()
        };
        assert!(is_kept(0) && is_kept(3));
        assert!(!is_kept(4));
    }

    #[test]
    fn one_that_is_of_no_use_is_not_sent_again() {
        let mut offer = ready(vec![1]);
        assert!(offer.on_take(asker(), Some(5)).is_none(), "another is to be begun");
        assert!(offer.on_take(asker(), Some(4)).is_some());
    }
}
