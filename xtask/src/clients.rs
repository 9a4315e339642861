//! The Python programs that tests drive as clients, in an environment of their own.

use std::path::PathBuf;

use crate::{process, setup};

/// What they are made of.
const REQUIREMENTS: &str = "crates/gateway/tests/clients/requirements.txt";

/// Makes the environment, unless there is one of the same requirements.
///
/// # Errors
/// Names the command that failed.
pub(crate) fn prepare() -> Result<(), String> {
    let wanted = std::fs::read(process::root().join(REQUIREMENTS)).map_err(|failure| failure.to_string())?;
    let home = home();
    let made = home.join("requirements.txt");
    if std::fs::read(&made).is_ok_and(|made| made == wanted) {
        return Ok(());
    }
    println!("making an environment for the clients in Python");
    let path = home.display();
    let create = format!("python3 -m venv --clear {path}");
    if process::run(&create).is_err() {
        // Debian parts what makes environments from Python itself.
        setup::install("python3-venv")?;
        process::run(&create)?;
    }
    process::run(&format!(
        "{path}/bin/pip install --quiet --disable-pip-version-check --requirement {REQUIREMENTS}"
    ))?;
    // Last, so that what was interrupted is made anew.
    std::fs::write(made, wanted).map_err(|failure| failure.to_string())
}

/// Beside the tests' own folder of temporary files, where they look for it.
fn home() -> PathBuf {
    process::target().join("clients")
}
