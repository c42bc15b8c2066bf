use super::board::Board;
use super::finding::Trouble;
use super::report::Verdict;
use super::stage::{Stage, log_length, log_since};
use super::tally::FlipTally;
use crate::local_cluster::{LocalCluster, Start};
use parking_lot::Mutex;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

/// How a node says that it cut off what it took for the rest of a write.
const TORN: &str = "cut off a torn last write";

/// How a node says that its peers have found out what it lost.
const FOUND_OUT: &str = "it neither votes nor serves";

/// The file that says how often a node has started: it never goes back.
const STARTS: &str = "incarnations";

/// A node is killed, and a bit of its data flips before it is started again. Either it does
/// not need what was hit; or it takes it for the rest of a write that the kill cut short, and
/// says so; or it refuses to start, and names the file. Then the bit is flipped back.
///
/// A bit of the very last batch, if the kill came before the batch was sealed, looks like the
/// rest of a torn write and may have been promised. The node cannot tell; its peers can, which
/// it has told how far its log is durable: then it is refused, and gets its data back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flip {
    pub(crate) node: usize,
    pub(crate) down: Duration,
    /// Decides which bit: what files there are is only known then.
    pub(crate) seed: u64,
}

/// A bit that was flipped.
#[derive(Debug)]
struct Flipped {
    file: PathBuf,
    offset: u64,
    bit: u8,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Harmless,
    TornTail,
    Refused,
    /// Taken for a torn tail, which its peers knew to be more.
    FoundOut,
}

impl Flip {
    pub(crate) fn draw(node: usize, rng: &mut impl Rng) -> Flip {
        let down = Duration::from_millis(rng.random_range(20..500));
        Flip { node, down, seed: rng.random() }
    }

    pub(crate) async fn begin(self, cluster: &mut LocalCluster) {
        let name = cluster.nodes()[self.node].name.clone();
        cluster.kill(&name).await;
    }

    pub(crate) async fn end(self, stage: &mut Stage, board: &Mutex<Board>) -> Result<(), Trouble> {
        let node = stage.cluster.nodes()[self.node].clone();
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let flipped = choose(&node.data_dir, &mut rng).map_err(Trouble::io("looking for a bit to flip"))?;
        let kept = keep(&node.data_dir).map_err(Trouble::io("keeping a copy of a data directory"))?;
        flipped.flip().map_err(Trouble::io("flipping a bit"))?;
        let mark = log_length(&node);
        let start = stage.cluster.try_restart(&node.name).await?;
        let mut outcome = judge(start, &log_since(&node, mark), &flipped.file).map_err(|what| {
            let Flipped { file, offset, bit } = &flipped;
            let place = format!("bit {bit} of byte {offset} of {}", file.display());
            Trouble::found(Verdict::NodeFailed, format!("{}, with {place} flipped, {what}", node.name))
        })?;
        if outcome == Outcome::Refused {
            flipped.flip().map_err(Trouble::io("flipping a bit back"))?;
            stage.cluster.restart(&node.name).await?;
        }
        if outcome == Outcome::TornTail && stage.is_found_out(self.node, FOUND_OUT).await? {
            outcome = Outcome::FoundOut;
            give_back(kept.path(), &node.data_dir).map_err(Trouble::io("giving a node its data back"))?;
            stage.cluster.restart(&node.name).await?;
        }
        stage.await_service(self.node, "a bit of its data had flipped").await?;
        let mut board = board.lock();
        let tally: &mut FlipTally = board.tally.flips.entry(file_kind(&flipped.file)).or_default();
        *match outcome {
            Outcome::Harmless => &mut tally.harmless,
            Outcome::TornTail => &mut tally.torn_tail,
            Outcome::Refused => &mut tally.refused,
            Outcome::FoundOut => &mut tally.found_out,
        } += 1;
        Ok(())
    }
}

impl Flipped {
    /// Flips it; a second time, it is as it was.
    fn flip(&self) -> io::Result<()> {
        let file = OpenOptions::new().read(true).write(true).open(&self.file)?;
        let mut byte = [0];
        file.read_exact_at(&mut byte, self.offset)?;
        byte[0] ^= 1 << self.bit;
        file.write_all_at(&byte, self.offset)
    }
}

/// A bit of any file of a data directory: half of the time of what is written in it, else of
/// all of it, which is mostly zeros that wait to be written to.
fn choose(dir: &Path, rng: &mut impl Rng) -> io::Result<Flipped> {
    let mut files = files_below(dir)?;
    // The order of a directory is nobody's.
    files.sort();
    let file = files.choose(rng).ok_or_else(|| io::Error::other(format!("{} is empty", dir.display())))?;
    let bytes = fs::read(file)?;
    let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let size = if rng.random_bool(0.5) && used > 0 { used } else { bytes.len() };
    let offset = rng.random_range(0..size) as u64;
    Ok(Flipped { file: file.clone(), offset, bit: rng.random_range(0..8) })
}

/// A copy of a data directory, beside it.
fn keep(dir: &Path) -> io::Result<TempDir> {
    let beside = dir.parent().unwrap_or(dir);
    let kept = tempfile::Builder::new().prefix("kept-").tempdir_in(beside)?;
    copy_below(dir, kept.path(), |_| true)?;
    Ok(kept)
}

/// Everything is as it was kept, but for how often the node has started.
fn give_back(kept: &Path, dir: &Path) -> io::Result<()> {
    let is_data = |file: &Path| !file.ends_with(STARTS);
    for file in files_below(dir)?.iter().filter(|file| is_data(file)) {
        fs::remove_file(file)?;
    }
    copy_below(kept, dir, is_data)
}

fn copy_below(from: &Path, to: &Path, wanted: impl Fn(&Path) -> bool) -> io::Result<()> {
    for file in files_below(from)?.iter().filter(|file| wanted(file)) {
        let target = to.join(file.strip_prefix(from).expect("a file below"));
        fs::create_dir_all(target.parent().expect("in a directory"))?;
        fs::copy(file, target)?;
    }
    Ok(())
}

fn files_below(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let meta = entry.metadata()?;
        if meta.is_dir() {
            files.extend(files_below(&entry.path())?);
        } else if meta.is_file() && meta.len() > 0 {
            files.push(entry.path());
        }
    }
    Ok(files)
}

fn file_kind(file: &Path) -> &'static str {
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    match name {
        "LOCK" => "lock",
        "incarnations" => "incarnations",
        _ if name.ends_with(".seg") => "segment",
        _ if name.starts_with("checkpoint-") => "checkpoint",
        _ => "other",
    }
}

/// What came of starting a node on data with a flipped bit, by how it began and what its log
/// says since; or what is wrong with that.
fn judge(start: Start, said: &str, file: &Path) -> Result<Outcome, String> {
    let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("nothing");
    if said.contains("panicked at") {
        return Err(format!("panicked; it said last: {last}"));
    }
    let status = match start {
        Start::Ready if said.contains(TORN) => return Ok(Outcome::TornTail),
        Start::Ready => return Ok(Outcome::Harmless),
        Start::Ended(status) => status,
    };
    // 2 is what every start on something unusable ends with.
    if !matches!(status.code(), Some(1 | 2)) {
        return Err(format!("ended with {status}; it said last: {last}"));
    }
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if last.contains(name) {
        Ok(Outcome::Refused)
    } else {
        Err(format!("refused to start without naming the file; it said last: {last}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    #[test]
    fn only_three_outcomes_of_a_flipped_bit_are_good() {
        let file = Path::new("/d/n1/log/00000000000000000000.seg");
        let refusal = "isegoria: /d/n1/log/00000000000000000000.seg is damaged at offset 7: a checksum\n";
        let ended = |raw| Start::Ended(ExitStatus::from_raw(raw));
        for (start, said, expected) in [
            (Start::Ready, "started\n", Outcome::Harmless),
            (Start::Ready, "WARN cut off a torn last write; nothing durable\nstarted\n", Outcome::TornTail),
            (ended(1 << 8), refusal, Outcome::Refused),
            (ended(2 << 8), refusal, Outcome::Refused),
        ] {
            assert_eq!(judge(start, said, file), Ok(expected), "{said}");
        }
        for (start, said, expected) in [
            (ended(101 << 8), "thread 'main' panicked at crates/log: 00000000000000000000.seg\n", "panicked"),
            (Start::Ready, "thread 'log' panicked at crates/log\nstarted\n", "panicked"),
            (ended(9), refusal, "signal: 9"),
            (ended(0), refusal, "exit status: 0"),
            (ended(2 << 8), "isegoria: something is damaged\n", "without naming the file"),
            (ended(2 << 8), "", "it said last: nothing"),
        ] {
            let what = judge(start, said, file).unwrap_err();
            assert!(what.contains(expected), "{what}");
        }
    }

    #[test]
    fn data_is_given_back_but_for_the_count_of_starts() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("n1");
        fs::create_dir_all(data.join("log")).unwrap();
        let write = |name: &str, text: &str| fs::write(data.join(name), text).unwrap();
        let read = |name: &str| fs::read_to_string(data.join(name)).ok();
        ["log/1.seg", STARTS].into_iter().for_each(|name| write(name, "before"));
        let kept = keep(&data).unwrap();
        ["log/1.seg", "log/2.seg", STARTS].into_iter().for_each(|name| write(name, "after"));
        give_back(kept.path(), &data).unwrap();
        assert_eq!(
            ["log/1.seg", "log/2.seg", STARTS].map(read),
            [Some("before".into()), None, Some("after".into())]
        );
    }

    #[test]
    fn a_bit_is_flipped_and_flipped_back() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("log")).unwrap();
        let files = ["LOCK", "incarnations", "checkpoint-1", "log/1.seg"].map(|name| dir.path().join(name));
        let mut written = vec![7; 100];
        written.extend([0; 900]);
        for file in &files {
            fs::write(file, &written).unwrap();
        }
        fs::write(dir.path().join("empty"), "").unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut used = 0;
        for _ in 0..200 {
            let flipped = choose(dir.path(), &mut rng).unwrap();
            assert!(files.contains(&flipped.file) && file_kind(&flipped.file) != "other");
            used += usize::from(flipped.offset < 100);
            flipped.flip().unwrap();
            assert_ne!(fs::read(&flipped.file).unwrap(), written);
            flipped.flip().unwrap();
            assert_eq!(fs::read(&flipped.file).unwrap(), written);
        }
        assert!((80..140).contains(&used), "{used} of 200");
    }
}
