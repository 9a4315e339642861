//! What a reload would change, before it does.

use std::process::Output;

use super::folder::Folder;
use super::gate::{Gate, command};
use super::upstream::Upstream;

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn the_running_gate_is_compared_with_the_file() {
    let nobody = Upstream::nobody();
    let configuration = format!(
        "listeners: [127.0.0.1:0]\nadmin: {{bind: '127.0.0.1:0'}}\nservices: {{up: 'http://{nobody}'}}\n\
         policies: {{keys: {{api_key: {{consumers: [{{name: a, key: 'file:key'}}]}}}}}}\n\
         routes:\n  - {{path: /a, policies: keys, to: {{service: up}}}}\n"
    );
    let folder = Folder::new();
    folder.write("key", "hunter2");
    let gate = Gate::start_in(folder, &configuration);
    let url = format!("http://{}", gate.admin());
    let diff = |more: &[&str]| {
        let arguments = [&["diff", "portcullis.yaml", "--against", &url], more].concat();
        command(gate.folder.path(), &arguments)
    };
    let same = diff(&[]);
    assert_eq!(same.status.code(), Some(0), "{}", said(&same));
    assert!(said(&same).contains("no differences"), "{}", said(&same));

    gate.rewrite(&format!(
        "workers: 7\n{}  - {{path: /b, to: {{respond: b}}}}\n",
        configuration.replace(&format!("http://{nobody}"), "http://127.0.0.1:1")
    ));
    let other = diff(&[]);
    assert_eq!(other.status.code(), Some(3), "{}", said(&other));
    let text = said(&other);
    for part in [
        "~ service up\n",
        &format!("http://{nobody} → http://127.0.0.1:1"),
        "+ route /b\n",
        "~ workers  (needs a restart)",
        "whether secrets differ is unknown",
    ] {
        assert!(text.contains(part), "{part} is missing: {text}");
    }
    let document: serde_json::Value = serde_json::from_slice(&diff(&["--format", "json"]).stdout).unwrap();
    assert_eq!(document["changes"].as_array().map(Vec::len), Some(3), "{document}");
}

#[test]
fn two_files_are_compared_with_their_secrets() {
    let folder = Folder::new();
    let with = |key: &str| {
        format!(
            "listeners: [127.0.0.1:8080, 127.0.0.1:8081]\npolicies: {{keys: {{api_key: {{consumers: [{{name: a, key: 'file:{key}'}}]}}}}}}\n\
             everywhere: keys\nroutes:\n  - {{path: /a, to: {{respond: a}}}}\n"
        )
    };
    folder.write("one", "hunter2");
    folder.write("two", "correct-horse");
    folder.write("old.yaml", with("one"));
    folder.write("new.yaml", with("two").replace(", 127.0.0.1:8081", ""));
    let output = command(folder.path(), &["diff", "new.yaml", "--against", "old.yaml"]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    let text = said(&output);
    assert!(text.contains("api_key.consumers[0].key: another secret"), "{text}");
    assert!(
        text.contains("- listener 127.0.0.1:8081  (takes no more connections"),
        "{text}"
    );
    assert!(!text.contains("hunter2") && !text.contains("horse"), "{text}");
}

#[test]
fn what_cant_be_compared_is_an_error() {
    let folder = Folder::new();
    folder.write(
        "portcullis.yaml",
        "listeners: [127.0.0.1:8080]\nroutes: [{path: /, to: {respond: a}}]\n",
    );
    let nobody = format!("http://{}", Upstream::nobody());
    for (arguments, part) in [
        (vec!["diff"], "names no `admin` to ask"),
        (vec!["diff", "--against", &nobody], "can't be asked"),
        (vec!["diff", "missing.yaml"], "can't be read"),
        (vec!["diff", "--against", "missing.yaml"], "can't be read"),
    ] {
        let output = command(folder.path(), &arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", said(&output));
        assert!(said(&output).contains(part), "{arguments:?}: {}", said(&output));
    }
}
