//! Whose connection it is that a relay accepted, as Linux tells: all members of a reference know each
//! other by one address each, so that the address does not tell who calls.

use std::net::{SocketAddr, SocketAddrV4};

/// Which of these processes has the connection whose own end is `address`; none if none of them has, any more or
/// ever.
pub(super) fn owner(address: SocketAddr, processes: &[u32]) -> Option<usize> {
    let SocketAddr::V4(address) = address else { return None };
    let table = std::fs::read_to_string("/proc/net/tcp").ok()?;
    let socket = format!("socket:[{}]", inode(&table, address)?);
    processes.iter().position(|pid| {
        let open = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        open.filter_map(|entry| std::fs::read_link(entry.path()).ok())
            .any(|target| target.as_os_str() == socket.as_str())
    })
}

/// The number of the socket with this local address, by proc_pid_net(5): the second and the tenth
/// field of a line.
fn inode(table: &str, local: SocketAddrV4) -> Option<u64> {
    // The address is printed as a number of the machine, whose bytes are in the network's order.
    let wanted = format!("{:08X}:{:04X}", u32::from_ne_bytes(local.ip().octets()), local.port());
    let line = table.lines().skip(1).find(|line| line.split_whitespace().nth(1) == Some(&wanted))?;
    line.split_whitespace().nth(9)?.parse().ok().filter(|inode| *inode != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn a_table_of_sockets_is_read() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
             0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 31337 1 0 100 0\n";
        if cfg!(target_endian = "little") {
            assert_eq!(inode(table, "127.0.0.1:8080".parse().unwrap()), Some(31337));
        }
        assert_eq!(inode(table, "127.0.0.1:8081".parse().unwrap()), None);
        assert_eq!(inode("", "127.0.0.1:8081".parse().unwrap()), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_connection_is_of_the_process_that_made_it() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (_accepted, address) = listener.accept().unwrap();
        let ours = std::process::id();
        assert_eq!(owner(address, &[1, ours]), Some(1));
        assert_eq!(owner(address, &[]), None);
        drop(own);
        assert_eq!(owner("127.0.0.1:1".parse().unwrap(), &[ours]), None);
    }
}
