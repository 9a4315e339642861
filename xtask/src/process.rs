//! Other programs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The root of the checkout.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask is a folder of the checkout")
        .to_owned()
}

/// Where Cargo puts what it makes.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |folder| root().join(folder))
}

/// A program with its arguments, separated by spaces, to be run at the root.
pub(crate) fn command(line: &str) -> Command {
    let mut words = line.split_whitespace();
    let mut command = Command::new(words.next().expect("a command line has a program"));
    command.args(words).current_dir(root());
    command
}

/// Runs it; what it says goes where ours goes.
///
/// # Errors
/// Names the command that failed, or can't be run.
pub(crate) fn run(line: &str) -> Result<(), String> {
    run_command(line, &mut command(line))
}

/// The same for a command that needs more than arguments.
///
/// # Errors
/// Names the command that failed, or can't be run.
pub(crate) fn run_command(name: &str, command: &mut Command) -> Result<(), String> {
    match command.stdin(Stdio::null()).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{name}` failed: {status}")),
        Err(failure) => Err(format!("`{name}` can't be run: {failure}")),
    }
}

/// What a command says on standard output.
///
/// # Errors
/// Names the command that failed, with what it said on standard error.
pub(crate) fn output(command: &mut Command) -> Result<String, String> {
    output_with(command, &[0])
}

/// The same for a command that may end with one of these codes.
///
/// # Errors
/// As [`output`].
pub(crate) fn output_with(command: &mut Command, codes: &[i32]) -> Result<String, String> {
    let name = format!("{command:?}");
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|failure| format!("{name} can't be run: {failure}"))?;
    if !output.status.code().is_some_and(|code| codes.contains(&code)) {
        return Err(format!(
            "{name} failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        ));
    }
    String::from_utf8(output.stdout).map_err(|_| format!("{name} doesn't speak UTF-8"))
}

/// Whether a program can be found.
pub(crate) fn exists(program: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&paths).any(|folder| folder.join(program).is_file())
}

/// The binary of a profile, built now.
///
/// # Errors
/// When it can't be built.
pub(crate) fn portcullis(release: bool) -> Result<PathBuf, String> {
    run(if release {
        "cargo build --quiet --release -p portcullis"
    } else {
        "cargo build --quiet -p portcullis"
    })?;
    Ok(target()
        .join(if release { "release" } else { "debug" })
        .join("portcullis"))
}
