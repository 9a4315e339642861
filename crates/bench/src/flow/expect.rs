//! What must be true of an answer.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::ops::RangeInclusive;

use memchr::memmem;
use regex::bytes::Regex;
use serde_json::Value;

use super::escape::Place;
use super::scope::Scope;
use super::text::Text;
use super::{Iteration, json};
use crate::outcome::Answer;

/// What must be true of an answer.
#[derive(Debug, Default)]
pub struct Expect {
    /// Statuses that are right. Where there are none, those below 400.
    pub statuses: Vec<RangeInclusive<u16>>,
    /// What else must be true.
    pub checks: Vec<Check>,
}

/// One thing that must be true of an answer.
#[derive(Debug)]
pub struct Check {
    /// What it is called when it fails: `body contains "x"`.
    name: String,
    what: What,
    /// The statuses of answers that it is about; `None`: all.
    of: Option<RangeInclusive<u16>>,
}

#[derive(Debug)]
enum What {
    /// A field is there, with this value where there is one.
    Header { name: String, value: Option<Text> },
    /// The content has this text in it.
    Contains(Text),
    /// The content matches this pattern.
    Matches(Regex),
    /// At this place of the content's JSON is this value.
    Json { pointer: String, value: Text },
}

impl Expect {
    /// Whether this status is right.
    pub fn status(&self, status: u16) -> bool {
        if self.statuses.is_empty() {
            status < 400
        } else {
            self.statuses.iter().any(|right| right.contains(&status))
        }
    }

    pub(super) fn wants_headers(&self) -> bool {
        let of_headers = |check: &Check| matches!(check.what, What::Header { .. });
        self.checks.iter().any(of_headers)
    }

    pub(super) fn wants_body(&self) -> bool {
        let of_headers = |check: &Check| matches!(check.what, What::Header { .. });
        !self.checks.iter().all(of_headers)
    }

    pub(super) fn judge(&self, content: &Content<'_>, iteration: &mut Iteration) -> Result<(), String> {
        let wrong = self.checks.iter().find(|check| !check.holds(content, iteration));
        wrong.map_or(Ok(()), |check| Err(check.name.clone()))
    }
}

impl Check {
    /// A field is there; with exactly this value, unless that is `*`.
    ///
    /// # Errors
    /// When a placeholder in it says nothing that is known.
    pub fn header(name: &str, value: &str, scope: &Scope) -> Result<Check, String> {
        let text = match value {
            "*" => None,
            value => Some(Text::parse(value, Place::Field, scope)?),
        };
        Ok(Check {
            name: match value {
                "*" => format!("field {name} is there"),
                value => format!("field {name} is \"{value}\""),
            },
            what: What::Header {
                name: name.to_owned(),
                value: text,
            },
            of: None,
        })
    }

    /// The content has this text in it.
    ///
    /// # Errors
    /// When a placeholder in it says nothing that is known.
    pub fn contains(text: &str, scope: &Scope) -> Result<Check, String> {
        Ok(Check {
            name: format!("body contains \"{text}\""),
            what: What::Contains(Text::parse(text, Place::Plain, scope)?),
            of: None,
        })
    }

    /// The content matches this pattern.
    ///
    /// # Errors
    /// When it is no regular expression that runs in linear time.
    pub fn matches(pattern: &str) -> Result<Check, String> {
        Ok(Check {
            name: format!("body matches /{pattern}/"),
            what: What::Matches(super::pattern(pattern)?),
            of: None,
        })
    }

    /// At a place of the content's JSON (JSON Pointer, RFC 6901) is this value.
    ///
    /// # Errors
    /// When a placeholder in it says nothing that is known.
    pub fn json(pointer: &str, value: &Value, scope: &Scope) -> Result<Check, String> {
        Ok(Check {
            name: format!("body has {value} at {pointer}"),
            what: What::Json {
                pointer: pointer.to_owned(),
                value: json::text(value, scope)?,
            },
            of: None,
        })
    }

    /// The same of answers with these statuses only: a refusal has to say more than an answer.
    #[must_use]
    pub fn only_of(self, statuses: RangeInclusive<u16>) -> Check {
        Check {
            of: Some(statuses),
            ..self
        }
    }

    fn holds(&self, content: &Content<'_>, iteration: &mut Iteration) -> bool {
        if self.of.as_ref().is_some_and(|of| !of.contains(&content.answer.status)) {
            return true;
        }
        match &self.what {
            What::Header { name, value: None } => content.field(name).is_some(),
            What::Header {
                name,
                value: Some(value),
            } => {
                let expected = made(value, iteration);
                expected.is_some_and(|expected| content.has_field(name, expected.as_bytes()))
            }
            What::Contains(text) => {
                let expected = made(text, iteration);
                expected.is_some_and(|expected| memmem::find(content.body(), expected.as_bytes()).is_some())
            }
            What::Matches(pattern) => pattern.is_match(content.body()),
            What::Json { pointer, value } => {
                let expected = made(value, iteration);
                let expected = expected.and_then(|expected| serde_json::from_str::<Value>(&expected).ok());
                let found = content.json().ok().and_then(|json| json.pointer(pointer));
                expected.is_some() && found == expected.as_ref()
            }
        }
    }
}

/// The text of this iteration, where there is one.
fn made<'t>(text: &'t Text, iteration: &mut Iteration) -> Option<Cow<'t, str>> {
    match text.as_fixed() {
        Some(fixed) => Some(Cow::Borrowed(fixed)),
        None => text.make(iteration).ok().map(Cow::Owned),
    }
}

/// What an answer has, with its JSON read at most once.
pub(super) struct Content<'a> {
    answer: &'a Answer,
    json: OnceCell<Option<Value>>,
}

impl<'a> Content<'a> {
    pub(super) fn of(answer: &'a Answer) -> Content<'a> {
        Content {
            answer,
            json: OnceCell::new(),
        }
    }

    /// The content, as far as it was kept.
    pub(super) fn body(&self) -> &[u8] {
        self.answer.body.as_deref().unwrap_or_default()
    }

    /// The content's JSON.
    pub(super) fn json(&self) -> Result<&Value, String> {
        let json = self.json.get_or_init(|| serde_json::from_slice(self.body()).ok());
        json.as_ref()
            .ok_or_else(|| match self.answer.length > self.body().len() as u64 {
                true => format!(
                    "the content is longer than the {} bytes that are kept",
                    super::MOST_KEPT
                ),
                false => "the content is no JSON".to_owned(),
            })
    }

    /// The first field of a name.
    pub(super) fn field(&self, name: &str) -> Option<Cow<'_, str>> {
        let headers = self.answer.headers.as_ref()?;
        headers.get(name).map(String::from_utf8_lossy)
    }

    fn has_field(&self, name: &str, value: &[u8]) -> bool {
        let headers = self.answer.headers.as_ref();
        headers.is_some_and(|headers| headers.get_all(name).any(|found| found == value))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::time::Instant;

    use bytes::Bytes;
    use portcullis_core::Headers;
    use serde_json::json;

    use super::super::capture::{Capture, From};
    use super::*;

    fn answer(body: &str) -> Answer {
        let mut headers = Headers::new();
        headers.append("Location", "/orders/5");
        headers.append("X-Kind", "a");
        headers.append("X-Kind", "b");
        Answer {
            status: 200,
            headers: Some(headers),
            body: Some(Bytes::copy_from_slice(body.as_bytes())),
            length: body.len() as u64,
            sent: Instant::now(),
        }
    }

    fn judged(check: Check, body: &str) -> Result<(), String> {
        let expect = Expect {
            statuses: Vec::new(),
            checks: vec![check],
        };
        expect.judge(&Content::of(&answer(body)), &mut Iteration::default())
    }

    #[test]
    fn statuses_are_right_or_not() {
        let usual = Expect::default();
        assert!(usual.status(204) && usual.status(304) && !usual.status(404));
        let told = Expect {
            statuses: vec![404..=404, 500..=599],
            checks: Vec::new(),
        };
        assert!(!told.status(200) && told.status(404) && told.status(503));
    }

    #[test]
    fn checks_hold_or_tell_their_names() {
        let scope = Scope::default();
        let cases = [
            (Check::header("location", "/orders/5", &scope), Ok(())),
            (Check::header("x-kind", "b", &scope), Ok(())),
            (Check::header("X-Kind", "*", &scope), Ok(())),
            (Check::header("X-Kind", "c", &scope), Err("field X-Kind is \"c\"")),
            (Check::header("X-None", "*", &scope), Err("field X-None is there")),
            (Check::contains("\"ok\"", &scope), Ok(())),
            (Check::contains("bad", &scope), Err("body contains \"bad\"")),
            (Check::matches(r"n.:\d"), Ok(())),
            (Check::matches("^$"), Err("body matches /^$/")),
            (Check::json("/state", &json!("ok"), &scope), Ok(())),
            (Check::json("/list/1", &json!({"n": 2}), &scope), Ok(())),
            (
                Check::json("/state", &json!("no"), &scope),
                Err("body has \"no\" at /state"),
            ),
            (
                Check::json("/none", &json!(null), &scope),
                Err("body has null at /none"),
            ),
        ];
        for (check, expected) in cases {
            let judged = judged(check.unwrap(), r#"{"state":"ok","list":[1,{"n":2}]}"#);
            assert_eq!(judged, expected.map_err(str::to_owned));
        }
        assert!(judged(Check::json("", &json!({}), &scope).unwrap(), "no json").is_err());
    }

    #[test]
    fn a_check_may_be_about_some_answers_only() {
        let check = || Check::contains("none", &Scope::default()).unwrap();
        assert_eq!(judged(check().only_of(429..=429), "ok"), Ok(()));
        assert!(judged(check().only_of(200..=299), "ok").is_err());
    }

    #[test]
    fn a_pattern_that_is_none_is_told() {
        assert_eq!(Check::matches("(a").unwrap_err(), "`(a` is no pattern: unclosed group");
        let message = From::matches("(?=a)").err().unwrap_or_default();
        assert!(message.contains("look-around"), "{message}");
        assert!(Check::matches(r"\w{1000}{1000}").is_err());
    }

    #[test]
    fn what_is_captured_is_put_in_later() {
        let mut scope = Scope::default();
        let captures = [
            ("id", From::Json("/id".to_owned())),
            ("next", From::Header("location".to_owned())),
            ("word", From::matches("say=(\\w+)").unwrap()),
        ];
        let mut iteration = Iteration::default();
        let found = answer(r#"{"id":5,"text":"say=hello"}"#);
        for (name, from) in captures {
            let keep = scope.capture(name);
            let name = name.to_owned();
            let capture = Capture { name, from, keep };
            capture.take(&Content::of(&found), &mut iteration).unwrap();
        }
        let text = Text::parse("{{id}} {{next}} {{word}}", Place::Plain, &scope).unwrap();
        assert_eq!(text.make(&mut iteration).unwrap(), "5 /orders/5 hello");
        let holds = Check::json("/id", &json!("{{id}}"), &scope).unwrap();
        assert!(holds.holds(&Content::of(&found), &mut iteration));
    }

    #[test]
    fn what_is_not_there_or_too_much_is_not_captured() {
        let taken = |from, body: &str| {
            let mut scope = Scope::default();
            let capture = Capture {
                name: "it".to_owned(),
                from,
                keep: scope.capture_for_all("it"),
            };
            let error = capture.take(&Content::of(&answer(body)), &mut Iteration::default());
            error.unwrap_err()
        };
        let long = json!({"id": "x".repeat(super::super::capture::LONGEST + 1)}).to_string();
        assert_eq!(
            taken(From::Json("/id".to_owned()), "{}"),
            "capture `it`: nothing at `/id`"
        );
        assert_eq!(
            taken(From::Json("/id".to_owned()), "<p>"),
            "capture `it`: the content is no JSON"
        );
        assert_eq!(
            taken(From::Json("/id".to_owned()), &long),
            "capture `it`: more than 65536 bytes"
        );
        assert_eq!(
            taken(From::Header("X-None".to_owned()), ""),
            "capture `it`: no field `X-None`"
        );
        let pattern = From::matches("a(b)?").unwrap();
        assert_eq!(taken(pattern, ""), "capture `it`: nothing matches `a(b)?`");
    }
}
