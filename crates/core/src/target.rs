//! The target of a request, in the one form in which it is routed, judged and forwarded.
//!
//! The rule, applied once when a request is read:
//! - a percent-encoded unreserved character is decoded, any other keeps its encoding with capital digits
//!   (RFC 3986 §6.2.2), so `%7e` is `~` while `%2f` stays `%2F` and never becomes a separator;
//! - several slashes in a row are one;
//! - dot segments are resolved (RFC 3986 §5.2.4), encoded ones too; one that would leave the root is refused;
//! - a broken percent-encoding, an encoded NUL, a backslash and a fragment are refused;
//! - the query is left as it was received.

use std::fmt;

/// A path in its normal form, with the query as it was received. The path of `OPTIONS *` is `*`.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    text: String,
    path_len: usize,
}

/// Why a target was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetError {
    /// It doesn't start with a slash.
    NotAbsolute,
    /// A character that may not stand in a target: a control, a space, `#`, `\`, or beyond ASCII.
    Character,
    /// A `%` that two hexadecimal digits don't follow, or `%00`.
    Encoding,
    /// Its dot segments lead out of the root.
    AboveRoot,
}

impl fmt::Display for TargetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TargetError::NotAbsolute => "the request target is not an absolute path",
            TargetError::Character => "the request target holds a character that must be percent-encoded",
            TargetError::Encoding => "the request target holds a broken percent-encoding",
            TargetError::AboveRoot => "the request target leads out of the root",
        })
    }
}

impl std::error::Error for TargetError {}

impl Target {
    /// Reads a target in origin form: a path and perhaps a query (RFC 9112 §3.2.1).
    ///
    /// # Errors
    /// Says what in the target is refused, by the rule of this module.
    pub fn parse(raw: &[u8]) -> Result<Target, TargetError> {
        if raw.first() != Some(&b'/') {
            return Err(TargetError::NotAbsolute);
        }
        let mut path_len = raw.len();
        let mut normal = true;
        let mut previous = 0;
        for (at, &byte) in raw.iter().enumerate() {
            match byte {
                b'?' => {
                    path_len = at;
                    break;
                }
                b'%' => normal = false,
                b'/' | b'.' if previous == b'/' => normal = false,
                0..=b' ' | b'#' | b'\\' | 0x7f.. => return Err(TargetError::Character),
                _ => {}
            }
            previous = byte;
        }
        if raw[path_len..]
            .iter()
            .any(|byte| matches!(byte, 0..=b' ' | b'#' | 0x7f..))
        {
            return Err(TargetError::Character);
        }
        let ascii = std::str::from_utf8(raw).map_err(|_| TargetError::Character)?;
        if normal {
            return Ok(Target {
                text: ascii.to_owned(),
                path_len,
            });
        }
        let mut text = normalise(&decode(&ascii[..path_len])?)?;
        let query = &ascii[path_len..];
        let path_len = text.len();
        text.push_str(query);
        Ok(Target { text, path_len })
    }

    /// The target of `OPTIONS *` (RFC 9112 §3.2.4).
    pub fn asterisk() -> Target {
        Target {
            text: "*".to_owned(),
            path_len: 1,
        }
    }

    /// Path and query as they are forwarded.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The path, starting with a slash.
    pub fn path(&self) -> &str {
        &self.text[..self.path_len]
    }

    /// The query without its question mark, where there is one.
    pub fn query(&self) -> Option<&str> {
        self.text.get(self.path_len + 1..)
    }

    /// Puts another path in place of the path; the query stays. `path` must start with a slash and be in normal form.
    pub fn set_path(&mut self, path: &str) {
        debug_assert!(path.starts_with('/'));
        self.text.replace_range(..self.path_len, path);
        self.path_len = path.len();
    }

    /// Puts another query in place of the query, or none. `query` must already be percent-encoded.
    pub fn set_query(&mut self, query: Option<&str>) {
        self.text.truncate(self.path_len);
        if let Some(query) = query {
            self.text.push('?');
            self.text.push_str(query);
        }
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Decodes what need not be encoded and writes the rest with capital digits.
fn decode(path: &str) -> Result<String, TargetError> {
    let mut out = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        let digits = rest.get(at + 1..at + 3).ok_or(TargetError::Encoding)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(TargetError::Encoding);
        }
        match u8::from_str_radix(digits, 16).map_err(|_| TargetError::Encoding)? {
            0 => return Err(TargetError::Encoding),
            byte if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => out.push(char::from(byte)),
            byte => {
                use fmt::Write as _;
                write!(out, "%{byte:02X}").expect("a String takes every write");
            }
        }
        rest = &rest[at + 3..];
    }
    out.push_str(rest);
    Ok(out)
}

/// Resolves dot segments and repeated slashes.
fn normalise(path: &str) -> Result<String, TargetError> {
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    let mut ends_in_slash = false;
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match segment {
            "" | "." => ends_in_slash = last,
            ".." => {
                kept.pop().ok_or(TargetError::AboveRoot)?;
                ends_in_slash = last;
            }
            _ => kept.push(segment),
        }
    }
    let mut out = String::with_capacity(path.len());
    for segment in &kept {
        out.push('/');
        out.push_str(segment);
    }
    if ends_in_slash || kept.is_empty() {
        out.push('/');
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(raw: &str, expected: Result<(&str, Option<&str>), TargetError>) {
        let target = Target::parse(raw.as_bytes());
        let got = target
            .as_ref()
            .map(|target| (target.path(), target.query()))
            .map_err(|error| *error);
        assert_eq!(got, expected, "{raw}");
    }

    #[test]
    fn targets_have_one_form() {
        check("/", Ok(("/", None)));
        check("/a/b?x=%2f/../y", Ok(("/a/b", Some("x=%2f/../y"))));
        check("/a?", Ok(("/a", Some(""))));
        check("//a///b/", Ok(("/a/b/", None)));
        check("/a/./b/../c", Ok(("/a/c", None)));
        check("/a/%2e%2E/b", Ok(("/b", None)));
        check("/a/..", Ok(("/", None)));
        check("/a/b/..", Ok(("/a/", None)));
        check("/a/b/.", Ok(("/a/b/", None)));
        check("/%7Euser/%2fetc%c3%a9", Ok(("/~user/%2Fetc%C3%A9", None)));
        check("/.well-known/x..y/...", Ok(("/.well-known/x..y/...", None)));
        check("/a%252e", Ok(("/a%252e", None)));
        check("/..", Err(TargetError::AboveRoot));
        check("/a/../../b", Err(TargetError::AboveRoot));
        check("/%2e%2e/b", Err(TargetError::AboveRoot));
        check("/%zz", Err(TargetError::Encoding));
        check("/%4", Err(TargetError::Encoding));
        check("/%", Err(TargetError::Encoding));
        check("/a%00b", Err(TargetError::Encoding));
        check("/a\\b", Err(TargetError::Character));
        check("/a b", Err(TargetError::Character));
        check("/a#b", Err(TargetError::Character));
        check("/a?b#c", Err(TargetError::Character));
        check("/é", Err(TargetError::Character));
        check("/a?é", Err(TargetError::Character));
        check("a", Err(TargetError::NotAbsolute));
        check("", Err(TargetError::NotAbsolute));
    }

    #[test]
    fn a_normal_form_is_its_own_normal_form() {
        for raw in ["/a//b/../%2F%41/./", "/x/%7e/%25/..", "/./", "/a/./../b?q"] {
            let once = Target::parse(raw.as_bytes()).expect("it is valid");
            let twice = Target::parse(once.as_str().as_bytes()).expect("it is valid");
            assert_eq!(once, twice);
        }
    }

    #[test]
    fn parts_are_replaced() {
        let mut target = Target::parse(b"/a/b?c=d").expect("it is valid");
        target.set_path("/b");
        assert_eq!(target.as_str(), "/b?c=d");
        target.set_query(Some("e"));
        assert_eq!((target.as_str(), target.query()), ("/b?e", Some("e")));
        target.set_query(None);
        assert_eq!((target.as_str(), target.query()), ("/b", None));
    }
}
