//! The session against scripts, and against a dumb cluster under random faults.

use bytes::Bytes;
use isegoria_session::{Completion, Options, Outbox, Session, SubmitError, Targets};
use isegoria_types::{ClientId, NodeId, NodeSet, Outcome, Refusal, Reply, Request, RequestId};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

fn node(index: usize) -> NodeId {
    NodeId::new(index)
}

fn session(options: Options) -> (Session, Outbox) {
    let targets = Targets::new(node(0), NodeSet::first(3));
    (Session::new(ClientId(7), 0, targets, options), Outbox::default())
}

fn request(number: u64) -> RequestId {
    RequestId { client: ClientId(7), number }
}

fn reply(number: u64, outcome: Outcome) -> Reply {
    Reply { request: request(number), outcome }
}

fn done(number: u64) -> Reply {
    reply(number, Outcome::Done(Bytes::from_static(b"out")))
}

fn refused(number: u64, refusal: Refusal) -> Reply {
    reply(number, Outcome::Refused(refusal))
}

/// Takes the sends: whom, which number, acknowledged below.
fn sends(out: &mut Outbox) -> Vec<(usize, u64, u64)> {
    let sends = out.sends.drain(..);
    sends.map(|(to, request)| (to.index(), request.id.number, request.acked_below)).collect()
}

fn ends(out: &mut Outbox) -> Vec<(u64, Result<Bytes, SubmitError>)> {
    out.completions.drain(..).map(|Completion { request, result }| (request.number, result)).collect()
}

const NO_JITTER_RETRY: u64 = 1_000;

#[test]
fn acknowledgements_wait_for_the_lowest_answer() {
    let (mut session, mut out) = session(Options::default());
    for _ in 0..3 {
        session.submit(Bytes::new(), 0, &mut out).unwrap();
    }
    assert_eq!(sends(&mut out), [(0, 0, 0), (0, 1, 0), (0, 2, 0)]);
    session.on_reply(done(1), 1, &mut out);
    session.on_reply(done(1), 1, &mut out);
    session.submit(Bytes::new(), 1, &mut out).unwrap();
    assert_eq!(sends(&mut out), [(0, 3, 0)]);
    session.on_reply(done(0), 2, &mut out);
    session.submit(Bytes::new(), 2, &mut out).unwrap();
    assert_eq!(sends(&mut out), [(0, 4, 2)]);
    assert_eq!(ends(&mut out).iter().map(|end| end.0).collect::<Vec<_>>(), [1, 0]);
}

#[test]
fn the_same_request_goes_to_another_node_until_the_deadline() {
    let (mut session, mut out) = session(Options { deadline_ms: 10_000, ..Options::default() });
    session.submit(Bytes::from_static(b"x"), 0, &mut out).unwrap();
    let mut asked = sends(&mut out);
    let mut now = 0;
    while session.pending_count() > 0 {
        let next = session.next_deadline().unwrap();
        assert!(next > now && next <= 10_000, "{next}");
        now = next;
        session.on_time(now, &mut out);
        asked.extend(sends(&mut out));
    }
    assert_eq!(now, 10_000);
    assert_eq!(ends(&mut out), [(0, Err(SubmitError::Unknown(request(0))))]);
    assert!(asked.len() >= 3 && asked[..3] == [(0, 0, 0), (1, 0, 0), (2, 0, 0)], "{asked:?}");
    assert_eq!(session.next_deadline(), None);
}

#[test]
fn redirects_are_followed_but_not_for_ever() {
    let (mut session, mut out) = session(Options::default());
    session.submit(Bytes::new(), 0, &mut out).unwrap();
    sends(&mut out);
    let mut at = 0;
    let mut followed = 0;
    loop {
        at = 1 - at;
        session.on_reply(refused(0, Refusal::NotLeader { leader: Some(node(at)) }), 0, &mut out);
        match sends(&mut out)[..] {
            [(to, 0, 0)] => assert_eq!(to, at),
            _ => break,
        }
        followed += 1;
    }
    assert_eq!(followed, 3);
    assert!(session.next_deadline().unwrap() > 0, "the next attempt waits");
}

#[test]
fn a_refusal_everywhere_is_no_unknown_outcome() {
    for (refusal, error) in [
        (Refusal::Overloaded, SubmitError::Overloaded),
        (Refusal::Unavailable, SubmitError::Unavailable),
        (Refusal::NoSpace, SubmitError::NoSpace),
    ] {
        let (mut session, mut out) = session(Options { deadline_ms: 500, ..Options::default() });
        session.submit(Bytes::new(), 0, &mut out).unwrap();
        let (mut send_count, mut now) = (0, 0);
        while session.pending_count() > 0 {
            for _ in sends(&mut out) {
                send_count += 1;
                session.on_reply(refused(0, refusal.clone()), now, &mut out);
            }
            now = session.next_deadline().unwrap();
            session.on_time(now, &mut out);
        }
        assert!((3..30).contains(&send_count), "{send_count}");
        assert_eq!(ends(&mut out), [(0, Err(error))]);
    }
}

#[test]
fn a_lost_connection_moves_its_requests_at_once() {
    let (mut session, mut out) = session(Options::default());
    session.submit(Bytes::new(), 0, &mut out).unwrap();
    session.submit(Bytes::new(), 0, &mut out).unwrap();
    sends(&mut out);
    session.on_node_down(node(0), 5, &mut out);
    assert_eq!(sends(&mut out), [(1, 0, 0), (1, 1, 0)]);
    session.on_node_down(node(0), 6, &mut out);
    assert_eq!(sends(&mut out), []);
    session.prefer(node(0));
    session.submit(Bytes::new(), 7, &mut out).unwrap();
    assert_eq!(sends(&mut out), [(0, 2, 0)]);
}

#[test]
fn an_expired_session_ends_everything_honestly() {
    let (mut session, mut out) = session(Options::default());
    session.submit(Bytes::new(), 0, &mut out).unwrap();
    session.submit(Bytes::new(), 0, &mut out).unwrap();
    session.on_reply(refused(1, Refusal::SessionExpired), 1, &mut out);
    let unknown = Err(SubmitError::Unknown(request(0)));
    assert_eq!(ends(&mut out), [(0, unknown), (1, Err(SubmitError::SessionExpired))]);
    assert!(session.is_expired() && session.next_deadline().is_none());
    assert_eq!(session.submit(Bytes::new(), 2, &mut out), Err(SubmitError::SessionExpired));
}

#[test]
fn a_retried_request_that_meets_an_expired_session_may_have_run() {
    let (mut session, mut out) = session(Options::default());
    session.submit(Bytes::new(), 0, &mut out).unwrap();
    session.on_time(NO_JITTER_RETRY, &mut out);
    assert_eq!(sends(&mut out).len(), 2);
    session.on_reply(refused(0, Refusal::SessionExpired), NO_JITTER_RETRY, &mut out);
    assert_eq!(ends(&mut out), [(0, Err(SubmitError::Unknown(request(0))))]);
}

#[test]
fn the_window_is_bounded() {
    let (mut session, mut out) = session(Options { in_flight_max: 2, ..Options::default() });
    session.submit(Bytes::new(), 0, &mut out).unwrap();
    session.submit(Bytes::new(), 0, &mut out).unwrap();
    assert_eq!(session.submit(Bytes::new(), 0, &mut out), Err(SubmitError::Overloaded));
    session.on_reply(done(0), 0, &mut out);
    assert_eq!(session.submit(Bytes::new(), 0, &mut out), Ok(request(2)));
}

/// One thing that happens to the cluster or to the session.
#[derive(Clone, Debug)]
enum Step {
    Submit,
    /// Message `index` (wrapped) reaches its node, which does this with it.
    Deliver(usize, Fate),
    /// Reply `index` (wrapped) reaches the client; it may come again.
    Answer(usize, bool),
    /// Message `index` is lost.
    Lose(usize),
    Down(usize),
    Time(u64),
}

#[derive(Clone, Debug)]
enum Fate {
    Execute,
    ExecuteLater,
    Refuse(Refusal),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let refusal = prop_oneof![
        Just(Refusal::Overloaded),
        Just(Refusal::Unavailable),
        (0..4usize).prop_map(|leader| Refusal::NotLeader { leader: Some(node(leader)) }),
        Just(Refusal::NotLeader { leader: None }),
        Just(Refusal::Undecodable),
        Just(Refusal::SessionExpired),
    ];
    let fate = prop_oneof![3 => Just(Fate::Execute), 1 => Just(Fate::ExecuteLater), 2 => refusal.prop_map(Fate::Refuse)];
    let step = prop_oneof![
        4 => Just(Step::Submit),
        6 => (any::<usize>(), fate).prop_map(|(index, fate)| Step::Deliver(index, fate)),
        6 => (any::<usize>(), any::<bool>()).prop_map(|(index, again)| Step::Answer(index, again)),
        1 => any::<usize>().prop_map(Step::Lose),
        1 => (0..3usize).prop_map(Step::Down),
        4 => (0..3_000u64).prop_map(Step::Time),
    ];
    prop::collection::vec(step, 0..120)
}

#[derive(Default)]
struct Dumb {
    messages: Vec<Request>,
    replies: Vec<Reply>,
    /// Executed, or taken by a node that may execute it at any time.
    taken: BTreeSet<u64>,
    ends: BTreeMap<u64, Result<Bytes, SubmitError>>,
    submitted: u64,
    expired: bool,
}

impl Dumb {
    fn deliver(&mut self, index: usize, fate: &Fate) {
        if self.messages.is_empty() {
            return;
        }
        let request = self.messages.swap_remove(index % self.messages.len());
        let number = request.id.number;
        let outcome = match fate {
            // Which sessions are expired is agreed on; an earlier execution may still be answered.
            _ if self.expired => Outcome::Refused(Refusal::SessionExpired),
            Fate::Execute => {
                self.taken.insert(number);
                Outcome::Done(Bytes::from(number.to_string()))
            }
            Fate::ExecuteLater => {
                self.taken.insert(number);
                return;
            }
            Fate::Refuse(refusal) => {
                self.expired |= *refusal == Refusal::SessionExpired;
                Outcome::Refused(refusal.clone())
            }
        };
        self.replies.push(Reply { request: request.id, outcome });
    }

    /// Takes the outbox over and checks what it says.
    fn absorb(&mut self, out: &mut Outbox) {
        for (_, request) in out.sends.drain(..) {
            for number in 0..request.acked_below {
                assert!(
                    self.ends.contains_key(&number)
                        || out.completions.iter().any(|c| c.request.number == number)
                );
            }
            self.messages.push(request);
        }
        for Completion { request, result } in out.completions.drain(..) {
            let number = request.number;
            match &result {
                Ok(output) => assert_eq!(*output, Bytes::from(number.to_string())),
                Err(SubmitError::Unknown(id)) => assert_eq!(*id, request),
                Err(error) => {
                    assert!(
                        !self.taken.contains(&number),
                        "{request} was taken and is reported as {error:?}"
                    );
                    let waiting = self.messages.iter().any(|message| message.id.number == number);
                    assert!(!waiting, "{request} is on its way and is reported as {error:?}");
                }
            }
            assert!(self.ends.insert(number, result).is_none(), "{request} ended twice");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]
    #[test]
    fn every_request_ends_once_and_honestly(steps in steps()) {
        let (mut session, mut out) = session(Options { deadline_ms: 8_000, in_flight_max: 8, ..Options::default() });
        let (mut dumb, mut now) = (Dumb::default(), 0);
        for step in steps {
            match step {
                Step::Submit => {
                    if let Ok(id) = session.submit(Bytes::new(), now, &mut out) {
                        prop_assert_eq!(id.number, dumb.submitted);
                        dumb.submitted += 1;
                    }
                }
                Step::Deliver(index, fate) => dumb.deliver(index, &fate),
                Step::Answer(index, again) if !dumb.replies.is_empty() => {
                    let index = index % dumb.replies.len();
                    // A refusal answers one arrival, so only outputs may come twice.
                    let again = again && matches!(dumb.replies[index].outcome, Outcome::Done(_));
                    let reply = if again { dumb.replies[index].clone() } else { dumb.replies.swap_remove(index) };
                    session.on_reply(reply, now, &mut out);
                }
                Step::Answer(..) => {}
                Step::Lose(index) if !dumb.messages.is_empty() => {
                    let index = index % dumb.messages.len();
                    dumb.messages.swap_remove(index);
                }
                Step::Lose(_) => {}
                Step::Down(index) => session.on_node_down(node(index), now, &mut out),
                Step::Time(ms) => {
                    now += ms;
                    session.on_time(now, &mut out);
                }
            }
            dumb.absorb(&mut out);
            prop_assert_eq!(session.pending_count() as u64, dumb.submitted - dumb.ends.len() as u64);
        }
        now += 8_000;
        session.on_time(now, &mut out);
        dumb.absorb(&mut out);
        prop_assert_eq!(dumb.ends.len() as u64, dumb.submitted);
    }
}

#[test]
fn a_request_says_how_long_it_is_waited_for() {
    let options = Options { deadline_ms: 5_000, ..Options::default() };
    let (mut session, mut out) = session(options);
    session.submit(Bytes::new(), 100, &mut out).unwrap();
    session.on_reply(refused(0, Refusal::Overloaded), 300, &mut out);
    let again = session.next_deadline().unwrap();
    session.on_time(again, &mut out);
    let patience: Vec<u64> = out.sends.drain(..).map(|(_, request)| request.patience_ms).collect();
    assert_eq!(patience, [5_000, 5_100 - again]);
}
