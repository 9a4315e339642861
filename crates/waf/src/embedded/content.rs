//! The values in a request's content, by its media type.

use std::borrow::Cow;

use memchr::{memchr, memmem};

use super::decode;

/// One value in some content.
pub(super) enum Value<'a> {
    Pair(&'a [u8], &'a [u8]),
    Text(&'a [u8]),
    /// A declaration that lets XML read other documents.
    Entity,
}

/// The names and values of a form or query, decoded.
pub(super) fn form(text: &[u8]) -> impl Iterator<Item = (Cow<'_, [u8]>, Cow<'_, [u8]>)> {
    text.split(|byte| *byte == b'&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = split(pair, b'=');
            (decode::percent(name, true), decode::percent(value, true))
        })
}

/// The names and values of cookies.
pub(super) fn cookies(text: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    text.split(|byte| *byte == b';')
        .map(|pair| split(pair.trim_ascii(), b'='))
}

/// Hands on each value until one is something.
pub(super) fn values<T>(media_type: &[u8], content: &[u8], judge: &mut dyn FnMut(Value<'_>) -> Option<T>) -> Option<T> {
    if content.is_empty() {
        return None;
    }
    let (essence, parameters) = split(media_type, b';');
    let essence = essence.trim_ascii().to_ascii_lowercase();
    let is = |what: &[u8]| memmem::find(&essence, what).is_some();
    if essence.starts_with(b"application/x-www-form-urlencoded") {
        form(content).find_map(|(name, value)| judge(Value::Pair(&name, &value)))
    } else if essence.starts_with(b"multipart/") {
        multipart(parameters, content, judge)
    } else if is(b"json") || (essence.is_empty() && matches!(content.trim_ascii_start().first(), Some(b'{' | b'['))) {
        json(content, judge)
    } else if is(b"xml") {
        xml(content, judge)
    } else if essence.is_empty() || essence.starts_with(b"text/") || is(b"graphql") || is(b"javascript") {
        judge(Value::Text(content))
    } else {
        // Pictures, archives, what a program made for another one.
        None
    }
}

/// The parts of a form, and the names in their heads. Files are left alone unless they are text.
fn multipart<T>(parameters: &[u8], content: &[u8], judge: &mut dyn FnMut(Value<'_>) -> Option<T>) -> Option<T> {
    let boundary = parameter(parameters, b"boundary").filter(|boundary| !boundary.is_empty())?;
    let line = [b"--", boundary].concat();
    let finder = memmem::Finder::new(&line);
    let starts: Vec<usize> = finder.find_iter(content).take(1024).collect();
    let ends = starts.iter().skip(1).copied().chain([content.len()]);
    for (start, end) in starts.iter().zip(ends) {
        let part = &content[start + line.len()..end];
        let Some(blank) = memmem::find(part, b"\n\r\n")
            .map(|at| (at, at + 3))
            .or_else(|| memmem::find(part, b"\n\n").map(|at| (at, at + 2)))
        else {
            continue;
        };
        let (head, body) = (&part[..blank.0], &part[blank.1..]);
        let name = parameter(head, b"name").unwrap_or_default();
        let file = parameter(head, b"filename").unwrap_or_default();
        let body = body.strip_suffix(b"\n").unwrap_or(body);
        let body = body.strip_suffix(b"\r").unwrap_or(body);
        let text = !body.iter().take(512).any(|byte| *byte < b'\t');
        let found = judge(Value::Pair(name, file)).or_else(|| if text { judge(Value::Text(body)) } else { None });
        if found.is_some() {
            return found;
        }
    }
    None
}

/// The value of a parameter such as `boundary="…"`.
fn parameter<'a>(text: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let mut rest = text;
    loop {
        let equals = memchr(b'=', rest)?;
        let before = rest[..equals].trim_ascii_end();
        let value = rest[equals + 1..].trim_ascii_start();
        let (value, behind) = match value {
            [b'"', quoted @ ..] => {
                let end = memchr(b'"', quoted).unwrap_or(quoted.len());
                (&quoted[..end], quoted.get(end + 1..).unwrap_or_default())
            }
            _ => {
                let end = value
                    .iter()
                    .position(|byte| matches!(byte, b';' | b'\r' | b'\n'))
                    .unwrap_or(value.len());
                (value[..end].trim_ascii_end(), &value[end..])
            }
        };
        let known = before.len().checked_sub(name.len()).is_some_and(|at| {
            before[at..].eq_ignore_ascii_case(name)
                && !at.checked_sub(1).is_some_and(|at| before[at].is_ascii_alphanumeric())
        });
        if known {
            return Some(value);
        }
        rest = behind;
    }
}

/// The texts of JSON, names and values alike. It needn't be well-formed: what is taken for a text by a careless reader is looked at.
fn json<T>(content: &[u8], judge: &mut dyn FnMut(Value<'_>) -> Option<T>) -> Option<T> {
    let mut buffer = Vec::new();
    let mut rest = content;
    let mut text_found = false;
    while let Some(quote) = memchr(b'"', rest) {
        rest = &rest[quote + 1..];
        let length = unescape(rest, &mut buffer);
        rest = rest.get(length + 1..).unwrap_or_default();
        text_found = true;
        let name = rest.trim_ascii_start().first() == Some(&b':');
        let value = if name {
            Value::Pair(&buffer, b"")
        } else {
            Value::Text(&buffer)
        };
        if let Some(found) = judge(value) {
            return Some(found);
        }
    }
    if text_found { None } else { judge(Value::Text(content)) }
}

/// Unescapes a text of JSON up to its quote, and returns how long it is.
fn unescape(text: &[u8], buffer: &mut Vec<u8>) -> usize {
    buffer.clear();
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        at += 1;
        match (byte, text.get(at)) {
            (b'"', _) => return at - 1,
            (b'\\', Some(escaped)) => {
                at += 1;
                let plain = match escaped {
                    b'b' => 8,
                    b'f' => 12,
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'u' => {
                        let digits = text
                            .get(at..at + 4)
                            .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
                        let digits = digits.unwrap_or_default();
                        let code = digits
                            .iter()
                            .fold(0, |code, digit| code << 4 | u32::from(decode::hexadecimal(*digit)));
                        decode::push_character(buffer, code);
                        at += digits.len();
                        continue;
                    }
                    other => *other,
                };
                buffer.push(plain);
            }
            _ => buffer.push(*byte),
        }
    }
    text.len()
}

/// The texts and the values of attributes of XML.
fn xml<T>(content: &[u8], judge: &mut dyn FnMut(Value<'_>) -> Option<T>) -> Option<T> {
    let mut buffer = Vec::new();
    let mut rest = content;
    loop {
        let end = memchr(b'<', rest).unwrap_or(rest.len());
        let text = references(&rest[..end], &mut buffer).trim_ascii();
        if !text.is_empty()
            && let Some(found) = judge(Value::Text(text))
        {
            return Some(found);
        }
        rest = rest.get(end..).filter(|rest| !rest.is_empty())?;
        if let Some(data) = rest.strip_prefix(b"<![CDATA[") {
            let end = memmem::find(data, b"]]>").unwrap_or(data.len());
            if let Some(found) = judge(Value::Text(&data[..end])) {
                return Some(found);
            }
            rest = data.get(end + 3..).unwrap_or_default();
            continue;
        }
        let end = memchr(b'>', rest).map_or(rest.len(), |end| end + 1);
        let tag = &rest[..end];
        if is_external(tag) {
            return judge(Value::Entity);
        }
        if !tag.starts_with(b"<!--")
            && !tag.starts_with(b"<?")
            && let Some(found) = attributes(tag, &mut buffer, judge)
        {
            return Some(found);
        }
        rest = &rest[end..];
    }
}

/// Whether it declares a document type or an entity, includes another document, or is coded so that others read it differently.
fn is_external(tag: &[u8]) -> bool {
    let starts = |with: &[u8]| {
        tag.get(..with.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(with))
    };
    let has = |what: &[u8]| memmem::find(tag, what).is_some();
    starts(b"<!doctype")
        || starts(b"<!entity")
        || (starts(b"<?xml ") && (has(b"UTF-7") || has(b"utf-7")))
        || has(b"http://www.w3.org/2001/XInclude")
        || (has(b":include ") && has(b"http"))
}

fn attributes<T>(tag: &[u8], buffer: &mut Vec<u8>, judge: &mut dyn FnMut(Value<'_>) -> Option<T>) -> Option<T> {
    let mut rest = tag;
    while let Some(equals) = memchr(b'=', rest) {
        rest = rest[equals + 1..].trim_ascii_start();
        let Some(quote @ (b'"' | b'\'')) = rest.first() else {
            continue;
        };
        let value = &rest[1..];
        let end = memchr(*quote, value).unwrap_or(value.len());
        let text = references(&value[..end], buffer);
        if let Some(found) = judge(Value::Text(text)) {
            return Some(found);
        }
        rest = value.get(end + 1..).unwrap_or_default();
    }
    None
}

/// Replaces the references to characters that XML knows.
fn references<'a>(text: &'a [u8], buffer: &'a mut Vec<u8>) -> &'a [u8] {
    if memchr(b'&', text).is_none() {
        return text;
    }
    buffer.clear();
    let mut rest = text;
    while let Some((byte, behind)) = rest.split_first() {
        rest = behind;
        let end = if *byte == b'&' {
            behind.iter().take(12).position(|byte| *byte == b';')
        } else {
            None
        };
        let code = end.and_then(|end| match &behind[..end] {
            b"lt" => Some(u32::from(b'<')),
            b"gt" => Some(u32::from(b'>')),
            b"amp" => Some(u32::from(b'&')),
            b"quot" => Some(u32::from(b'"')),
            b"apos" => Some(u32::from(b'\'')),
            [b'#', b'x' | b'X', digits @ ..] => number(digits, 16),
            [b'#', digits @ ..] => number(digits, 10),
            _ => None,
        });
        match (code, end) {
            (Some(code), Some(end)) => {
                decode::push_character(buffer, code);
                rest = &behind[end + 1..];
            }
            _ => buffer.push(*byte),
        }
    }
    buffer
}

fn number(digits: &[u8], radix: u32) -> Option<u32> {
    u32::from_str_radix(str::from_utf8(digits).ok()?, radix).ok()
}

fn split(text: &[u8], at: u8) -> (&[u8], &[u8]) {
    match memchr(at, text) {
        Some(place) => (&text[..place], &text[place + 1..]),
        None => (text, b""),
    }
}
