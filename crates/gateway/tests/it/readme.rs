//! What the documents tell a newcomer to type works.

use std::fs;
use std::process::Command;

use super::examples::{Hiring, repository};
use super::folder::Folder;

/// The lines of the shell blocks of a document, with continued ones joined.
fn typed(document: &str) -> Vec<String> {
    let text =
        fs::read_to_string(repository().join(document)).unwrap_or_else(|failure| panic!("{document}: {failure}"));
    let mut lines = Vec::new();
    let mut within = false;
    let mut continued = String::new();
    for line in text.lines() {
        let line = line.trim();
        if line.starts_with("```") {
            within = matches!(line, "```sh" | "```console");
        } else if within && let Some(part) = line.strip_suffix('\\') {
            continued.push_str(part);
        } else if within && !line.is_empty() && !line.starts_with('#') {
            lines.push(std::mem::take(&mut continued) + line);
        }
    }
    assert!(!lines.is_empty(), "{document} tells nothing to type");
    lines
}

/// What runs the gate until it is stopped: these are started by tests of their own.
fn runs_on(line: &str) -> bool {
    line.contains("-- run ") || line.contains("portcullis run ") || line.contains(" proxy ")
}

/// The line with the gate of the test in place of the one that a newcomer has started.
fn aimed(line: &str, hiring: &Hiring) -> String {
    let binary = env!("CARGO_BIN_EXE_portcullis");
    let mut line = line
        .replace("localhost:8080", &hiring.address().to_string())
        .replace("127.0.0.1:8080", &hiring.address().to_string())
        .replace("localhost:9101", &hiring.calendar().to_string())
        .replace("127.0.0.1:9101", &hiring.calendar().to_string())
        .replace("localhost:9901", &hiring.admin().to_string())
        .replace("127.0.0.1:9901", &hiring.admin().to_string());
    for prefix in [
        "cargo run --release -- ",
        "cargo run -q -- ",
        "cargo run -- ",
        "target/release/portcullis ",
        "portcullis ",
    ] {
        if let Some(rest) = line.strip_prefix(prefix) {
            line = format!("{binary} {rest}");
        }
    }
    line
}

fn each_line_works(document: &str) {
    let folder = Folder::new();
    let hiring = Hiring::new(folder.path());
    let _gate = hiring.start();
    for line in typed(document) {
        if runs_on(&line) {
            let file = line.split_whitespace().find(|word| word.ends_with(".yaml"));
            assert!(
                file.is_none_or(|file| repository().join(file).exists()),
                "{document}: {line}"
            );
            continue;
        }
        if line.starts_with("cargo xtask ")
            || line.starts_with("cargo test ")
            || line.starts_with("git clone ")
            || line.starts_with("cd ")
        {
            continue;
        }
        let output = Command::new("sh")
            .args(["-c", &aimed(&line, &hiring)])
            .current_dir(repository())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{document}: {line}\n{said}");
    }
}

#[test]
fn the_commands_of_the_readme_work() {
    each_line_works("README.md");
}

#[test]
fn the_commands_of_the_example_work() {
    each_line_works("examples/hiring/README.md");
}

#[test]
fn the_try_it_commands_of_the_question_bank_work() {
    let folder = Folder::new();
    let hiring = Hiring::new(folder.path());
    let gate = hiring.start();
    let rows = gate
        .get("/questions?try_it=not.is.null&select=id,try_it&limit=1000")
        .json();
    let rows = rows.as_array().unwrap();
    assert!(!rows.is_empty());
    for row in rows {
        let command = row["try_it"].as_str().unwrap();
        let line = aimed(command, &hiring);
        let output = Command::new("sh")
            .args(["-c", &line])
            .current_dir(repository())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "question {}: {command}\n{said}", row["id"]);
    }
}
