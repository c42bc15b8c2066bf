//! How redis-servers are started: the first takes everything, the others follow it.

use isegoria::{Durability, Endpoint};
use redis_protocol::resp2::decode::decode_bytes_mut;
use redis_protocol::resp2::types::BytesFrame;
use std::path::Path;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The arguments of one. `follows` is where it reaches the first.
pub(super) fn arguments(
    own: &Endpoint,
    dir: &Path,
    durability: Durability,
    follows: Option<&Endpoint>,
) -> Vec<String> {
    let (host, port) = host_and_port(own);
    let (appends, syncs) = match durability {
        Durability::Memory => ("no", "no"),
        Durability::Os => ("yes", "no"),
        Durability::Fsync => ("yes", "always"),
    };
    let mut words = vec!["--bind", &host, "--port", &port, "--save", "", "--appendonly", appends];
    let dir = dir.display().to_string();
    // What it would start beside itself is no time of the server's.
    words.extend(["--auto-aof-rewrite-percentage", "0"]);
    words.extend(["--appendfsync", syncs, "--dir", &dir, "--repl-diskless-sync-delay", "0"]);
    let followed = follows.map(host_and_port);
    if let Some((host, port)) = &followed {
        words.extend(["--replicaof", host, port]);
    }
    words.into_iter().map(str::to_owned).collect()
}

fn host_and_port(endpoint: &Endpoint) -> (String, String) {
    let text = endpoint.to_string();
    let (host, port) = text.rsplit_once(':').unwrap_or((&text, ""));
    (host.to_owned(), port.to_owned())
}

/// Whether a server answers, and if it is to follow another, does.
pub(super) async fn is_ready(own: &Endpoint, follows: bool) -> bool {
    let told = info(own).await.unwrap_or_default();
    told.lines().any(|line| line == if follows { "master_link_status:up" } else { "role:master" })
}

/// What a server tells of its replication.
async fn info(own: &Endpoint) -> Option<String> {
    let mut stream = TcpStream::connect(own.to_string()).await.ok()?;
    stream.write_all(b"INFO replication\r\n").await.ok()?;
    let mut heard = bytes::BytesMut::new();
    loop {
        match decode_bytes_mut(&mut heard).ok()? {
            Some((BytesFrame::BulkString(text), _, _)) => return String::from_utf8(text.to_vec()).ok(),
            Some(_) => return None,
            None if stream.read_buf(&mut heard).await.ok()? == 0 => return None,
            None => {}
        }
    }
}
