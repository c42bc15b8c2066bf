//! Real processes: a node whose data directory was emptied, or set back, is found out by
//! its peers. It neither votes nor serves, and says what to do.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // A test with processes.

mod common;

use common::{client, config, get, put, start};
use isegoria_bench::local_cluster::LocalCluster;
use std::fs;
use std::path::Path;
use std::time::Duration;

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

#[tokio::test]
async fn an_emptied_disk_and_an_old_one_are_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut cluster = start(&config("simple-bpaxos", 3, dir.path())).await;
    let first = client(&cluster, 0).await;
    let data = cluster.nodes()[2].data_dir.clone();
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
    let how = ends(&mut cluster).await;
    assert!(how.contains("exit") && how.contains("neither votes nor serves"), "emptied: {how}");
    fs::remove_dir_all(&data).expect("it is there");
    copy(&old, &data);
    let how = ends(&mut cluster).await;
    assert!(how.contains("exit") && how.contains("neither votes nor serves"), "set back: {how}");

    put(&first, "c".into(), "3".into()).await;
    fs::remove_dir_all(&data).expect("it is there");
    copy(&newest, &data);
    cluster.restart("n3").await.unwrap_or_else(|error| panic!("{error}"));
    cluster.kill("n1").await;
    let last = client(&cluster, 2).await;
    for (key, value) in [("a", "1"), ("b", "2"), ("c", "3")] {
        assert_eq!(get(&last, key.into()).await.as_deref(), Some(value), "{key}");
    }
    cluster.stop().await;
}
