//! Every file of `testdata` gives exactly the problems that stand beside it. `BLESS=1` writes down what they are now.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use portcullis_config::{Loaded, Problems};

/// The variables that the files of `testdata` refer to.
fn environment(name: &str) -> Option<String> {
    let value = match name {
        "PORT" => "8080",
        "WORKERS" => "4",
        "EMPTY" => "",
        "API_KEY" => "hunter2",
        "OTHER_KEY" => "correct horse battery staple",
        "WORD" => "many",
        _ => return None,
    };
    Some(value.to_owned())
}

fn read(path: &Path) -> io::Result<String> {
    match path.to_str() {
        Some("secrets/key") => Ok("opensesame\n".to_owned()),
        Some("secrets/empty") => Ok("\n".to_owned()),
        _ => Err(io::Error::new(io::ErrorKind::NotFound, "there is no such file")),
    }
}

fn parse(name: &str) -> Result<Loaded, Problems> {
    let text = fs::read_to_string(folder().join(name)).unwrap();
    portcullis_config::parse(&text, Path::new(name), &environment, &read)
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata")
}

fn names() -> Vec<String> {
    let files = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = files.filter(|name| name.ends_with(".yaml")).collect();
    names.sort();
    names
}

#[test]
fn every_file_has_the_problems_that_are_written_down() {
    let mut different = Vec::new();
    for name in names() {
        let found = match parse(&name) {
            Ok(loaded) => Problems(loaded.warnings)
                .to_string()
                .lines()
                .map(|line| format!("warning: {line}\n"))
                .collect(),
            Err(problems) => format!("{problems}\n"),
        };
        let expected = folder().join(&name).with_extension("problems");
        if std::env::var_os("BLESS").is_some() {
            fs::write(expected, found).unwrap();
        } else if fs::read_to_string(expected).ok().as_ref() != Some(&found) {
            different.push(format!("{name}:\n{found}"));
        }
    }
    assert!(
        different.is_empty(),
        "see whether this is right, then run with BLESS=1:\n{}",
        different.join("\n")
    );
}

#[test]
fn files_named_valid_are() {
    let mut count = 0;
    for name in names().iter().filter(|name| name.starts_with("valid_")) {
        if let Err(problems) = parse(name) {
            panic!("{problems}");
        }
        count += 1;
    }
    assert!(count >= 5, "there are {count} of them");
    for name in names().iter().filter(|name| !name.starts_with("valid_")) {
        assert!(parse(name).is_err(), "{name} has no problem");
    }
}

#[test]
fn short_and_long_forms_say_the_same() {
    let effective = |name: &str| portcullis_config::effective(&parse(name).unwrap().file);
    assert_eq!(effective("valid_short.yaml"), effective("valid_long.yaml"));
}

#[test]
fn variables_say_the_same_as_values() {
    let effective = |name: &str| portcullis_config::effective(&parse(name).unwrap().file);
    assert_eq!(effective("valid_variables.yaml"), effective("valid_no_variables.yaml"));
}

#[test]
fn later_problems_find_their_place() {
    let loaded = parse("valid_short.yaml").unwrap();
    let shown = |path: &str| loaded.problem(path, "so").to_string();
    assert_eq!(
        shown("routes[1].to.table"),
        "valid_short.yaml:14:45: routes[1].to.table: so"
    );
    assert_eq!(
        shown("listeners[0].bind"),
        "valid_short.yaml:2:5: listeners[0].bind: so"
    );
    assert_eq!(
        shown("services.calendar.targets[1]"),
        "valid_short.yaml:4:39: services.calendar.targets[1]: so"
    );
    assert_eq!(shown("routes[7]"), "valid_short.yaml:12:1: routes[7]: so");
    assert_eq!(shown("nowhere"), "valid_short.yaml:1:1: nowhere: so");
}
#[test]
fn what_is_effective_says_itself_again() {
    for name in names()
        .iter()
        .filter(|name| name.starts_with("valid_") && *name != "valid_design.yaml")
    {
        let effective = portcullis_config::effective(&parse(name).unwrap().file);
        // Whatever is JSON is YAML, too. A dollar sign that is meant is written twice.
        let text = effective.to_string().replace('$', "$$");
        let again =
            portcullis_config::parse(&text, Path::new(name), &|_| None, &read).unwrap_or_else(|p| panic!("{p}"));
        assert_eq!(portcullis_config::effective(&again.file), effective, "{name}");
    }
}

#[test]
fn secrets_are_never_shown() {
    let loaded = parse("valid_design.yaml").unwrap();
    let holders = &loaded.file.policies["staff"].api_key.as_ref().unwrap().consumers;
    let keys: Vec<_> = holders
        .iter()
        .filter_map(|holder| holder.key.as_ref())
        .map(|key| key.expose())
        .collect();
    assert_eq!(keys, ["hunter2", "opensesame"]);
    let api_keys = format!("{holders:?} {:#?}", loaded.file.policies["staff"]);
    let problem = loaded.problem("policies.staff.api_key", "so");
    let shown = [
        api_keys,
        portcullis_config::effective(&loaded.file).to_string(),
        serde_json::to_string(&loaded.file.policies["staff"]).unwrap(),
        serde_json::to_string(&problem).unwrap(),
        parse("secrets.yaml").unwrap_err().to_string(),
    ];
    for shown in shown {
        for secret in ["hunter2", "opensesame", "swordfish", "correct horse battery staple"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}

#[test]
fn files_that_cannot_be_read_are_problems() {
    let problem = |path: &Path| portcullis_config::load(path, &environment).unwrap_err().to_string();
    let missing = folder().join("missing.yaml");
    let expected = format!("{}: the file can't be read: ", missing.display());
    assert!(problem(&missing).starts_with(&expected));
    assert!(problem(&folder()).contains("the file can't be read"));

    let latin1 = Path::new(env!("CARGO_TARGET_TMPDIR")).join("latin1.yaml");
    fs::write(
        &latin1,
        b"listeners: [127.0.0.1:8080]\nroutes: [{path: /, to: {respond: K\xe4se}}]\n",
    )
    .unwrap();
    assert!(
        problem(&latin1).ends_with("the file can't be read: line 2 is not UTF-8"),
        "{}",
        problem(&latin1)
    );

    let large = "x: ".to_owned() + &"x".repeat(33 * 1024 * 1024);
    let problems = portcullis_config::parse(&large, Path::new("large.yaml"), &environment, &read).unwrap_err();
    assert_eq!(
        problems.to_string(),
        "large.yaml: the file has more than 33554432 bytes"
    );
}

#[test]
fn files_are_read_from_where_they_are() {
    let loaded = portcullis_config::load(&folder().join("valid_variables.yaml"), &environment).unwrap();
    assert_eq!(loaded.base, folder());
    assert_eq!(loaded.file.workers, Some(4));
}
