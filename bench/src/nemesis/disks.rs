use super::command;
use super::leftover;
use rustix::fs::{FallocateFlags, fallocate, statvfs};
use serde::Serialize;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The size of a disk: enough for a node with small segments, and soon full.
const DISK_BYTES: u64 = 96 << 20;
/// The smallest piece that a full disk is asked for, bytes.
const PIECE_BYTES_MIN: u64 = 4096;
/// What a disk is filled with.
const BALLAST: &str = "ballast";
/// Somebody may still look at a disk whose process is gone.
const UNMOUNT_TRIES: u32 = 100;
const UNMOUNT_PAUSE: Duration = Duration::from_millis(50);

/// Turns ext4 file systems off as a power cut would, without writing the journal out:
/// `EXT4_IOC_SHUTDOWN` with `EXT4_GOING_FLAGS_NOLOGFLUSH`. (The call is unsafe in Rust.)
const SHUT_DOWN: &str = "
import fcntl, os, struct, sys
for path in sys.argv[1:]:
    fcntl.ioctl(os.open(path, os.O_RDONLY), 0x8004587d, struct.pack('I', 2))
";

/// What a disk is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DiskKind {
    /// An ext4 file system in a file: its power can be cut.
    Ext4,
    /// A piece of memory: it can be full.
    Tmpfs,
}

/// A disk for each node, mounted where it keeps its data.
///
/// Everything is unmounted when this is dropped, and what a process left that could not is
/// unmounted by the next one.
#[derive(Debug)]
pub(crate) struct Disks {
    kind: DiskKind,
    /// By the nodes' order.
    mounts: Vec<PathBuf>,
}

impl Disks {
    /// Makes disks for nodes of these names in `dir`, and tries them: whoever has no power
    /// to cut is told so here.
    ///
    /// # Errors
    /// If this process may not, or a program is missing.
    pub(crate) async fn create(dir: &Path, names: &[String], kind: DiskKind) -> io::Result<Disks> {
        if !rustix::process::geteuid().is_root() {
            return Err(io::Error::other("only root may mount file systems"));
        }
        sweep().await?;
        let mut disks = Disks { kind, mounts: Vec::new() };
        for name in names {
            let mount = dir.join(name);
            std::fs::create_dir_all(&mount)?;
            if kind == DiskKind::Ext4 {
                let image = image(&mount);
                File::create(&image)?.set_len(DISK_BYTES)?;
                let words = ["-q".as_ref(), "-m".as_ref(), "0".as_ref(), image.as_os_str()];
                command::run("mkfs.ext4", &words).await?;
            }
            disks.mount(&mount).await?;
            disks.mounts.push(mount);
        }
        if kind == DiskKind::Ext4 {
            let all: Vec<usize> = (0..names.len()).collect();
            disks.cut_power(&all).await?;
            for index in all {
                disks.replay(index).await?;
            }
        }
        Ok(disks)
    }

    pub(crate) fn kind(&self) -> DiskKind {
        self.kind
    }

    async fn mount(&self, mount: &Path) -> io::Result<()> {
        let image = image(mount);
        let words = match self.kind {
            DiskKind::Ext4 => ["-t", "ext4", "-o", "loop"].map(AsRef::as_ref).to_vec(),
            DiskKind::Tmpfs => ["-t", "tmpfs", "-o", "size=96m,mode=700"].map(AsRef::as_ref).to_vec(),
        };
        let words = [words, vec![image.as_os_str(), mount.as_os_str()]].concat();
        command::run("mount", &words).await.map(drop)
    }

    /// The disks at these places stop, and what was not synced is gone.
    pub(crate) async fn cut_power(&self, places: &[usize]) -> io::Result<()> {
        let mut words = vec!["-c".into(), SHUT_DOWN.into()];
        words.extend(places.iter().map(|place| self.mounts[*place].clone().into_os_string()));
        command::run("python3", &words).await.map(drop)
    }

    /// Brings back a disk whose power was cut, and which nobody uses any more, with what it holds.
    pub(crate) async fn replay(&self, place: usize) -> io::Result<()> {
        let mount = &self.mounts[place];
        unmount(mount).await?;
        self.mount(mount).await
    }

    /// Fills a disk to the last block.
    pub(crate) fn fill(&self, place: usize) -> io::Result<()> {
        let mount = &self.mounts[place];
        let ballast =
            OpenOptions::new().write(true).create(true).truncate(false).open(mount.join(BALLAST))?;
        let space = statvfs(mount)?;
        let mut piece = (space.f_bavail * space.f_frsize).max(PIECE_BYTES_MIN);
        let mut end = ballast.metadata()?.len();
        while piece >= PIECE_BYTES_MIN {
            match fallocate(&ballast, FallocateFlags::empty(), end, piece) {
                Ok(()) => end += piece,
                Err(rustix::io::Errno::NOSPC) => piece /= 2,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Gives back the space that it was filled with, for good: a power cut must not bring it back.
    pub(crate) fn free(&self, place: usize) -> io::Result<()> {
        let mount = &self.mounts[place];
        std::fs::remove_file(mount.join(BALLAST))?;
        File::open(mount)?.sync_all()
    }

    /// Puts what the disks hold in their places as plain directories, for somebody to look at.
    pub(crate) async fn keep(mut self) -> io::Result<()> {
        for mount in std::mem::take(&mut self.mounts) {
            let kept = mount.with_extension("kept");
            let copied = command::run("cp", &["-a".as_ref(), mount.as_os_str(), kept.as_os_str()]).await;
            unmount(&mount).await?;
            copied?;
            std::fs::remove_dir(&mount)?;
            std::fs::rename(&kept, &mount)?;
            let _ = std::fs::remove_file(image(&mount));
        }
        Ok(())
    }
}

/// Where the disk is that is mounted here.
fn image(mount: &Path) -> PathBuf {
    mount.with_extension("img")
}

async fn unmount(mount: &Path) -> io::Result<()> {
    let mut tries = UNMOUNT_TRIES;
    loop {
        match command::run("umount", &[mount]).await {
            Ok(_) => return Ok(()),
            Err(error) if tries == 0 => return Err(error),
            Err(_) => tries -= 1,
        }
        tokio::time::sleep(UNMOUNT_PAUSE).await;
    }
}

impl Drop for Disks {
    fn drop(&mut self) {
        for mount in &self.mounts {
            // Once the processes are gone that were just killed; nobody else has it.
            let _ = command::run_now("umount", &["-l".as_ref(), mount.as_os_str()]);
        }
    }
}

/// Unmounts what runs left that were killed.
async fn sweep() -> io::Result<()> {
    let mounts = std::fs::read_to_string("/proc/self/mounts")?;
    let places = mounts.lines().filter_map(|line| line.split(' ').nth(1));
    for place in places.filter(|place| leftover::is_stale(place)) {
        command::run("umount", &["-l", &place.replace("\\040", " ")]).await?;
    }
    Ok(())
}
