use std::fmt::Write;

/// Lines shown before and after the first difference.
const CONTEXT: usize = 6;

/// Where two texts differ first, with the lines around it; `None` if they are equal.
#[must_use]
pub fn first_difference(expected: &str, actual: &str) -> Option<String> {
    if expected == actual {
        return None;
    }
    let (expected, actual): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), actual.lines().collect());
    let same = expected.iter().zip(&actual).take_while(|(one, other)| one == other).count();
    let mut shown = format!("line {}\n", same + 1);
    for line in &expected[same.saturating_sub(CONTEXT)..same] {
        let _ = writeln!(shown, "  {line}");
    }
    for (mark, lines) in [('-', &expected), ('+', &actual)] {
        let rest = &lines[same..];
        for line in rest.iter().take(CONTEXT) {
            let _ = writeln!(shown, "{mark} {line}");
        }
        if rest.len() > CONTEXT {
            let _ = writeln!(shown, "{mark} ... and {} lines more", rest.len() - CONTEXT);
        }
        if rest.is_empty() {
            let _ = writeln!(shown, "{mark} (the end)");
        }
    }
    Some(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_differing_line_is_shown_with_its_context() {
        assert_eq!(first_difference("a\nb\n", "a\nb\n"), None);
        let shown = first_difference("a\nb\nc\n", "a\nx\nc\n").unwrap();
        assert_eq!(shown, "line 2\n  a\n- b\n- c\n+ x\n+ c\n");
    }

    #[test]
    fn a_text_that_ends_early_differs() {
        let shown = first_difference("a\nb\n", "a\n").unwrap();
        assert_eq!(shown, "line 2\n  a\n- b\n+ (the end)\n");
    }
}
