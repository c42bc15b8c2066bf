//! Leaders of a log that change, and what they make of each other's slots.

use crate::dialects::{apart, multi, together};
use crate::elections::{agree, campaign, elect, give_up};
use crate::ops::{append, get, put};
use isegoria_multipaxos::Timer;
use isegoria_sim::script::{Property, nodes};

/// B18. n1 leaves a write in slot 4 that nobody else has; n2 leads and serves without
/// it; then n1 leads again.
pub(crate) fn ghosts_stay_dead() -> String {
    let mut s = multi("B18, ghost: nothing of an older leader is applied behind StartWorking", &together(3));
    let [n1, n2, n3] = nodes();
    elect(&mut s, n1, &[n2]);
    agree(&mut s, &[n1, n2, n3]);
    s.submit(n1, put("k", "a"));
    agree(&mut s, &[n1, n2, n3]);
    s.note("n1 is cut off, with three slots of its own");
    for op in [get("k"), get("k"), put("k", "ghost")] {
        s.submit(n1, op);
    }
    s.lose("");
    give_up(&mut s, &[n2, n3]);
    elect(&mut s, n2, &[n3]);
    agree(&mut s, &[n2, n3]);
    let read = s.submit(n2, get("k"));
    agree(&mut s, &[n2, n3]);
    assert_eq!(s.answer(read).as_deref(), Some("a"));
    s.lose("");
    s.note("n1 hears nobody, gives up, and leads again with n3");
    s.timer(n1, &Timer::Election, 2);
    give_up(&mut s, &[n3]);
    elect(&mut s, n1, &[n3]);
    agree(&mut s, &[n1, n3]);
    let read = s.submit(n1, get("k"));
    agree(&mut s, &[n1, n3]);
    assert_eq!(s.answer(read).as_deref(), Some("a"));
    s.finish(&[Property::Ghosts, Property::Agreement, Property::State])
}

/// B28. n1's y stands in slot 2 at b alone; n2 puts StartWorking into slot 1 at a alone;
/// n1 gets y chosen by a and b; n2 finds both at a, and c has nothing.
pub(crate) fn found_values_are_proposed_unchanged() -> String {
    let mut s = multi("B28, a leader proposes what it found, even what nobody will apply", &apart(2));
    let [n1, n2, a, b, c] = nodes();
    elect(&mut s, n1, &[a, b]);
    agree(&mut s, &[n1, n2, a, b]);
    s.submit(n1, put("k", "x"));
    s.lose("Phase2a");
    s.submit(n1, put("k", "y"));
    s.deliver(n1, b, "Phase2a");
    s.lose("");
    s.note("n2 leads, with a and c; its StartWorking reaches a alone");
    give_up(&mut s, &[n2, a]);
    elect(&mut s, n2, &[a, c]);
    s.deliver(n2, a, "Phase2a slot 1");
    s.lose("");
    s.note("n1 leads again, with b and c; y is chosen by a and b, the noop in slot 1 by nobody");
    s.timer(n1, &Timer::Election, 2);
    give_up(&mut s, &[b]);
    elect(&mut s, n1, &[b, c]);
    s.deliver(n1, a, "Phase2a slot 2");
    s.deliver(n1, b, "Phase2a slot 2");
    s.lose("");
    s.note("n2 leads again, with a and c, and completes what it finds");
    s.timer(n2, &Timer::Election, 2);
    give_up(&mut s, &[a]);
    elect(&mut s, n2, &[a, c]);
    agree(&mut s, &[n1, n2, a, c]);
    s.finish(&[Property::Agreement, Property::Ballots, Property::State])
}

/// n1's slot 2 reaches nobody; n1 dies, and n2 fills the hole.
pub(crate) fn leader_change_with_holes() -> String {
    let mut s = multi("A new leader fills holes with noops and keeps what it finds", &together(3));
    let [n1, n2, n3] = nodes();
    elect(&mut s, n1, &[n2]);
    agree(&mut s, &[n1, n2, n3]);
    let [x, y, z] = ["x", "y", "z"].map(|tail| s.submit(n1, append("k", tail)));
    s.lose("Phase2a slot 2");
    s.deliver(n1, n2, "Phase2a slot 1");
    s.deliver(n1, n2, "Phase2a slot 3");
    s.crash(n1);
    s.lose("");
    s.suspect(n2, n1);
    give_up(&mut s, &[n3]);
    elect(&mut s, n2, &[n3]);
    agree(&mut s, &[n2, n3]);
    s.note("the clients ask n2: z was executed behind x, y was not");
    for request in [x, y, z] {
        s.retry(n2, request);
    }
    agree(&mut s, &[n2, n3]);
    let answers = [x, y, z].map(|request| s.answer(request));
    assert_eq!(answers, ["1", "3", "2"].map(|answer| Some(answer.to_owned())));
    s.note("n1 comes back and fetches what it missed; its own y was never chosen");
    s.restart(n1);
    s.gossip(n2);
    s.deliver(n2, n1, "Progress");
    s.gossip(n1);
    s.gossip(n1);
    s.deliver(n1, n2, "Fetch");
    s.deliver(n2, n1, "Commits");
    s.finish(&[Property::Agreement, Property::Once, Property::State, Property::Durability])
}

/// M10 in a log. n2 leads with n3; what n1 proposed before arrives at n3.
pub(crate) fn deposed_leader_gets_no_votes() -> String {
    let mut s = multi("M10 in a log, no vote below the promised ballot", &together(3));
    let [n1, n2, n3] = nodes();
    elect(&mut s, n1, &[n2]);
    agree(&mut s, &[n1, n2, n3]);
    let x = s.submit(n1, put("k", "x"));
    give_up(&mut s, &[n2, n3]);
    elect(&mut s, n2, &[n3]);
    agree(&mut s, &[n2, n3]);
    s.deliver(n1, n3, "Phase2a 1.n1 slot 1");
    s.deliver_in_turn(&[n1, n3], &["Phase2b", "Nack"]);
    s.note("n1 knows now that it leads no more; its client goes to n2");
    s.retry(n1, x);
    agree(&mut s, &[n1, n2]);
    s.retry(n1, x);
    s.retry(n2, x);
    agree(&mut s, &[n1, n2, n3]);
    assert_eq!(s.answer(x).as_deref(), Some("ok"));
    s.finish(&[Property::Agreement, Property::State, Property::Durability])
}

/// M1 in a log. Power fails at n2 between its vote and the disk.
pub(crate) fn vote_in_a_log_waits_for_the_disk() -> String {
    let mut s = multi("M1 in a log, a vote is told when it is durable", &together(3));
    let [n1, n2, n3] = nodes();
    elect(&mut s, n1, &[n2]);
    agree(&mut s, &[n1, n2, n3]);
    s.hold_disk(n2);
    s.submit(n1, put("k", "x"));
    s.deliver(n1, n2, "Phase2a");
    s.deliver_among(&[n1, n2], "Phase2b");
    s.crash(n2);
    s.restart(n2);
    s.lose("");
    s.note("n2 and n3 know of no vote for x");
    give_up(&mut s, &[n3]);
    elect(&mut s, n2, &[n3]);
    agree(&mut s, &[n1, n2, n3]);
    s.finish(&[Property::Agreement, Property::State])
}

/// M2 in a log. Power fails at n3 between its promise and the disk.
pub(crate) fn promise_in_a_log_waits_for_the_disk() -> String {
    let mut s = multi("M2 in a log, a promise is told when it is durable", &together(3));
    let [n1, n2, n3] = nodes();
    elect(&mut s, n1, &[n2]);
    agree(&mut s, &[n1, n2, n3]);
    s.submit(n1, put("k", "x"));
    give_up(&mut s, &[n2, n3]);
    campaign(&mut s, n2, &[n3]);
    s.hold_disk(n3);
    s.deliver(n2, n3, "Phase1a");
    s.deliver_among(&[n2, n3], "Phase1b");
    s.crash(n3);
    s.restart(n3);
    s.note("n3 promised nothing that it told, and votes for x");
    s.deliver(n1, n3, "Phase2a slot 1");
    s.deliver(n3, n1, "Phase2b");
    agree(&mut s, &[n2, n3]);
    s.note("n2 asks again, and finds x");
    give_up(&mut s, &[n3]);
    elect(&mut s, n2, &[n3]);
    agree(&mut s, &[n2, n3]);
    s.finish(&[Property::Agreement, Property::State])
}

/// B2 in a log. v1 in slot 1 reaches a alone; n2's StartWorking is chosen there by b and
/// c; a promises again; then n1 hears a and b, and b's vote is the younger one.
pub(crate) fn promise_for_a_log_keeps_the_votes() -> String {
    let mut s = multi("B2 (M3) in a log, a promise must not touch the votes", &apart(2));
    let [n1, n2, a, b, c] = nodes();
    elect(&mut s, n1, &[a, b]);
    agree(&mut s, &[n1, n2, a, b]);
    s.submit(n1, put("k", "v1"));
    s.deliver(n1, a, "Phase2a");
    s.lose("");
    s.note("n2 leads, with b and c");
    give_up(&mut s, &[n2, b]);
    elect(&mut s, n2, &[b, c]);
    agree(&mut s, &[n2, b, c]);
    s.lose("");
    s.note("n1 campaigns twice: first it reaches a alone, then a and b");
    s.timer(n1, &Timer::Election, 2);
    give_up(&mut s, &[a, b]);
    campaign(&mut s, n1, &[a, b]);
    s.deliver(n1, a, "Phase1a");
    s.lose("");
    elect(&mut s, n1, &[a, b]);
    agree(&mut s, &[n1, a, b]);
    s.finish(&[Property::Agreement, Property::Ballots])
}

/// B30 in a log. n1 proposes x in its ballot and restarts; what supported its first
/// campaign arrives once more.
pub(crate) fn restarted_candidate_takes_a_new_ballot() -> String {
    let mut s = multi("B30 in a log, a restarted candidate must not use a ballot again", &apart(2));
    let [n1, n2, a, b, c] = nodes();
    s.timer(n1, &Timer::Election, 1);
    for acceptor in [a, b] {
        s.deliver(n1, acceptor, "PreVote");
        s.duplicate(acceptor, n1, "PreVoteOk");
    }
    s.deliver_in_turn(&[n1, a, b], &["Phase1a", "Phase1b"]);
    agree(&mut s, &[n1, n2, a, b]);
    s.submit(n1, put("k", "x"));
    s.crash(n1);
    s.restart(n1);
    s.timer(n1, &Timer::Election, 1);
    s.deliver(a, n1, "PreVoteOk");
    s.deliver(b, n1, "PreVoteOk");
    s.deliver_in_turn(&[n1, a, b], &["Phase1a", "Phase1b"]);
    s.note("what it proposed in its first life reaches c; a and b give it a second one");
    s.deliver(n1, c, "Phase2a slot 1");
    s.lose("Phase2a");
    s.lose("PreVote");
    give_up(&mut s, &[a, b]);
    elect(&mut s, n1, &[a, b]);
    agree(&mut s, &[n1, n2, a, b]);
    s.finish(&[Property::Ballots, Property::Agreement])
}

/// B7d in a log. Whoever leads has promised its own ballot before anybody else can.
pub(crate) fn leader_promises_to_itself_first() -> String {
    let mut s = multi("B7d (M23) in a log, messages to oneself are part of the step", &together(3));
    let [n1, n2, n3] = nodes();
    s.timer(n1, &Timer::Election, 1);
    for other in [n2, n3] {
        s.deliver(n1, other, "PreVote");
        s.deliver(other, n1, "PreVoteOk");
    }
    for other in [n2, n3] {
        s.deliver(n1, other, "Phase1a");
        s.deliver(other, n1, "Phase1b");
    }
    agree(&mut s, &[n1, n2, n3]);
    s.finish(&[Property::Ballots, Property::Agreement])
}

/// n1's w stands in slot 1 at b alone; n2 leads with a and c, and its StartWorking is
/// chosen there. n1 hears what is in the slot, and not that it is deposed.
pub(crate) fn overtaken_leader_claims_nothing() -> String {
    let mut s = multi("A leader that learns of another value in its slot leads no more", &apart(2));
    let [n1, n2, a, b, c] = nodes();
    elect(&mut s, n1, &[a, b]);
    agree(&mut s, &[n1, n2, a, b]);
    s.submit(n1, put("k", "w"));
    s.deliver(n1, b, "Phase2a");
    s.lose("");
    give_up(&mut s, &[n2, a]);
    elect(&mut s, n2, &[a, c]);
    agree(&mut s, &[n2, a, c]);
    s.deliver(n2, n1, "Decided slot 1");
    s.deliver_among(&[n1, b], "Chosen");
    s.finish(&[Property::Agreement])
}

/// n2's StartWorking of two ballots is chosen in slots 0 and 1, with a and c. Between the
/// two, a and b promised n1 a ballot; while it waits for their words, n1 hears what is in
/// slot 1, and not that it is deposed. Then it would lead, and hear what is in slot 0.
pub(crate) fn overtaken_candidate_leads_nothing() -> String {
    let mut s = multi("A candidate that learns of what its ballot cannot have chosen leads not", &apart(2));
    let [n1, n2, a, b, c] = nodes();
    elect(&mut s, n2, &[a, c]);
    agree(&mut s, &[n2, a, c]);
    give_up(&mut s, &[a, c]);
    campaign(&mut s, n1, &[a, b]);
    s.deliver(n1, a, "Phase1a");
    s.deliver(n1, b, "Phase1a");
    s.note("n2 hears nobody for so long that it leads no more, and leads again");
    s.timer(n2, &Timer::Election, 2);
    elect(&mut s, n2, &[a, c]);
    agree(&mut s, &[n2, a, c]);
    s.deliver(n2, n1, "Decided slot 1");
    s.deliver(a, n1, "Phase1b");
    s.deliver(b, n1, "Phase1b");
    s.deliver_among(&[n1, b], "Phase2a");
    s.deliver(n2, n1, "Decided slot 0");
    s.deliver_among(&[n1, b], "Chosen");
    s.finish(&[Property::Agreement])
}
