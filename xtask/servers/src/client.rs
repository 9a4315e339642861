//! The ordinary clients.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs a client with the SQL of a file.
///
/// # Errors
/// When the file can't be read, and what the client said.
pub(crate) fn run_file(command: &mut Command, path: &Path) -> Result<String, String> {
    let sql = std::fs::read(path).map_err(|failure| format!("{}: {failure}", path.display()))?;
    run(command, &sql)
}

/// Runs a client with SQL on its standard input.
///
/// # Errors
/// What it said on standard error, when it failed.
pub(crate) fn run(command: &mut Command, sql: &[u8]) -> Result<String, String> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|failure| format!("{command:?} can't be run: {failure}"))?;
    let mut pipe = child.stdin.take().expect("its standard input is ours");
    let output = std::thread::scope(|scope| {
        // On another thread, since it may answer before it has read all. That it stopped reading shows in how it ends.
        scope.spawn(move || pipe.write_all(sql));
        child.wait_with_output()
    })
    .map_err(|failure| format!("{command:?}: {failure}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
    }
    String::from_utf8(output.stdout).map_err(|_| "the answer is not UTF-8".to_owned())
}
