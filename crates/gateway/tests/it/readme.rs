//! What the documents tell a newcomer to type works.

use std::fs;
use std::process::Command;

use portcullis_bench::stand_in::{Behaviour, StandIn};

use super::examples::{Hiring, repository};
use super::folder::Folder;
use super::gate::portcullis;
use super::secure::{Authority, Identity};

/// A block of code in a document.
pub(crate) struct Block {
    /// The word behind its first fence.
    pub(crate) kind: String,
    /// The last line of the text before it.
    pub(crate) before: String,
    pub(crate) text: String,
}

/// The blocks of a document.
pub(crate) fn blocks(document: &str) -> Vec<Block> {
    let text =
        fs::read_to_string(repository().join(document)).unwrap_or_else(|failure| panic!("{document}: {failure}"));
    let mut blocks: Vec<Block> = Vec::new();
    let (mut within, mut before) = (false, "");
    for line in text.lines() {
        if let Some(kind) = line.trim().strip_prefix("```") {
            within = !within;
            if within {
                blocks.push(Block {
                    kind: kind.to_owned(),
                    before: before.to_owned(),
                    text: String::new(),
                });
            }
        } else if within {
            let block = blocks.last_mut().unwrap();
            block.text.push_str(line);
            block.text.push('\n');
        } else if !line.is_empty() {
            before = line;
        }
    }
    blocks
}

/// The lines of a block, without comments and with continued ones joined.
pub(crate) fn lines_of(block: &Block) -> Vec<String> {
    let mut lines = Vec::new();
    let mut continued = String::new();
    for line in block.text.lines().map(str::trim) {
        if let Some(part) = line.strip_suffix('\\') {
            continued.push_str(part);
        } else if !line.is_empty() && !line.starts_with('#') {
            lines.push(std::mem::take(&mut continued) + line);
        }
    }
    lines
}

/// What a command prints, which must not fail.
pub(crate) fn succeeds(line: &str, command: &mut Command) -> String {
    // Where the surroundings have a proxy, curl would ask it for what listens here.
    let output = command.env("no_proxy", "*").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{line}\n{said}{complained}");
    said
}

/// The lines of the shell blocks of a document.
fn typed(document: &str) -> Vec<String> {
    let blocks = blocks(document);
    let shell = blocks
        .iter()
        .filter(|block| matches!(block.kind.as_str(), "sh" | "console"));
    let lines: Vec<String> = shell.flat_map(lines_of).collect();
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
        // Runs are kept, and not in the repository.
        let kept = format!("bench run --folder {}", folder.path().join("bench").display());
        let line = line.replace("bench run", &kept);
        let mut command = Command::new("sh");
        command.args(["-c", &aimed(&line, &hiring)]).current_dir(repository());
        // Where a load test goes is said in its file.
        command.env("CALENDAR_PORT", hiring.calendar().port().to_string());
        succeeds(&format!("{document}: {line}"), &mut command);
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
fn the_guide_to_tables_answers_as_it_says() {
    let folder = Folder::new();
    let hiring = Hiring::new(folder.path());
    let _gate = hiring.start();
    for line in typed("docs/tables.md") {
        let (_, status) = line
            .rsplit_once("# ")
            .unwrap_or_else(|| panic!("which status has {line}"));
        let mut command = Command::new("sh");
        command.args(["-c", &aimed(&line, &hiring)]);
        let said = succeeds(&line, &mut command);
        let told = said.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
        assert_eq!(told, Some(status), "{line}\n{said}");
    }
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
        let mut shell = Command::new("sh");
        shell.args(["-c", &aimed(command, &hiring)]).current_dir(repository());
        succeeds(&format!("question {}: {command}", row["id"]), &mut shell);
    }
}

/// A folder with everything that the configurations of documents name.
fn furnished() -> Folder {
    let folder = Folder::new();
    folder.write("migrations/0001.sql", "CREATE TABLE questions (id INTEGER PRIMARY KEY)");
    folder.write(
        "shop/0001.sql",
        "CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT, email TEXT, note TEXT);
         CREATE TABLE orders (id INTEGER PRIMARY KEY, clerk TEXT, state TEXT, total REAL, version INTEGER);
         CREATE TABLE lines (order_id INTEGER REFERENCES orders (id), number INTEGER, PRIMARY KEY (order_id, number));
         CREATE VIEW waiting_orders AS SELECT * FROM orders WHERE state = 'new';",
    );
    fs::create_dir(folder.path().join("tls")).unwrap();
    for name in ["tls/example.com", "tls/example.org"] {
        Identity::make(&folder, name, &[name.trim_start_matches("tls/")]);
    }
    let clients = Authority::make(&folder, "tls/clients");
    folder.write("tls/revoked.pem", clients.revoke(&[]));
    folder
}

#[test]
fn the_configurations_of_the_documents_can_run() {
    for document in ["README.md", "docs/guide.md", "docs/tables.md"] {
        let shown: Vec<Block> = blocks(document)
            .into_iter()
            .filter(|block| block.kind == "yaml")
            .collect();
        assert!(!shown.is_empty(), "{document} shows no configuration");
        for Block { text, .. } in shown {
            let mut file = text.clone();
            for (key, rest) in [
                ("listeners:", "listeners: [127.0.0.1:0]\n"),
                ("routes:", "routes: [{path: /a, to: {respond: a}}]\n"),
            ] {
                if !file.contains(key) {
                    file.push_str(rest);
                }
            }
            let folder = furnished();
            folder.write("portcullis.yaml", &file);
            succeeds(
                &format!("{document}:\n{text}"),
                portcullis().arg("check").current_dir(folder.path()),
            );
        }
    }
}

#[test]
fn the_files_of_the_guide_to_load_tests_are_understood() {
    let server = StandIn::start(Behaviour::default()).unwrap();
    let shown: Vec<Block> = blocks("docs/bench.md")
        .into_iter()
        .filter(|block| block.kind == "yaml")
        .collect();
    let (scenarios, gates): (Vec<Block>, Vec<Block>) =
        shown.into_iter().partition(|block| block.text.contains("flows:"));
    assert!(!scenarios.is_empty() && !gates.is_empty());
    for Block { text, .. } in scenarios {
        let folder = Folder::new();
        folder.write("bench.yaml", &text);
        folder.write("people.csv", "id,name\n1,Ada\n");
        let mut command = portcullis();
        let target = format!("http://{}", server.address());
        command
            .args(["bench", "setup", "bench.yaml", "--target", &target])
            .env("TOKEN", "t")
            .current_dir(folder.path());
        let output = command.output().unwrap();
        // Each flow is tried, and what the server answers isn't what the guide's does.
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains("FAILED buy: status: 200"), "{text}{output:?}");
        assert!(output.stderr.is_empty(), "{output:?}");
    }
    for Block { text, .. } in gates {
        let folder = Folder::new();
        let rest = "listeners: [127.0.0.1:0]\nservices: {orders: [http://127.0.0.1:9]}\n";
        folder.write("portcullis.yaml", format!("{rest}{text}"));
        succeeds(&text, portcullis().arg("check").current_dir(folder.path()));
    }
}
