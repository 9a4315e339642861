//! Cookies as browsers send and keep them (RFC 6265).

use std::borrow::Cow;

use portcullis_core::Headers;

/// How many characters a cookie has at the most, with its name and attributes kept below the 4,096 that browsers take.
const LONGEST: usize = 3800;

/// How many cookies one text is split over at the most.
pub(super) const MOST_PARTS: usize = 4;

/// The field in which browsers send them.
const COOKIE: &str = "Cookie";

/// What a request has under a name.
pub(super) enum Found<'h> {
    Nothing,
    /// Something that was never set so.
    Broken,
    Text(Cow<'h, str>),
}

/// All cookies of a request: name and value. What is no text is passed over.
pub(super) fn all(headers: &Headers) -> impl Iterator<Item = (&str, &str)> {
    let values = headers
        .get_all(COOKIE)
        .filter_map(|value| std::str::from_utf8(value).ok());
    let pairs = values.flat_map(|value| value.split(';'));
    pairs.filter_map(|pair| pair.trim_matches([' ', '\t']).split_once('='))
}

/// The first cookie of that name.
pub(crate) fn find<'h>(headers: &'h Headers, name: &str) -> Option<&'h str> {
    all(headers).find(|(found, _)| *found == name).map(|(_, value)| value)
}

/// The name of a part of a text.
fn part_name(name: &str, part: usize) -> Cow<'_, str> {
    match part {
        0 => Cow::Borrowed(name),
        part => Cow::Owned(format!("{name}-{part}")),
    }
}

/// Whether a cookie is a part of the text of that name.
pub(super) fn is_part(found: &str, name: &str) -> bool {
    found.strip_prefix(name).is_some_and(|rest| {
        rest.is_empty() || (1..MOST_PARTS).any(|part| rest.strip_prefix('-') == Some(part.to_string().as_str()))
    })
}

/// The text that [`set`] has split. The first cookie tells how many there are.
pub(super) fn text<'h>(headers: &'h Headers, name: &str) -> Found<'h> {
    let Some(first) = find(headers, name) else {
        return Found::Nothing;
    };
    let Some((count, first)) = first.split_once('.') else {
        return Found::Broken;
    };
    match count.parse() {
        Ok(1) => Found::Text(Cow::Borrowed(first)),
        Ok(count @ 2..=MOST_PARTS) => {
            let mut whole = first.to_owned();
            for part in 1..count {
                let Some(more) = find(headers, &part_name(name, part)) else {
                    return Found::Broken;
                };
                whole.push_str(more);
            }
            Found::Text(Cow::Owned(whole))
        }
        _ => Found::Broken,
    }
}

/// The lines that make a browser keep a text of ASCII for so many seconds, and forget parts of an older one that `headers` has
/// beyond. `None` where it is too long.
pub(super) fn set(headers: &Headers, name: &str, text: &str, seconds: u64) -> Option<Vec<String>> {
    let room = LONGEST - name.len();
    let count = text.len().div_ceil(room).max(1);
    if count > MOST_PARTS {
        return None;
    }
    let mut lines = Vec::with_capacity(count);
    for part in 0..count {
        let piece = &text[part * room..text.len().min((part + 1) * room)];
        let name = part_name(name, part);
        lines.push(match part {
            0 => line(&name, &format!("{count}.{piece}"), seconds),
            _ => line(&name, piece, seconds),
        });
    }
    for part in count..MOST_PARTS {
        let name = part_name(name, part);
        if find(headers, &name).is_some() {
            lines.push(removal(&name));
        }
    }
    Some(lines)
}

/// The lines that make a browser forget all parts that `headers` has.
pub(super) fn removals(headers: &Headers, name: &str) -> Vec<String> {
    let names = all(headers)
        .map(|(found, _)| found)
        .filter(|found| is_part(found, name));
    names.map(removal).collect()
}

/// A cookie for the whole host, which no script can read and no other page can set (`__Host-`; RFC 6265bis §4.1.3.2).
pub(super) fn line(name: &str, value: &str, seconds: u64) -> String {
    format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={seconds}")
}

/// The line that makes a browser forget a cookie.
pub(super) fn removal(name: &str) -> String {
    line(name, "", 0)
}

/// Takes cookies out of a request.
pub(super) fn take_out(headers: &mut Headers, is_ours: impl Fn(&str) -> bool) {
    if !all(headers).any(|(name, _)| is_ours(name)) {
        return;
    }
    let mut rest: Vec<u8> = Vec::new();
    for pair in headers
        .get_all(COOKIE)
        .flat_map(|value| value.split(|byte| *byte == b';'))
    {
        let pair = pair.trim_ascii();
        let name = pair.split(|byte| *byte == b'=').next().unwrap_or_default();
        if pair.is_empty() || std::str::from_utf8(name).is_ok_and(&is_ours) {
            continue;
        }
        if !rest.is_empty() {
            rest.extend_from_slice(b"; ");
        }
        rest.extend_from_slice(pair);
    }
    headers.remove(COOKIE);
    if !rest.is_empty() {
        headers.append(COOKIE, rest);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn kept(lines: &[String]) -> Headers {
        let pairs: Vec<&str> = lines
            .iter()
            .filter(|line| !line.contains("Max-Age=0"))
            .map(|line| line.split_once(';').unwrap().0)
            .collect();
        let mut headers = Headers::new();
        headers.append("cookie", format!("other=1; {}", pairs.join("; ")));
        headers
    }

    fn read(headers: &Headers) -> Option<String> {
        match text(headers, "s") {
            Found::Text(text) => Some(text.into_owned()),
            Found::Nothing | Found::Broken => None,
        }
    }

    #[test]
    fn a_text_is_split_and_put_together() {
        for length in [0, 1, LONGEST - 1, LONGEST, 3 * LONGEST, 4 * (LONGEST - 1)] {
            let long = "x".repeat(length);
            let lines = set(&Headers::new(), "s", &long, 60).unwrap();
            assert!(
                lines
                    .iter()
                    .all(|line| line.len() < 4096 && line.contains("; Secure; HttpOnly; SameSite=Lax"))
            );
            assert_eq!(read(&kept(&lines)), Some(long));
        }
        assert!(set(&Headers::new(), "s", &"x".repeat(4 * LONGEST), 60).is_none());
    }

    #[test]
    fn parts_of_a_longer_text_are_forgotten() {
        let long = kept(&set(&Headers::new(), "s", &"x".repeat(3 * LONGEST), 60).unwrap());
        let lines = set(&long, "s", "short", 60).unwrap();
        assert_eq!(lines.iter().filter(|line| line.contains("Max-Age=0")).count(), 3);
        assert_eq!(removals(&long, "s").len(), 4);
    }

    #[test]
    fn what_was_never_set_is_broken() {
        for value in ["s=", "s=x", "s=0.x", "s=5.x", "s=2.x", "s=2.x; s-2=y", "s=-1.x"] {
            let mut headers = Headers::new();
            headers.append("cookie", value);
            assert!(matches!(text(&headers, "s"), Found::Broken), "{value}");
        }
        assert!(matches!(text(&Headers::new(), "s"), Found::Nothing));
    }

    #[test]
    fn ours_are_taken_out() {
        let mut headers = Headers::new();
        headers.append("Cookie", "a=1; s=2.x;s-1=y ; s-9=z");
        headers.append("Cookie", "b=2");
        take_out(&mut headers, |name| is_part(name, "s"));
        assert_eq!(headers.get_all("cookie").collect::<Vec<_>>(), [b"a=1; s-9=z; b=2"]);
        take_out(&mut headers, |_| true);
        assert!(!headers.contains("cookie"));
    }
}
