//! `cargo xtask docs`: the references that are generated from the code, so that they can't drift from it.

mod policies;

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process;

/// Writes all of them.
///
/// # Errors
/// When one can't be made or written.
pub(crate) fn write() -> Result<(), String> {
    for (path, text) in all()? {
        let file = process::root().join(&path);
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder).map_err(|failure| format!("{}: {failure}", folder.display()))?;
        }
        std::fs::write(&file, text).map_err(|failure| format!("{}: {failure}", path.display()))?;
        println!("{}", path.display());
    }
    Ok(())
}

/// Compares them with what the code says now.
///
/// # Errors
/// Names those that are not current.
pub(crate) fn check() -> Result<(), String> {
    let mut stale = Vec::new();
    for (path, text) in all()? {
        if std::fs::read_to_string(process::root().join(&path)).ok().as_deref() != Some(text.as_str()) {
            stale.push(path.display().to_string());
        }
    }
    if stale.is_empty() {
        Ok(())
    } else {
        Err(format!("not current, run `cargo xtask docs`: {}", stale.join(", ")))
    }
}

/// Each file by its path from the root, with what belongs into it.
fn all() -> Result<Vec<(PathBuf, String)>, String> {
    let binary = process::portcullis(false)?;
    let pages = [
        ("docs/reference/configuration.md", portcullis_config::reference()),
        ("docs/reference/bench.md", portcullis_config::bench::reference()),
        ("docs/reference/errors.md", say(&binary, &["reference", "errors"])?),
        ("docs/reference/policies.md", policies::page(&binary)?),
        ("docs/reference/cli.md", say(&binary, &["reference", "cli"])?),
        ("docs/reference/metrics.md", say(&binary, &["reference", "metrics"])?),
        ("portcullis.schema.json", say(&binary, &["schema"])?),
        ("bench.schema.json", say(&binary, &["schema", "--bench"])?),
    ];
    Ok(pages.map(|(path, text)| (path.into(), tidied(&text))).into())
}

fn say(binary: &Path, arguments: &[&str]) -> Result<String, String> {
    process::output(Command::new(binary).args(arguments))
}

/// With lines that end as the rules of the tree want it.
fn tidied(text: &str) -> String {
    let lines: Vec<&str> = text.trim_end().lines().map(str::trim_end).collect();
    lines.join("\n") + "\n"
}
