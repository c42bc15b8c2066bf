use super::command;
use super::leftover;
use super::network::Way;
use isegoria::{ClusterConfig, Endpoint};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write;
use std::io;
use std::net::Ipv4Addr;

/// Where the system keeps named namespaces.
const NAMED: &str = "/run/netns";
/// Where it shows its interfaces.
const INTERFACES: &str = "/sys/class/net";
/// How the names of interfaces begin.
const INTERFACE: &str = "isn";
/// A namespace has the ports to itself.
const PEER_PORT: u16 = 7000;
const CLIENT_PORT: u16 = 7001;
/// Addresses that are set aside for measuring networks (RFC 2544): 198.18.0.0/15, of which
/// a run takes 256.
const RANGE: [u8; 2] = [198, 18];
const BLOCKS: u16 = 512;
/// The end of the bridge in this process's own namespace: the clients.
const CLIENTS: u8 = 254;

/// A network namespace for each node, all on one bridge of this machine. A cut is a route
/// into nothing: what one node sends to the other is thrown away.
///
/// Everything is removed when this is dropped, and what a process left that could not is
/// removed by the next one.
#[derive(Debug)]
pub(crate) struct Namespaces {
    /// By the nodes' order.
    names: Vec<String>,
    /// Which block of 256 addresses of the range is the run's.
    block: u16,
}

impl Namespaces {
    /// Makes the namespaces, and sees that they reach each other.
    ///
    /// # Errors
    /// If this process may not, or `ip` or `nsenter` is missing.
    pub(crate) async fn create(count: usize) -> io::Result<Namespaces> {
        if !rustix::process::geteuid().is_root() {
            return Err(io::Error::other("only root may make network namespaces"));
        }
        sweep().await?;
        let block = free_block().await?;
        // What one process runs at the same time differs by its addresses.
        let prefix = leftover::prefix();
        let names = (1..=count).map(|number| format!("{prefix}{block}-n{number}")).collect();
        let namespaces = Namespaces { names, block };
        command::feed("ip", &["-batch", "-"], &namespaces.outside()).await?;
        for (index, name) in namespaces.names.iter().enumerate() {
            let own = namespaces.node(index);
            let inside = format!("address add {own}/24 dev eth0\nlink set lo up\nlink set eth0 up\n");
            command::feed("ip", &["-n", name, "-batch", "-"], &inside).await?;
        }
        namespaces.probe().await?;
        Ok(namespaces)
    }

    fn outside(&self) -> String {
        let bridge = self.interface("br");
        let clients = self.address(CLIENTS);
        let mut script = format!("link add {bridge} type bridge\nlink set {bridge} up\n");
        let _ = writeln!(script, "address add {clients}/24 dev {bridge}");
        for (index, name) in self.names.iter().enumerate() {
            let near = self.near_end(index);
            let _ = writeln!(script, "netns add {name}");
            let _ = writeln!(script, "link add {near} type veth peer name eth0 netns {name}");
            let _ = writeln!(script, "link set {near} master {bridge} up");
        }
        script
    }

    /// An interface of this run: at most fifteen bytes, of which a process id takes six.
    fn interface(&self, what: &str) -> String {
        format!("{INTERFACE}{:06x}{:03x}{what}", std::process::id(), self.block)
    }

    /// The end of a node's link that is on the bridge.
    fn near_end(&self, index: usize) -> String {
        self.interface(&format!("{index:02x}"))
    }

    fn address(&self, last: u8) -> Ipv4Addr {
        let [high, low] = self.block.to_be_bytes();
        Ipv4Addr::new(RANGE[0], RANGE[1] + high, low, last)
    }

    fn node(&self, index: usize) -> Ipv4Addr {
        self.address(u8::try_from(index + 1).expect("at most 64 nodes"))
    }

    /// A firewall may forbid what a bridge would carry. Refused is good enough: it came back.
    async fn probe(&self) -> io::Result<()> {
        let [first, second, ..] = &self.names[..] else { return Ok(()) };
        for (from, to) in [(first, 1), (second, 0)] {
            let connect = format!("timeout 2 bash -c ': < /dev/tcp/{}/9' ; test $? -ne 124", self.node(to));
            let words = [format!("--net={NAMED}/{from}"), "bash".into(), "-c".into(), connect];
            let lost =
                |error| io::Error::other(format!("nothing comes from one namespace to another: {error}"));
            command::run("nsenter", &words).await.map_err(lost)?;
        }
        Ok(())
    }

    /// Gives the nodes their addresses in their namespaces.
    pub(crate) fn set_addresses(&self, config: &mut ClusterConfig) {
        for (index, node) in config.nodes.iter_mut().enumerate() {
            let at = |port| Endpoint::Tcp { host: self.node(index).to_string(), port };
            node.peer = at(PEER_PORT);
            node.client = node.client.is_some().then(|| at(CLIENT_PORT));
        }
    }

    /// What starts a program in a node's namespace. (Not `ip netns exec`: it makes a
    /// namespace of mounts, too, and that would keep a disk in use that is unmounted here.)
    pub(crate) fn wrapper(&self, index: usize) -> Vec<OsString> {
        vec!["nsenter".into(), format!("--net={NAMED}/{}", self.names[index]).into(), "--".into()]
    }

    /// Opens or cuts these ways.
    pub(crate) async fn set(&mut self, ways: &[Way], open: bool) -> io::Result<()> {
        let verb = if open { "del" } else { "add" };
        let mut scripts: BTreeMap<usize, String> = BTreeMap::new();
        for (from, to) in ways {
            let script = scripts.entry(*from).or_default();
            let _ = writeln!(script, "route {verb} blackhole {}/32", self.node(*to));
        }
        for (from, script) in scripts {
            command::feed("ip", &["-n", &self.names[from], "-batch", "-"], &script).await?;
        }
        Ok(())
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        // The near ends first: a namespace lives on until its last process is gone.
        let ends = (0..self.names.len()).map(|index| self.near_end(index));
        for interface in ends.chain([self.interface("br")]) {
            let _ = command::run_now("ip", &["link", "del", &interface]);
        }
        for name in &self.names {
            let _ = command::run_now("ip", &["netns", "del", name]);
        }
    }
}

/// Removes what runs left that were killed.
async fn sweep() -> io::Result<()> {
    for name in names_in(NAMED)?.iter().filter(|name| leftover::is_stale(name)) {
        command::run("ip", &["netns", "del", name]).await?;
    }
    for name in names_in(INTERFACES)?.iter().filter(|name| is_stale_interface(name)) {
        // It may have gone with its namespace.
        let _ = command::run("ip", &["link", "del", name]).await;
    }
    Ok(())
}

fn is_stale_interface(name: &str) -> bool {
    let owner = name.strip_prefix(INTERFACE).filter(|rest| rest.len() == 11);
    let owner = owner.and_then(|rest| u32::from_str_radix(rest.get(..6)?, 16).ok());
    owner.is_some_and(leftover::is_gone)
}

fn names_in(directory: &str) -> io::Result<Vec<String>> {
    match std::fs::read_dir(directory) {
        Ok(listed) => Ok(listed.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// A block of addresses that no interface of this machine is in.
async fn free_block() -> io::Result<u16> {
    let taken = command::run("ip", &["-4", "-o", "address", "show"]).await?;
    let start = rand::random_range(0..BLOCKS);
    let is_free = |block: &u16| {
        let [high, low] = block.to_be_bytes();
        !taken.contains(&format!(" {}.{}.{low}.", RANGE[0], RANGE[1] + high))
    };
    let free = (start..BLOCKS).chain(0..start).find(is_free);
    free.ok_or_else(|| io::Error::other("all addresses from 198.18.0.0 to 198.19.255.255 are in use"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_enough_and_tell_whose_they_are() {
        let namespaces = Namespaces { names: Vec::new(), block: 0x1ff };
        let interface = namespaces.near_end(63);
        assert!(interface.len() <= 15 && !is_stale_interface(&interface), "{interface}");
        assert_eq!(namespaces.node(63), Ipv4Addr::new(198, 19, 255, 64));
        // Above the highest process id that Linux gives.
        assert!(is_stale_interface("isn40000102abr"));
        for other in ["eth0", "isn", "isn40000102abrx", "isnzzzzzz2abbr"] {
            assert!(!is_stale_interface(other), "{other}");
        }
        // There is nothing to remove.
        std::mem::forget(namespaces);
    }
}
