use isegoria::{ClusterConfig, Endpoint};
use std::io;
use std::net::{Ipv4Addr, TcpListener};

/// Gives every node of `config` loopback addresses that nobody else will take while it runs.
///
/// A port that was free a moment ago may become the near end of somebody's connection
/// before its node listens, or while the node is down. Connections begin at 127.0.0.1,
/// so the ports are taken on an address of the cluster's own, where the system has more
/// than that one (Linux has all of 127.0.0.0/8).
///
/// # Errors
/// If the system has no port left.
pub fn take_free_endpoints(config: &mut ClusterConfig) -> io::Result<()> {
    let [second, third, fourth] = rand::random::<[u8; 3]>();
    let own = Ipv4Addr::new(127, second, third, fourth.clamp(2, 254));
    let count = 4 * config.nodes.len();
    let endpoints = free_endpoints(own, count).or_else(|_| free_endpoints(Ipv4Addr::LOCALHOST, count))?;
    for (node, free) in config.nodes.iter_mut().zip(endpoints.chunks(4)) {
        node.peer = free[0].clone();
        node.client = node.client.is_some().then(|| free[1].clone());
        node.resp = node.resp.is_some().then(|| free[2].clone());
        node.admin = node.admin.is_some().then(|| free[3].clone());
    }
    Ok(())
}

fn free_endpoints(address: Ipv4Addr, count: usize) -> io::Result<Vec<Endpoint>> {
    // All are held until the last is found, so that no two are the same.
    let listeners: Vec<TcpListener> =
        (0..count).map(|_| TcpListener::bind((address, 0))).collect::<io::Result<_>>()?;
    let endpoint =
        |listener: &TcpListener| Ok(listener.local_addr()?.to_string().parse().expect("an address"));
    listeners.iter().map(endpoint).collect()
}
