use crate::directory::{Directory, create_file, publish};
use isegoria_log::SegmentHeader;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

/// How much of a new segment is filled between two syncs, bytes.
const STEP_BYTES: u64 = 2 << 20;

/// The file of a segment, as the log thread sees it. Tests put a failing one here.
pub(crate) trait SegmentFile: Send {
    /// Writes all of `bytes` at an offset.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Returns when all that was written is on disk.
    fn sync(&self) -> io::Result<()>;
}

impl SegmentFile for File {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}

/// Where new segments come from.
pub(crate) trait SegmentSource: Send + 'static {
    /// A segment of full size with its header, durable under its name.
    fn create(&mut self, header: &SegmentHeader) -> io::Result<Box<dyn SegmentFile>>;
}

/// Segments in a data directory.
pub(crate) struct FileSource(pub(crate) Arc<Directory>);

impl SegmentSource for FileSource {
    fn create(&mut self, header: &SegmentHeader) -> io::Result<Box<dyn SegmentFile>> {
        let file = self.0.segment(header.first);
        let unfinished = Directory::unfinished(&file);
        // Asked first: filling a full disk to its last block, again and again, would
        // starve the checkpoint that makes room.
        let space = rustix::fs::statvfs(self.0.path())?;
        if space.f_bavail.saturating_mul(space.f_frsize) < header.segment_bytes {
            return Err(io::ErrorKind::StorageFull.into());
        }
        match fill(&unfinished, header) {
            Ok(open) => {
                publish(&unfinished, &file)?;
                Ok(Box::new(open))
            }
            Err(error) => {
                // What a full disk needs least is half a segment.
                let _ = fs::remove_file(&unfinished);
                Err(error)
            }
        }
    }
}

/// Replaces a segment by one that holds zeros from the offset on: at once, or not at all.
pub(crate) fn cut(path: &Path, header: &SegmentHeader, from: u64) -> io::Result<File> {
    let mut kept = vec![0; usize::try_from(from).map_err(io::Error::other)?];
    File::open(path)?.read_exact_at(&mut kept, 0)?;
    let unfinished = Directory::unfinished(path);
    let file = fill(&unfinished, header)?;
    file.write_all_at(&kept, 0)?;
    file.sync_all()?;
    publish(&unfinished, path)?;
    Ok(file)
}

/// Writes real zeros: reserved blocks that were never written would cost every sync of
/// the log a commit of the file system's journal.
fn fill(path: &Path, header: &SegmentHeader) -> io::Result<File> {
    let file = create_file(path)?;
    // In steps: one sync of all of it would hold up the log's own syncs for long.
    let mut at = 0;
    while at < header.segment_bytes {
        let until = header.segment_bytes.min(at + STEP_BYTES);
        write_zeros(&file, at, until)?;
        file.sync_data()?;
        at = until;
    }
    file.write_all_at(&header.encode(), 0)?;
    file.sync_all()?;
    Ok(file)
}

/// Overwrites a range of a file with zeros.
fn write_zeros(file: &File, from: u64, until: u64) -> io::Result<()> {
    static ZEROS: [u8; 256 * 1024] = [0; 256 * 1024];
    let mut at = from;
    while at < until {
        let size = ZEROS.len().min(usize::try_from(until - at).unwrap_or(usize::MAX));
        file.write_all_at(&ZEROS[..size], at)?;
        at += size as u64;
    }
    Ok(())
}
