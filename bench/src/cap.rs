use crate::Scenario;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// What a node may be given of one processor.
pub(crate) const CAP_RANGE: RangeInclusive<f64> = 0.02..=16.0;
/// How often a share is handed out, µs: short, so that a node that has used its share waits a few
/// milliseconds and not for the tenth of a second that the system would take.
const PERIOD_US: f64 = 10_000.0;
/// The system takes no smaller quota, µs.
const QUOTA_LEAST_US: f64 = 1_000.0;

/// Tells the groups of one process apart.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// A control group for each node, with a share of one processor: so the busiest node is the
/// first that has no more, as it would be on a machine of its own. The load is outside.
///
/// Works where a hierarchy of cgroups, of version 1 or 2, can be written to. Dropping it removes the groups, once
/// nothing runs in them any more.
#[derive(Debug)]
pub(crate) struct CpuCap {
    groups: Vec<PathBuf>,
}

/// If a cap was asked for and this system has none to give, measures without: the processor
/// time of the busiest node is told in any case, and the sentence says why there is no cap.
pub(crate) fn give_up_if_impossible(scenario: &mut Scenario) -> String {
    let Some(share) = scenario.cap_cpu else { return String::new() };
    match CpuCap::new(1, share) {
        Ok(_) => String::new(),
        Err(error) => {
            scenario.cap_cpu = None;
            format!(
                "note: processors are not capped, for {error}; compare 1,000,000 / (CPU µs/cmd of the busiest node)\n"
            )
        }
    }
}

/// Where groups can be made.
enum Hierarchy {
    /// The controller `cpu` of version 1.
    V1(PathBuf),
    V2(PathBuf),
}

impl CpuCap {
    /// Groups for `count` nodes, each with `share` of one processor.
    ///
    /// # Errors
    /// If the system has no cgroups that this process may make.
    pub(crate) fn new(count: usize, share: f64) -> io::Result<CpuCap> {
        let hierarchy = hierarchy()?;
        let mut cap = CpuCap { groups: Vec::new() };
        for _ in 0..count {
            cap.add(&hierarchy, share)?;
        }
        Ok(cap)
    }

    fn add(&mut self, hierarchy: &Hierarchy, share: f64) -> io::Result<()> {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("isegoria-{}-{number}", std::process::id());
        let (quota, period) = quota(share);
        let (Hierarchy::V1(root) | Hierarchy::V2(root)) = hierarchy;
        let group = root.join(name);
        fs::create_dir(&group)?;
        self.groups.push(group.clone());
        match hierarchy {
            Hierarchy::V1(_) => {
                fs::write(group.join("cpu.cfs_period_us"), period.to_string())?;
                fs::write(group.join("cpu.cfs_quota_us"), quota.to_string())
            }
            Hierarchy::V2(_) => fs::write(group.join("cpu.max"), format!("{quota} {period}")),
        }
    }

    /// What starts a program within the group of a node: it enters and becomes the program.
    pub(crate) fn wrapper(&self, index: usize) -> Vec<OsString> {
        let processes = self.groups[index].join("cgroup.procs");
        let script = r#"echo $$ > "$0" && exec "$@""#;
        vec!["/bin/sh".into(), "-c".into(), script.into(), processes.into()]
    }
}

impl Drop for CpuCap {
    fn drop(&mut self) {
        for group in &self.groups {
            // What has just ended may still be counted as there.
            let removed = (0..50).any(|_| {
                let gone = fs::remove_dir(group).is_ok() || !group.exists();
                if !gone {
                    std::thread::sleep(std::time::Duration::from_millis(10));
                }
                gone
            });
            if !removed {
                tracing::warn!("the group {} is left behind", group.display());
            }
        }
    }
}

/// How much of which period, µs.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // At most 16 periods.
fn quota(share: f64) -> (u64, u64) {
    let quota = (share * PERIOD_US).max(QUOTA_LEAST_US);
    (quota.round() as u64, (quota / share).round() as u64)
}

fn hierarchy() -> io::Result<Hierarchy> {
    let own = fs::read_to_string("/proc/self/cgroup")?;
    let mounts = fs::read_to_string("/proc/self/mounts")?;
    find(&own, &mounts)
        .ok_or_else(|| io::Error::other("no hierarchy of cgroups with a cpu controller is mounted"))?
}

/// The group of this process, or the root of what is mounted if that is not seen, as in a container.
fn find(own: &str, mounts: &str) -> Option<io::Result<Hierarchy>> {
    let mount = |kind: &str, with: &str| {
        mounts.lines().find_map(|line| {
            let mut words = line.split(' ').skip(1);
            let (point, found, options) = (words.next()?, words.next()?, words.next()?);
            let has = with.is_empty() || options.split(',').any(|option| option == with);
            (found == kind && has).then(|| PathBuf::from(point))
        })
    };
    let below = |root: PathBuf, controller: &str| {
        let line = own.lines().find_map(|line| {
            let mut parts = line.splitn(3, ':').skip(1);
            let (controllers, path) = (parts.next()?, parts.next()?);
            controllers
                .split(',')
                .any(|name| name == controller)
                .then(|| path.trim_start_matches('/').to_owned())
        });
        let inner = root.join(line.unwrap_or_default());
        if inner.is_dir() { inner } else { root }
    };
    if let Some(root) = mount("cgroup", "cpu") {
        return Some(Ok(Hierarchy::V1(below(root, "cpu"))));
    }
    let mounted = mount("cgroup2", "")?;
    let own = below(mounted.clone(), "");
    // A group with processes in it cannot hand processors on, but for the root: one above may.
    let above = own.ancestors().take_while(|group| group.starts_with(&mounted));
    let mut refused = None;
    for group in above {
        match delegate(group) {
            Ok(()) => return Some(Ok(Hierarchy::V2(group.to_path_buf()))),
            Err(error) => refused = Some(error),
        }
    }
    refused.map(Err)
}

/// Has the groups below `root` limit processors.
fn delegate(root: &Path) -> io::Result<()> {
    let enabled = fs::read_to_string(root.join("cgroup.subtree_control"))?;
    if enabled.split_whitespace().any(|controller| controller == "cpu") {
        return Ok(());
    }
    fs::write(root.join("cgroup.subtree_control"), "+cpu")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;
    use std::time::{Duration, Instant};

    #[test]
    fn a_quota_is_a_share_of_its_period() {
        assert_eq!(quota(0.25), (2_500, 10_000));
        assert_eq!(quota(2.0), (20_000, 10_000));
        assert_eq!(quota(0.05), (1_000, 20_000), "as little as the system takes, less often");
    }

    #[test]
    fn the_hierarchy_is_found_among_what_is_mounted() {
        let mounts = "proc /proc proc rw 0 0\ncgroup /nowhere/cpu cgroup rw,cpu 0 0\n";
        let Some(Ok(Hierarchy::V1(root))) = find("4:cpu,cpuacct:/inside\n0::/\n", mounts) else {
            panic!("version 1")
        };
        assert_eq!(root, Path::new("/nowhere/cpu"), "what is not seen from here is left out");
        assert!(find("0::/\n", "proc /proc proc rw 0 0\n").is_none());
        let unwritable = find("0::/\n", "cgroup2 /nowhere cgroup2 rw 0 0\n");
        assert!(unwritable.is_some_and(|found| found.is_err()));
    }

    /// Where the system lets us, a program that would use a whole processor gets its share.
    #[test]
    fn a_capped_program_gets_its_share() {
        let cap = match CpuCap::new(1, 0.1) {
            Ok(cap) => cap,
            Err(error) => return eprintln!("no cgroups here, nothing was tried with them: {error}"),
        };
        let wrapper = cap.wrapper(0);
        let mut child = Command::new(&wrapper[0])
            .args(&wrapper[1..])
            .args(["/bin/sh", "-c", "while :; do :; done"])
            .spawn()
            .unwrap();
        let used = || crate::cpu::processor_time_us(crate::cpu::Process::Id(child.id())).unwrap_or(0);
        let began = Instant::now();
        // It begins outside of the group; from here on it is inside.
        while used() < 20_000 {
            assert!(began.elapsed() < Duration::from_secs(60), "it runs at all");
            std::thread::yield_now();
        }
        let (before, since) = (used(), Instant::now());
        while since.elapsed() < Duration::from_millis(1500) {
            std::thread::sleep(Duration::from_millis(50));
        }
        let (spent, passed) = (used() - before, since.elapsed());
        child.kill().unwrap();
        child.wait().unwrap();
        let groups = cap.groups.clone();
        drop(cap);
        #[allow(clippy::cast_precision_loss)]
        let share = spent as f64 / passed.as_micros() as f64;
        assert!(share < 0.2, "{share} of a processor");
        assert!(groups.iter().all(|group| !group.exists()), "nothing is left behind");
    }
}
