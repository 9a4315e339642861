//! A line for each request in which something was found: what, where, and what became of it. Not what the client sent.

use std::io::Write;

use portcullis_core::{Ctx, Request};
use portcullis_waf::seclang::Hit;
use serde_json::{Value, json};

use super::counts::Action;
use super::judge::Judged;
use crate::access_log::timestamp;

/// How many hits a line tells of.
const MOST_HITS: usize = 50;

/// How much is told of a piece that a rule matched, in characters.
const LONGEST_PIECE: usize = 200;

/// Parts of names of what must not be told.
const SECRET: &[&str] = &[
    "authorization",
    "bearer",
    "card",
    "cookie",
    "credential",
    "csrf",
    "cvc",
    "cvv",
    "iban",
    "jwt",
    "key",
    "otp",
    "pass",
    "pin",
    "pwd",
    "secret",
    "session",
    "sid",
    "sign",
    "ssn",
    "token",
];

/// What is told of a request.
pub(super) struct Seen {
    method: String,
    path: String,
}

impl Seen {
    pub(super) fn of(request: &Request) -> Seen {
        Seen {
            method: request.method.as_str().to_owned(),
            path: request.target.path().to_owned(),
        }
    }
}

/// Adds the line, without its end.
pub(super) fn write(cx: &Ctx, seen: &Seen, judged: &Judged, action: Action, out: &mut Vec<u8>) {
    let hits: Vec<Value> = judged.hits.iter().take(MOST_HITS).map(hit).collect();
    let line = json!({
        "time": time(cx),
        "request_id": cx.request_id.as_str(),
        "client": cx.client.to_string(),
        "consumer": cx.consumer.as_ref().map(|consumer| consumer.name.to_string()),
        "method": seen.method,
        "path": shortened(&seen.path),
        "route": cx.route.map(|route| route.name),
        "action": action.name(),
        "score": judged.score,
        "hits": hits,
    });
    write!(out, "{line}").expect("a Vec takes every write");
}

fn time(cx: &Ctx) -> String {
    let mut text = Vec::new();
    timestamp::write(cx.received, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

fn hit(hit: &Hit) -> Value {
    let tags: Vec<&str> = hit.tags.iter().map(|tag| &**tag).collect();
    json!({
        "rule": hit.rule,
        "message": hit.message,
        "variables": hit.variables,
        "data": masked(hit),
        "severity": hit.severity,
        "tags": tags,
    })
}

/// What a rule says that it found: the piece that matched, without the value around it, and nothing of what has a telling name.
fn masked(hit: &Hit) -> String {
    if hit.variables.iter().any(|name| is_secret(name)) {
        return "***".to_owned();
    }
    // The Core Rule Set says `Matched Data: PIECE found within VARIABLE: VALUE`.
    let piece = hit
        .data
        .split_once(" found within ")
        .map_or(&*hit.data, |(piece, _)| piece);
    shortened(&without_secrets(piece))
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET.iter().any(|secret| name.contains(secret))
}

/// Puts stars in place of values behind telling names, as in `password=…` and `"token": "…"`.
fn without_secrets(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['=', ':']) {
        let before = &rest[..at];
        let name = before
            .rsplit(['&', '?', ';', ',', '{', ' ', '\n'])
            .next()
            .unwrap_or_default();
        out.push_str(&rest[..=at]);
        rest = &rest[at + 1..];
        if is_secret(name) {
            let end = rest.find(['&', ';', ',', '}', '\n']).unwrap_or(rest.len());
            out.push_str("***");
            rest = &rest[end..];
        }
    }
    out.push_str(rest);
    out
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST_PIECE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn check(variable: &str, data: &str, expected: &str) {
        let hit = Hit {
            rule: 1,
            message: String::new(),
            data: data.to_owned(),
            variables: vec!["ARGS:a".to_owned(), variable.to_owned()],
            severity: None,
            tags: Arc::new([]),
            refuses: false,
        };
        assert_eq!(masked(&hit), expected);
    }

    #[test]
    fn secrets_are_not_told() {
        check(
            "ARGS:q",
            "Matched Data: <script found within ARGS:q: <script>x",
            "Matched Data: <script",
        );
        check("ARGS:user_password", "Matched Data: ' or found within ARGS", "***");
        check("REQUEST_HEADERS:Authorization", "x", "***");
        check("REQUEST_COOKIES:a", "x", "***");
        check("REQUEST_BODY", "a=1&Password=hunter2&b=2", "a=1&Password=***&b=2");
        check(
            "REQUEST_BODY",
            "{\"token\": \"abc\", \"b\": 1}",
            "{\"token\":***, \"b\": 1}",
        );
        check("REQUEST_URI", "/a?x=1", "/a?x=1");
    }

    #[test]
    fn long_pieces_are_cut() {
        check("ARGS:q", &"é".repeat(300), &format!("{}…", "é".repeat(200)));
    }
}
