//! The flags of `bench`: what they mean, and how bad ones are refused.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // It writes files.

use clap::Parser;
use isegoria::Durability;
use isegoria_bench::{BenchArgs, BenchCommand, BenchError, Scenario, Workload};

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    bench: BenchArgs,
}

fn parse(line: &str) -> Result<BenchArgs, clap::Error> {
    Cli::try_parse_from(std::iter::once("bench").chain(line.split_whitespace())).map(|cli| cli.bench)
}

fn scenario(line: &str) -> Result<Scenario, BenchError> {
    parse(line).expect("flags that parse").scenario()
}

#[test]
fn without_flags_it_is_three_nodes_and_all_protocols_within_90_seconds() {
    let found = scenario("").unwrap();
    assert_eq!((found.nodes, found.clients, found.batch, found.payload), (3, 256, 128, 100));
    assert_eq!(
        (found.workload, found.conflict, found.durability),
        (Workload::Epaxos13, 0.0, Durability::Fsync)
    );
    assert_eq!(found.protocols.len(), isegoria::protocols().len());
    // Starting and stopping a cluster takes one to two seconds; five on a busy machine.
    #[allow(clippy::cast_precision_loss)]
    let seconds = (found.warm_up + found.duration + 5.0) * (found.protocols.len() * found.repeat) as f64;
    assert!(seconds <= 90.0, "{seconds} s");
}

#[test]
fn flags_say_what_is_run() {
    let found = scenario(
        "--protocols multipaxos:leader=2,phase1=3,phase2=3,simple-bpaxos --nodes 5 --clients 9 --duration 1.5 \
         --warm-up 0 --workload zipf:keys=10 --payload 16 --batch 1 --durability memory --load-processes 2 \
         --repeat 3 --seed 7 --name try.1",
    )
    .unwrap();
    let protocols: Vec<String> = found.protocols.iter().map(ToString::to_string).collect();
    assert_eq!(protocols, ["multipaxos:leader=2,phase1=3,phase2=3", "simple-bpaxos"]);
    assert_eq!(found.workload, Workload::Zipf { theta: 0.99, keys: 10 });
    assert_eq!((found.duration, found.warm_up, found.durability), (1.5, 0.0, Durability::Memory));
    assert_eq!((found.load_processes, found.repeat, found.seed, found.name.as_str()), (2, 3, 7, "try.1"));
    assert_eq!((found.nodes, found.clients, found.payload, found.batch), (5, 9, 16, 1));
    assert_eq!(found.conflict_configured(), None, "zipf has no such setting");
}

#[test]
fn broken_rules_are_one_sentence_and_exit_code_2() {
    for (line, expected) in [
        ("--conflict 1.5", "conflict = 1.5"),
        ("--conflict=-0.1", "conflict = -0.1"),
        ("--conflict NaN", "conflict = NaN"),
        ("--conflict 0.1 --workload zipf", "leave --conflict out"),
        ("--clients 0", "clients = 0"),
        ("--clients 99999999", "clients = 99999999"),
        ("--nodes 0", "nodes = 0"),
        ("--nodes 65", "nodes = 65"),
        ("--batch 0", "batch = 0"),
        ("--payload 99999999", "payload = 99999999"),
        ("--duration 0", "duration = 0"),
        ("--duration inf", "duration = inf"),
        ("--warm-up=-1", "warm-up = -1"),
        ("--reads 0.5", "add --history FILE"),
        ("--reads 2 --history h.jsonl", "reads = 2"),
        ("--history /", "history = /"),
        ("--repeat 0", "repeat = 0"),
        ("--load-processes 0", "load-processes = 0"),
        ("--load-processes 9 --clients 8", "at most one a client, 8"),
        ("--name ../x", "name = \"../x\""),
        ("--name ..", "name = \"..\""),
        ("--protocols multipaxos:phase1=1,phase2=1", "Q1"),
        ("--protocols multipaxos:colour=1", "colour"),
        ("--config /no/such/file", "cannot read /no/such/file"),
    ] {
        let error = scenario(line).unwrap_err();
        let sentence = error.to_string();
        assert!(sentence.contains(expected) && !sentence.contains('\n'), "{line}: {sentence}");
        assert_eq!(error.exit_code(), 2, "{line}");
    }
}

#[test]
fn unknown_words_are_refused_by_the_parser() {
    for (line, expected) in [
        ("--workload ycsb", "unknown workload `ycsb`; choose one of epaxos13, atlas20, zipf"),
        ("--protocols raft-ish", "unknown protocol `raft-ish`; choose one of"),
        ("--durability disk", "`disk`"),
        ("--nodes three", "three"),
        ("--colour", "--colour"),
    ] {
        let error = parse(line).unwrap_err();
        assert!(error.to_string().contains(expected), "{line}: {error}");
        assert_eq!(error.exit_code(), 2, "{line}");
    }
}

#[test]
fn only_a_run_that_is_recorded_reads() {
    for (line, expected) in
        [("", 0.0), ("--reads 0", 0.0), ("--history h.jsonl", 0.5), ("--history h.jsonl --reads 0.1", 0.1)]
    {
        assert_eq!(scenario(line).unwrap().reads, expected, "{line}");
    }
    let (without, with) =
        (scenario("").unwrap().to_toml("rtt.csv"), scenario("--history h.jsonl").unwrap().to_toml("rtt.csv"));
    assert!(!without.contains("reads") && with.contains("reads = 0.5"));
}

#[test]
fn flags_override_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("scenario.toml");
    std::fs::write(&file, "clients = 7\nwarm-up = 1\nprotocols = [\"multipaxos:leader=2\"]\n").unwrap();
    let found = scenario(&format!("--config {} --clients 9", file.display())).unwrap();
    assert_eq!((found.clients, found.warm_up, found.protocols.len(), found.nodes), (9, 1.0, 1, 3));
}

#[test]
fn a_bad_file_is_refused_with_its_name_and_line() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("scenario.toml");
    for (text, expected) in [
        ("clients = 7\n\ncolour = 1\n", "line 3: `colour = 1`: unknown field `colour`"),
        ("clients = -7\n", "line 1: "),
        ("clients = 7\nworkload = \"ycsb\"\n", "line 2: `workload = \"ycsb\"`: unknown workload `ycsb`"),
        (
            "\nprotocols = [\"raft-ish\"]\n",
            "line 2: `protocols = [\"raft-ish\"]`: unknown protocol `raft-ish`",
        ),
        ("clients = [\n", "line 1"),
        ("conflict = 2.0\n", "conflict = 2"),
    ] {
        std::fs::write(&file, text).unwrap();
        let error = scenario(&format!("--config {}", file.display())).unwrap_err();
        let sentence = error.to_string();
        assert!(sentence.contains(expected) && !sentence.contains('\n'), "{sentence}");
        assert!(sentence.contains("conflict = 2") || sentence.contains("scenario.toml"), "{sentence}");
        assert_eq!(error.exit_code(), 2);
    }
}

#[test]
fn the_help_has_examples() {
    let error = parse("--help").expect_err("help is no scenario");
    let help = error.to_string();
    for word in [
        "Examples:",
        "isegoria bench --nodes 5",
        "epaxos13",
        "zipf:theta",
        "[default: 256]",
        "multipaxos:leader=2",
        "h.multipaxos.2.jsonl",
    ] {
        assert!(help.contains(word), "{word} is missing in\n{help}");
    }
}

#[test]
fn a_trial_has_settings_of_its_own() {
    for (line, expected) in [
        ("recovery --durability memory", "nothing to come back from"),
        ("recovery --nodes 1", "nodes = 1"),
        ("recovery --repeat 0", "repeat = 0"),
        ("recovery --batch 0", "batch = 0"),
        ("durability --clients 0", "clients = 0"),
        ("durability --repeat 0", "repeat = 0"),
        ("overload --capacity 1", "capacity = 1"),
        ("overload --deadline-ms 1", "deadline-ms = 1"),
        ("endurance --absent 2", "absent = 2"),
        ("endurance --absent 1 --durability memory", "--never-back"),
        ("endurance --absent 1 --nodes 2", "nodes = 2"),
    ] {
        let command = parse(line).expect("flags that parse").command;
        let Some(BenchCommand::Trial(trial)) = command else { panic!("a trial") };
        let sentence = trial.check().unwrap_err().to_string();
        assert!(sentence.contains(expected), "{line}: {sentence}");
    }
    assert!(parse("--clients 9 recovery").is_err(), "flags of the comparison are not a trial's");
    for trial in ["recovery", "overload", "endurance", "durability"] {
        let help = parse(&format!("{trial} --help")).expect_err("help is no trial").to_string();
        assert!(help.contains("Examples:") && help.contains("Exit codes:"), "{help}");
    }
}
