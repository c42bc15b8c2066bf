use isegoria::{Endpoint, Stats};
use isegoria_transport::WIRE_VERSION;
use isegoria_transport::client_port::{ClientHello, Connection, ConnectionOptions, Question};
use std::path::Path;
use std::time::Duration;

/// How long a node may take to say what it counts.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// Looks at one node from outside: what it counts, by the `status` call of its client
/// port; what it takes, by what the system says about its process.
#[derive(Debug)]
pub(crate) struct Watch {
    endpoint: Endpoint,
    connection: Option<Connection>,
}

impl Watch {
    pub(crate) fn new(endpoint: Endpoint) -> Watch {
        Watch { endpoint, connection: None }
    }

    /// What the node counted some tens of milliseconds ago; none if it does not answer.
    pub(crate) async fn look(&mut self) -> Option<Stats> {
        let found = tokio::time::timeout(ANSWER_MAX, self.ask()).await.ok().flatten();
        if found.is_none() {
            self.connection = None;
        }
        found
    }

    async fn ask(&mut self) -> Option<Stats> {
        if self.connection.is_none() {
            let hello = ClientHello { wire: WIRE_VERSION, cluster: None, relation: None };
            let opened = Connection::open(&self.endpoint, hello, ConnectionOptions::default()).await;
            self.connection = Some(opened.ok()?.0);
        }
        serde_json::from_str(&self.connection.as_ref()?.ask(Question::Status).await.ok()?).ok()
    }
}

/// Resident memory of a process now, bytes.
pub(crate) fn resident_bytes(pid: u32) -> Option<u64> {
    let pages = std::fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let pages: u64 = pages.split(' ').nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

/// The most resident memory that a process ever had, bytes, as the system notes it.
pub(crate) fn resident_bytes_max(pid: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// What the files below a directory take, bytes; those that vanish meanwhile are left out.
pub(crate) fn disk_bytes(dir: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(dir) else { return 0 };
    let size = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(about) if about.is_dir() => disk_bytes(&entry.path()),
        Ok(about) => about.len(),
        Err(_) => 0,
    };
    entries.flatten().map(size).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn a_process_and_its_files_have_a_size() {
        let own = std::process::id();
        let (now, most) = (resident_bytes(own).unwrap(), resident_bytes_max(own).unwrap());
        assert!(now > 1 << 20 && most >= now / 2, "{now} {most}");
        assert_eq!(resident_bytes(u32::MAX), None);
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("a")).unwrap();
        std::fs::write(dir.path().join("a/b"), [0; 10]).unwrap();
        std::fs::write(dir.path().join("c"), [0; 5]).unwrap();
        assert_eq!((disk_bytes(dir.path()), disk_bytes(Path::new("/no/such"))), (15, 0));
    }
}
