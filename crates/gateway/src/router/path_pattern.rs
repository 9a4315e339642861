//! The path of a rule: its segments, and which of two goes first.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use portcullis_core::{PathParams, Target};

use super::condition::hex_pair;

/// The most segments of a path pattern. A walk through the tree of patterns is at most as deep.
const MOST_SEGMENTS: usize = 64;

/// A path that a rule claims: segments in normal form, each of them a literal, `{name}` or `*` for one that is not
/// empty, or a last `**` for everything below.
///
/// `/a/**` matches `/a`, `/a/` and `/a/b`, not `/ab`; `/a` does not match `/a/`; `/**` matches everything, the `*` of
/// `OPTIONS *` too.
#[derive(Clone, Debug)]
pub(crate) struct PathPattern {
    text: Box<str>,
    /// Of the variable segments, in order. `*` goes by the name of `*`.
    names: Box<[Arc<str>]>,
    ends_in_rest: bool,
}

/// One segment of a [`PathPattern`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Segment<'p> {
    Literal(&'p str),
    Variable,
    Rest,
}

impl PathPattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// Says what is wrong and what to write instead.
    pub(crate) fn parse(text: &str) -> Result<PathPattern, String> {
        check_normal(text)?;
        let mut names: Vec<Arc<str>> = Vec::new();
        let mut ends_in_rest = false;
        let segments = text[1..].split('/');
        if segments.clone().count() > MOST_SEGMENTS {
            return Err(format!("`{text}` has more than {MOST_SEGMENTS} segments"));
        }
        for segment in segments {
            if ends_in_rest {
                return Err(format!("`{text}`: `**` must be the last segment"));
            }
            match segment {
                "**" => ends_in_rest = true,
                "*" => names.push("*".into()),
                _ if segment.contains('*') => {
                    return Err(format!(
                        "`{text}`: `*` is a whole segment; a literal one is written `%2A`"
                    ));
                }
                _ => names.extend(parameter(text, segment)?.map(Arc::from)),
            }
        }
        let named = |at: usize| names[..at].contains(&names[at]) && *names[at] != *"*";
        if let Some(twice) = (1..names.len()).find(|&at| named(at)) {
            return Err(format!("`{text}` has two parameters of the name `{}`", names[twice]));
        }
        Ok(PathPattern {
            text: text.into(),
            names: names.into(),
            ends_in_rest,
        })
    }

    /// The pattern as it was written.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// The names of the `{param}` segments, in order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|name| &**name).filter(|name| *name != "*")
    }

    /// The folder that all paths of this pattern lie in, without a slash at its end: `/static` of `/static/**`,
    /// `/a` of `/a/{id}` and of `/a/b`, nothing of `/**` and of `/a`.
    pub(crate) fn fixed_folder(&self) -> &str {
        let variable = self
            .text
            .match_indices('/')
            .find(|(at, _)| self.text[at + 1..].starts_with(['*', '{']));
        let end = variable.map(|(at, _)| at).or_else(|| self.text.rfind('/'));
        &self.text[..end.unwrap_or_default()]
    }

    /// Whether a request's path gives it anything to remember.
    pub(super) fn has_params(&self) -> bool {
        !self.names.is_empty()
    }

    /// Whether it matches one path only.
    pub(super) fn is_literal(&self) -> bool {
        self.names.is_empty() && !self.ends_in_rest
    }

    pub(super) fn segments(&self) -> impl Iterator<Item = Segment<'_>> {
        self.text[1..].split('/').map(|segment| match segment {
            "**" => Segment::Rest,
            "*" => Segment::Variable,
            _ if segment.starts_with('{') => Segment::Variable,
            _ => Segment::Literal(segment),
        })
    }

    /// What the variable segments match in a path that the pattern matches, percent-decoded where that is UTF-8.
    pub(super) fn params(&self, path: &str) -> PathParams {
        let mut params = PathParams::default();
        if self.names.is_empty() {
            return params;
        }
        let mut names = self.names.iter();
        for (pattern, segment) in self.segments().zip(path.get(1..).unwrap_or_default().split('/')) {
            if pattern == Segment::Variable
                && let Some(name) = names.next()
            {
                params.push(Arc::clone(name), decoded(segment));
            }
        }
        params
    }

    /// Whether it matches a path. [`super::tree::Tree`] does this for many patterns at once.
    pub(super) fn matches(&self, path: &str) -> bool {
        let mut left = path.strip_prefix('/').map(|path| path.split('/'));
        for pattern in self.segments() {
            let segment = left.as_mut().and_then(Iterator::next);
            let agrees = match pattern {
                Segment::Rest => return true,
                Segment::Variable => segment.is_some_and(|segment| !segment.is_empty()),
                Segment::Literal(text) => segment == Some(text),
            };
            if !agrees {
                return false;
            }
        }
        left.is_some_and(|mut left| left.next().is_none())
    }

    /// Orders patterns by precedence, the more specific one first. Patterns that differ in the names of their
    /// parameters only are equal.
    pub(super) fn by_precedence(&self, other: &PathPattern) -> Ordering {
        self.ranks().cmp(other.ranks())
    }

    fn ranks(&self) -> impl Iterator<Item = (u8, &str)> {
        let end = if self.ends_in_rest { None } else { Some((2, "")) };
        self.segments()
            .map(|segment| match segment {
                Segment::Literal(text) => (0, text),
                Segment::Variable => (1, ""),
                Segment::Rest => (3, ""),
            })
            .chain(end)
    }

    /// The pattern without the names of its parameters: equal for patterns that match the same paths.
    pub(super) fn shape(&self) -> String {
        self.segments().fold(String::new(), |shape, segment| {
            shape
                + match segment {
                    Segment::Literal(_) => "/",
                    Segment::Variable => "/*",
                    Segment::Rest => "/**",
                }
                + if let Segment::Literal(text) = segment { text } else { "" }
        })
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Refuses what no path in normal form could ever match.
fn check_normal(text: &str) -> Result<(), String> {
    if !text.starts_with('/') {
        return Err(format!("`{text}`: a path starts with a slash"));
    }
    if text.contains('?') {
        return Err(format!("`{text}`: parameters of the query are matched by `query`"));
    }
    if !text.is_ascii() || text.contains(' ') {
        return Err(format!(
            "`{text}`: percent-encode spaces and what is not ASCII, as a request does"
        ));
    }
    let target = Target::parse(text.as_bytes()).map_err(|error| format!("`{text}`: {error}"))?;
    if target.path() != text {
        return Err(format!(
            "`{text}`: paths are matched in their normal form; write `{}`",
            target.path()
        ));
    }
    Ok(())
}

/// The name in `{name}`, where the segment is that.
fn parameter<'s>(text: &str, segment: &'s str) -> Result<Option<&'s str>, String> {
    let Some(name) = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) else {
        return if segment.contains(['{', '}']) {
            Err(format!(
                "`{text}`: a parameter is a whole segment, as in `/items/{{id}}`"
            ))
        } else {
            Ok(None)
        };
    };
    let starts_well = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    if starts_well
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
    {
        return Ok(Some(name));
    }
    Err(format!(
        "`{text}`: the name of a parameter is made of letters, digits, `_` and `-`, a letter first"
    ))
}

/// Percent-decoded where that is UTF-8, else as it was.
pub(crate) fn decoded(segment: &str) -> Box<str> {
    if !segment.contains('%') {
        return segment.into();
    }
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        match hex_pair(after) {
            Some(byte) if first == b'%' => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).map_or_else(|_| segment.into(), String::into_boxed_str)
}

#[cfg(test)]
mod tests {
    use super::PathPattern;

    #[test]
    fn paths_are_read_or_refused_with_a_reason() {
        for text in [
            "/",
            "/**",
            "/a",
            "/a/",
            "/a/**",
            "/{id}/*/*/b",
            "/a.b/%2F",
            "/.well-known/**",
            "/a_b/{c-d}/",
        ] {
            assert!(PathPattern::parse(text).is_ok(), "{text}");
        }
        let deep = "/a".repeat(65);
        for (text, expected) in [
            ("", "starts with a slash"),
            ("a", "starts with a slash"),
            ("/a/**/b", "last segment"),
            ("/a/b*", "whole segment"),
            ("/***", "whole segment"),
            ("/a{id}", "whole segment"),
            ("/{id", "whole segment"),
            ("/{}", "name of a parameter"),
            ("/{1}", "name of a parameter"),
            ("/{id}/{id}", "two parameters of the name `id`"),
            ("/a?b=c", "by `query`"),
            ("/a b", "percent-encode"),
            ("/é", "percent-encode"),
            ("/a//b", "write `/a/b`"),
            ("/a/../b", "write `/b`"),
            ("/%7euser", "write `/~user`"),
            ("/%2f", "write `/%2F`"),
            ("/%", "broken percent-encoding"),
            (deep.as_str(), "more than 64 segments"),
        ] {
            let problem = PathPattern::parse(text).expect_err(text);
            assert!(problem.contains(expected), "{text}: {problem}");
        }
    }

    #[test]
    fn parameters_are_decoded_where_they_are_text() {
        let pattern = PathPattern::parse("/a/{id}/*/{name}/**").expect("it is valid");
        let params = pattern.params("/a/x%2Fy/1/%C3%A9%FF/z");
        assert_eq!(
            params.iter().collect::<Vec<_>>(),
            [("id", "x/y"), ("*", "1"), ("name", "%C3%A9%FF")]
        );
        assert_eq!(pattern.names().collect::<Vec<_>>(), ["id", "name"]);
    }

    #[test]
    fn a_pattern_knows_its_folder() {
        for (pattern, folder) in [
            ("/static/**", "/static"),
            ("/**", ""),
            ("/a/{id}/b", "/a"),
            ("/a/b", "/a"),
            ("/a", ""),
            ("/a/*", "/a"),
        ] {
            assert_eq!(PathPattern::parse(pattern).expect(pattern).fixed_folder(), folder);
        }
    }
}
