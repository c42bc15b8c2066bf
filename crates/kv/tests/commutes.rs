//! The conflict relation of the store, of Redis's commands above all, tells the truth for every pair of
//! commands: at random from random states, and every kind with every other from some states.

use bytes::Bytes;
use isegoria::commutes;
use isegoria_kv::redis::{Command, End, Failure, Limits, Reply, When};
use isegoria_kv::{Kv, Op, Output};
use isegoria_machine::{Snapshot, StateMachine};
use isegoria_types::Footprint;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::Union;

fn bytes(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

/// Two keys, and two fields, members or values, are enough to meet and to miss each other.
fn names() -> impl Strategy<Value = Bytes> {
    select(vec![bytes("a"), bytes("b")])
}

fn values() -> impl Strategy<Value = Bytes> {
    select(vec![bytes("1"), bytes("-7"), bytes("9223372036854775807"), bytes("text"), bytes("")])
}

fn strings() -> BoxedStrategy<Command> {
    let when = select(vec![When::Always, When::Absent, When::Present]);
    Union::new_weighted(vec![
        (1, vec(names(), 1..3).prop_map(Command::Del).boxed()),
        (1, vec(names(), 1..3).prop_map(Command::Exists).boxed()),
        (1, names().prop_map(Command::Type).boxed()),
        (1, Just(Command::DbSize).boxed()),
        (1, names().prop_map(Command::Get).boxed()),
        (
            1,
            (names(), values(), when)
                .prop_map(|(key, value, when)| Command::Set { key, value, when })
                .boxed(),
        ),
        (1, vec(names(), 1..3).prop_map(Command::MGet).boxed()),
        (1, vec((names(), values()), 1..3).prop_map(Command::MSet).boxed()),
        (1, (names(), -2..3i64).prop_map(|(key, by)| Command::IncrBy(key, by)).boxed()),
        (1, (names(), values()).prop_map(|(key, tail)| Command::Append(key, tail)).boxed()),
        (1, names().prop_map(Command::StrLen).boxed()),
    ])
    .boxed()
}

fn hashes() -> BoxedStrategy<Command> {
    Union::new_weighted(vec![
        (
            3,
            (names(), vec((names(), values()), 1..3))
                .prop_map(|(key, pairs)| Command::HSet(key, pairs))
                .boxed(),
        ),
        (1, (names(), names()).prop_map(|(key, field)| Command::HGet(key, field)).boxed()),
        (1, (names(), vec(names(), 1..3)).prop_map(|(key, fields)| Command::HMGet(key, fields)).boxed()),
        (2, (names(), vec(names(), 1..3)).prop_map(|(key, fields)| Command::HDel(key, fields)).boxed()),
        (
            1,
            (names(), names(), -2..3i64)
                .prop_map(|(key, field, by)| Command::HIncrBy(key, field, by))
                .boxed(),
        ),
        (1, (names(), names()).prop_map(|(key, field)| Command::HExists(key, field)).boxed()),
        (1, names().prop_map(Command::HGetAll).boxed()),
        (1, names().prop_map(Command::HKeys).boxed()),
        (1, names().prop_map(Command::HVals).boxed()),
        (1, names().prop_map(Command::HLen).boxed()),
    ])
    .boxed()
}

fn sets_and_lists() -> BoxedStrategy<Command> {
    let end = || select(vec![End::Left, End::Right]);
    Union::new_weighted(vec![
        (2, (names(), vec(names(), 1..3)).prop_map(|(key, members)| Command::SAdd(key, members)).boxed()),
        (2, (names(), vec(names(), 1..3)).prop_map(|(key, members)| Command::SRem(key, members)).boxed()),
        (1, (names(), names()).prop_map(|(key, member)| Command::SIsMember(key, member)).boxed()),
        (1, names().prop_map(Command::SMembers).boxed()),
        (1, names().prop_map(Command::SCard).boxed()),
        (
            2,
            (names(), end(), vec(values(), 1..3))
                .prop_map(|(key, end, list)| Command::Push(key, end, list))
                .boxed(),
        ),
        (
            1,
            (names(), end(), proptest::option::of(0..3u64))
                .prop_map(|(key, end, most)| Command::Pop(key, end, most))
                .boxed(),
        ),
        (
            1,
            (names(), -2..3i64, -2..3i64)
                .prop_map(|(key, first, last)| Command::LRange(key, first, last))
                .boxed(),
        ),
        (1, names().prop_map(Command::LLen).boxed()),
    ])
    .boxed()
}

fn commands() -> BoxedStrategy<Command> {
    Union::new_weighted(vec![(1, strings().boxed()), (1, hashes().boxed()), (1, sets_and_lists().boxed())])
        .boxed()
}

fn operations() -> BoxedStrategy<Op> {
    Union::new_weighted(vec![
        (1, names().prop_map(Op::Get).boxed()),
        (1, (names(), values()).prop_map(|(key, value)| Op::Put(key, value)).boxed()),
        (1, names().prop_map(Op::Delete).boxed()),
        (1, (names(), -2..3i64).prop_map(|(key, by)| Op::Incr(key, by)).boxed()),
        (2, (names(), any::<i64>()).prop_map(|(key, by)| Op::Add(key, by)).boxed()),
        (1, (names(), values()).prop_map(|(key, tail)| Op::Append(key, tail)).boxed()),
        (
            1,
            (names(), proptest::option::of(values()), values())
                .prop_map(|(key, expected, value)| Op::CompareAndSet { key, expected, value })
                .boxed(),
        ),
        (1, vec(names(), 1..3).prop_map(Op::MultiGet).boxed()),
        (1, vec((names(), values()), 1..3).prop_map(Op::MultiPut).boxed()),
        (4, vec(commands(), 1..3).prop_map(Op::Pipeline).boxed()),
        (4, vec(commands(), 1..4).prop_map(Op::Transaction).boxed()),
    ])
    .boxed()
}

#[test]
fn what_is_said_not_to_conflict_commutes() {
    let report = commutes::check(Kv::default, operations(), 10_000).unwrap_or_else(|found| panic!("{found}"));
    assert!(report.independent_count > 2_000, "{report:?}");
}

/// The same where replies and strings are soon too long.
#[test]
fn what_does_not_fit_commutes_as_well() {
    let fresh = || Kv::with_limits(Limits { reply_bytes_max: 60, string_bytes_max: 24, copy_bytes_max: 40 });
    let report = commutes::check(fresh, operations(), 10_000).unwrap_or_else(|found| panic!("{found}"));
    assert!(report.independent_count > 2_000, "{report:?}");
}

#[test]
fn what_does_not_fit_is_not_done() {
    let mut kv = Kv::with_limits(Limits { reply_bytes_max: 40, string_bytes_max: 24, copy_bytes_max: 40 });
    let pop = |most| Command::Pop(bytes("l"), End::Left, most);
    let values = ["1", "2", "3"].map(bytes).to_vec();
    let setup = vec![Command::Push(bytes("l"), End::Right, values), pop(Some(3)), pop(Some(2)), pop(None)];
    let popped = Reply::Array(vec![Some(bytes("1")), Some(bytes("2"))]);
    let too_long = || Reply::Error(Failure::TooLong);
    // What is too long once takes the room of what comes behind it.
    let replies = vec![Reply::Number(3), too_long(), too_long(), too_long()];
    assert_eq!(kv.apply(Op::Transaction(setup.clone())), Output::Redis(replies));
    assert_eq!(kv.apply(Op::Pipeline(setup[1..].to_vec())), Output::Redis(vec![too_long()]));
    assert_eq!(kv.apply(Op::Pipeline(vec![pop(Some(2)), pop(None)])), Output::Redis(vec![popped]));
    assert_eq!(kv.apply(Op::Pipeline(vec![pop(None)])), Output::Redis(vec![Reply::Bulk(bytes("3"))]));
    let append = |tail| Command::Append(bytes("s"), bytes(tail));
    let appended =
        kv.apply(Op::Transaction(vec![append("twelve bytes"), append("twelve bytes"), append("x")]));
    let expected = vec![Reply::Number(12), Reply::Number(24), Reply::Error(Failure::StringTooLong)];
    assert_eq!(appended, Output::Redis(expected));
}

/// One of each kind of command, on one key.
fn one_of_each() -> Vec<Command> {
    let (key, name, value) = (|| bytes("a"), || bytes("b"), || bytes("1"));
    let mut all = vec![
        Command::Del(vec![key()]),
        Command::Exists(vec![key()]),
        Command::Type(key()),
        Command::DbSize,
        Command::Get(key()),
        Command::MGet(vec![key()]),
        Command::MSet(vec![(key(), value())]),
        Command::IncrBy(key(), 2),
        Command::Append(key(), value()),
        Command::StrLen(key()),
        Command::HGetAll(key()),
        Command::HKeys(key()),
        Command::HVals(key()),
        Command::HLen(key()),
        Command::SMembers(key()),
        Command::SCard(key()),
        Command::LRange(key(), 0, -1),
        Command::LLen(key()),
    ];
    all.extend([When::Always, When::Absent, When::Present].map(|when| Command::Set {
        key: key(),
        value: value(),
        when,
    }));
    for name in [name(), bytes("c")] {
        all.extend([
            Command::HSet(key(), vec![(name.clone(), value())]),
            Command::HGet(key(), name.clone()),
            Command::HMGet(key(), vec![name.clone()]),
            Command::HDel(key(), vec![name.clone()]),
            Command::HIncrBy(key(), name.clone(), 1),
            Command::HExists(key(), name.clone()),
            Command::SAdd(key(), vec![name.clone()]),
            Command::SRem(key(), vec![name.clone()]),
            Command::SIsMember(key(), name),
        ]);
    }
    for end in [End::Left, End::Right] {
        all.push(Command::Push(key(), end, vec![value()]));
        all.extend([None, Some(1)].map(|most| Command::Pop(key(), end, most)));
    }
    all
}

/// The key holds nothing, or one of the four kinds, with one value or more.
fn starts() -> Vec<Kv> {
    let (key, name) = (|| bytes("a"), || bytes("b"));
    let one = |command: Command| {
        let mut kv = Kv::default();
        kv.apply(Op::Transaction(vec![command]));
        kv
    };
    vec![
        Kv::default(),
        one(Command::MSet(vec![(key(), bytes("5"))])),
        one(Command::HSet(key(), vec![(name(), bytes("5"))])),
        one(Command::HSet(key(), vec![(name(), bytes("5")), (bytes("d"), bytes("text"))])),
        one(Command::SAdd(key(), vec![name()])),
        one(Command::SAdd(key(), vec![name(), bytes("d")])),
        one(Command::Push(key(), End::Left, vec![name()])),
        one(Command::Push(key(), End::Left, vec![name(), bytes("d")])),
    ]
}

fn footprint(command: &Command) -> Footprint {
    let mut footprint = Footprint::default();
    command.footprint(&mut footprint);
    footprint
}

fn state(kv: &Kv) -> Vec<u8> {
    let mut saved = Vec::new();
    kv.freeze()(&mut saved).expect("writing into memory");
    saved
}

fn commute(one: &Command, two: &Command) -> bool {
    let run = |kv: &mut Kv, command: &Command| kv.apply(Op::Transaction(vec![command.clone()]));
    starts().into_iter().all(|start| {
        let (mut forward, mut backward) = (start.clone(), start);
        let first = (run(&mut forward, one), run(&mut forward, two));
        let second = run(&mut backward, two);
        let other = (run(&mut backward, one), second);
        first == other && state(&forward) == state(&backward)
    })
}

#[test]
fn every_kind_with_every_other() {
    let all = one_of_each();
    for one in &all {
        for two in &all {
            let conflict = footprint(one).conflicts(&footprint(two));
            assert!(conflict || commute(one, two), "{one:?} and {two:?}");
        }
    }
}

/// What the relation is for, and that the check above can fail.
#[test]
fn fields_and_members_commute_and_whole_collections_do_not() {
    let key = || bytes("a");
    let set = |field| Command::HSet(key(), vec![(bytes(field), bytes("1"))]);
    let add = |member| Command::SAdd(key(), vec![bytes(member)]);
    let free = [(set("x"), set("y")), (add("x"), add("y")), (set("x"), Command::HGet(key(), bytes("y")))];
    for (one, two) in free {
        assert!(!footprint(&one).conflicts(&footprint(&two)), "{one:?} and {two:?}");
    }
    let ordered = [
        (set("x"), set("x")),
        (set("x"), Command::HGetAll(key())),
        (set("x"), Command::HLen(key())),
        (set("x"), Command::HGet(key(), bytes("x"))),
        (add("x"), add("x")),
        (add("x"), Command::SMembers(key())),
        (add("x"), set("x")),
        (set("x"), Command::Del(vec![key()])),
        (set("x"), Command::DbSize),
    ];
    for (one, two) in ordered {
        assert!(footprint(&one).conflicts(&footprint(&two)), "{one:?} and {two:?}");
        assert!(!commute(&one, &two), "{one:?} and {two:?}");
    }
}
