//! What `format` names, where a schema's formats must hold (JSON Schema Validation §7.3, and the registry of OpenAPI).

use std::net::{Ipv4Addr, Ipv6Addr};

use serde_json::Value;

use crate::number;

/// A format that is known here. Others say nothing, as the standard wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    DateTime,
    Date,
    Time,
    Email,
    Hostname,
    Ipv4,
    Ipv6,
    Uri,
    UriReference,
    Uuid,
    JsonPointer,
    Int32,
    Int64,
    Byte,
}

impl Format {
    pub(super) fn of_word(word: &str) -> Option<Format> {
        Some(match word {
            "date-time" => Format::DateTime,
            "date" => Format::Date,
            "time" => Format::Time,
            "email" => Format::Email,
            "hostname" => Format::Hostname,
            "ipv4" => Format::Ipv4,
            "ipv6" => Format::Ipv6,
            "uri" => Format::Uri,
            "uri-reference" => Format::UriReference,
            "uuid" => Format::Uuid,
            "json-pointer" => Format::JsonPointer,
            "int32" => Format::Int32,
            "int64" => Format::Int64,
            "byte" => Format::Byte,
            _ => return None,
        })
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Format::DateTime => "date-time",
            Format::Date => "date",
            Format::Time => "time",
            Format::Email => "email",
            Format::Hostname => "hostname",
            Format::Ipv4 => "ipv4",
            Format::Ipv6 => "ipv6",
            Format::Uri => "uri",
            Format::UriReference => "uri-reference",
            Format::Uuid => "uuid",
            Format::JsonPointer => "json-pointer",
            Format::Int32 => "int32",
            Format::Int64 => "int64",
            Format::Byte => "byte",
        }
    }

    /// Whether a value has the format. One of another type than the format is for has it.
    pub(super) fn holds(self, value: &Value) -> bool {
        match (self, value) {
            (Format::Int32, Value::Number(value)) => {
                number::whole(value).is_none_or(|value| i32::try_from(value).is_ok())
            }
            (Format::Int64, Value::Number(value)) => {
                number::whole(value).is_none_or(|value| i64::try_from(value).is_ok())
            }
            (format, Value::String(text)) => format.holds_text(text),
            _ => true,
        }
    }

    fn holds_text(self, text: &str) -> bool {
        match self {
            Format::DateTime => {
                text.is_ascii()
                    && text.len() > 11
                    && date(&text[..10])
                    && matches!(text.as_bytes()[10], b'T' | b't')
                    && time(&text[11..])
            }
            Format::Date => date(text),
            Format::Time => time(text),
            Format::Email => email(text),
            Format::Hostname => hostname(text),
            Format::Ipv4 => text.parse::<Ipv4Addr>().is_ok(),
            Format::Ipv6 => text.parse::<Ipv6Addr>().is_ok(),
            Format::Uri => is_uri_text(text) && text.split_once(':').is_some_and(|(scheme, _)| is_scheme(scheme)),
            Format::UriReference => is_uri_text(text),
            Format::Uuid => uuid(text),
            Format::JsonPointer => pointer(text),
            Format::Byte => base64(text),
            Format::Int32 | Format::Int64 => true,
        }
    }
}

/// Two digits of a text as a number.
fn two(text: &str, at: usize) -> Option<u32> {
    let digits = text.get(at..at + 2)?;
    digits
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| digits.parse().ok())?
}

/// RFC 3339 `full-date`.
fn date(text: &str) -> bool {
    let bytes = text.as_bytes();
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return false;
    }
    let (Some(century), Some(year), Some(month), Some(day)) = (two(text, 0), two(text, 2), two(text, 5), two(text, 8))
    else {
        return false;
    };
    let year = century * 100 + year;
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    (1..=days).contains(&day)
}

/// RFC 3339 `full-time`. A leap second is one where it is 23:59:60 in UTC.
fn time(text: &str) -> bool {
    let bytes = text.as_bytes();
    if !text.is_ascii() || bytes.len() < 9 || bytes[2] != b':' || bytes[5] != b':' {
        return false;
    }
    let (Some(hour), Some(minute), Some(second)) = (two(text, 0), two(text, 3), two(text, 6)) else {
        return false;
    };
    let mut rest = &text[8..];
    if let Some(fraction) = rest.strip_prefix('.') {
        let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            return false;
        }
        rest = &fraction[digits..];
    }
    let Some(offset) = offset(rest) else { return false };
    if second == 60 {
        let utc = (i64::from(hour) * 60 + i64::from(minute) - offset).rem_euclid(24 * 60);
        return hour < 24 && minute < 60 && utc == 23 * 60 + 59;
    }
    hour < 24 && minute < 60 && second < 60
}

/// The minutes of a time's offset.
fn offset(text: &str) -> Option<i64> {
    if matches!(text, "Z" | "z") {
        return Some(0);
    }
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    if text.len() != 6 || text.as_bytes()[3] != b':' {
        return None;
    }
    let (hour, minute) = (two(text, 1)?, two(text, 4)?);
    (hour < 24 && minute < 60).then(|| sign * (i64::from(hour) * 60 + i64::from(minute)))
}

/// RFC 5321 `Mailbox`, without quoted local parts.
fn email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else {
        return false;
    };
    let is_atom = |atom: &str| {
        !atom.is_empty()
            && atom
                .chars()
                .all(|it| it.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(it))
    };
    let literal = domain.strip_prefix('[').and_then(|domain| domain.strip_suffix(']'));
    let is_domain = match literal {
        Some(address) => match address.strip_prefix("IPv6:") {
            Some(address) => address.parse::<Ipv6Addr>().is_ok(),
            None => address.parse::<Ipv4Addr>().is_ok(),
        },
        None => hostname(domain),
    };
    local.len() <= 64 && local.split('.').all(is_atom) && is_domain
}

/// RFC 1123 §2.1.
fn hostname(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(is_label)
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// Whether a text has only the characters of a URI (RFC 3986 §2), with whole percent-encodings.
fn is_uri_text(text: &str) -> bool {
    let mut bytes = text.bytes();
    let mut hashes = 0;
    while let Some(byte) = bytes.next() {
        let fine = match byte {
            b'%' => {
                let (first, second) = (bytes.next(), bytes.next());
                [first, second]
                    .iter()
                    .all(|digit| digit.is_some_and(|digit| digit.is_ascii_hexdigit()))
            }
            b'#' => {
                hashes += 1;
                hashes == 1
            }
            byte => byte.is_ascii_alphanumeric() || b"-._~:/?[]@!$&'()*+,;=".contains(&byte),
        };
        if !fine {
            return false;
        }
    }
    true
}

fn uuid(text: &str) -> bool {
    let is_part = |(part, length): (&str, usize)| part.len() == length && part.bytes().all(|it| it.is_ascii_hexdigit());
    text.split('-').count() == 5 && text.split('-').zip([8, 4, 4, 4, 12]).all(is_part)
}

fn pointer(text: &str) -> bool {
    let escapes = text.split('~').skip(1).all(|after| after.starts_with(['0', '1']));
    (text.is_empty() || text.starts_with('/')) && escapes
}

fn base64(text: &str) -> bool {
    let digits = text.trim_end_matches('=');
    text.len().is_multiple_of(4)
        && text.len() - digits.len() <= 2
        && digits
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+/".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(word: &str, good: &[&str], bad: &[&str]) {
        let format = Format::of_word(word).expect("the format is known");
        assert_eq!(format.word(), word);
        for text in good {
            assert!(format.holds(&Value::from(*text)), "{word} {text}");
        }
        for text in bad {
            assert!(!format.holds(&Value::from(*text)), "{word} {text}");
        }
    }

    #[test]
    fn formats_are_those_of_their_standards() {
        check(
            "date-time",
            &[
                "2026-11-22T10:00:00Z",
                "1998-12-31T15:59:60.123-08:00",
                "2024-02-29t00:00:00z",
            ],
            &[
                "2026-11-22",
                "2026-11-22 10:00:00Z",
                "2023-02-29T00:00:00Z",
                "1998-12-31T22:59:60Z",
                "2026-11-22T10:00:00",
                "é",
            ],
        );
        check("date", &["2026-11-22"], &["2026-13-01", "2026-1-1", "2026-11-3१"]);
        check(
            "time",
            &["10:00:00+01:30"],
            &["24:00:00Z", "10:00:00.Z", "10:00Z", "10:00:00+1:30"],
        );
        check(
            "email",
            &["a.b+c@example.com", "a@[127.0.0.1]"],
            &["a", "a@b..c", ".a@b", "a b@c"],
        );
        check("hostname", &["a-b.example"], &["-a", "a_b", "", "a.."]);
        check("ipv4", &["127.0.0.1"], &["127.0.0.01", "1.2.3"]);
        check("ipv6", &["::1"], &["12345::", "::1%eth0"]);
        check("uri", &["https://a/b?c#d", "urn:a:b"], &["/a", "a b:c", "a:%zz", "//a"]);
        check("uri-reference", &["/a", "?b"], &["\\", "é"]);
        check(
            "uuid",
            &["2EB8AA08-aa98-11ea-b4aa-73b441d16380"],
            &["2eb8aa08aa9811eab4aa73b441d16380"],
        );
        check("json-pointer", &["", "/a~0~1"], &["a", "/~2", "/~"]);
        check("byte", &["", "YWI=", "YQ=="], &["YWI", "Y===", "Y*=="]);
    }

    #[test]
    fn numbers_have_their_ranges() {
        for (word, value, expected) in [
            ("int32", 2_147_483_647_i64, true),
            ("int32", 2_147_483_648, false),
            ("int64", i64::MIN, true),
        ] {
            let format = Format::of_word(word).expect("the format is known");
            assert_eq!(format.holds(&Value::from(value)), expected);
        }
        assert!(!Format::Int64.holds(&Value::from(u64::MAX)));
    }
}
