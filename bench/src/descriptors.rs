use crate::BenchError;

/// What a process needs beside its connections: its output, logs, timers.
const RESERVE: u64 = 32;

/// Descriptors that connections from one member of a reference to another take: those of etcd are three as a
/// rule, with four descriptors each.
const RELAYED_A_PAIR: usize = 12;

/// Refuses a run that would need more files and sockets in one process than the system allows:
/// a node has two connections with every other node and one with each load process, and a load process one
/// with each node, whatever the number of its clients.
///
/// `relays`: whether this process carries connections of others over emulated distances, each with two sockets and
/// two timers, between any two members two or more.
pub(crate) fn check(nodes: usize, load_processes: usize, relays: bool) -> Result<(), BenchError> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let carried = if relays { RELAYED_A_PAIR * nodes * nodes.saturating_sub(1) } else { 0 };
    let needed =
        nodes.saturating_mul(3).saturating_add(load_processes.saturating_mul(4)).saturating_add(carried)
            as u64;
    let needed = needed.saturating_add(RESERVE);
    match limit.filter(|limit| needed > *limit) {
        None => Ok(()),
        Some(limit) => Err(BenchError::Usage(format!(
            "nodes = {nodes}, load-processes = {load_processes}: a process would need about {needed} files and \
             sockets and may have {limit}; raise the limit (`ulimit -n {needed}`), or give fewer"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_there_are_is_refused_with_the_cure() {
        assert!(check(3, 1, false).is_ok() && check(3, 1, true).is_ok());
        // Nobody has so many.
        let refused = check(3, 1 << 40, false).err().map(|error| error.to_string());
        assert!(refused.is_none_or(|said| said.contains("ulimit -n")));
    }
}
