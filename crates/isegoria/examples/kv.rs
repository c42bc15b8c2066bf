//! A durable, replicated key-value store over TCP: a process a node, started with the cluster's
//! configuration, the node's name and the address to serve clients at.
//!
//! A line is a JSON array of a key and a value, or `null` to read it; the answer is the value that
//! was there:
//!
//!     cargo run -p isegoria --example kv -- cluster.toml n1 127.0.0.1:4001
//!     $ nc 127.0.0.1 4001
//!     ["name", "Ada"]
//!     Ok(None)
//!     ["name", null]
//!     Ok(Some("Ada"))
use isegoria::{Config, Footprint, Replica, StateMachine};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

#[derive(Default, Serialize, Deserialize)]
struct Kv(BTreeMap<String, String>);

/// A key, and the value to set; none to read it.
#[derive(Serialize, Deserialize)]
struct Op(String, Option<String>);

impl StateMachine for Kv {
    type Command = Op;
    type Output = Option<String>;
    fn footprint(Op(key, value): &Op, footprint: &mut Footprint) {
        if value.is_some() { footprint.write(key.as_bytes()) } else { footprint.read(key.as_bytes()) }
    }
    fn apply(&mut self, Op(key, value): Op) -> Option<String> {
        if let Some(value) = value { self.0.insert(key, value) } else { self.0.get(&key).cloned() }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().collect();
    let node = Replica::open(Config::from_file(&args[1], &args[2])?, Kv::default()).await?;
    let listener = TcpListener::bind(&args[3]).await?;
    loop {
        let ((client, _), node) = (listener.accept().await?, node.clone());
        tokio::spawn(async move {
            let (read, mut write) = client.into_split();
            let mut lines = BufReader::new(read).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                let answer = match serde_json::from_str(&line) {
                    Ok(op) => format!("{:?}\n", node.submit(op).await),
                    Err(error) => format!("{error}\n"),
                };
                let _ = write.write_all(answer.as_bytes()).await;
            }
        });
    }
}
