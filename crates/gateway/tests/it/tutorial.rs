//! The tutorial, walked by a reader who types and writes down everything that it says.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::Command;

use super::examples::free_ports;
use super::folder::Folder;
use super::gate::{Gate, eventually, portcullis};
use super::readme::{Block, blocks, lines_of, succeeds};
use super::upstream::Upstream;

/// What a reader has in front of them.
struct Reader {
    /// The file, by its first-level keys: a block that shows one takes the place of what was written before.
    file: BTreeMap<String, String>,
    environment: BTreeMap<String, String>,
    gate: Option<Gate>,
    folder: Folder,
    ports: [SocketAddr; 2],
    upstream: Upstream,
    /// The first lines of answers that were asked for with them.
    answers: Vec<String>,
}

impl Reader {
    fn new() -> Reader {
        Reader {
            file: BTreeMap::new(),
            environment: BTreeMap::new(),
            folder: Folder::new(),
            gate: None,
            ports: free_ports(),
            upstream: Upstream::ok(),
            answers: Vec::new(),
        }
    }

    /// The addresses of the tutorial are those of this test.
    fn aimed(&self, text: &str) -> String {
        text.replace("127.0.0.1:8080", &self.ports[0].to_string())
            .replace("127.0.0.1:9901", &self.ports[1].to_string())
            .replace("127.0.0.1:9000", &self.upstream.address().to_string())
    }

    fn follow(&mut self, block: &Block) {
        match block.kind.as_str() {
            "yaml" => self.write(&block.text),
            "sql" => {
                let name = block
                    .before
                    .split('`')
                    .nth(1)
                    .expect("the name of the file in the line above");
                self.folder.write(name, &block.text);
            }
            "console" => lines_of(block).iter().for_each(|line| self.types(line)),
            other => panic!("a reader does not know what to do with a block of {other}"),
        }
    }

    fn write(&mut self, text: &str) {
        let mut key = String::new();
        for line in text.lines() {
            if !line.starts_with([' ', '#']) {
                key = line.split_once(':').expect("a key of the first level").0.to_owned();
                self.file.remove(&key);
            }
            let chunk = self.file.entry(key.clone()).or_default();
            chunk.push_str(line);
            chunk.push('\n');
        }
        let whole: String = self.file.values().map(String::as_str).collect();
        self.folder.write("portcullis.yaml", self.aimed(&whole));
    }

    fn types(&mut self, line: &str) {
        if let Some(variable) = line.strip_prefix("export ") {
            let (name, value) = variable.split_once('=').unwrap();
            self.environment.insert(name.to_owned(), value.to_owned());
        } else if line == "portcullis run" {
            // Whoever starts it again has ended it before.
            drop(self.gate.take());
            let mut command = portcullis();
            command.arg("run").envs(&self.environment);
            command.arg(self.folder.path().join("portcullis.yaml"));
            self.gate = Some(Gate::spawn(Folder::new(), command));
        } else if let Some(arguments) = line.strip_prefix("portcullis ") {
            self.shell(&format!("{} {arguments}", env!("CARGO_BIN_EXE_portcullis")));
        } else {
            assert!(line.starts_with("curl "), "a reader does not know how to type {line}");
            let said = self.shell(line);
            if line.contains(" -i ") {
                self.answers.push(said.lines().next().unwrap_or_default().to_owned());
            } else {
                self.answers.push(said);
            }
        }
    }

    fn shell(&self, line: &str) -> String {
        let mut command = Command::new("sh");
        command.args(["-c", &self.aimed(line)]).current_dir(self.folder.path());
        command.envs(&self.environment);
        succeeds(line, &mut command)
    }
}

#[test]
fn every_step_works_as_it_is_written() {
    let mut reader = Reader::new();
    let blocks = blocks("docs/tutorial.md");
    let first = blocks.iter().position(|block| block.kind == "yaml").unwrap();
    // What comes before builds the program and starts a proxy, which other tests do.
    for block in &blocks[first..] {
        reader.follow(block);
    }
    // Then it says "and reload".
    reader.types("curl -X POST http://127.0.0.1:9901/reload");
    let gate = reader.gate.as_ref().unwrap();
    assert_eq!(gate.get("/web/").text(), "ok");
    eventually("a line of the access log", || {
        reader.folder.read("access.log").contains("/web/")
    });

    let answers = &reader.answers;
    let statuses: Vec<&str> = answers
        .iter()
        .filter_map(|answer| answer.strip_prefix("HTTP/1.1 ")?.get(..3))
        .collect();
    assert_eq!(statuses, ["201", "204", "200", "401", "204"], "{answers:#?}");
    assert!(answers.iter().any(|answer| answer.contains("buy milk")), "{answers:#?}");
    assert!(
        answers
            .iter()
            .any(|answer| answer.contains("bad_query") && answer.contains("txet")),
        "{answers:#?}"
    );
}
