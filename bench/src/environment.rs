use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// How often a sync is measured, and how long at most.
const SYNC_COUNT: usize = 200;
const SYNC_MAX: Duration = Duration::from_secs(1);

/// Where a run ran. No names of hosts or users and no paths: it is published.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Environment {
    /// The commit of the sources, short; `unknown` outside a repository.
    pub git_commit: String,
    /// Whether files of the sources differ from the commit.
    pub git_dirty: bool,
    /// The processor, as it names itself.
    pub cpu_model: String,
    /// Logical processors that this process may use.
    pub cpu_cores: usize,
    /// The kernel's release.
    pub kernel: String,
    /// The operating system.
    pub os: String,
    /// Main memory, bytes.
    pub memory_bytes: u64,
    /// The file system that the nodes wrote to.
    pub file_system: String,
    /// The median time of a sync after appending 4 KiB to a file there, µs.
    pub fsync_p50_us: Option<u64>,
    /// The compiler.
    pub rustc: String,
    /// `release` or `debug`.
    pub profile: String,
    /// This program's version.
    pub version: String,
}

impl Environment {
    /// Looks around. Syncs a small file in `data_dir` for at most a second.
    #[must_use]
    pub fn inspect(data_dir: &Path) -> Environment {
        let unknown = || "unknown".to_owned();
        Environment {
            git_commit: git(&["rev-parse", "--short=10", "HEAD"]).unwrap_or_else(unknown),
            git_dirty: git(&["status", "--porcelain", "--", ".", ":!results"])
                .is_some_and(|text| !text.is_empty()),
            cpu_model: field("/proc/cpuinfo", "model name")
                .unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            cpu_cores: std::thread::available_parallelism().map_or(0, usize::from),
            kernel: read("/proc/sys/kernel/osrelease").unwrap_or_else(unknown),
            os: os().unwrap_or_else(|| std::env::consts::OS.to_owned()),
            memory_bytes: memory_bytes().unwrap_or(0),
            file_system: file_system(data_dir).unwrap_or_else(unknown),
            fsync_p50_us: fsync_p50_us(data_dir),
            rustc: env!("ISEGORIA_RUSTC_VERSION").to_owned(),
            profile: if cfg!(debug_assertions) { "debug" } else { "release" }.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

fn read(path: &str) -> Option<String> {
    Some(std::fs::read_to_string(path).ok()?.trim().to_owned())
}

/// The value after the first `key :` of a file.
fn field(path: &str, key: &str) -> Option<String> {
    let text = read(path)?;
    let line = text.lines().find(|line| line.starts_with(key))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn os() -> Option<String> {
    let text = read("/etc/os-release")?;
    let name = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    Some(name.trim_matches('"').to_owned())
}

fn memory_bytes() -> Option<u64> {
    let kib: u64 = field("/proc/meminfo", "MemTotal")?.strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git").args(args).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

/// The type of the file system with the longest mount point above `dir`.
fn file_system(dir: &Path) -> Option<String> {
    let dir = dir.canonicalize().ok()?;
    let mounts = read("/proc/self/mounts")?;
    let of_line = |line: &str| -> Option<(usize, String)> {
        let mut words = line.split(' ').skip(1);
        let (point, kind) = (words.next()?, words.next()?);
        dir.starts_with(point).then(|| (point.len(), kind.to_owned()))
    };
    // Of two mounts on one point the later one is seen.
    mounts.lines().filter_map(of_line).max_by_key(|(length, _)| *length).map(|(_, kind)| kind)
}

fn fsync_p50_us(dir: &Path) -> Option<u64> {
    let path = dir.join(format!("isegoria-sync-{}", std::process::id()));
    let measured = sync_times(&path);
    let _ = std::fs::remove_file(&path);
    let mut times = measured.ok()?;
    times.sort_unstable();
    u64::try_from(times.get(times.len() / 2)?.as_micros()).ok()
}

fn sync_times(path: &Path) -> std::io::Result<Vec<Duration>> {
    let mut file = File::create(path)?;
    let start = Instant::now();
    let mut times = Vec::new();
    while times.len() < SYNC_COUNT && start.elapsed() < SYNC_MAX {
        let before = Instant::now();
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
        times.push(before.elapsed());
    }
    Ok(times)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_nothing_private() {
        let dir = tempfile::tempdir().unwrap();
        let found = Environment::inspect(dir.path());
        assert!(found.cpu_cores > 0 && found.fsync_p50_us.is_some());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "the probe is removed");
        let text = serde_json::to_string(&found).unwrap();
        for secret in
            [read("/proc/sys/kernel/hostname"), std::env::var("USER").ok().filter(|user| user != "root")]
        {
            let secret = secret.unwrap_or_default();
            assert!(
                secret.is_empty() || secret == "localhost" || !text.contains(&secret),
                "{secret} in {text}"
            );
        }
        assert!(!text.contains(dir.path().to_str().unwrap()));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_longest_mount_point_counts() {
        assert_eq!(file_system(Path::new("/proc/self")).as_deref(), Some("proc"));
        assert!(memory_bytes().unwrap() > 1 << 20);
    }
}
