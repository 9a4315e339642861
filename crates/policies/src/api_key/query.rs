//! A key in the query: found there, and taken out.

use std::borrow::Cow;

use super::Refusal;

/// The value of a parameter in a query. Names are compared decoded: a key must not get to the backend because its
/// parameter's name was written in another way.
pub(super) fn find<'q>(query: &'q str, parameter: &str) -> Result<Option<Cow<'q, [u8]>>, Refusal> {
    let mut key = None;
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if !is_named(name, parameter) {
            continue;
        }
        let value = decoded(value).ok_or(Refusal::Unknown)?;
        if key.replace(value).is_some() {
            return Err(Refusal::Several);
        }
    }
    Ok(key)
}

/// The query without a parameter; `None` where it hasn't got it.
pub(super) fn without(query: &str, parameter: &str) -> Option<String> {
    let is_other = |pair: &&str| !is_named(pair.split('=').next().unwrap_or_default(), parameter);
    if query.split('&').all(|pair| is_other(&pair)) {
        return None;
    }
    let mut rest = String::with_capacity(query.len());
    for (at, pair) in query.split('&').filter(is_other).enumerate() {
        if at > 0 {
            rest.push('&');
        }
        rest.push_str(pair);
    }
    Some(rest)
}

fn is_named(name: &str, parameter: &str) -> bool {
    decoded(name).is_some_and(|name| *name == *parameter.as_bytes())
}

/// Percent-decodes; `None` where an encoding is broken.
fn decoded(text: &str) -> Option<Cow<'_, [u8]>> {
    let bytes = text.as_bytes();
    if !bytes.contains(&b'%') {
        return Some(Cow::Borrowed(bytes));
    }
    let digit = |at: usize| {
        char::from(*bytes.get(at)?)
            .to_digit(16)
            .and_then(|value| u8::try_from(value).ok())
    };
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        if *byte == b'%' {
            out.push(digit(at + 1)? << 4 | digit(at + 2)?);
            at += 3;
        } else {
            out.push(*byte);
            at += 1;
        }
    }
    Some(Cow::Owned(out))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_taken_out_whole() {
        for (query, expected) in [
            ("", None),
            ("a=1&b", None),
            ("xkey=1&key2=2", None),
            ("key=1", Some((&b"1"[..], ""))),
            ("key", Some((b"", ""))),
            ("key==&a=b", Some((b"=", "a=b"))),
            ("a=b&key=%4b%2B+&&c", Some((b"K++", "a=b&&c"))),
            ("%6Bey=1&%zz=2", Some((b"1", "%zz=2"))),
        ] {
            let key = find(query, "key").expect("it is found or not there");
            let rest = without(query, "key");
            assert_eq!(key.as_deref().zip(rest.as_deref()), expected, "{query}");
        }
    }

    #[test]
    fn what_is_ambiguous_or_broken_is_refused() {
        for query in ["key=1&key=2", "key=1&k%65y=1", "key=%", "key=%4", "key=%é"] {
            assert!(find(query, "key").is_err(), "{query}");
        }
    }
}
