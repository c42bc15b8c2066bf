use crate::failure::Failure;
use crate::say::say;
use crate::sim::SimArgs;
use crate::sim::case::Case;
use isegoria_check::Violation;
use isegoria_sim::Run;
use serde_json::json;
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Instant;

/// From this many seeds on, a situation that never happened fails the run.
const LONG: u64 = 1_000;
/// A judge of histories that gives up more often than on one of so many fails the run;
/// each run has two: that of all keys, and that of the lists.
const UNDECIDED_ONE_IN: u64 = 20;
/// So many violations are told in full.
const TOLD_MAX: usize = 10;

/// What many runs came to.
#[derive(Debug)]
pub(crate) struct Summary {
    protocol: &'static str,
    expected: Vec<&'static str>,
    began: Instant,
    wall_s: f64,
    cpu_s: f64,
    pub(crate) seed_count: u64,
    steps: u64,
    commands: u64,
    faults: u64,
    commands_min: u64,
    faults_min: u64,
    simulated_ms: u64,
    situations: BTreeMap<&'static str, u64>,
    evaluations: BTreeMap<&'static str, u64>,
    pub(crate) found: BTreeMap<u64, Violation>,
    fingerprints: BTreeMap<u64, u64>,
    /// Checks that never looked at anything in a whole run, and a seed of such a run.
    idle: BTreeMap<&'static str, u64>,
}

impl Summary {
    pub(crate) fn new(protocol: &'static str, expected: Vec<&'static str>) -> Summary {
        Summary {
            protocol,
            expected,
            began: Instant::now(),
            wall_s: 0.0,
            cpu_s: -cpu_s(),
            seed_count: 0,
            steps: 0,
            commands: 0,
            faults: 0,
            commands_min: u64::MAX,
            faults_min: u64::MAX,
            simulated_ms: 0,
            situations: BTreeMap::new(),
            evaluations: BTreeMap::new(),
            found: BTreeMap::new(),
            fingerprints: BTreeMap::new(),
            idle: BTreeMap::new(),
        }
    }

    pub(crate) fn add(&mut self, seed: u64, run: Run) {
        let report = run.report;
        self.seed_count += 1;
        self.steps += report.step_count;
        self.commands += report.command_count;
        self.faults += report.fault_count;
        if run.outcome.is_ok() {
            self.commands_min = self.commands_min.min(report.command_count);
            self.faults_min = self.faults_min.min(report.fault_count);
        }
        self.simulated_ms += report.simulated_ms;
        self.fingerprints.insert(seed, report.fingerprint);
        for (name, count) in report.situations {
            *self.situations.entry(name).or_default() += count;
        }
        for (name, count) in report.evaluations {
            if count == 0 && run.outcome.is_ok() && self.must_look(name) {
                self.idle.entry(name).or_insert(seed);
            }
            *self.evaluations.entry(name).or_default() += count;
        }
        if let Err(violation) = run.outcome {
            self.found.insert(seed, violation);
        }
    }

    pub(crate) fn finish(&mut self) {
        self.wall_s = self.began.elapsed().as_secs_f64();
        self.cpu_s += cpu_s();
    }

    /// Situations that a long run must reach and did not; checks that never looked.
    fn holes(&self) -> Vec<String> {
        let mut holes: Vec<String> = Vec::new();
        if self.seed_count >= LONG {
            let never = self.expected.iter().filter(|name| !self.situations.contains_key(*name));
            holes.extend(never.map(|name| format!("the situation `{name}` was never reached")));
        }
        let undecided = self.situations.get("history undecided").copied().unwrap_or(0);
        if undecided * UNDECIDED_ONE_IN > 2 * self.seed_count {
            holes.push(format!("{undecided} of {} histories could not be judged", 2 * self.seed_count));
        }
        let idle =
            |(name, seed)| format!("the check `{name}` never looked at anything in the run of seed {seed}");
        holes.extend(self.idle.iter().map(idle));
        holes
    }

    /// Whether a check must look at something in every run.
    fn must_look(&self, check: &str) -> bool {
        // A log has no vertices that could fail to see each other.
        check != "visibility" || self.expected.contains(&"cycle chosen")
    }

    fn stuck_count(&self) -> usize {
        self.found.values().filter(|violation| violation.check == "progress").count()
    }

    /// Prints everything, and writes a file for each violation.
    pub(crate) fn report(&self, args: &SimArgs, case: &Case) -> Result<ExitCode, Failure> {
        let holes = self.holes();
        if args.json {
            say!("{:#}", self.json(&holes));
        } else if args.fingerprints {
            self.fingerprints.iter().for_each(|(seed, fingerprint)| say!("{seed} {fingerprint:016x}"));
        } else {
            self.print();
        }
        for (seed, violation) in self.found.iter().take(TOLD_MAX) {
            let file = args.out.join(format!("{}-{seed}.toml", self.protocol));
            Case { seed: *seed, ..case.clone() }.write(&file)?;
            let (check, invariant, what) = (violation.check, violation.invariant, &violation.what);
            eprintln!("seed {seed}: check `{check}`: {invariant}: {what}");
            eprintln!("  replay: isegoria sim --replay {}", file.display());
        }
        if self.found.len() > TOLD_MAX {
            eprintln!("and {} more seeds", self.found.len() - TOLD_MAX);
        }
        holes.iter().for_each(|hole| eprintln!("{hole}"));
        Ok(if self.found.is_empty() && holes.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn json(&self, holes: &[String]) -> serde_json::Value {
        json!({
            "protocol": self.protocol,
            "seeds": self.seed_count,
            "violations": self.found.len() - self.stuck_count(),
            "stuck": self.stuck_count(),
            "violating_seeds": self.found.iter().map(|(seed, violation)| json!({ "seed": seed, "check": violation.check })).collect::<Vec<_>>(),
            "steps": self.steps,
            "steps_per_cpu_s": self.steps_per_cpu_s(),
            "commands": self.commands,
            "commands_min": self.minimum(self.commands_min),
            "faults": self.faults,
            "faults_min": self.minimum(self.faults_min),
            "simulated_s": self.simulated_s(),
            "wall_s": self.wall_s,
            "cpu_s": self.cpu_s,
            "situations": self.situations,
            "evaluations": self.evaluations,
            "holes": holes,
        })
    }

    fn print(&self) {
        let told = |least: Option<u64>| least.map_or("?".to_owned(), |least| least.to_string());
        say!(
            "{}: {} seeds, {} violations, {} stuck",
            self.protocol,
            self.seed_count,
            self.found.len() - self.stuck_count(),
            self.stuck_count()
        );
        say!(
            "{} commands (at least {} a seed), {} faults (at least {} a seed), {:.0} s simulated",
            self.commands,
            told(self.minimum(self.commands_min)),
            self.faults,
            told(self.minimum(self.faults_min)),
            self.simulated_s()
        );
        say!(
            "{} node steps in {:.1} s of processor time ({:.1} s by the clock): {:.0} steps per CPU-second",
            self.steps,
            self.cpu_s,
            self.wall_s,
            self.steps_per_cpu_s()
        );
        say!("situations:");
        self.situations.iter().for_each(|(name, count)| say!("  {count:>10}  {name}"));
        say!("evaluations of each check:");
        self.evaluations.iter().for_each(|(name, count)| say!("  {count:>10}  {name}"));
    }

    /// The least over all seeds that ran to their end.
    fn minimum(&self, least: u64) -> Option<u64> {
        (least != u64::MAX).then_some(least)
    }

    fn simulated_s(&self) -> f64 {
        self.simulated_ms as f64 / 1e3
    }

    fn steps_per_cpu_s(&self) -> f64 {
        self.steps as f64 / self.cpu_s.max(1e-9)
    }
}

/// Processor time of this process so far, seconds.
fn cpu_s() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
