//! What the wide area needs, in tiny sizes, from the command line: links that lose and are narrow,
//! loads, caps, crashes, figures, plans, reports.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // A test with processes.

mod common;

use common::{ISEGORIA, configs, has, number, text};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

fn isegoria(arguments: &[&str]) -> Output {
    Command::new(ISEGORIA).args(arguments).output().expect("the binary")
}

/// The only row of a comparison.
fn bench(line: &str) -> Value {
    let [row] = &common::bench(line)[..] else { panic!("one row") };
    row.clone()
}

#[test]
fn a_lossy_link_has_a_tail_and_a_narrow_one_a_throughput() {
    let geo = format!("--protocols epaxos --batch 1 --geo {}", configs("regions/three.toml"));
    let lossy = bench(&format!("{geo} --clients 30 --duration 3 --loss 0.2"));
    // Whoever loses a packet waits for a further round trip.
    let (limit, p95) = (number(&lossy, "/sites/0/limit_us"), number(&lossy, "/sites/0/latency_us/p95"));
    assert!(p95 > 1.5 * limit, "{limit}, {p95}");
    assert!(number(&lossy, "/link_lateness/count") > 0.0);
    // A megabit a second is 30 values of 4 KiB.
    let narrow = bench(&format!("{geo} --clients 12 --duration 4 --payload 4096 --bandwidth-mbit 1"));
    let throughput = number(&narrow, "/throughput_ops_s");
    // Distance alone would allow 180 a second.
    assert!(throughput < 120.0, "three nodes send each value twice: {throughput}");
}

#[test]
fn an_open_loop_offers_what_it_was_told_and_ycsb_finds_its_keys() {
    let row = bench("--protocols atlas --rate 400 --clients 2000 --duration 3 --workload ycsb-f:keys=500");
    assert_eq!(row["offered_ops_s"], 400.0);
    let throughput = number(&row, "/throughput_ops_s");
    assert!((200.0..800.0).contains(&throughput), "{throughput}");
    assert!(number(&row, "/send_lateness/count") > 600.0);
    assert!(number(&row, "/commit_us/p50") > 0.0, "{row:#}");
    for letter in ["a", "b", "c", "d", "e"] {
        let row = bench(&format!(
            "--protocols epaxos --clients 20 --duration 0.5 --workload ycsb-{letter}:keys=500"
        ));
        assert!(row["errors"] == 0 && number(&row, "/throughput_ops_s") > 0.0, "{letter}: {row:#}");
    }
}

#[test]
fn a_crash_is_seen_second_by_second_and_a_cap_is_told() {
    let row = bench("--protocols multipaxos --clients 30 --duration 15 --crash n1@2 --cap-cpu 0.5");
    let seconds = |node: &str| -> Vec<u64> {
        let told = row["repetitions"][0]["timelines"][node].as_array().expect("a list").iter();
        told.map(|second| second["answered"].as_u64().expect("a count")).collect()
    };
    let (killed, other) = (seconds("n1"), seconds("n2"));
    assert!(killed.len() >= 15 && other[0] > 0, "{killed:?}, {other:?}");
    let goes_on = |seconds: &[u64]| seconds[3..].iter().any(|answered| *answered > 0);
    assert!(
        goes_on(&killed) && goes_on(&other),
        "clients of the dead leader go elsewhere: {killed:?}, {other:?}"
    );
    assert_eq!(row["crash"], "n1@2");
    let capped = row["method"].as_str().is_some_and(|method| method.contains("cpu-cap"));
    assert_eq!(capped, row["cap_cpu"] == 0.5, "either there are cgroups, or nothing is said to be capped");
}

/// A figure from its file to a page that a browser shows.
#[test]
fn a_figure_is_run_drawn_kept_compared_and_reported() {
    let dir = tempfile::tempdir().expect("a directory");
    let [figures, out] = ["figures", "out"].map(|name| dir.path().join(name));
    std::fs::create_dir(&figures).expect("a directory");
    let file = "title = \"A & B\"\ndrawing = \"throughput\"\n[base]\nprotocols = [\"epaxos\", \"multipaxos\"]\n\
                clients = 8\nduration = 9\nwarm-up = 0.2\ndurability = \"memory\"\n\
                [[sweep]]\nknob = \"payload\"\nvalues = [16, 64, 256]\nquick = [16, 64]\n[quick]\nduration = 1\n";
    std::fs::write(figures.join("F0.toml"), file).expect("written");
    let shown = |path: &Path| path.display().to_string();
    let figure = |ids: &[&str]| {
        let mut arguments = vec!["bench", "figure"];
        let (figures, out) = (shown(&figures), shown(&out));
        arguments.extend(ids);
        arguments.extend(["--quick", "--figures", &figures, "--out", &out]);
        isegoria(&arguments)
    };
    assert!(text(&figure(&["list"]).stdout).contains("F0   A & B"));
    let unknown = figure(&["F99"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(text(&unknown.stderr).contains("there is no figure `F99`; choose some of F0"));
    let made = figure(&["all"]);
    assert!(made.status.success(), "{}", text(&made.stderr));

    let folder: PathBuf = std::fs::read_dir(&out)
        .expect("made")
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.is_dir())
        .expect("a folder");
    let svg = std::fs::read_to_string(folder.join("figure.svg")).expect("drawn");
    assert!(svg.contains("payload 64") && svg.contains("A &amp; B"), "{svg}");
    let kept = std::fs::read_dir(&folder).expect("listed").flatten();
    let histograms = kept.filter(|entry| entry.path().extension().is_some_and(|ext| ext == "hdr")).count();
    assert_eq!(histograms, 4, "two runs of two protocols");

    let folder = shown(&folder);
    let same = isegoria(&["bench", "diff", &folder, &folder, "--strict"]);
    assert!(
        same.status.success() && text(&same.stdout).contains("4 rows, 0 figures worse"),
        "{}",
        text(&same.stdout)
    );
    // The same with half of the throughput, and with a row less.
    let worse = dir.path().join("worse");
    std::fs::create_dir(&worse).expect("a directory");
    let summary = std::fs::read_to_string(Path::new(&folder).join("summary.json")).expect("kept");
    let mut summary: Value = serde_json::from_str(&summary).expect("JSON");
    summary["charts"] = Value::Array(Vec::new());
    let slower = &mut summary["runs"][0]["rows"][0];
    slower["throughput_ops_s"] = (number(slower, "/throughput_ops_s") / 2.0).into();
    summary["runs"][1]["rows"].as_array_mut().expect("rows").remove(0);
    std::fs::write(worse.join("summary.json"), summary.to_string()).expect("written");
    let compared = isegoria(&["bench", "diff", &folder, &shown(&worse), "--strict"]);
    let said = text(&compared.stdout);
    assert_eq!(compared.status.code(), Some(1), "{said}");
    assert!(said.contains("only before: payload 64, epaxos") && said.contains(" worse\n"), "{said}");
    let page = shown(&dir.path().join("report.html"));
    let reported = isegoria(&["report", &folder, "--out", &page, "--title", "What came out"]);
    assert!(reported.status.success(), "{}", text(&reported.stderr));
    let nowhere = isegoria(&["report", &shown(dir.path()), "--out", &page]);
    assert_eq!(nowhere.status.code(), Some(2), "{}", text(&nowhere.stderr));

    if !has("chromium", &["--version"]) {
        return;
    }
    let browser = Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--dump-dom"])
        .arg(format!("--user-data-dir={}", shown(&dir.path().join("browser"))))
        .arg(format!("file://{page}"))
        .stderr(Stdio::null())
        .output()
        .expect("it runs");
    let seen = text(&browser.stdout);
    assert!(seen.contains("<title>What came out</title>") && seen.contains("A quick run"), "{seen}");
    assert!(seen.contains("<svg") && seen.matches("<rect").count() > 4, "the bars are there: {seen}");
}

#[test]
fn a_plan_predicts_recommends_and_writes_a_configuration() {
    let dir = tempfile::tempdir().expect("a directory");
    let (rtt, file) = (configs("rtt/aws-2020.csv"), dir.path().join("cluster.toml").display().to_string());
    let plan = |more: &[&str]| {
        isegoria(
            &[&["plan", "--rtt", &rtt, "--regions", "us-east-1,us-west-1,eu-west-1,sa-east-1"], more]
                .concat(),
        )
    };
    let told = plan(&["--nodes", "3", "--clients", "eu-west-1,us-east-1", "--json", "--write", &file]);
    assert!(told.status.success(), "{}", text(&told.stderr));
    let plans: Vec<Value> = serde_json::from_slice(&told.stdout).expect("one JSON document");
    // Four layouts; Simple, Unanimous, EPaxos and Atlas with f = 1, Multi-Paxos with three leaders.
    assert_eq!(plans.len(), 4 * 7);
    let means: Vec<f64> = plans.iter().map(|plan| number(plan, "/mean_ms")).collect();
    assert!(means.windows(2).all(|pair| pair[0] <= pair[1]), "{means:?}");
    let config =
        isegoria::ClusterConfig::from_file(Path::new(&file)).unwrap_or_else(|error| panic!("{error}"));
    let names: Vec<&str> = config.nodes.iter().map(|node| node.name.as_str()).collect();
    assert_eq!(plans[0]["sites"], serde_json::json!(names));
    let table = text(&plan(&["--objective", "worst"]).stdout);
    assert!(table.contains("recommended for the best latency at the site that is served worst"), "{table}");
    let unknown = plan(&["--clients", "mars"]);
    assert_eq!((unknown.status.code(), text(&unknown.stderr).lines().count()), (Some(2), 1));
}

/// Ended with the test, however that ends.
struct Probe(Child);

impl Drop for Probe {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Probes on three addresses, and whoever collects.
#[test]
fn hosts_measure_a_matrix_that_plan_takes() {
    // Held together, so that they are three.
    let held: Vec<std::net::TcpListener> =
        (0..3).map(|_| std::net::TcpListener::bind("127.0.0.1:0").expect("a port")).collect();
    let ports: Vec<u16> = held.iter().map(|held| held.local_addr().expect("bound").port()).collect();
    drop(held);
    let hosts = format!("a=127.0.0.1:{},b=127.0.0.1:{},c=127.0.0.1:{}", ports[0], ports[1], ports[2]);
    let start = |name: &str| -> Probe {
        let mut probe = Command::new(ISEGORIA)
            .args(["measure-rtt", "--hosts", &hosts, "--here", name])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary");
        let mut line = String::new();
        BufReader::new(probe.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
        assert_eq!(line, "ready\n");
        Probe(probe)
    };
    let _probes = ["a", "b", "c"].map(start);
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("rtt.csv").display().to_string();
    let measured = isegoria(&["measure-rtt", "--hosts", &hosts, "--count", "51", "--out", &file]);
    let said = text(&measured.stderr);
    assert_eq!(said.lines().filter(|line| line.ends_with(" ms")).count(), 6, "a line a pair: {said}");
    // A busy machine may be slower one way than the other, and is then told so.
    assert!(measured.status.success() || said.contains("measure again"), "{said}");
    if !measured.status.success() {
        std::fs::write(&file, "region,a,b,c\na,0,1,1\nb,1,0,1\nc,1,1,0\n").expect("written");
    }
    let planned = isegoria(&["plan", "--rtt", &file, "--regions", "a,b,c"]);
    assert!(
        planned.status.success() && text(&planned.stdout).contains("recommended"),
        "{}",
        text(&planned.stderr)
    );
    let other = isegoria(&["measure-rtt", "--hosts", &hosts.replace("a=", "x="), "--count", "1"]);
    assert_eq!(other.status.code(), Some(1));
    assert!(text(&other.stderr).contains("give the same --hosts everywhere"), "{}", text(&other.stderr));
}

#[test]
fn bad_input_is_one_sentence_before_anything_is_started() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).expect("written");
        path.display().to_string()
    };
    let missing = file("missing.csv", "region,a,b,c\na,0,1,2\nb,1,0\nc,2,2,0\n");
    let asymmetric = file("asymmetric.csv", "region,a,b,c\na,0,10,20\nb,50,0,20\nc,20,20,0\n");
    let negative = file("negative.csv", "region,a,b,c\na,0,-1,2\nb,1,0,2\nc,2,2,0\n");
    let unknown = file("unknown.toml", "rtt = \"asymmetric.csv\"\nsite = [\"a\"]\n");
    let scenario = file("scenario.toml", "clients = 3\ncolour = \"red\"\n");
    let matrix = configs("rtt/aws-2020.csv");
    let cases: Vec<(Vec<&str>, &str)> = vec![
        (vec!["--geo", &missing], "nothing is said about b to c"),
        (vec!["--geo", &asymmetric], "b to a takes 50 ms and a to b 10"),
        (vec!["--geo", &negative], "`-1` is no round-trip time"),
        (vec!["--geo", &unknown], "unknown field `site`"),
        (vec!["--geo", &matrix, "--sites", "mars,us-east-1,eu-west-1"], "unknown site `mars`"),
        (vec!["--geo", &matrix, "--loss", "2"], "geo.loss = 2"),
        (vec!["--geo", &matrix, "--jitter-ms", "-1"], "geo.jitter_ms = -1"),
        (vec!["--loss", "0.1"], "loss: says nothing without distances"),
        (vec!["--config", &scenario], "unknown field `colour`"),
        (vec!["--rate", "0"], "rate = 0"),
        (vec!["--cap-cpu", "0"], "cap-cpu = 0"),
        (vec!["--crash", "n9@1"], "there is no such node; choose one of n1, n2, n3"),
        (vec!["--crash", "n1@60"], "the window ends after 10 s"),
        (vec!["--workload", "ycsb-g"], "ycsb-a to ycsb-f"),
        (vec!["--references", "mysql"], "choose some of redis, etcd"),
        (vec!["--references", "redis", "--crash", "n1@2"], "redis does not go with crash"),
        (vec!["--references", "redis", "--history", "h.jsonl"], "only what nodes of ours answer is recorded"),
        (vec!["--references", "etcd", "--simulate", "1"], "etcd does not go with simulate"),
        (vec!["--references", "etcd,redis,etcd"], "etcd is named twice"),
        (vec!["--protocols", "epaxos:apart=2"], "every node needs all of them here"),
    ];
    for (more, expected) in cases {
        let output = isegoria(&[&["bench"], more.as_slice()].concat());
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{more:?}: {said}");
        assert!(said.contains(expected), "{more:?}: {expected}: {said}");
    }
    // More connections than this process may have.
    let limited = Command::new("/bin/sh")
        .args(["-c", "ulimit -n 64 && exec \"$0\" bench --clients 1000 --load-processes 500", ISEGORIA])
        .output()
        .expect("a shell");
    let said = text(&limited.stderr);
    assert_eq!(limited.status.code(), Some(2), "{said}");
    assert!(said.contains("ulimit -n") && said.lines().count() == 1, "{said}");
}
