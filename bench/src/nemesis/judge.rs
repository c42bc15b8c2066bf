use super::finding::Finding;
use super::report::Verdict;
use isegoria_check::history::{Finding as Judgement, History, HistoryError};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use tokio::sync::oneshot;

/// What is wrong with a recorded history, if anything is.
///
/// On a thread of its own, which nobody waits for if the user has enough meanwhile.
pub(crate) async fn judge(file: &Path) -> Option<Finding> {
    let (done, judged) = oneshot::channel();
    let file = file.to_path_buf();
    std::thread::spawn(move || done.send(judge_now(&file)));
    judged.await.expect("the checker does not panic")
}

/// The history is read from its file, so that what is judged is what is kept.
fn judge_now(file: &Path) -> Option<Finding> {
    let history = match read(file) {
        Ok(history) => history,
        Err(error) => {
            let what = format!("the history cannot be read back: {error}");
            return Some(Finding { verdict: Verdict::Undecided, what });
        }
    };
    let judged = isegoria_check::judge(&history);
    let verdict = match &judged.finding {
        Judgement::Valid => return None,
        Judgement::Violation(_) => Verdict::Violation,
        Judgement::Empty | Judgement::Undecided(_) => Verdict::Undecided,
    };
    Some(Finding { verdict, what: judged.finding.to_string() })
}

fn read(file: &Path) -> Result<History, HistoryError> {
    History::read(BufReader::new(File::open(file)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(lines: &[&str]) -> Option<Verdict> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("h.jsonl");
        std::fs::write(&file, lines.join("\n")).unwrap();
        judge_now(&file).map(|finding| finding.verdict)
    }

    /// A run passes only if its history was read, says something, and holds.
    #[test]
    fn every_outcome_but_a_valid_one_is_a_finding() {
        let kv = r#"{"isegoria_history":1,"model":"kv"}"#;
        let put = r#"{"client":1,"invoked_us":1,"returned_us":2,"op":["put","k","v"],"outcome":"ok","result":null}"#;
        let stale =
            r#"{"client":1,"invoked_us":3,"returned_us":4,"op":["get","k"],"outcome":"ok","result":null}"#;
        assert_eq!(verdict(&[kv, put]), None);
        assert_eq!(verdict(&[kv, put, stale]), Some(Verdict::Violation));
        assert_eq!(verdict(&[kv]), Some(Verdict::Undecided));
        assert_eq!(verdict(&[kv, "{"]), Some(Verdict::Undecided));
        let lists = r#"{"isegoria_history":1,"model":"list-append"}"#;
        let append = r#"{"client":1,"invoked_us":1,"returned_us":2,"op":["append","l","1"],"outcome":"ok","result":null}"#;
        let lost =
            r#"{"client":1,"invoked_us":3,"returned_us":4,"op":["read",["l"]],"outcome":"ok","result":[[]]}"#;
        assert_eq!(verdict(&[lists, append]), None);
        assert_eq!(verdict(&[lists, append, lost]), Some(Verdict::Violation));
    }
}
