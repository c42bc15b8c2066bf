use std::fmt::Arguments;
use std::io::{ErrorKind, Write};

/// Prints a line on standard output, formatted as by `println!`.
macro_rules! say {
    ($($words:tt)*) => { $crate::say::line(format_args!($($words)*)) };
}
pub(crate) use say;

/// Prints a line. Whoever reads may have seen enough, as `head` has: that is no error. If it cannot be
/// printed for another reason, nobody would learn what was asked for, and the process ends.
pub(crate) fn line(words: Arguments<'_>) {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{words}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            complain(format_args!("isegoria: cannot write to standard output: {error}"));
            std::process::exit(1);
        }
        _ => {}
    }
}

/// Prints a line on standard error; if nobody reads that, there is nobody to tell.
pub(crate) fn complain(words: Arguments<'_>) {
    let _ = writeln!(std::io::stderr().lock(), "{words}");
}
