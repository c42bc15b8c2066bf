//! Real processes: a node whose data directory was emptied, or set back, is found out by
//! its peers. It neither votes nor serves; it follows as a learner, or says what to do.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // A test with processes.

mod common;

use common::{ISEGORIA, PROTOCOLS, client, config, get, put, start};
use isegoria::Stats;
use isegoria_bench::local_cluster::LocalCluster;
use isegoria_client::ClientOptions;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Waits until the log of `n3` says something more often than before.
async fn says(cluster: &LocalCluster, what: &str, count: usize) {
    let log = cluster.nodes()[2].log_file.clone();
    let heard = || fs::read_to_string(&log).unwrap_or_default().matches(what).count() >= count;
    let deadline = Instant::now() + Duration::from_secs(30);
    while !heard() {
        assert!(Instant::now() < deadline, "n3 never said `{what}`: {:?}", fs::read_to_string(&log));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Starts `n3` again, and returns how it ends by itself.
async fn ends(cluster: &mut LocalCluster) -> String {
    cluster.restart("n3").await.unwrap_or_else(|error| panic!("{error}"));
    let ended = tokio::time::timeout(Duration::from_secs(20), cluster.exited()).await;
    let (name, how) = ended.expect("it ends, for its peers do not let it in");
    assert_eq!(name, "n3");
    how
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a copy");
        }
    }
}

/// Runs the command that a node gives on ending: `isegoria serve ... --learner`.
fn run_advice(sentence: &str, log: &Path) -> Child {
    let (_, rest) = sentence.split_once("until then `isegoria ").expect("it says what to run");
    let (words, _) = rest.split_once('`').expect("a whole command");
    let log = fs::OpenOptions::new().append(true).open(log).expect("a log");
    let mut command = Command::new(ISEGORIA);
    command.args(words.split_whitespace()).arg("--end-with-parent");
    command.stdout(Stdio::null()).stderr(log).spawn().expect("a process")
}

/// What the node `index` counts and holds.
async fn status(cluster: &LocalCluster, index: usize) -> Stats {
    let endpoint = cluster.nodes()[index].client.clone().expect("a client port");
    let asked =
        isegoria_client::ask(&endpoint, isegoria_client::Question::Status, ClientOptions::default()).await;
    serde_json::from_str(&asked.unwrap_or_else(|error| panic!("{error}"))).expect("counters")
}

/// The digest of the state of each node that stopped well.
async fn digests(cluster: LocalCluster) -> Vec<String> {
    let stopped = cluster.stop().await.into_iter();
    stopped
        .map(|(name, stats)| stats.unwrap_or_else(|| panic!("{name} did not stop well")).state_digest)
        .collect()
}

/// Puts another data directory in the place of one.
fn replace(data: &Path, by: &Path) {
    fs::remove_dir_all(data).expect("it is there");
    copy(by, data);
}

fn end(mut learner: Child) {
    learner.kill().expect("it runs");
    learner.wait().expect("it ends");
}

#[tokio::test]
async fn an_emptied_disk_becomes_a_learner_and_an_old_one_is_refused() {
    for protocol in PROTOCOLS {
        let dir = tempfile::tempdir().expect("a directory");
        let mut cluster = start(&config(protocol, 3, dir.path())).await;
        let first = client(&cluster, 0).await;
        let (data, log) = (cluster.nodes()[2].data_dir.clone(), cluster.nodes()[2].log_file.clone());
        let (old, newest) = (dir.path().join("old"), dir.path().join("newest"));
        put(&first, "a".into(), "1".into()).await;
        cluster.kill("n3").await;
        copy(&data, &old);
        cluster.restart("n3").await.unwrap_or_else(|error| panic!("{error}"));
        let last = client(&cluster, 2).await;
        put(&last, "b".into(), "2".into()).await;
        cluster.kill("n3").await;
        copy(&data, &newest);

        fs::remove_dir_all(&data).expect("it is there");
        cluster.restart("n3").await.unwrap_or_else(|error| panic!("{error}"));
        says(&cluster, "took a snapshot", 1).await;
        put(&last, "c".into(), "3".into()).await;
        cluster.kill("n3").await;
        replace(&data, &old);
        let how = ends(&mut cluster).await;
        assert!(how.contains("exit code 1") && how.contains("neither votes nor serves"), "set back: {how}");
        let learner = run_advice(&how, &log);
        says(&cluster, "took a snapshot", 2).await;
        end(learner);

        put(&first, "d".into(), "4".into()).await;
        replace(&data, &newest);
        cluster.restart("n3").await.unwrap_or_else(|error| panic!("{error}"));
        cluster.kill("n1").await;
        let last = client(&cluster, 2).await;
        for (key, value) in [("a", "1"), ("b", "2"), ("c", "3"), ("d", "4")] {
            assert_eq!(get(&last, key.into()).await.as_deref(), Some(value), "{protocol} {key}");
        }
        cluster.stop().await;
    }
}

/// The image is of the very start that its peers know, so its count of starts tells nothing.
#[tokio::test]
async fn an_image_of_the_same_start_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut cluster = start(&config("multipaxos", 3, dir.path())).await;
    let first = client(&cluster, 0).await;
    let (data, image) = (cluster.nodes()[2].data_dir.clone(), dir.path().join("image"));
    put(&first, "a".into(), "1".into()).await;
    cluster.pause(2);
    copy(&data, &image);
    cluster.resume(2);
    // For many gossip periods: in each n3 tells how far its log is durable.
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(1) {
        put(&first, "a".into(), "2".into()).await;
    }
    cluster.kill("n3").await;
    replace(&data, &image);
    let how = ends(&mut cluster).await;
    assert!(how.contains("exit code 1") && how.contains("neither votes nor serves"), "{how}");
    cluster.stop().await;
}

#[tokio::test]
async fn a_learner_has_the_state_of_those_whom_it_follows() {
    for protocol in PROTOCOLS {
        let dir = tempfile::tempdir().expect("a directory");
        let mut cluster = start(&config(protocol, 3, dir.path())).await;
        let first = client(&cluster, 0).await;
        for number in 0..50 {
            put(&first, format!("k{number}"), "1".into()).await;
        }
        cluster.kill("n3").await;
        fs::remove_dir_all(&cluster.nodes()[2].data_dir).expect("it is there");
        cluster.restart("n3").await.unwrap_or_else(|error| panic!("{error}"));
        says(&cluster, "took a snapshot", 1).await;
        for number in 0..50 {
            put(&first, format!("k{number}"), "2".into()).await;
        }
        let deadline = Instant::now() + Duration::from_secs(30);
        while status(&cluster, 2).await.executed != status(&cluster, 0).await.executed {
            assert!(Instant::now() < deadline, "{protocol}: {:?}", status(&cluster, 2).await);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(status(&cluster, 2).await.is_learner);
        let digests = digests(cluster).await;
        assert!(!digests[0].is_empty() && digests.iter().all(|other| *other == digests[0]), "{digests:?}");
    }
}

/// A bit of a record that is below a seal: nobody can take it for a torn last write.
#[tokio::test]
async fn a_damaged_log_is_refused_by_name_and_the_advice_works() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut cluster = start(&config("simple-bpaxos", 3, dir.path())).await;
    let first = client(&cluster, 0).await;
    for number in 0..20 {
        put(&first, format!("k{number}"), "1".into()).await;
    }
    cluster.kill("n3").await;
    let (data, log) = (cluster.nodes()[2].data_dir.clone(), cluster.nodes()[2].log_file.clone());
    let segment = data.join("log").join(format!("{:020}.seg", 0));
    let mut bytes = fs::read(&segment).expect("a segment");
    bytes[100] ^= 4;
    fs::write(&segment, &bytes).expect("a segment");
    let refused = cluster.restart("n3").await.expect_err("its log is damaged").to_string();
    let place = format!("{} is damaged at offset ", segment.display());
    assert!(refused.contains(&place), "{refused}");
    let learner = run_advice(&refused, &log);
    says(&cluster, "took a snapshot", 1).await;
    put(&first, "k".into(), "2".into()).await;
    end(learner);
    assert_eq!(fs::read(&segment).expect("a segment"), bytes, "it is left alone");
    cluster.stop().await;
}
