//! The example of a replicated key-value store, as its readers would run it: three processes, of which
//! one is killed; and it is as short as is said.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // Processes, sockets, clocks.

use isegoria::{Config, Role};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// Lines that are neither empty nor comments.
const LINES_MAX: usize = 40;

#[test]
fn the_example_is_short() {
    let text = include_str!("../examples/kv.rs");
    let code = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//"));
    let count = code.count();
    assert!(count <= LINES_MAX, "{count} lines");
    for part in ["StateMachine for Kv", "Replica::open", "TcpListener::bind"] {
        assert!(text.contains(part), "it is complete: {part}");
    }
}

/// A process of the example; killed when the test ends.
struct Process {
    child: Child,
    port: u16,
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Process {
    fn start(config: &Path, name: &str, port: u16) -> Process {
        let mut command = Command::new(example());
        command.arg(config).arg(name).arg(format!("127.0.0.1:{port}"));
        Process { child: command.spawn().expect("the example starts"), port }
    }

    /// As `kill -9` does.
    fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Connects, once it listens.
    fn connect(&mut self) -> BufReader<TcpStream> {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            if let Ok(stream) = TcpStream::connect(("127.0.0.1", self.port)) {
                stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a time to read");
                return BufReader::new(stream);
            }
            let ended = self.child.try_wait().expect("a child");
            assert!(ended.is_none() && Instant::now() < deadline, "{ended:?}");
            std::thread::yield_now();
        }
    }
}

fn ask(connection: &mut BufReader<TcpStream>, line: &str) -> String {
    connection.get_mut().write_all(format!("{line}\n").as_bytes()).expect("it listens");
    let mut answer = String::new();
    connection.read_line(&mut answer).expect("it answers");
    answer.trim_end().to_owned()
}

/// Cargo builds examples before it runs tests, beside them.
fn example() -> PathBuf {
    let tests = std::env::current_exe().expect("a path");
    tests.parent().and_then(Path::parent).expect("a directory").join("examples/kv")
}

/// Ports that were free a moment ago.
fn free_ports(count: usize) -> Vec<u16> {
    let listeners: Vec<TcpListener> =
        (0..count).map(|_| TcpListener::bind("127.0.0.1:0").expect("a free port")).collect();
    listeners.iter().map(|listener| listener.local_addr().expect("bound").port()).collect()
}

#[test]
fn it_goes_on_when_a_process_is_killed_and_takes_it_back() {
    let directory = tempfile::tempdir().expect("a directory");
    let cluster = Config::local("n1", 3, directory.path()).expect("a legal cluster").cluster().clone();
    assert!(cluster.nodes.iter().all(|node| node.roles == Role::ALL));
    let file = directory.path().join("cluster.toml");
    std::fs::write(&file, cluster.to_toml()).expect("it can be written");
    let ports = free_ports(3);
    let start = |index: usize| Process::start(&file, &format!("n{}", index + 1), ports[index]);
    let mut nodes: Vec<Process> = (0..3).map(start).collect();
    let mut one = nodes[0].connect();
    assert_eq!(ask(&mut one, r#"["name", "Ada"]"#), "Ok(None)");
    let mut three = nodes[2].connect();
    assert_eq!(ask(&mut three, r#"["name", null]"#), r#"Ok(Some("Ada"))"#);
    assert!(ask(&mut three, "what?").contains("expected"), "a sentence, and the connection goes on");

    nodes[2].kill();
    for number in 0..20 {
        assert_eq!(ask(&mut one, &format!(r#"["key{number}", "{number}"]"#)), "Ok(None)");
    }
    let mut two = nodes[1].connect();
    assert_eq!(ask(&mut two, r#"["name", "Bob"]"#), r#"Ok(Some("Ada"))"#);

    nodes[2] = start(2);
    let mut back = nodes[2].connect();
    assert_eq!(ask(&mut back, r#"["name", null]"#), r#"Ok(Some("Bob"))"#);
    assert_eq!(ask(&mut back, r#"["key19", "again"]"#), r#"Ok(Some("19"))"#);

    // All at once: what was acknowledged is on the disks.
    nodes.iter_mut().for_each(Process::kill);
    let mut nodes: Vec<Process> = (0..3).map(start).collect();
    let mut two = nodes[1].connect();
    assert_eq!(ask(&mut two, r#"["key19", null]"#), r#"Ok(Some("again"))"#);
}
