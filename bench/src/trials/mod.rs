//! Trials: what a cluster does beyond throughput. Each is a subcommand of `bench`, starts
//! clusters of its own, and keeps its figures in a folder beside those of the others.
//!
//! Invariants: what a node counts is asked of the node (the `status` call of its client
//! port), what it takes of the system; a rule that is broken is a sentence and exit code 1,
//! said only after everything was printed and kept.
//!
//! Not done here: no distribution of latencies is kept (that is `bench` itself).

mod common;
mod durability;
mod endurance;
mod hot_key;
mod lab;
mod overload;
mod pressure;
mod recovery;
mod rules;
mod steps;
mod watch;

pub use durability::DurabilityArgs;
pub use endurance::EnduranceArgs;
pub use hot_key::HotKeyArgs;
pub use overload::OverloadArgs;
pub use recovery::RecoveryArgs;
pub(crate) use recovery::{Figures as RecoveryFigures, Sizes as RecoverySizes};

use crate::results::Folder;
use crate::runner::{Interrupts, print};
use crate::{BenchError, Environment};
use common::Common;
use lab::Lab;
use serde::Serialize;
use serde_json::Value;
use std::path::{Path, PathBuf};
use steps::Steps;

/// The trials, by name.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum Trial {
    /// How long a restart takes by the size of the log, and catching up by what was missed
    Recovery(Box<RecoveryArgs>),
    /// Offer ten times what the cluster takes: memory, goodput, and how soon it is well again
    Overload(Box<OverloadArgs>),
    /// Millions of commands on a fixed set of keys: what nodes hold must not grow
    Endurance(Box<EnduranceArgs>),
    /// The same load with durability memory, os and fsync: what a sync costs
    Durability(Box<DurabilityArgs>),
    /// All leaders write one key, and one dies: throughput, components of the graph, memory
    HotKey(Box<HotKeyArgs>),
}

/// What a trial found.
pub(crate) struct Found {
    /// The table that people read.
    pub(crate) table: String,
    /// All figures.
    pub(crate) summary: Value,
    /// For the index: how many clients, the durability, and what came out.
    pub(crate) index: [String; 3],
    /// Rules that were broken, a sentence each.
    pub(crate) broken: Vec<String>,
}

impl Trial {
    fn name(&self) -> &'static str {
        match self {
            Trial::Recovery(_) => "recovery",
            Trial::Overload(_) => "overload",
            Trial::Endurance(_) => "endurance",
            Trial::Durability(_) => "durability",
            Trial::HotKey(_) => "hot-key",
        }
    }

    fn common(&self) -> &Common {
        match self {
            Trial::Recovery(args) => &args.common,
            Trial::Overload(args) => &args.common,
            Trial::Endurance(args) => &args.common,
            Trial::Durability(args) => &args.common,
            Trial::HotKey(args) => &args.common,
        }
    }

    /// Checks every rule of its settings; nothing is started.
    ///
    /// # Errors
    /// The first rule that is broken, with the setting's name and the cure.
    pub fn check(&self) -> Result<(), BenchError> {
        match self {
            Trial::Recovery(args) => args.check(),
            Trial::Overload(args) => args.check(),
            Trial::Endurance(args) => args.check(),
            Trial::Durability(args) => args.check(),
            Trial::HotKey(args) => args.check(),
        }
    }

    fn settings(&self) -> Value {
        match self {
            Trial::Recovery(args) => json(args),
            Trial::Overload(args) => json(args),
            Trial::Endurance(args) => json(args),
            Trial::Durability(args) => json(args),
            Trial::HotKey(args) => json(args),
        }
    }

    async fn take_place(&self, lab: &Lab<'_>) -> Result<Found, BenchError> {
        match self {
            Trial::Recovery(args) => recovery::run(args, lab).await,
            Trial::Overload(args) => overload::run(args, lab).await,
            Trial::Endurance(args) => endurance::run(args, lab).await,
            Trial::Durability(args) => durability::run(args, lab).await,
            Trial::HotKey(args) => hot_key::run(args, lab).await,
        }
    }
}

/// Measures recovery beside the runs of a figure.
///
/// # Errors
/// If a rule of the settings is broken, a process fails, or the user has enough.
pub(crate) async fn measure_recovery(
    args: &RecoveryArgs,
    (executable, data_dir): (&Path, &Path),
    interrupts: &mut Interrupts,
) -> Result<RecoveryFigures, BenchError> {
    let (executable, data_dir) = (executable.to_path_buf(), data_dir.to_path_buf());
    let lab = Lab { executable, data_dir, common: &args.common, steps: Steps::new() };
    tokio::select! {
        found = recovery::measure(args, &lab) => found,
        () = interrupts.next() => Err(BenchError::Interrupted),
    }
}

fn json(value: &impl Serialize) -> Value {
    serde_json::to_value(value).expect("figures are JSON")
}

/// Runs a trial, prints what it found and keeps it.
///
/// # Errors
/// If a rule of its settings is broken, a process fails, or what was found breaks a rule.
pub(crate) async fn run(trial: Trial, executable: PathBuf) -> Result<(), BenchError> {
    trial.check()?;
    let common = trial.common();
    let data_dir = common.data_dir.clone().unwrap_or_else(std::env::temp_dir);
    std::fs::create_dir_all(&data_dir)
        .map_err(BenchError::io(format!("making the data directory {}", data_dir.display())))?;
    let environment = Environment::inspect(&data_dir);
    let name = common.name.clone().unwrap_or_else(|| trial.name().to_owned());
    let folder = Folder::create(&common.out, &environment.git_commit, &name)?;
    let mut interrupts = Interrupts::new().map_err(BenchError::io("waiting for signals"))?;
    let lab = Lab { executable, data_dir, common, steps: Steps::new() };
    let found = tokio::select! {
        found = trial.take_place(&lab) => found,
        () = interrupts.next() => Err(BenchError::Interrupted),
    };
    let nodes = common.nodes.to_string();
    drop(lab.steps);
    let found = match found {
        Ok(found) => found,
        Err(error) => {
            folder.discard();
            return Err(error);
        }
    };
    let pretty = |value: &Value| format!("{value:#}\n");
    let files = [
        ("input.json", pretty(&trial.settings())),
        ("env.json", pretty(&json(&environment))),
        // A figure a second, of each node: not for people.
        ("summary.json", format!("{}\n", found.summary)),
        ("table.txt", found.table.clone()),
    ];
    let [clients, durability, headline] = &found.index;
    folder.keep(&files, [&nodes, clients, trial.name(), durability, headline])?;
    if common.json {
        print(&pretty(&found.summary))?;
    } else {
        print(&format!("{}kept in {}\n", found.table, folder.path().display()))?;
    }
    match found.broken.first() {
        Some(_) => Err(BenchError::Broken(found.broken)),
        None => Ok(()),
    }
}
