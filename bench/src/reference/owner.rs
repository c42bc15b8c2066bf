//! Whose connection it is that a relay accepted, as Linux tells: all members of a reference know each
//! other by one address each, so that the address does not tell who calls.

use std::net::{SocketAddr, SocketAddrV4};

/// Which of these processes has the connection that begins at `from` and ends at `to`; none if none of them has, any
/// more or ever.
pub(super) fn owner((from, to): (SocketAddr, SocketAddr), processes: &[u32]) -> Option<usize> {
    let (SocketAddr::V4(from), SocketAddr::V4(to)) = (from, to) else { return None };
    let table = std::fs::read_to_string("/proc/net/tcp").ok()?;
    let socket = format!("socket:[{}]", inode(&table, from, to)?);
    processes.iter().position(|pid| {
        let open = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        open.filter_map(|entry| std::fs::read_link(entry.path()).ok())
            .any(|target| target.as_os_str() == socket.as_str())
    })
}

/// The number of the socket with these ends, by proc_pid_net(5): the second, the third and the tenth field of a
/// line. Its own end is not enough: connections to different places may begin at one port.
fn inode(table: &str, local: SocketAddrV4, remote: SocketAddrV4) -> Option<u64> {
    // An address is printed as a number of the machine, whose bytes are in the network's order.
    let shown = |address: SocketAddrV4| {
        format!("{:08X}:{:04X}", u32::from_ne_bytes(address.ip().octets()), address.port())
    };
    let wanted = [shown(local), shown(remote)];
    let line = table.lines().skip(1).find(|line| line.split_whitespace().skip(1).take(2).eq(&wanted))?;
    line.split_whitespace().nth(9)?.parse().ok().filter(|inode| *inode != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, TcpListener, TcpStream};

    #[test]
    fn a_table_of_sockets_is_read() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
             0: 0100007F:1F90 0100007F:0051 01 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0\n   \
             1: 0100007F:1F90 0100007F:0050 01 00000000:00000000 00:00000000 00000000     0        0 31337 1 0 100 0\n";
        let at = |port| SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
        if cfg!(target_endian = "little") {
            assert_eq!(inode(table, at(8080), at(80)), Some(31337));
            assert_eq!(inode(table, at(8080), at(81)), Some(4711));
        }
        assert_eq!(inode(table, at(8080), at(82)), None);
        assert_eq!(inode("", at(8080), at(80)), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_connection_is_of_the_process_that_made_it() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let to = listener.local_addr().unwrap();
        let _own = TcpStream::connect(to).unwrap();
        let (_accepted, from) = listener.accept().unwrap();
        let ours = std::process::id();
        assert_eq!(owner((from, to), &[1, ours]), Some(1));
        assert_eq!(owner((from, to), &[]), None);
        assert_eq!(owner(("127.0.0.1:1".parse().unwrap(), to), &[ours]), None);
    }
}
