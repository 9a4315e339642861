//! Schemas held against content, where it holds nobody up.

use std::sync::Arc;

use bytes::Bytes;
use portcullis_contract::json;
use portcullis_contract::schema::{SchemaId, SchemaSet, Verdict, Violation};
use portcullis_core::Finding;
use serde_json::Value;
use tokio::runtime::Handle;

/// The most that is told of one message.
pub(crate) const MOST_FINDINGS: usize = 20;

/// The deepest nesting of JSON: more than any API has, and little enough for every server behind.
const DEEPEST: usize = 64;

/// The largest content that is judged on the worker. Reading so much takes about half a millisecond.
const LARGEST_HERE: usize = 64 * 1024;

/// The steps of a check on the worker: about a millisecond.
pub(crate) const STEPS_HERE: u64 = 20_000;

/// The steps of a check elsewhere: about a quarter of a second. No honest content needs as many.
const STEPS_ELSEWHERE: u64 = 5_000_000;

/// Schemas, and where slow work is done.
#[derive(Clone, Debug)]
pub(crate) struct Judge {
    pub(crate) set: Arc<SchemaSet>,
    pub(crate) slow: Handle,
}

/// What was found of content.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Judged {
    /// It is as it must be.
    Good,
    /// It is no JSON that may pass.
    Malformed(String),
    /// It breaks the schema.
    Broken(Vec<Finding>),
    /// It takes too long to say.
    Undecided,
}

impl Judge {
    /// Holds JSON against a schema.
    pub(crate) async fn json(&self, schema: SchemaId, content: &Bytes) -> Judged {
        if content.len() <= LARGEST_HERE {
            match judge_json(&self.set, schema, content, STEPS_HERE) {
                Judged::Undecided => {}
                judged => return judged,
            }
        }
        let (set, content) = (self.set.clone(), content.clone());
        let task = self
            .slow
            .spawn_blocking(move || judge_json(&set, schema, &content, STEPS_ELSEWHERE));
        task.await.unwrap_or(Judged::Undecided)
    }

    /// Holds a small value against a schema, such as a parameter.
    pub(crate) fn value(&self, schema: SchemaId, value: &Value, part: &'static str, above: &str) -> Judged {
        judge_value(&self.set, schema, value, STEPS_HERE, part, above)
    }
}

fn judge_json(set: &SchemaSet, schema: SchemaId, content: &[u8], steps: u64) -> Judged {
    match json::parse(content, DEEPEST) {
        Ok(value) => judge_value(set, schema, &value, steps, "body", ""),
        Err(error) => Judged::Malformed(error.to_string()),
    }
}

fn judge_value(
    set: &SchemaSet,
    schema: SchemaId,
    value: &Value,
    steps: u64,
    part: &'static str,
    above: &str,
) -> Judged {
    match set.check(schema, value, steps) {
        Verdict::Valid => Judged::Good,
        Verdict::Undecided => Judged::Undecided,
        Verdict::Invalid => {
            let violations = set.violations(schema, value, steps, MOST_FINDINGS);
            Judged::Broken(violations.into_iter().map(|it| finding(part, above, it)).collect())
        }
    }
}

fn finding(part: &'static str, above: &str, violation: Violation) -> Finding {
    Finding {
        part,
        pointer: format!("{above}{}", violation.pointer),
        what: violation.what,
    }
}
