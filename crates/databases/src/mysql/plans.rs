//! Plans of statements as they are with whatever values. An index that there is not can't be imagined here.

use std::sync::Arc;
use std::time::Duration;

use mysql_async::Value;

use super::failure::describe;
use super::session::Session;
use crate::plans::{Answered, Question};

/// How long one plan may take.
const LONGEST: Duration = Duration::from_secs(10);

/// Answers one question after the other. Nothing is executed, and what a statement that writes locks is let go.
///
/// # Errors
/// The connection is lost.
pub(super) async fn answers(session: &mut Session, questions: &[Question]) -> Result<Vec<Answered>, String> {
    let mut answers = Vec::with_capacity(questions.len());
    for question in questions {
        if question.index.is_some() {
            answers.push(Ok(None));
            continue;
        }
        let plan = tokio::time::timeout(LONGEST, plan(session, question)).await;
        let plan = plan.map_err(|_| "the server is silent".to_owned())?;
        if session.is_lost() {
            return Err("the connection is lost".to_owned());
        }
        answers.push(plan.map(Some).map_err(|failure| describe(&failure)));
    }
    Ok(answers)
}

async fn plan(session: &mut Session, question: &Question) -> mysql_async::Result<String> {
    let text: Arc<str> = format!("EXPLAIN FORMAT=JSON {}", question.text).into();
    let mut result = session.execute(&text, values(&question.text)).await?;
    let row = result.next().await?;
    result.drop_result().await?;
    session.command("ROLLBACK").await?;
    Ok(row.and_then(|mut row| row.take(0)).unwrap_or_default())
}

/// Values that the server plans with. It plans for values and for nothing else: NULL would be found to match nothing, and
/// a number compared with a text column would forbid its index. The text `1` does neither, for texts and numbers alike;
/// only limits must be numbers.
fn values(text: &str) -> Vec<Value> {
    let mut values = Vec::new();
    let mut quote = None;
    for (at, byte) in text.bytes().enumerate() {
        match (quote, byte) {
            (None, b'?') => {
                let before = text[..at].trim_end();
                let is_limit = before.ends_with("LIMIT") || before.ends_with("OFFSET");
                values.push(if is_limit {
                    Value::Int(1)
                } else {
                    Value::Bytes(b"1".to_vec())
                });
            }
            (None, b'\'' | b'`' | b'"') => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            _ => {}
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_numbers_and_all_else_is_text() {
        let text = || Value::Bytes(b"1".to_vec());
        let found = values("SELECT `a?` FROM t WHERE b = ? AND c <> '?' LIMIT ? OFFSET ?");
        assert_eq!(found, [text(), Value::Int(1), Value::Int(1)]);
    }
}
