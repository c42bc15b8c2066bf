use std::ffi::OsStr;
use std::io;
use std::process::{Output, Stdio};
use tokio::io::AsyncWriteExt;

/// Runs a program of the system to its end, without holding up anybody else. Returns what
/// it said on standard output.
///
/// # Errors
/// If it cannot be started, or fails: with what it said.
pub(crate) async fn run<S: AsRef<OsStr>>(program: &str, words: &[S]) -> io::Result<String> {
    feed(program, words, "").await
}

/// The same, with text on its standard input.
pub(crate) async fn feed<S: AsRef<OsStr>>(program: &str, words: &[S], text: &str) -> io::Result<String> {
    let mut child = tokio::process::Command::new(program)
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| named(program, &error))?;
    if let Some(mut to) = child.stdin.take() {
        // One that does not read it says why by its end.
        let _ = to.write_all(text.as_bytes()).await;
    }
    outcome(program, &child.wait_with_output().await?)
}

/// The same where there is no time to give away: in a guard that cleans up.
pub(crate) fn run_now<S: AsRef<OsStr>>(program: &str, words: &[S]) -> io::Result<String> {
    let output = std::process::Command::new(program).args(words).stdin(Stdio::null()).output();
    outcome(program, &output.map_err(|error| named(program, &error))?)
}

fn named(program: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{program}: {error}"))
}

fn outcome(program: &str, output: &Output) -> io::Result<String> {
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("no reason given");
    Err(io::Error::other(format!("{program} failed ({}): {}", output.status, said.trim())))
}
