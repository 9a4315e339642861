use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;

use percent_encoding::percent_decode_str;

/// What a request asks for, relative to the folder.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Made of names alone: no `..`, nothing absolute. `.` for the folder itself.
    pub(super) path: PathBuf,
    /// Whether the request's path ends in a slash.
    pub(super) folder: bool,
}

/// Reads a request's path, in normal form, without the prefix `strip`. Nothing where it is not below the prefix or
/// has a segment that is not served: `.` and `..`, names with a slash, backslash or NUL in them, and names that start
/// with a dot, because these are secrets (`.env`, `.git`) more often than pages. `/.well-known/` is the exception
/// (RFC 8615).
pub(super) fn relative(path: &str, strip: &str) -> Option<Wanted> {
    let below = path.strip_prefix(strip)?;
    let mut wanted = Wanted {
        path: PathBuf::new(),
        folder: below.ends_with('/'),
    };
    if !below.is_empty() {
        let below = below.strip_prefix('/')?;
        let below = below.strip_suffix('/').unwrap_or(below);
        if !below.is_empty() {
            for (depth, segment) in below.split('/').enumerate() {
                wanted.path.push(name(segment, depth)?);
            }
        }
    }
    if wanted.path.as_os_str().is_empty() {
        wanted.path.push(".");
    }
    Some(wanted)
}

fn name(segment: &str, depth: usize) -> Option<OsString> {
    let name: Vec<u8> = percent_decode_str(segment).collect();
    let hidden = name.starts_with(b".") && !(depth == 0 && name == b".well-known");
    let forbidden = name.iter().any(|byte| matches!(byte, b'/' | b'\\' | 0));
    (!name.is_empty() && !hidden && !forbidden).then(|| OsString::from_vec(name))
}

#[cfg(test)]
mod tests {
    use super::relative;

    #[test]
    fn paths_stay_within_and_hidden_names_are_not_served() {
        let check = |path: &str, strip: &str, expected: Option<(&str, bool)>| {
            let wanted = relative(path, strip);
            let got = wanted
                .as_ref()
                .map(|wanted| (wanted.path.to_str().unwrap_or("not UTF-8"), wanted.folder));
            assert_eq!(got, expected, "{path} without {strip}");
        };
        check("/", "", Some((".", true)));
        check("/a", "", Some(("a", false)));
        check("/a/b/", "", Some(("a/b", true)));
        check("/static", "/static", Some((".", false)));
        check("/static/", "/static", Some((".", true)));
        check("/static/a", "/static", Some(("a", false)));
        check("/staticky/a", "/static", None);
        check("/a", "/static", None);
        check("/a%20b/%C3%A9", "", Some(("a b/é", false)));
        check("/%FF", "", Some(("not UTF-8", false)));
        check(
            "/.well-known/security.txt",
            "",
            Some((".well-known/security.txt", false)),
        );
        for refused in [
            "/..",
            "/../a",
            "/a/../b",
            "/.",
            "/%2e%2e/a",
            "/..%2Fa",
            "/a%2Fb",
            "/a%5Cb",
            "/a%00",
            "/.env",
            "/a/.git/x",
            "/%2egit",
            "/a/.well-known/x",
            "/.well-known/.x",
            "/.well-knownx",
            "/a//b",
        ] {
            check(refused, "", None);
        }
    }
}
