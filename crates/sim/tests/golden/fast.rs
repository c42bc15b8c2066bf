//! One round trip: votes of ballot 0 that each node makes up itself, and what may be
//! concluded from some of them (Unanimous BPaxos).

use crate::dialects::{together, unanimous};
use crate::ops::put;
use crate::ways::{RECOVER, TELL};
use isegoria_bpaxos::unanimous::{Fast, Timer};
use isegoria_sim::script::{Property, nodes};

const CHOSEN: &[Property] = &[Property::Agreement, Property::Visibility];

/// x and y meet on the way. n3 hears of x first: two name x as a dependency of y, and only
/// n2 names y as one of x.
pub(crate) fn votes_that_fit_are_chosen_at_once() -> String {
    let mut s =
        unanimous("Votes that differ and fit: y in one round trip, x in two", &together(3), Fast::Threshold);
    let [n1, n2, n3] = nodes();
    let x = s.submit(n1, put("k", "x"));
    let y = s.submit(n2, put("k", "y"));
    s.deliver(n1, n3, "FastPropose");
    s.deliver(n2, n3, "FastPropose");
    s.deliver(n1, n2, "FastPropose");
    s.deliver(n2, n1, "FastPropose");
    s.deliver_among(&[n1, n2, n3], "FastVote");
    s.note("y is chosen with the union of its votes; x needs ballot 1");
    s.deliver_in_turn(&[n1, n2, n3], &["Phase2a", "Phase2b", "Commit"]);
    assert!(s.answer(x).is_some() && s.answer(y).is_some());
    s.finish(&[Property::Agreement, Property::Visibility, Property::State])
}

/// All have voted; n1 dies before it tells that x is chosen.
pub(crate) fn fast_choice_outlives_its_leader() -> String {
    let mut s =
        unanimous("What the votes of ballot 0 chose is found by a recovery", &together(3), Fast::Threshold);
    let [n1, n2, n3] = nodes();
    s.submit(n1, put("k", "x"));
    s.deliver_in_turn(&[n1, n2, n3], &["FastPropose"]);
    s.crash(n1);
    s.lose("");
    s.suspect(n2, n1);
    s.timer(n2, &Timer::Tick, 4);
    s.deliver_in_turn(&[n2, n3], RECOVER);
    s.deliver_in_turn(&[n2, n3], TELL);
    s.finish(&[Property::Agreement])
}

/// B1. x has the votes of n1 and n2, y those of n4 and n5: each could still get a fast quorum
/// of four, and not one of five.
pub(crate) fn two_votes_of_five_force_nothing() -> String {
    let mut s = unanimous("B1, votes that cannot become all force nothing", &together(5), Fast::Threshold);
    let [n1, n2, n3, n4, n5] = nodes();
    let x = s.submit(n1, put("k", "x"));
    let y = s.submit(n5, put("k", "y"));
    s.deliver(n1, n2, "FastPropose");
    s.deliver(n5, n4, "FastPropose");
    s.lose("");
    s.note("n2 recovers x with n1 and n3, n4 recovers y with n5 and n3");
    for (recoverer, ticks, others) in [(n2, 4, [n1, n3]), (n4, 12, [n5, n3])] {
        s.timer(recoverer, &Timer::Tick, ticks);
        for words in RECOVER.chunks(2) {
            for other in others {
                s.deliver(recoverer, other, words[0]);
                s.deliver(other, recoverer, words[1]);
            }
        }
        s.lose("Phase");
    }
    s.note("both became noops; their leaders hear of it and submit them again");
    let all = [n1, n2, n3, n4, n5];
    s.deliver_in_turn(&all, TELL);
    s.deliver_in_turn(&all, &["FastPropose", "FastVote", "Phase2a", "Phase2b", "Commit"]);
    assert!(s.answer(x).is_some() && s.answer(y).is_some());
    s.finish(CHOSEN)
}

/// n2 has been promised more when n1 asks it for a vote in ballot 0.
pub(crate) fn no_vote_in_ballot_0_after_a_promise() -> String {
    let mut s =
        unanimous("A node that promised more votes no more in ballot 0", &together(3), Fast::Threshold);
    let [n1, n2, n3] = nodes();
    s.submit(n1, put("k", "x"));
    s.deliver(n1, n3, "FastPropose");
    s.suspect(n3, n1);
    s.timer(n3, &Timer::Tick, 8);
    s.deliver(n3, n2, "Phase1a");
    s.deliver(n2, n3, "Phase1b");
    s.note("the noop is on its way when n2 hears of x");
    s.deliver(n1, n2, "FastPropose");
    s.deliver(n2, n1, "Nack");
    s.deliver_in_turn(&[n2, n3], &["Phase2a", "Phase2b"]);
    s.deliver(n3, n1, "FastVote");
    s.finish(&[Property::Agreement])
}

/// Two of three suffice with the leader's own word. n1 restarts before it has told that x is
/// chosen: its word is on its disk.
pub(crate) fn a_leaders_word_is_durable() -> String {
    let mut s = unanimous("B7c, a leader that decided knows it after a restart", &together(3), Fast::Basic);
    let [n1, n2, n3] = nodes();
    let x = s.submit(n1, put("k", "x"));
    s.deliver(n1, n2, "FastPropose");
    s.deliver(n2, n1, "FastVote");
    assert!(s.answer(x).is_some(), "the client has heard of it");
    s.crash(n1);
    s.lose("");
    s.restart(n1);
    s.lose("");
    s.note("n2 recovers x with n1");
    s.timer(n2, &Timer::Tick, 4);
    s.deliver(n2, n1, "Phase1a n1:0");
    s.deliver(n1, n2, "Chosen n1:0");
    s.lose("");
    s.note("n3 knows nothing of it yet");
    s.deliver_in_turn(&[n2, n3], &["Chosen"]);
    s.finish(&[Property::Agreement])
}

/// x is chosen by n1's word and n2's vote; n3 voted with y in it. n1 dies.
pub(crate) fn a_leaders_word_is_found_without_it() -> String {
    let mut s = unanimous("What a leader may have decided is found without it", &together(3), Fast::Basic);
    let [n1, n2, n3] = nodes();
    s.submit(n3, put("k", "y"));
    let x = s.submit(n1, put("k", "x"));
    s.deliver(n1, n2, "FastPropose");
    s.deliver(n1, n3, "FastPropose");
    s.deliver(n2, n1, "FastVote");
    assert!(s.answer(x).is_some());
    s.crash(n1);
    s.lose("");
    s.suspect(n2, n1);
    s.timer(n2, &Timer::Tick, 4);
    s.note("one of two voted as n1 had: n1 may have decided");
    s.deliver_in_turn(&[n2, n3], RECOVER);
    s.deliver_in_turn(&[n2, n3], TELL);
    s.finish(&[Property::Agreement])
}

/// n3 asked n1 for a promise before n1 had the vote that it needed, and dies.
pub(crate) fn a_leader_that_promised_decides_nothing() -> String {
    let mut s = unanimous("A leader that promised more recovers its own vertex", &together(3), Fast::Basic);
    let [n1, n2, n3] = nodes();
    let x = s.submit(n1, put("k", "x"));
    s.deliver(n1, n2, "FastPropose");
    s.deliver(n1, n3, "FastPropose");
    s.suspect(n3, n1);
    s.timer(n3, &Timer::Tick, 8);
    s.deliver(n3, n1, "Phase1a");
    s.crash(n3);
    s.lose("Phase");
    s.deliver(n2, n1, "FastVote");
    assert_eq!(s.answer(x), None, "it has two votes of three, and may not decide");
    s.timer(n1, &Timer::Tick, 4);
    s.deliver_in_turn(&[n1, n2], RECOVER);
    s.deliver_in_turn(&[n1, n2], TELL);
    assert!(s.answer(x).is_some());
    s.finish(&[Property::Agreement])
}
