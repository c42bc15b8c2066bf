use crate::BenchError;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

/// The files of one run's history: where it goes in the end, and beside it a part for
/// each process that records. Parts are removed when this is dropped.
#[derive(Debug)]
pub(crate) struct Files {
    target: PathBuf,
    parts: Vec<PathBuf>,
}

impl Files {
    /// Makes the empty parts, so that a run whose history could not be kept does not start.
    pub(crate) fn create(target: PathBuf, part_count: usize) -> Result<Files, BenchError> {
        let part = |number: usize| with_suffix(&target, &format!(".part-{number}"));
        let parts = (1..=part_count).map(part).collect();
        let files = Files { target, parts };
        for part in &files.parts {
            File::create(part).map_err(BenchError::io(format!("making {}", part.display())))?;
        }
        Ok(files)
    }

    pub(crate) fn parts(&self) -> &[PathBuf] {
        &self.parts
    }

    /// Puts the parts together: one header, then the operations of each.
    pub(crate) fn merge(&self) -> Result<(), BenchError> {
        let merging = || BenchError::io(format!("writing {}", self.target.display()));
        let mut out = BufWriter::new(File::create(&self.target).map_err(merging())?);
        for (index, part) in self.parts.iter().enumerate() {
            let mut from = BufReader::new(File::open(part).map_err(merging())?);
            let mut header = Vec::new();
            from.read_until(b'\n', &mut header).map_err(merging())?;
            if index == 0 {
                out.write_all(&header).map_err(merging())?;
            }
            std::io::copy(&mut from, &mut out).map_err(merging())?;
        }
        out.flush().map_err(merging())
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        for part in &self.parts {
            // A part that is left over does no harm.
            let _ = std::fs::remove_file(part);
        }
    }
}

/// `history.jsonl` with the words `multipaxos` and `2` is `history.multipaxos.2.jsonl`.
pub(crate) fn with_words(file: &Path, words: &[String]) -> PathBuf {
    let mut name = file.file_stem().unwrap_or_default().to_os_string();
    for word in words {
        name.push(".");
        name.push(word);
    }
    if let Some(extension) = file.extension() {
        name.push(".");
        name.push(extension);
    }
    file.with_file_name(name)
}

fn with_suffix(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_os_string();
    name.push(suffix);
    file.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_go_before_the_extension() {
        let words = ["multipaxos".to_owned(), "2".to_owned()];
        for (file, expected) in [
            ("h.jsonl", "h.multipaxos.2.jsonl"),
            ("a.b/h", "a.b/h.multipaxos.2"),
            ("/x/h.v1.json", "/x/h.v1.multipaxos.2.json"),
        ] {
            assert_eq!(with_words(Path::new(file), &words), Path::new(expected));
            assert_eq!(with_words(Path::new(file), &[]), Path::new(file));
        }
    }

    #[test]
    fn parts_become_one_file_with_one_header_and_are_removed() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("h.jsonl");
        let files = Files::create(target.clone(), 3).unwrap();
        for (part, text) in files.parts().iter().zip(["head\na\nb\n", "head\nc\n", "head\n"]) {
            std::fs::write(part, text).unwrap();
        }
        files.merge().unwrap();
        drop(files);
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "head\na\nb\nc\n");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_that_is_not_there_is_said_before_the_run() {
        let error = Files::create(PathBuf::from("/no/such/folder/h.jsonl"), 1).unwrap_err();
        assert!(error.to_string().contains("/no/such/folder/h.jsonl.part-1"), "{error}");
    }
}
