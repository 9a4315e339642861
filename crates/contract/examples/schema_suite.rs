//! Holds the validator against the JSON-Schema-Test-Suite, all that its drafts require.
//!
//! ```sh
//! schema_suite FOLDER          # runs `tests/draft2020-12`; exit status 1 when a case comes out differently
//! schema_suite FOLDER --lines  # answers lines `{"schema": …, "data": …}` on standard input: valid, invalid or error
//! ```
//!
//! The suite's `remotes` are the documents that its schemas may refer to. Nothing is fetched.

#![allow(clippy::print_stdout, reason = "it is what the program is for")]

use std::error::Error;
use std::fs;
use std::io::BufRead as _;
use std::path::{Path, PathBuf};

use portcullis_contract::schema::{Compiler, Dialect, Direction, Documents, Verdict};
use serde_json::Value;

const STEPS: u64 = 1_000_000;

/// Where the suite says that its remote documents are.
const REMOTES: &str = "http://localhost:1234";

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().ok_or("the folder of the suite is missing")?);
    let mut remotes = Vec::new();
    read_folder(&folder.join("remotes"), REMOTES, &mut remotes)?;
    if arguments.next().is_some() {
        for line in std::io::stdin().lock().lines() {
            let case: Value = serde_json::from_str(&line?)?;
            println!("{}", answer(&remotes, &case["schema"], &case["data"])?);
        }
        return Ok(());
    }
    let (good, all) = run(&folder.join("tests/draft2020-12"), &remotes)?;
    println!("draft 2020-12: {good} of {all}");
    if good == all {
        Ok(())
    } else {
        Err("some cases came out differently".into())
    }
}

fn run(folder: &Path, remotes: &[(String, Value)]) -> Result<(usize, usize)> {
    let (mut good, mut all) = (0, 0);
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let groups: Vec<Value> = serde_json::from_slice(&fs::read(&path)?)?;
        for group in &groups {
            for test in group["tests"].as_array().into_iter().flatten() {
                let expected = if test["valid"] == true { "valid" } else { "invalid" };
                let found = answer(remotes, &group["schema"], &test["data"])?;
                all += 1;
                if found == expected {
                    good += 1;
                } else {
                    println!(
                        "{}: {}: {}: {found}",
                        path.display(),
                        group["description"],
                        test["description"]
                    );
                }
            }
        }
    }
    Ok((good, all))
}

fn answer(remotes: &[(String, Value)], schema: &Value, data: &Value) -> Result<&'static str> {
    let mut documents = Documents::default();
    for (url, document) in remotes {
        documents.add(url, document.clone())?;
    }
    documents.add("schema.json", schema.clone())?;
    let mut compiler = Compiler::new(&documents, Dialect::Draft202012, false);
    let schema = compiler.schema("schema.json", "", Direction::Either);
    Ok(match (schema, compiler.finish()) {
        (Ok(schema), Ok(set)) => match set.check(schema, data, STEPS) {
            Verdict::Valid => "valid",
            Verdict::Invalid => "invalid",
            Verdict::Undecided => "error",
        },
        _ => "error",
    })
}

fn read_folder(folder: &Path, url: &str, out: &mut Vec<(String, Value)>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let url = format!("{url}/{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            read_folder(&entry.path(), &url, out)?;
        } else {
            out.push((url, serde_json::from_slice(&fs::read(entry.path())?)?));
        }
    }
    Ok(())
}
