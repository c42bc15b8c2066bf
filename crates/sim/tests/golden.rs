//! Golden scripts: the situations that protocols are made of, one function each, named by
//! the situation. A script drives whole nodes by hand (see [`isegoria_sim::script`]); the
//! exact trace is compared with `golden/<script>.txt`, and beside it the script claims
//! properties, which are judged whatever the trace on file says.
//!
//! A changed trace is reviewed, then filed:
//! `GOLDEN=bless cargo test -p isegoria-sim --test golden`.
//!
//! **Reading a trace.** `>` is what the script does, what follows is indented. Nodes are
//! `n1`, `n2`, ...; `n1:0` is the first vertex of n1; `1.n2` is the ballot of round 1 of
//! n2; `c1#0` is the first request of client 1; `[c1#0] <0 2>` is a value, the batch of
//! that request depending on n2's vertices below 2. A record that is *written* holds back
//! what follows until it is durable, one that is *noted* does not.
//!
//! **The scripted traces B1 to B30** (protocols.md 7.3). Each fails on the mutant named,
//! with the property that it claims (`crates/sim/mutants/<name>.patch`).
//!
//! | trace | script | mutant |
//! |---|---|---|
//! | B1 | [`two_votes_of_five_force_nothing`] | `b01_fast_quorum_forces` |
//! | B2 | [`promise_keeps_the_vote`], [`promise_for_a_log_keeps_the_votes`] | `m03_one_ballot`, `m03_log_one_ballot` |
//! | B3 | [`every_answer_goes_into_the_union`], [`the_slow_path_proposes_the_union`] | `m04_no_union`, `b03_slow_path_without_union` |
//! | B4 | [`a_conflict_of_a_leader_that_is_gone_ends_it`] | `b04_nothing_is_validated` |
//! | B5 | [`a_conflict_that_is_open_is_waited_for`] | `b05_any_conflict_ends_it` |
//! | B6 | [`a_waiting_recoverer_of_y_does_not_end_x`] | `b06_one_less_is_too_many` |
//! | B7 | [`a_leader_that_promised_has_not_decided`] | `b07_leaders_promise_ignored` |
//! | B7b | [`what_is_validated_is_recorded`] | `b07b_validated_is_not_recorded` |
//! | B7c | [`a_leaders_word_is_durable`], [`a_decision_of_ones_own_is_durable`], [`a_decision_of_a_leader_is_durable`] | `leaders_word_not_durable`, `b07c_decision_not_durable`, `atlas_decision_not_durable` |
//! | B7d | [`messages_to_oneself_belong_to_the_step`], [`leader_promises_to_itself_first`] | `m23_self_message_queued` |
//! | B7e | [`one_unchanged_answer_may_be_enough`] | `b07e_one_unchanged_more` |
//! | B8 | [`answered_after_execution`] | `b08_answer_at_commit` |
//! | B9 | [`restarted_dependency_node_remembers`] | `m15_index_not_rebuilt` |
//! | B10 | [`later_request_first`] | `m27_largest_number` |
//! | B11 | [`forgotten_vertex_gets_no_vote`], [`takeover_leaves_forgotten_slots_alone`], [`candidate_behind_the_cut_leads_nothing`] | `m28_forgotten_is_fresh`, `m28_log_takeover_where_forgotten`, `m28_log_leads_behind_the_cut` |
//! | B12 | [`checkpoint_holds_what_stands_above_a_hole`] for a restart; between nodes `crates/replica/tests/snapshots.rs`, where a snapshot can be as old as the trace wants | `m29_extras_dropped` |
//! | B14 | [`naming_a_vertex_names_all_before_it`], [`noop_carries_no_dependency`] | `m26_latest_only` |
//! | B15, B15b | [`those_who_were_not_asked_add_nothing`], [`a_dependency_that_one_names_may_be_lost_with_it`]; B15c and B15d by enumeration in `crates/epaxos/src/atlas/choose.rs` | `b15_union_over_all`, `b15b_named_by_one_fewer`, `b15d_members_alone` |
//! | B17 | by enumeration in `crates/bpaxos/src/unanimous/fast.rs` | `b17_union_too_early` |
//! | B18 | [`ghosts_stay_dead`] | `b18_ghosts_are_applied` |
//! | B19b | [`chosen_is_final`] | `b19b_committed_acks` |
//! | B20 | [`restarted_leader_takes_new_numbers`] | `m21_number_used_again` |
//! | B21 | [`illegal_quorums_are_refused`] | `b21_dependency_quorums_unchecked` |
//! | B22 | [`a_committed_noop_stays_in_the_index`] | `b22_committed_noop_forgotten` |
//! | B23 | [`a_noop_that_is_voted_for_stays_in_the_index`] | `b23_voted_noop_forgotten` |
//! | B24 | [`a_late_validation_changes_no_vote`] | `b24_late_validation_votes` |
//! | B25 | [`two_who_wait_for_each_other_start_again`] | `b25_wait_without_end` |
//! | B26 | [`what_is_given_up_speaks_against_it_still`] | `b26_given_up_is_forgotten` |
//! | B27 | [`acknowledged_is_not_executed`] | `b27_acknowledged_is_executed` |
//! | B28 | [`found_values_are_proposed_unchanged`] | `b28_found_values_voided` |
//! | B29 | [`nothing_is_forgotten_that_one_lacks`] | `b29_component_wise` |
//! | B30 | [`restarted_recoverer_takes_a_new_ballot`], [`restarted_candidate_takes_a_new_ballot`] | `b30_ballot_not_durable`, `b30_log_ballot_not_durable` |
//!
//! The other scripts are situations that every implementation gets into, and those of
//! the mutants of testing.md, section 4 (`m01_` to `m28_`).
//!
//! Not here, because what they are about is not here: B13 (quorum reads: every read is a
//! command), B16 (Majority Commit BPaxos), B19 (Tempo). They come with their protocols.

#[path = "golden/atlas.rs"]
mod atlas;
#[path = "golden/ballots.rs"]
mod ballots;
#[path = "golden/dependencies.rs"]
mod dependencies;
#[path = "golden/dialects.rs"]
mod dialects;
#[path = "golden/elections.rs"]
mod elections;
#[path = "golden/epaxos.rs"]
mod epaxos;
#[path = "golden/execution.rs"]
mod execution;
#[path = "golden/fast.rs"]
mod fast;
#[path = "golden/files.rs"]
mod files;
#[path = "golden/forgetting.rs"]
mod forgetting;
#[path = "golden/layouts.rs"]
mod layouts;
#[path = "golden/log.rs"]
mod log;
#[path = "golden/ops.rs"]
mod ops;
#[path = "golden/recovery.rs"]
mod recovery;
#[path = "golden/sessions.rs"]
mod sessions;
#[path = "golden/ways.rs"]
mod ways;

/// The table of contents: one test a script.
macro_rules! scripts {
    ($($module:ident { $($script:ident),* $(,)? })*) => {
        $($(
            #[test]
            fn $script() {
                files::compare(stringify!($script), &$module::$script());
            }
        )*)*

        /// Every script.
        const SCRIPTS: &[&str] = &[$($(stringify!($script)),*),*];
    };
}

scripts! {
    dependencies {
        every_answer_goes_into_the_union,
        restarted_dependency_node_remembers,
        dependency_answer_waits_for_the_disk,
        naming_a_vertex_names_all_before_it,
        noop_carries_no_dependency,
        every_key_of_a_command_conflicts,
        reads_conflict_with_writes_alone,
    }
    ballots {
        promise_keeps_the_vote,
        chosen_is_final,
        old_ballot_gets_no_vote,
        restarted_recoverer_takes_a_new_ballot,
        messages_to_oneself_belong_to_the_step,
        restarted_leader_takes_new_numbers,
        vote_not_sent_before_durable,
        one_sync_lets_out_all_that_waited,
        promise_not_told_before_durable,
        second_outcome_changes_nothing,
    }
    fast {
        votes_that_fit_are_chosen_at_once,
        fast_choice_outlives_its_leader,
        two_votes_of_five_force_nothing,
        no_vote_in_ballot_0_after_a_promise,
        a_leaders_word_is_durable,
        a_leaders_word_is_found_without_it,
        a_leader_that_promised_decides_nothing,
    }
    atlas {
        a_fast_quorum_decides_with_answers_that_differ,
        those_who_were_not_asked_add_nothing,
        a_dependency_that_one_names_may_be_lost_with_it,
        a_decision_of_a_leader_is_durable,
        what_a_leader_said_itself_is_durable,
        who_was_not_asked_is_asked_with_the_commands,
        the_leaders_past_counts_where_only_others_know_it,
        a_leader_with_a_promise_decides_no_more,
        half_an_answer_to_a_recoverer_is_none_to_the_leader,
        a_member_that_is_down_is_replaced,
    }
    epaxos {
        the_slow_path_proposes_the_union,
        a_conflict_of_a_leader_that_is_gone_ends_it,
        a_conflict_that_is_open_is_waited_for,
        a_waiting_recoverer_of_y_does_not_end_x,
        a_leader_that_promised_has_not_decided,
        what_is_validated_is_recorded,
        a_decision_of_ones_own_is_durable,
        one_unchanged_answer_may_be_enough,
        a_committed_noop_stays_in_the_index,
        a_noop_that_is_voted_for_stays_in_the_index,
        a_late_validation_changes_no_vote,
        two_who_wait_for_each_other_start_again,
        what_is_given_up_speaks_against_it_still,
        who_promised_decides_no_more,
        what_nobody_knows_speaks_against_nothing,
    }
    recovery {
        recovery_noop_wins,
        recovery_finds_value,
        two_recoverers_duel,
        resubmission_after_noop,
    }
    execution {
        answered_after_execution,
        deps_cycle_executes_once,
        commit_before_dependency_waits,
    }
    sessions {
        later_request_first,
        acknowledged_is_not_executed,
        retry_elsewhere_answers_the_same,
        checkpoint_holds_the_sessions,
    }
    forgetting {
        forgotten_vertex_gets_no_vote,
        takeover_leaves_forgotten_slots_alone,
        candidate_behind_the_cut_leads_nothing,
        nothing_is_forgotten_that_one_lacks,
        checkpoint_holds_what_stands_above_a_hole,
    }
    log {
        ghosts_stay_dead,
        found_values_are_proposed_unchanged,
        leader_change_with_holes,
        deposed_leader_gets_no_votes,
        vote_in_a_log_waits_for_the_disk,
        promise_in_a_log_waits_for_the_disk,
        promise_for_a_log_keeps_the_votes,
        restarted_candidate_takes_a_new_ballot,
        leader_promises_to_itself_first,
        overtaken_leader_claims_nothing,
        overtaken_candidate_leads_nothing,
    }
    layouts {
        illegal_quorums_are_refused,
    }
}

/// A trace without a script proves nothing.
#[test]
fn every_trace_belongs_to_a_script() {
    for name in files::names() {
        assert!(SCRIPTS.contains(&name.as_str()), "no script writes tests/golden/{name}.txt: delete it");
    }
}
