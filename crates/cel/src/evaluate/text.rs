//! Functions of text. Places in a text count characters, not bytes.

use std::ops::Range;

use crate::evaluate::Evaluation;
use crate::functions::Function;
use crate::problem::Failure;
use crate::value::{List, Shared, Value};

type Text<'a> = Shared<'a, str>;

/// What a function of text gives; `None` when it is none.
pub(super) fn call<'a>(
    evaluation: &mut Evaluation<'a>,
    function: Function,
    arguments: &[Value<'a>],
) -> Option<Result<Value<'a>, Failure>> {
    if let (Function::Join, [Value::List(list), rest @ ..]) = (function, arguments) {
        return Some(join(evaluation, list, rest));
    }
    let (text, rest) = match arguments {
        [Value::String(text), rest @ ..] => (text, rest),
        _ => return None,
    };
    let length: usize = arguments
        .iter()
        .map(|value| if let Value::String(text) = value { text.len() } else { 0 })
        .sum();
    let result = match (function, rest) {
        (Function::Contains, [Value::String(part)]) => Ok(Value::Bool(text.contains(&**part))),
        (Function::StartsWith, [Value::String(part)]) => return Some(Ok(Value::Bool(text.starts_with(&**part)))),
        (Function::EndsWith, [Value::String(part)]) => return Some(Ok(Value::Bool(text.ends_with(&**part)))),
        (Function::LowerAscii, []) => Ok(with_case(text, u8::is_ascii_uppercase, str::to_ascii_lowercase)),
        (Function::UpperAscii, []) => Ok(with_case(text, u8::is_ascii_lowercase, str::to_ascii_uppercase)),
        (Function::Trim, []) => {
            let start = text.len() - text.trim_start().len();
            Ok(part_of(text, start..start + text.trim().len()))
        }
        (Function::Split, [Value::String(separator)]) => split(evaluation, text, separator, -1),
        (Function::Split, [Value::String(separator), Value::Int(limit)]) => split(evaluation, text, separator, *limit),
        (Function::Replace, [Value::String(from), Value::String(to)]) => replace(evaluation, text, [from, to], -1),
        (Function::Replace, [Value::String(from), Value::String(to), Value::Int(limit)]) => {
            replace(evaluation, text, [from, to], *limit)
        }
        (Function::Substring, [Value::Int(start)]) => substring(text, *start, None),
        (Function::Substring, [Value::Int(start), Value::Int(end)]) => substring(text, *start, Some(*end)),
        (Function::IndexOf, [Value::String(part)]) => index_of(text, part, 0),
        (Function::IndexOf, [Value::String(part), Value::Int(from)]) => index_of(text, part, *from),
        (Function::LastIndexOf, [Value::String(part)]) => last_index_of(text, part, None),
        (Function::LastIndexOf, [Value::String(part), Value::Int(to)]) => last_index_of(text, part, Some(*to)),
        (Function::CharAt, [Value::Int(place)]) => char_at(text, *place),
        (Function::Reverse, []) => Ok(text.chars().rev().collect::<String>().into()),
        _ => return None,
    };
    Some(evaluation.charge_bytes(length).and(result))
}

/// A part of a text, without a copy where it is borrowed.
fn part_of<'a>(text: &Text<'a>, range: Range<usize>) -> Value<'a> {
    match text {
        Shared::Borrowed(text) => Value::text(&text[range]),
        Shared::Made(made) if range == (0..made.len()) => Value::String(text.clone()),
        Shared::Made(text) => text[range].to_owned().into(),
    }
}

fn with_case<'a>(text: &Text<'a>, is_other: fn(&u8) -> bool, change: fn(&str) -> String) -> Value<'a> {
    if text.as_bytes().iter().any(is_other) {
        change(text).into()
    } else {
        Value::String(text.clone())
    }
}

fn split<'a>(
    evaluation: &mut Evaluation<'a>,
    text: &Text<'a>,
    separator: &str,
    limit: i64,
) -> Result<Value<'a>, Failure> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut parts = Vec::new();
    let mut start = 0;
    while parts.len() < limit {
        evaluation.charge(1)?;
        let rest = &text[start..];
        let found = match separator {
            // Between nothing stand the characters.
            "" => rest.chars().next().map(char::len_utf8).filter(|len| *len < rest.len()),
            _ => rest.find(separator),
        };
        match found.filter(|_| parts.len() + 1 < limit) {
            Some(len) => {
                parts.push(part_of(text, start..start + len));
                start += len + separator.len();
            }
            None => {
                if !(separator.is_empty() && text.is_empty()) {
                    parts.push(part_of(text, start..text.len()));
                }
                break;
            }
        }
    }
    Ok(Value::List(List::Made(parts.into())))
}

fn join<'a>(evaluation: &mut Evaluation<'a>, list: &List<'a>, rest: &[Value<'a>]) -> Result<Value<'a>, Failure> {
    let separator = match rest {
        [] => "",
        [Value::String(separator)] => separator,
        _ => return Err(Failure::WrongType("`join`")),
    };
    let mut joined = String::new();
    for (index, element) in list.iter().enumerate() {
        let Value::String(text) = element else {
            return Err(Failure::WrongType("`join`"));
        };
        evaluation.charge(1)?;
        evaluation.charge_bytes(text.len() + separator.len())?;
        if index > 0 {
            joined.push_str(separator);
        }
        joined.push_str(&text);
    }
    Ok(joined.into())
}

fn replace<'a>(
    evaluation: &mut Evaluation<'a>,
    text: &Text<'a>,
    [from, to]: [&str; 2],
    limit: i64,
) -> Result<Value<'a>, Failure> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    // What comes out can be far longer than what went in, and is paid for before it is made.
    let places = if from.is_empty() {
        text.len() + 1
    } else {
        text.len() / from.len()
    };
    evaluation.charge_bytes(places.min(limit).saturating_mul(to.len()))?;
    if limit == 0 || !text.contains(from) {
        return Ok(Value::String(text.clone()));
    }
    Ok(text.replacen(from, to, limit).into())
}

fn substring<'a>(text: &Text<'a>, start: i64, end: Option<i64>) -> Result<Value<'a>, Failure> {
    let first = offset(text, start)?;
    let last = end.map_or(Ok(text.len()), |end| offset(text, end))?;
    if first > last {
        return Err(Failure::NoSuchIndex);
    }
    Ok(part_of(text, first..last))
}

fn char_at<'a>(text: &Text<'a>, place: i64) -> Result<Value<'a>, Failure> {
    let at = offset(text, place)?;
    let len = text[at..].chars().next().map_or(0, char::len_utf8);
    Ok(part_of(text, at..at + len))
}

fn index_of<'a>(text: &str, part: &str, from: i64) -> Result<Value<'a>, Failure> {
    let start = offset(text, from)?;
    Ok(Value::Int(match text[start..].find(part) {
        Some(at) => from + characters(&text[start..start + at]),
        None => -1,
    }))
}

/// Where the part stands last, beginning at `to` at most.
fn last_index_of<'a>(text: &str, part: &str, to: Option<i64>) -> Result<Value<'a>, Failure> {
    let last = to.map_or(Ok(text.len()), |to| offset(text, to))?;
    let mut end = (last + part.len()).min(text.len());
    // Where that cuts a character apart, the part doesn't stand at the last place.
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let found = text[..end].rfind(part);
    Ok(Value::Int(found.map_or(-1, |at| characters(&text[..at]))))
}

/// The offset in bytes of the character at a place; the place behind the last one is one, too.
fn offset(text: &str, place: i64) -> Result<usize, Failure> {
    let place = usize::try_from(place).map_err(|_| Failure::NoSuchIndex)?;
    let mut offsets = text.char_indices().map(|(at, _)| at).chain([text.len()]);
    offsets.nth(place).ok_or(Failure::NoSuchIndex)
}

fn characters(text: &str) -> i64 {
    i64::try_from(text.chars().count()).unwrap_or(i64::MAX)
}
