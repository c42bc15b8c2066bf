//! Every file under `configs/` is loaded, and what its comments promise is held.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // It reads files.

use isegoria::{ClusterConfig, Endpoint, Regions, RttMatrix};
use isegoria_bench::{Knobs, Scenario};
use isegoria_types::{NodeSet, Role};
use std::path::{Path, PathBuf};

fn files(folder: &str) -> Vec<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs").join(folder);
    let mut files: Vec<PathBuf> = std::fs::read_dir(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        .map(|entry| entry.expect("a listing").path())
        .collect();
    files.sort();
    files
}

fn cluster(name: &str) -> ClusterConfig {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs/clusters").join(name);
    ClusterConfig::from_file(&path).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn every_cluster_can_be_served() {
    let files = files("clusters");
    assert!(files.len() >= 5);
    for file in files {
        let config = ClusterConfig::from_file(&file).unwrap_or_else(|error| panic!("{error}"));
        assert!(config.data_dir.is_relative(), "{}: a data directory below the current one", file.display());
        for node in &config.nodes {
            config.settings(&node.name).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        }
        assert_eq!(config.to_toml().parse::<ClusterConfig>().unwrap(), config);
    }
}

#[test]
fn every_workload_is_a_scenario() {
    let files = files("workloads");
    assert!(files.len() >= 3);
    for file in files {
        let knobs = Knobs::from_file(&file).unwrap_or_else(|error| panic!("{error}"));
        let scenario = Scenario::new(knobs).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        assert_eq!(file.file_stem().unwrap().to_str(), Some(scenario.name.as_str()), "named like its file");
    }
}

/// The titles are listed, and every run of every figure keeps every rule.
#[test]
fn every_figure_can_be_planned() {
    let found: Vec<String> =
        files("figures").iter().map(|file| file.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    for id in ["F1", "F2", "F4", "F5", "F6", "F7", "F8", "F9", "F10", "F11", "F13", "F14", "F17", "F18"] {
        assert!(found.iter().any(|name| name == id), "{id} is missing");
    }
    let figures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs/figures");
    for quick in [false, true] {
        for id in &found {
            let runs =
                isegoria_bench::figure_runs(&figures, id, quick).unwrap_or_else(|error| panic!("{error}"));
            assert!(runs > 0, "{id}");
        }
    }
}

/// The leader of Multi-Paxos is where it is said to be: at its best, its median and its worst site of five.
#[test]
fn leaders_are_at_their_best_median_and_worst_sites() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs/workloads/five-sites.toml");
    let scenario = Scenario::new(Knobs::from_file(&file).unwrap()).unwrap();
    let mean = |leader: usize| {
        let spec = format!("multipaxos:leader={leader}").parse().unwrap();
        scenario.limits_us(&spec).unwrap().unwrap().iter().sum::<f64>() / 5.0
    };
    let mut leaders: Vec<usize> = (1..=5).collect();
    leaders.sort_by(|a, b| mean(*a).total_cmp(&mean(*b)));
    let ranked = [leaders[0], leaders[2], leaders[4]].map(|leader| format!("multipaxos:leader={leader}"));
    let listed: Vec<String> =
        scenario.protocols.iter().map(ToString::to_string).filter(|name| name.starts_with("multi")).collect();
    assert_eq!(listed, ranked);
}

#[test]
fn every_matrix_is_whole() {
    let files = files("rtt");
    assert!(files.len() >= 2);
    for file in files {
        let matrix = RttMatrix::from_file(&file).unwrap_or_else(|error| panic!("{error}"));
        assert!(matrix.sites().len() >= 5, "{}", file.display());
    }
}

#[test]
fn every_file_of_regions_places_its_sites_and_the_larger_ones_add_to_the_smaller() {
    let files = files("regions");
    assert!(files.len() >= 7);
    for file in files {
        let regions = Regions::from_file(&file).unwrap_or_else(|error| panic!("{error}"));
        let sites = regions.sites.clone().unwrap_or_else(|| panic!("{}: no sites", file.display()));
        let geo = regions.place(sites.len()).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        assert!(sites.iter().enumerate().all(|(index, site)| !sites[..index].contains(site)), "{sites:?}");
        if let Some(count) = file.file_stem().unwrap().to_str().unwrap().strip_prefix("sites-") {
            assert_eq!(count.parse(), Ok(geo.sites.len()), "{}", file.display());
            let five = Regions::from_file(&file.with_file_name("epaxos13.toml")).unwrap().sites.unwrap();
            assert_eq!(sites[..5], five, "a further site takes none away");
        }
    }
}

#[test]
fn no_folder_is_forgotten() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs");
    for entry in std::fs::read_dir(path).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(
            ["clusters", "figures", "regions", "rtt", "workloads"].contains(&name.as_str()),
            "configs/{name} is loaded by no test"
        );
    }
}

#[test]
fn the_disaggregated_cluster_has_its_roles_apart() {
    let config = cluster("disaggregated.toml");
    let layout = config.layout().unwrap();
    let apart: [NodeSet; 3] = [layout.leaders, layout.dependency, layout.acceptors];
    for (index, one) in apart.iter().enumerate() {
        assert!(one.len() >= 2);
        for other in &apart[index + 1..] {
            assert!(one.intersection(*other).is_empty());
        }
    }
    let with_port = config.nodes.iter().filter(|node| node.client.is_some());
    assert!(with_port.clone().all(|node| node.roles.contains(&Role::Leader)));
    assert_eq!(with_port.count(), layout.leaders.len());
}

#[test]
fn the_grid_has_rows_and_columns() {
    let quorums = cluster("grid-2x3.toml").layout().unwrap().quorums;
    assert_eq!((quorums.phase1.size_min(), quorums.phase2.size_min()), (3, 2), "a row, a column");
}

#[test]
fn the_unix_cluster_uses_no_network() {
    for node in cluster("unix-sockets.toml").nodes {
        assert!(matches!(node.peer, Endpoint::Unix(_)) && matches!(node.client, Some(Endpoint::Unix(_))));
    }
}
