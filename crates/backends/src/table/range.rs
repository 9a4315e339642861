//! Which rows of a collection are asked for, and which are told, in units of rows: `Range: 0-19`, `items=0-19`.

use portcullis_core::{Error, Headers, Known, Result, codes};
use portcullis_tables::query::Window;

/// Rows that a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    first: u64,
    /// The last one, too.
    last: Option<u64>,
}

impl Range {
    /// What `Range` asks for. What can't be understood, or is in another unit, asks for nothing (RFC 9110 §14.2).
    pub(super) fn of(headers: &Headers) -> Option<Range> {
        let text = headers.get_str(Known::Range)?.trim();
        let text = match text.split_once('=') {
            Some(("items" | "rows", range)) => range,
            Some(_) => return None,
            None => text,
        };
        let (first, last) = text.split_once('-')?;
        let first = first.trim().parse().ok()?;
        let last = match last.trim() {
            "" => None,
            last => Some(last.parse().ok()?),
        };
        Some(Range { first, last })
    }

    /// Leaves of the window what lies in the range.
    ///
    /// # Errors
    /// `range_not_satisfiable` where its end is before its beginning, or its beginning behind what may be left out.
    pub(super) fn narrow(self, window: &mut Window, max_offset: u64) -> Result<()> {
        let count = match self.last {
            None => None,
            Some(last) if last < self.first => return Err(not_satisfiable(None)),
            Some(last) => Some((last - self.first).saturating_add(1)),
        };
        window.offset = window.offset.saturating_add(self.first);
        if window.offset > max_offset {
            let detail = format!("rows behind the first {max_offset} are reached by a cursor (`after`)");
            return Err(not_satisfiable(None).with_detail(detail));
        }
        let left = window.limit.map(|limit| limit.saturating_sub(self.first));
        window.limit = match (left, count) {
            (Some(left), Some(count)) => Some(left.min(count)),
            (left, count) => left.or(count),
        };
        Ok(())
    }
}

/// The error for rows that there are not.
pub(super) fn not_satisfiable(total: Option<u64>) -> Error {
    let total = total.map_or("*".to_owned(), |total| total.to_string());
    Error::new(&codes::RANGE_NOT_SATISFIABLE).with_header(Known::ContentRange, format!("*/{total}"))
}

/// The value of `Content-Range`, in the form that PostgREST has: rows without a unit.
pub(super) fn content_range(offset: u64, rows: u64, total: Option<u64>) -> String {
    let total = total.map_or("*".to_owned(), |total| total.to_string());
    match rows {
        0 => format!("*/{total}"),
        rows => format!("{offset}-{}/{total}", offset.saturating_add(rows - 1)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn range(text: &str) -> Option<Range> {
        let mut headers = Headers::new();
        headers.append(Known::Range, text);
        Range::of(&headers)
    }

    #[test]
    fn rows_are_asked_for_with_and_without_a_unit() {
        for (text, expected) in [
            ("0-19", Some((0, Some(19)))),
            ("items=5-", Some((5, None))),
            ("rows=1-1", Some((1, Some(1)))),
            ("bytes=0-19", None),
            ("-5", None),
            ("a-b", None),
            ("", None),
            ("5", None),
            ("99999999999999999999-", None),
        ] {
            let expected = expected.map(|(first, last)| Range { first, last });
            assert_eq!(range(text), expected, "{text}");
        }
    }

    #[test]
    fn a_window_is_narrowed_and_never_widened() {
        let narrowed = |text: &str, limit: Option<u64>, offset: u64| {
            let mut window = Window {
                limit,
                offset,
                ..Window::default()
            };
            range(text).unwrap().narrow(&mut window, 100)?;
            Ok::<_, Error>((window.limit, window.offset))
        };
        assert_eq!(narrowed("0-19", None, 0).unwrap(), (Some(20), 0));
        assert_eq!(narrowed("10-19", Some(15), 0).unwrap(), (Some(5), 10));
        assert_eq!(narrowed("10-", Some(5), 0).unwrap(), (Some(0), 10));
        assert_eq!(narrowed("10-", None, 20).unwrap(), (None, 30));
        assert_eq!(
            narrowed("0-18446744073709551615", None, 0).unwrap(),
            (Some(u64::MAX), 0)
        );
        for text in ["9-5", "101-", "18446744073709551615-"] {
            let refused = narrowed(text, None, 0).unwrap_err();
            assert_eq!(refused.code().name, "range_not_satisfiable", "{text}");
        }
    }

    #[test]
    fn ranges_are_told_with_what_is_known() {
        assert_eq!(content_range(0, 20, Some(35)), "0-19/35");
        assert_eq!(content_range(20, 5, None), "20-24/*");
        assert_eq!(content_range(20, 0, Some(0)), "*/0");
    }
}
