//! Any text is a rule set or a list of problems with their lines; and any request goes through rules within the limits.
//!
//! The input is rules, a NUL, and a request: the target, then a line for each field, an empty line, the body. Without a NUL it is a
//! request for a rule set of many kinds of rules.

#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use portcullis_waf::seclang::{Options, RuleSet, Source, Transaction, load};

const RULES: &str = include_str!("../seeds/seclang/rules.conf");

static KNOWN: LazyLock<Arc<RuleSet>> = LazyLock::new(|| rules(RULES).expect("the rules of the seed can be run"));

fn rules(text: &str) -> Option<Arc<RuleSet>> {
    let loaded = load(
        &[Source::Text("fuzzed.conf".to_owned(), text.to_owned())],
        &Options::default(),
    );
    match loaded {
        Ok(rules) => Some(Arc::new(rules)),
        Err(problems) => {
            assert!(!problems.is_empty(), "what is refused is refused for a reason");
            let lines = text.lines().count();
            assert!(
                problems
                    .iter()
                    .all(|problem| problem.place.line as usize <= lines && !problem.message.is_empty())
            );
            None
        }
    }
}

fn judge(rules: Arc<RuleSet>, request: &[u8]) {
    let mut transaction = Transaction::new(rules, 1 << 20);
    let mut lines = request.splitn(2, |byte| *byte == b'\n');
    transaction.request_line("POST", lines.next().unwrap_or_default(), "HTTP/1.1");
    let mut rest = lines.next().unwrap_or_default();
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let line = &rest[..end];
        rest = &rest[end + 1..];
        if line.is_empty() {
            break;
        }
        if let Ok(line) = std::str::from_utf8(line)
            && let Some((name, value)) = line.split_once(": ")
        {
            transaction.request_header(name, value.as_bytes());
        }
    }
    transaction.end_of_head();
    transaction.judge_head();
    if transaction.wants_body() {
        transaction.request_body(rest, rest.len() % 2 == 0);
        transaction.judge_body();
    }
    transaction.response_line(200, "HTTP/1.1");
    transaction.judge_response_head();
    transaction.response_body(rest);
    transaction.judge_response_body();
    transaction.conclude();
    assert!(
        transaction
            .hits()
            .iter()
            .all(|hit| hit.data.len() <= 2_048 && hit.variables.len() <= 8)
    );
}

fuzz_target!(|input: &[u8]| {
    match input.iter().position(|byte| *byte == 0) {
        Some(end) => {
            let text = String::from_utf8_lossy(&input[..end]);
            let lower = text.to_ascii_lowercase();
            // Nothing is read of the machine on which this runs.
            if lower.contains("include") || lower.contains("@pmf") || lower.contains("@ipmatchf") {
                return;
            }
            if let Some(rules) = rules(&text) {
                judge(rules, &input[end + 1..]);
            }
        }
        None => judge(Arc::clone(&KNOWN), input),
    }
});
