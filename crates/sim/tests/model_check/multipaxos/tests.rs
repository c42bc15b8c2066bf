use super::judge::{AGREEMENT, GHOST_VOID, HOLE_FILLED, REELECTION, VALUE_RECOVERED};
use super::{Log, Lost, Plant};
use crate::checker::{CHOSEN_AFTER_RESTART, Claim, Named, Size, is_full, node_states, refute, verify};

fn claim(bound: &'static str, states: usize, depth: usize) -> Claim {
    Claim { name: "Multi-Paxos", bound, size: Size { states, depth } }
}

/// Only requests and answers arrive.
const QUIET: [Lost; 3] = [Lost::Refusals, Lost::Heartbeats, Lost::News];
/// The same, and the leaders hear nothing of each other.
const APART: [Lost; 4] = [Lost::Refusals, Lost::Heartbeats, Lost::News, Lost::BetweenLeaders];

const RESUMED: [Named; 2] = [REELECTION, VALUE_RECOVERED];
const GHOSTLY: [Named; 4] = [REELECTION, VALUE_RECOVERED, HOLE_FILLED, GHOST_VOID];

#[test]
fn no_command() {
    let log = || Log::new(0, [1, 2]).losing(&QUIET).reaching(&[REELECTION]);
    if is_full() {
        verify(claim("3 ballots, no command; requests and answers", 565_081, 28), log());
    }
}

#[test]
fn one_command() {
    let log = || Log::new(1, [1, 1]).reaching(&RESUMED);
    verify(claim("2 ballots, 1 command; requests and answers", 45_315, 24), log().losing(&QUIET));
    verify(
        claim("2 ballots, 1 command; requests, answers and refusals", 56_101, 24),
        log().losing(&[Lost::Heartbeats, Lost::News]),
    );
    verify(
        claim("2 ballots, 1 command; requests and answers; one crash-restart of any node", 311_926, 25),
        log().losing(&QUIET).crash_of(&[0, 1, 2]).reaching(&[CHOSEN_AFTER_RESTART]),
    );
    verify(
        claim(
            "3 ballots, 1 command; requests and answers, the leaders apart, and what replicas tell each other",
            125_829,
            32,
        ),
        Log::new(1, [1, 2]).losing(&APART).catching_up().reaching(&RESUMED),
    );
    if is_full() {
        verify(
            claim("2 ballots, 1 command; requests, answers and news", 1_139_497, 27),
            log().losing(&[Lost::Refusals, Lost::Heartbeats]),
        );
        verify(
            claim(
                "2 ballots, 1 command; requests and answers, and what replicas tell each other",
                1_027_941,
                29,
            ),
            log().losing(&QUIET).catching_up(),
        );
    }
}

/// The second leader begins in ballot 0.n2, the first goes on in 1.n1 and the second
/// again in 1.n2: the one order in which leaders that hear nothing of each other take
/// turns, so that a command may come back behind a successor's `StartWorking`.
#[test]
fn two_commands() {
    let log = || Log::new(2, [1, 2]).losing(&APART).reaching(&GHOSTLY);
    verify(claim("3 ballots, 2 commands; requests and answers, the leaders apart", 34_214, 32), log());
    verify(
        claim(
            "3 ballots, 2 commands; requests and answers, the leaders apart; one crash-restart of the acceptor",
            102_516,
            33,
        ),
        log().crash_of(&[2]).reaching(&[CHOSEN_AFTER_RESTART]),
    );
    if is_full() {
        verify(
            claim(
                "3 ballots, 2 commands; requests and answers, the leaders apart; one crash-restart of the second leader",
                239_802,
                33,
            ),
            log().crash_of(&[1]).reaching(&[CHOSEN_AFTER_RESTART]),
        );
        verify(
            claim("3 ballots, 2 commands; requests, answers and news, the leaders apart", 249_647, 34),
            Log::new(2, [1, 2])
                .losing(&[Lost::Refusals, Lost::Heartbeats, Lost::BetweenLeaders])
                .reaching(&GHOSTLY),
        );
        verify(
            claim(
                "3 ballots, 2 commands; requests and answers, the leaders apart, and what replicas tell each other",
                5_218_991,
                39,
            ),
            log().catching_up(),
        );
        verify(
            claim("2 ballots, 2 commands; requests and answers", 2_193_097, 32),
            Log::new(2, [1, 1]).losing(&QUIET).reaching(&RESUMED),
        );
    }
}

/// What may be forgotten is what nobody would miss.
#[test]
fn fading_loses_no_node_state() {
    let talkative = || Log::new(1, [1, 0]);
    assert_eq!(node_states(talkative()), node_states(talkative().unfaded()));
    let told = || Log::new(1, [1, 0]).losing(&QUIET).catching_up();
    assert_eq!(node_states(told()), node_states(told().unfaded()));
    let quiet = || Log::new(0, [1, 1]).losing(&QUIET);
    assert_eq!(node_states(quiet()), node_states(quiet().unfaded()));
}

#[test]
fn planted_faults_are_found() {
    let log = || Log::new(1, [1, 1]).losing(&QUIET);
    refute("a candidate deaf to votes", log().planted(Plant::DeafCandidate), AGREEMENT);
    refute("a candidate that voids what it finds", log().planted(Plant::VoidedGhosts), AGREEMENT);
    let restarted = log().crash_of(&[2]).planted(Plant::ForgottenPromises);
    refute("promises forgotten at a restart", restarted, AGREEMENT);
}
