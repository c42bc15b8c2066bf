use std::path::Path;

/// The mark in the name of everything that outlives a process unless it is removed: mounts,
/// network namespaces, bridges.
const MARK: &str = "isegoria-nemesis-";

/// How the names begin of what this process makes outside of itself. Two processes never
/// share one.
pub(crate) fn prefix() -> String {
    format!("{MARK}{}-", std::process::id())
}

/// Whether something of this name was left by a process that is gone. (Where another
/// process has its id now, it stays.)
pub(crate) fn is_stale(name: &str) -> bool {
    owner(name).is_some_and(is_gone)
}

/// Whether there is no process with this id.
pub(crate) fn is_gone(pid: u32) -> bool {
    !Path::new(&format!("/proc/{pid}")).exists()
}

fn owner(name: &str) -> Option<u32> {
    let (pid, _) = name.split_once(MARK)?.1.split_once('-')?;
    pid.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_dead_left_is_stale() {
        assert_eq!(owner(&format!("/tmp/{}x/n1", prefix())), Some(std::process::id()));
        assert!(!is_stale(&prefix()));
        // Above the highest process id that Linux gives.
        assert!(is_stale("isegoria-nemesis-4194305-1"));
        for other in ["", "isegoria-nemesis-", "isegoria-nemesis-x-1", "docker0", "isegoria-nemesis-12"] {
            assert!(!is_stale(other), "{other}");
        }
    }
}
