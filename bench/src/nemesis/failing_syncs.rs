use super::command;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

/// What fails: `fsync` and `fdatasync`, with `EIO`.
const FAIL: &str = "enable name=posix/io/sync/*,failinfo=5";

/// Nodes run under libfiu, which makes their syncs fail on command.
#[derive(Debug)]
pub(crate) struct FailingSyncs {
    /// Where the pipes are that carry the commands; a process id is added.
    pipes: PathBuf,
}

impl FailingSyncs {
    /// Sees whether a sync can be made to fail; keeps its things in `dir`.
    ///
    /// # Errors
    /// If libfiu is not there, or does not work.
    pub(crate) async fn prepare(dir: &Path) -> io::Result<FailingSyncs> {
        let pipes = dir.join("fiu");
        let file = dir.join("synced");
        std::fs::write(&file, "")?;
        let words = |command: &str| -> Vec<OsString> {
            ["-x", "-c", command, "sync"].into_iter().map(Into::into).chain([file.clone().into()]).collect()
        };
        let install = |error| io::Error::other(format!("{error}; install fiu-utils and libfiu0"));
        command::run("fiu-run", &words("disable name=posix/io/sync/*")).await.map_err(install)?;
        let survived = command::run("fiu-run", &words(FAIL)).await.is_ok();
        let _ = std::fs::remove_file(&file);
        if survived {
            return Err(io::Error::other("a sync under fiu-run does not fail when it should"));
        }
        Ok(FailingSyncs { pipes })
    }

    /// What a node is started with.
    pub(crate) fn wrapper(&self) -> Vec<OsString> {
        vec!["fiu-run".into(), "-x".into(), "-f".into(), self.pipes.clone().into()]
    }

    /// From now on the process's syncs fail.
    pub(crate) async fn fail(&self, pid: u32) -> io::Result<()> {
        let words: [OsString; 5] =
            ["-f".into(), self.pipes.clone().into(), "-c".into(), FAIL.into(), pid.to_string().into()];
        command::run("fiu-ctrl", &words).await.map(drop)
    }
}
