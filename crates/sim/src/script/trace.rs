//! The text that a script becomes.
//!
//! A command begins at the left, its effects are indented below it. Effects that differ
//! only in consecutive vertex numbers become one line, `n1:0..511`: a restarted leader
//! looks after hundreds of reserved numbers at once.

/// Runs of at least this many lines are joined.
const RUN_MIN: usize = 3;

/// Where the number was.
const HOLE: char = '\0';

/// Lines shown of a script that fails.
const TAIL: usize = 40;

#[derive(Clone, Debug, Default)]
pub(super) struct Trace {
    lines: Vec<String>,
}

impl Trace {
    /// A line of explanation.
    pub(super) fn note(&mut self, text: &str) {
        self.lines.push(format!("# {text}"));
    }

    /// Something that the script does.
    pub(super) fn command(&mut self, text: &str) {
        self.lines.push(format!("> {text}"));
    }

    /// Something that follows from it.
    pub(super) fn effect(&mut self, text: &str) {
        self.lines.push(format!("  {text}"));
    }

    /// The whole trace.
    pub(super) fn text(&self) -> String {
        join_runs(&self.lines).into_iter().map(|line| line + "\n").collect()
    }

    /// Its end, for a script that fails.
    pub(super) fn tail(&self) -> String {
        let lines = join_runs(&self.lines);
        lines[lines.len().saturating_sub(TAIL)..].join("\n")
    }
}

/// A line cut at its one vertex number. `None` if it names no vertex, or different numbers.
fn cut(line: &str) -> Option<(String, u64)> {
    let (mut shape, mut number) = (String::new(), None);
    let mut rest = line;
    while let Some(colon) = rest.find(':') {
        let (before, after) = rest.split_at(colon + 1);
        shape.push_str(before);
        let digits = after.bytes().take_while(u8::is_ascii_digit).count();
        if digits > 0 {
            let this = after[..digits].parse().ok()?;
            if number.is_some_and(|other| other != this) {
                return None;
            }
            number = Some(this);
            shape.push(HOLE);
        }
        rest = &after[digits..];
    }
    shape.push_str(rest);
    Some((shape, number?))
}

fn join_runs(lines: &[String]) -> Vec<String> {
    let cuts: Vec<Option<(String, u64)>> = lines.iter().map(|line| cut(line)).collect();
    let mut joined = Vec::new();
    let mut start = 0;
    while start < lines.len() {
        let mut end = start + 1;
        while let (Some(Some((one, number))), Some(Some((other, next)))) = (cuts.get(end - 1), cuts.get(end))
            && one == other
            && number + 1 == *next
        {
            end += 1;
        }
        match &cuts[start] {
            Some((shape, first)) if end - start >= RUN_MIN => {
                let last = first + (end - start - 1) as u64;
                joined.push(shape.replace(HOLE, &format!("{first}..{last}")));
            }
            _ => joined.extend_from_slice(&lines[start..end]),
        }
        start = end;
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(lines: &[&str]) -> Vec<String> {
        join_runs(&lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn consecutive_numbers_become_one_line() {
        let lines = ["  n1 sends n2: Phase1a n1:4 1.n1", "  n1 sends n2: Phase1a n1:5 1.n1"];
        assert_eq!(joined(&lines), lines);
        let more = [lines[0], lines[1], "  n1 sends n2: Phase1a n1:6 1.n1"];
        assert_eq!(joined(&more), ["  n1 sends n2: Phase1a n1:4..6 1.n1"]);
    }

    #[test]
    fn other_lines_stay_as_they_are() {
        let lines =
            ["  a n1:1", "  b n1:2", "  b n1:3", "  b n1:5", "  b n2:6", "  b", "  b n1:7 n2:8", "  b"];
        assert_eq!(joined(&lines), lines);
    }
}
