use std::fs::Metadata;
use std::ops::Range;
use std::os::unix::fs::MetadataExt as _;
use std::time::{Duration, SystemTime};

use portcullis_core::{Error, Known, Method, Request, Result, codes};

/// The latest moment that an HTTP date can tell, 9999-12-31, in seconds since 1970.
const LAST_SECOND: u64 = 253_402_300_799;

/// What the state of a file is compared by.
#[derive(Debug)]
pub(super) struct Validators {
    etag: String,
    modified: Option<SystemTime>,
}

/// What a request asks of the state of a file, and which part of it. Kept apart from the request because it is
/// judged on another thread.
#[derive(Debug, Default)]
pub(super) struct Conditions {
    if_match: Option<Vec<u8>>,
    if_unmodified_since: Option<SystemTime>,
    if_none_match: Option<Vec<u8>>,
    if_modified_since: Option<SystemTime>,
    if_range: Option<Vec<u8>>,
    range: Option<String>,
}

/// What of a file goes out.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Selected {
    /// Nothing: the client has it (304).
    NotModified,
    /// All of it (200).
    Whole,
    /// Some of it, never nothing (206).
    Part(Range<u64>),
}

impl Validators {
    /// Those of an open file, at this time.
    pub(super) fn of(metadata: &Metadata, now: SystemTime) -> Validators {
        let nanoseconds = i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec());
        Validators::new(nanoseconds, metadata.len(), now)
    }

    fn new(nanoseconds: i128, length: u64, now: SystemTime) -> Validators {
        let etag = format!("\"{nanoseconds:x}-{length:x}\"");
        // A time in the future is a mistake, and must not be told (RFC 9110 §8.8.2.1).
        let modified = u64::try_from(nanoseconds.div_euclid(1_000_000_000))
            .ok()
            .filter(|seconds| *seconds <= LAST_SECOND)
            .map(|seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
            .filter(|modified| *modified <= now);
        Validators { etag, modified }
    }

    /// The strong entity tag, in its quotes.
    pub(super) fn etag(&self) -> &str {
        &self.etag
    }

    /// The last change, in whole seconds, where an HTTP date can tell it.
    pub(super) fn modified(&self) -> Option<SystemTime> {
        self.modified
    }
}

impl Conditions {
    /// Those of a request.
    pub(super) fn of(request: &Request) -> Conditions {
        let headers = &request.headers;
        let conditional = Known::IfMatch.bit()
            | Known::IfUnmodifiedSince.bit()
            | Known::IfNoneMatch.bit()
            | Known::IfModifiedSince.bit()
            | Known::Range.bit();
        if !headers.any_of(conditional) {
            return Conditions::default();
        }
        let list = |name| {
            headers
                .contains(name)
                .then(|| headers.get_all(name).collect::<Vec<_>>().join(&b", "[..]))
        };
        // What isn't a valid date is no condition (RFC 9110 §13.1.3, §13.1.4).
        let date = |name| {
            headers
                .get_str(name)
                .and_then(|text| httpdate::parse_http_date(text).ok())
        };
        // Range is for GET alone (RFC 9110 §14.2). Several lines are no valid Range.
        let ranged = request.method == Method::Get && headers.get_all(Known::Range).count() == 1;
        Conditions {
            if_match: list(Known::IfMatch),
            if_unmodified_since: date(Known::IfUnmodifiedSince),
            if_none_match: list(Known::IfNoneMatch),
            if_modified_since: date(Known::IfModifiedSince),
            if_range: headers.get(Known::IfRange).map(<[u8]>::to_vec),
            range: headers.get_str(Known::Range).filter(|_| ranged).map(str::to_owned),
        }
    }

    /// Judges them in the order of RFC 9110 §13.2.2.
    ///
    /// # Errors
    /// `precondition_failed` and `range_not_satisfiable`.
    pub(super) fn select(&self, file: &Validators, length: u64, now: SystemTime) -> Result<Selected> {
        let holds = match (&self.if_match, self.if_unmodified_since) {
            (Some(tags), _) => lists(tags, &file.etag, Comparison::Strong),
            // Without a time of change there is nothing to compare with (RFC 9110 §13.1.4).
            (None, Some(date)) => file.modified.is_none_or(|modified| modified <= date),
            (None, None) => true,
        };
        if !holds {
            return Err(Error::new(&codes::PRECONDITION_FAILED));
        }
        let known = match (&self.if_none_match, self.if_modified_since) {
            (Some(tags), _) => lists(tags, &file.etag, Comparison::Weak),
            (None, Some(date)) => file.modified.is_some_and(|modified| modified <= date),
            (None, None) => false,
        };
        if known {
            return Ok(Selected::NotModified);
        }
        match &self.range {
            Some(range) if self.range_applies(file, now) => part(range, length),
            _ => Ok(Selected::Whole),
        }
    }

    /// Whether what the client has a part of is what is here now (RFC 9110 §13.1.5).
    fn range_applies(&self, file: &Validators, now: SystemTime) -> bool {
        let Some(if_range) = &self.if_range else { return true };
        if if_range.starts_with(b"\"") {
            return if_range == file.etag.as_bytes();
        }
        let date = std::str::from_utf8(if_range)
            .ok()
            .and_then(|text| httpdate::parse_http_date(text).ok());
        // A date is a strong validator only when the file can't have changed again within its second (§8.8.2.2).
        let settled = |modified: SystemTime| now >= modified + Duration::from_secs(1);
        date.is_some() && date == file.modified && file.modified.is_some_and(settled)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Strong,
    Weak,
}

/// Whether a list of entity tags holds this one, which is strong, or is `*` (RFC 9110 §8.8.3.2). The list ends where
/// it is malformed.
fn lists(mut tags: &[u8], etag: &str, comparison: Comparison) -> bool {
    if tags.trim_ascii() == b"*" {
        return true;
    }
    loop {
        while let Some((b' ' | b'\t' | b',', rest)) = tags.split_first() {
            tags = rest;
        }
        let weak = tags.starts_with(b"W/");
        if weak {
            tags = &tags[2..];
        }
        let Some(opaque) = tags.strip_prefix(b"\"") else {
            return false;
        };
        let Some(end) = opaque.iter().position(|byte| *byte == b'"') else {
            return false;
        };
        if tags[..end + 2] == *etag.as_bytes() && (comparison == Comparison::Weak || !weak) {
            return true;
        }
        tags = &tags[end + 2..];
    }
}

/// The one range that a `Range` field asks for. What is malformed, of another unit or of several ranges is answered
/// with the whole (RFC 9110 §14.2).
fn part(range: &str, length: u64) -> Result<Selected> {
    let Some((unit, set)) = range.split_once('=') else {
        return Ok(Selected::Whole);
    };
    let Some((first, last)) = set.trim().split_once('-') else {
        return Ok(Selected::Whole);
    };
    let (Some(first), Some(last)) = (position(first), position(last)) else {
        return Ok(Selected::Whole);
    };
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return Ok(Selected::Whole);
    }
    let range = match (first, last) {
        (None, None) => return Ok(Selected::Whole),
        (Some(first), Some(last)) if last < first => return Ok(Selected::Whole),
        (Some(first), last) => first..last.map_or(length, |last| length.min(last.saturating_add(1))),
        // The last bytes of nothing are all of it, and can't be told as a range.
        (None, Some(1..)) if length == 0 => return Ok(Selected::Whole),
        (None, Some(suffix)) => length.saturating_sub(suffix)..length,
    };
    if range.is_empty() {
        let content_range = format!("bytes */{length}");
        return Err(Error::new(&codes::RANGE_NOT_SATISFIABLE).with_header(Known::ContentRange, content_range));
    }
    Ok(Selected::Part(range))
}

/// The number of a range: `Some(None)` where none is written, `None` where it isn't a number. One that is too large is
/// as good as the largest.
#[allow(clippy::option_option, reason = "absent and malformed are different answers")]
fn position(digits: &str) -> Option<Option<u64>> {
    if digits.is_empty() {
        return Some(None);
    }
    digits
        .bytes()
        .all(|digit| digit.is_ascii_digit())
        .then(|| Some(digits.parse().unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::{Comparison, Selected, Validators, lists, part};
    use std::time::{Duration, SystemTime};

    #[test]
    fn ranges_are_read_or_ignored_or_refused() {
        let check = |range: &str, length: u64, expected: Option<Selected>| {
            assert_eq!(part(range, length).ok(), expected, "{range} of {length}");
        };
        let part = |range| Some(Selected::Part(range));
        check("bytes=0-0", 10, part(0..1));
        check("bytes=2-4", 10, part(2..5));
        check("BYTES=2-4", 10, part(2..5));
        check("bytes=5-", 10, part(5..10));
        check("bytes=5-99", 10, part(5..10));
        check("bytes=5-99999999999999999999999", 10, part(5..10));
        check("bytes=-3", 10, part(7..10));
        check("bytes=-99", 10, part(0..10));
        check("bytes= 1-2 ", 10, part(1..3));
        for whole in [
            "bytes=4-2",
            "bytes=-",
            "bytes=",
            "bytes",
            "",
            "lines=1-2",
            "bytes=a-b",
            "bytes=1-2x",
            "bytes=+1-2",
        ] {
            check(whole, 10, Some(Selected::Whole));
        }
        check("bytes=0-1,3-4", 10, Some(Selected::Whole));
        check("bytes=0-0,-1", 10, Some(Selected::Whole));
        check("bytes=-5", 0, Some(Selected::Whole));
        for refused in ["bytes=10-", "bytes=10-20", "bytes=-0", "bytes=99999999999999999999-"] {
            check(refused, 10, None);
        }
        check("bytes=0-", 0, None);
        check("bytes=-0", 0, None);
    }

    #[test]
    fn entity_tags_are_looked_for_in_lists() {
        for (tags, weak, strong) in [
            ("\"a\"", true, true),
            ("*", true, true),
            (" * ", true, true),
            ("W/\"a\"", true, false),
            ("\"b\", \"a\"", true, true),
            ("\"b\",,W/\"a\" ,\"c\"", true, false),
            ("\"x,\\\", \"a\"", true, true),
            ("\"b\"", false, false),
            ("a", false, false),
            ("\"a", false, false),
            ("", false, false),
            ("w/\"a\"", false, false),
            ("\"b\" *", false, false),
        ] {
            assert_eq!(lists(tags.as_bytes(), "\"a\"", Comparison::Weak), weak, "{tags}");
            assert_eq!(lists(tags.as_bytes(), "\"a\"", Comparison::Strong), strong, "{tags}");
        }
    }

    #[test]
    fn times_that_no_date_can_tell_are_not_told() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1000);
        let modified = |nanoseconds: i128| Validators::new(nanoseconds, 1, now).modified();
        assert_eq!(
            modified(999_999_999_999),
            Some(SystemTime::UNIX_EPOCH + Duration::from_secs(999))
        );
        assert_eq!(modified(1_001_000_000_000), None);
        assert_eq!(modified(-1), None);
        assert_eq!(modified(i128::from(i64::MAX) * 1_000_000_000), None);
    }
}
