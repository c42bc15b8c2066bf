use crate::failure::Failure;
use crate::say::say;
use crate::sim::SimArgs;
use crate::sim::case::{Case, Interrupted};
use isegoria::registry::ProtocolVisitor;
use isegoria_check::Violation;
use isegoria_node::Protocol;
use isegoria_sim::{InterruptedCall, Interruption, Run, SimConfig, run};
use serde_json::json;
use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::ops::Range;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Progress is said this often.
const PROGRESS: Duration = Duration::from_secs(5);
/// So many violations are told in full.
const TOLD_MAX: usize = 10;

/// Runs of each seed in which one call to the storage of one node is interrupted: each
/// call in turn, in every way.
pub(crate) struct StorageCalls {
    pub(crate) config: SimConfig,
    pub(crate) seeds: Range<u64>,
    pub(crate) threads: usize,
}

/// Which run.
type Key = (u64, Interruption, u64);

/// What they came to.
#[derive(Debug, Default)]
pub(crate) struct Covered {
    protocol: &'static str,
    /// By seed and kind, the number of calls interrupted.
    calls: BTreeMap<(u64, &'static str), u64>,
    run_count: u64,
    steps: u64,
    situations: BTreeMap<&'static str, u64>,
    found: Vec<(Key, Violation)>,
    wall_s: f64,
}

impl ProtocolVisitor for StorageCalls {
    type Output = Covered;

    fn visit<P: Protocol>(self, options: P::Options) -> Covered {
        let began = Instant::now();
        let jobs: Vec<(u64, Interruption)> =
            self.seeds.clone().flat_map(|seed| Interruption::ALL.map(|how| (seed, how))).collect();
        let next = AtomicUsize::new(0);
        let (sender, results) = mpsc::channel();
        let mut covered = Covered { protocol: P::NAME, ..Covered::default() };
        std::thread::scope(|scope| {
            for _ in 0..self.threads {
                let (sender, next, config, options, jobs) =
                    (sender.clone(), &next, &self.config, &options, &jobs);
                scope.spawn(move || {
                    while let Some((seed, how)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let every = every_call::<P>(config, options, (*seed, *how));
                        if every.into_iter().any(|result| sender.send(result).is_err()) {
                            return;
                        }
                    }
                });
            }
            drop(sender);
            covered.collect(&results, &jobs);
        });
        covered.wall_s = began.elapsed().as_secs_f64();
        covered
    }
}

/// Each call in turn, until a run ends before it gets there.
fn every_call<'a, P: Protocol>(
    config: &'a SimConfig,
    options: &'a P::Options,
    (seed, how): (u64, Interruption),
) -> impl IntoIterator<Item = (Key, Run)> + 'a {
    (1..).map_while(move |number| {
        let call = InterruptedCall { node: node(seed), number, how };
        let config = SimConfig { interrupted_call: Some(call), ..config.clone() };
        let run = run::<P>(&config, options, seed);
        run.interrupted.then_some(((seed, how, number), run))
    })
}

/// Whose calls: all nodes in turn.
fn node(seed: u64) -> usize {
    usize::try_from(seed % 64).expect("a small number")
}

impl Covered {
    fn collect(&mut self, results: &mpsc::Receiver<(Key, Run)>, jobs: &[(u64, Interruption)]) {
        let mut said = Instant::now();
        for (key, run) in results {
            self.add(key, run);
            if said.elapsed() >= PROGRESS {
                said = Instant::now();
                let end = if std::io::stderr().is_terminal() { "\r" } else { "\n" };
                let (begun, of) = (self.calls.len(), jobs.len());
                let (runs, found) = (self.run_count, self.found.len());
                eprint!(
                    "{begun} of {of} kinds and seeds begun, {runs} calls interrupted, {found} violations{end}"
                );
                let _ = std::io::stderr().flush();
            }
        }
    }

    fn add(&mut self, key: Key, run: Run) {
        let (seed, how, number) = key;
        let reached = self.calls.entry((seed, how.name())).or_default();
        *reached = number.max(*reached);
        self.run_count += 1;
        self.steps += run.report.step_count;
        for (name, count) in run.report.situations {
            *self.situations.entry(name).or_default() += count;
        }
        if let Err(violation) = run.outcome {
            self.found.push((key, violation));
        }
    }

    /// Prints everything, and writes a file for each violation.
    pub(crate) fn report(&self, args: &SimArgs, case: &Case) -> Result<ExitCode, Failure> {
        if args.json {
            say!("{:#}", self.json());
        } else {
            say!("{}", self.heading());
            for ((seed, how), calls) in &self.calls {
                say!("  seed {seed}, {how}: {calls} calls");
            }
        }
        for ((seed, how, number), violation) in self.found.iter().take(TOLD_MAX) {
            let call = Interrupted { node: node(*seed), call: *number, how: how.name().to_owned() };
            let case = Case { seed: *seed, interrupted: Some(call), ..case.clone() };
            let protocol = self.protocol;
            let file = args.out.join(format!("{protocol}-{seed}-{}-{number}.toml", how.name()));
            case.write(&file)?;
            eprintln!("seed {seed}, call {number} {}: {violation}", how.name());
            eprintln!("  replay: isegoria sim --replay {}", file.display());
        }
        if self.found.len() > TOLD_MAX {
            eprintln!("and {} more", self.found.len() - TOLD_MAX);
        }
        let is_empty = self.calls.is_empty();
        if is_empty {
            eprintln!("no call to a storage was made");
        }
        Ok(if self.found.is_empty() && !is_empty { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn heading(&self) -> String {
        let (protocol, runs, found) = (self.protocol, self.run_count, self.found.len());
        format!(
            "{protocol}: {runs} runs, a call to the storage interrupted in each, {found} violations, {:.0} s",
            self.wall_s
        )
    }

    fn json(&self) -> serde_json::Value {
        let mut calls: BTreeMap<&str, BTreeMap<u64, u64>> = BTreeMap::new();
        for ((seed, how), count) in &self.calls {
            calls.entry(how).or_default().insert(*seed, *count);
        }
        let found = self.found.iter().map(|((seed, how, number), violation)| {
            json!({ "seed": seed, "how": how.name(), "call": number, "check": violation.check })
        });
        json!({
            "protocol": self.protocol,
            "runs": self.run_count,
            "calls_interrupted_by_kind_and_seed": calls,
            "violations": self.found.len(),
            "violating": found.collect::<Vec<_>>(),
            "steps": self.steps,
            "situations": self.situations,
            "wall_s": self.wall_s,
        })
    }
}
