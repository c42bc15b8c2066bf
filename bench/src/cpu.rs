//! Processor time of processes, as Linux counts it. Elsewhere there is none to report.

/// Processor time that all threads of a process used since it started, user and
/// system, µs. `own` is this process. `None` if it is gone or the system does not say.
pub(crate) fn processor_time_us(process: Process) -> Option<u64> {
    let path = match process {
        Process::Own => "/proc/self/stat".to_owned(),
        Process::Id(pid) => format!("/proc/{pid}/stat"),
    };
    let ticks = ticks(&std::fs::read_to_string(path).ok()?)?;
    Some(ticks * 1_000_000 / rustix::param::clock_ticks_per_second())
}

/// Whose time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Process {
    /// This process.
    Own,
    /// Another one.
    Id(u32),
}

/// Fields 14 and 15 of proc_pid_stat(5), clock ticks. The second field, the program's
/// name, is in parentheses and may contain anything.
fn ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_confuse() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 100 0 0 0 30 12 0 0 20 0 3 0 100 0 0";
        assert_eq!(ticks(stat), Some(42));
        assert_eq!(ticks("7 (a) S 1"), None);
        assert_eq!(ticks(""), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn work_shows() {
        let before = processor_time_us(Process::Own).unwrap();
        let mut sum = 0u64;
        while processor_time_us(Process::Own).unwrap() < before + 20_000 {
            sum = (0..10_000).fold(sum, |sum, i| std::hint::black_box(sum.wrapping_add(i)));
        }
        assert!(processor_time_us(Process::Id(std::process::id())).unwrap() >= before + 20_000);
        assert_eq!(processor_time_us(Process::Id(u32::MAX)), None);
    }
}
