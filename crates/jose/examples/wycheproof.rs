//! Judges the vectors of Wycheproof for JWS and JWK.
//!
//! ```sh
//! cargo run -p portcullis-jose --example wycheproof -- FOLDER
//! ```
//!
//! FOLDER is `testvectors_v1` of C2SP/wycheproof. What comes out differently from what the vectors say is listed; it fails if that
//! is anything else than the exceptions of `conformance/exceptions.toml`. Without FOLDER it reads lines of
//! `{"jwks": {"keys": […]}, "jws": "…"}` and answers each with `valid` or `invalid`, for drivers that others wrote.

#![allow(clippy::print_stdout, reason = "it is a command")]

use std::error::Error;
use std::fs;
use std::io::{self, BufRead, Write};
use std::path::Path;
use std::process::ExitCode;

use portcullis_jose::keys::Keys;
use serde_json::{Value, json};

/// The files, and their cases that come out differently, each with a reason in `conformance/exceptions.toml`.
const FILES: [(&str, &[u64]); 2] = [
    ("json_web_signature_test.json", &[346, 350, 367, 370, 372, 373]),
    ("json_web_key_test.json", &[]),
];

/// How the cases came out.
#[derive(Default)]
struct Score {
    good: u32,
    bad: u32,
    good_refused: u32,
    bad_accepted: u32,
    unexpected: bool,
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let Some(folder) = std::env::args_os().nth(1) else {
        answer_lines()?;
        return Ok(ExitCode::SUCCESS);
    };
    let mut score = Score::default();
    for (name, exceptions) in FILES {
        let file: Value = serde_json::from_slice(&fs::read(Path::new(&folder).join(name))?)?;
        judge_file(name, &file, exceptions, &mut score)?;
    }
    println!(
        "bad accepted {} of {}, good refused {} of {}",
        score.bad_accepted, score.bad, score.good_refused, score.good
    );
    Ok(if score.unexpected {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn judge_file(name: &str, file: &Value, exceptions: &[u64], score: &mut Score) -> Result<(), Box<dyn Error>> {
    let groups = file["testGroups"].as_array().ok_or("there are no groups")?;
    for group in groups {
        let key = group
            .get("public")
            .or(group.get("private"))
            .ok_or("a group has no key")?;
        let jwks = if key.get("keys").is_some() {
            key.clone()
        } else {
            json!({"keys": [key]})
        };
        for test in group["tests"].as_array().ok_or("a group has no tests")? {
            let id = test["tcId"].as_u64().ok_or("a test has no number")?;
            let token = test["jws"].as_str().ok_or("a test has no token")?;
            let is_good = test["result"] == "valid";
            let accepted = accepts(&jwks, token);
            *(if is_good { &mut score.good } else { &mut score.bad }) += 1;
            if accepted != is_good {
                *(if is_good {
                    &mut score.good_refused
                } else {
                    &mut score.bad_accepted
                }) += 1;
                let said = if accepted { "accepted" } else { "refused" };
                println!("{name} {id} is {}: {said} ({})", test["result"], test["comment"]);
            }
            if (accepted != is_good) != exceptions.contains(&id) {
                println!("{name} {id} is not as expected");
                score.unexpected = true;
            }
        }
    }
    Ok(())
}

fn answer_lines() -> Result<(), Box<dyn Error>> {
    let mut output = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let case: Value = serde_json::from_str(&line?)?;
        let accepted = accepts(&case["jwks"], case["jws"].as_str().unwrap_or_default());
        writeln!(output, "{}", if accepted { "valid" } else { "invalid" })?;
    }
    Ok(())
}

fn accepts(jwks: &Value, token: &str) -> bool {
    Keys::from_jwks(jwks.to_string().as_bytes(), None).is_ok_and(|keys| keys.verify_signature(token.as_bytes()).is_ok())
}
