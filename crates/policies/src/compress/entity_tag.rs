//! Entity tags of encoded forms (RFC 9110 §8.8.3).
//!
//! The server's tag names the plain form. A strong one, `"a"`, promises equality byte for byte, which we don't: what comes
//! out depends on how the content came in. So it goes out as a weak one, `W/"a~gzip"`. The mark keeps the forms apart for
//! caches (RFC 9110 §8.8.3.3), and lets us know our own tags when they come back:
//!
//! - In `If-None-Match` ours becomes `"a"` again, if it is of the encoding that the answer would have now; so the server
//!   finds it whether or not it compares weakly, as it ought to (RFC 9110 §13.1.2). The tag of its 304 is marked anew.
//! - In `If-Match` a weak tag matches nothing (RFC 9110 §13.1.1), and whoever read a thing compressed could never change it.
//!   Ours becomes `"a"` again: the state that the client has seen is exactly the one that the server calls so.
//! - In `If-Range` a weak tag may not stand (RFC 9110 §13.1.5). Ours is left, matches nothing, and the whole comes, which is
//!   right: a part of the plain form would not fit.
//!
//! A server's own weak tag stays what it is.

use portcullis_config::policy::compress::Encoding;
use portcullis_core::{Headers, Known};

use super::encoder::coding_name;

/// What stands between a server's tag and the encoding.
const MARK: u8 = b'~';

const ALL: [Encoding; 3] = [Encoding::Zstd, Encoding::Br, Encoding::Gzip];

/// Makes the tag of a response that of its encoded form.
pub(super) fn mark(headers: &mut Headers, encoding: Encoding) {
    let Some(tag) = headers.get(Known::Etag) else { return };
    if tag.starts_with(b"W/") {
        return;
    }
    match marked(tag, encoding) {
        Some(marked) => headers.set(Known::Etag, marked),
        // What isn't in quotes is no tag, and must not seem to hold for the encoded form.
        None => {
            headers.remove(Known::Etag);
        }
    }
}

/// `W/"a~gzip"` of `"a"`.
fn marked(tag: &[u8], encoding: Encoding) -> Option<Vec<u8>> {
    let opaque = tag.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    Some([b"W/\"", opaque, &[MARK], coding_name(encoding).as_bytes(), b"\""].concat())
}

/// Gives the server its own tags back in the conditions of a request. `encoding` is the one that the answer will have.
///
/// What comes back is the client's `If-None-Match`, where it held a tag of ours; see [`mark_not_modified`].
pub(super) fn restore(headers: &mut Headers, encoding: Option<Encoding>) -> Option<Vec<u8>> {
    restore_in(headers, Known::IfMatch, &ALL);
    restore_in(headers, Known::IfNoneMatch, encoding.as_slice())
}

fn restore_in(headers: &mut Headers, name: Known, encodings: &[Encoding]) -> Option<Vec<u8>> {
    if encodings.is_empty() || !headers.contains(name) {
        return None;
    }
    let told = headers.get_all(name).collect::<Vec<_>>().join(&b", "[..]);
    let restored = plain(&told, encodings);
    if restored == told {
        return None;
    }
    headers.set(name, restored);
    Some(told)
}

/// The list with each of our tags as the server's own.
fn plain(list: &[u8], encodings: &[Encoding]) -> Vec<u8> {
    let mut out = Vec::with_capacity(list.len());
    let mut rest = list;
    // No quote can stand in a tag (RFC 9110 §8.8.3), so the quotes alone tell where each begins and ends.
    while let Some(opens) = quote(rest) {
        let Some(length) = quote(&rest[opens + 1..]) else { break };
        let before = &rest[..opens];
        let opaque = &rest[opens + 1..opens + 1 + length];
        let own = encodings.iter().find_map(|encoding| {
            let opaque = opaque
                .strip_suffix(coding_name(*encoding).as_bytes())?
                .strip_suffix(&[MARK])?;
            Some((before.strip_suffix(b"W/")?, opaque))
        });
        let (before, opaque) = own.unwrap_or((before, opaque));
        out.extend_from_slice(before);
        out.push(b'"');
        out.extend_from_slice(opaque);
        out.push(b'"');
        rest = &rest[opens + length + 2..];
    }
    out.extend_from_slice(rest);
    out
}

fn quote(text: &[u8]) -> Option<usize> {
    text.iter().position(|byte| *byte == b'"')
}

/// Marks the tag of a 304 anew, if it is of the form that the client has told us of; a cache finds by it which of its
/// answers still holds (RFC 9111 §4.3.4).
pub(super) fn mark_not_modified(headers: &mut Headers, told: &[u8], encoding: Encoding) {
    let marked = headers.get(Known::Etag).and_then(|tag| marked(tag, encoding));
    if let Some(marked) = marked
        && told.windows(marked.len()).any(|window| window == marked)
    {
        headers.set(Known::Etag, marked);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn tag_after(tag: &str) -> Option<String> {
        let mut headers = Headers::new();
        headers.append(Known::Etag, tag);
        mark(&mut headers, Encoding::Br);
        headers.get_str(Known::Etag).map(str::to_owned)
    }

    #[test]
    fn strong_tags_become_weak_ones_of_their_own() {
        assert_eq!(tag_after("\"a\"").unwrap(), "W/\"a~br\"");
        assert_eq!(tag_after("\"\"").unwrap(), "W/\"~br\"");
        assert_eq!(tag_after("W/\"a\"").unwrap(), "W/\"a\"");
        for broken in ["a", "\"a", "a\"", "\"", ""] {
            assert_eq!(tag_after(broken), None, "{broken}");
        }
    }

    fn check_restored(name: Known, lines: &[&str], expected: &[&str]) {
        let mut headers = Headers::new();
        for line in lines {
            headers.append(name, line);
        }
        let told = restore(&mut headers, Some(Encoding::Gzip));
        let restored: Vec<_> = headers.get_all(name).map(String::from_utf8_lossy).collect();
        assert_eq!(restored, expected, "{lines:?}");
        assert_eq!(told.is_some(), name == Known::IfNoneMatch && lines != expected);
    }

    #[test]
    fn a_server_gets_its_own_tags_back() {
        use Known::{IfMatch, IfNoneMatch, IfRange};
        check_restored(IfNoneMatch, &["W/\"a~gzip\""], &["\"a\""]);
        check_restored(
            IfNoneMatch,
            &["W/\"a,b~gzip\" ,\"c\"", "W/\"d~gzip\""],
            &["\"a,b\" ,\"c\", \"d\""],
        );
        check_restored(IfMatch, &["W/\"a~gzip\", W/\"b~zstd\""], &["\"a\", \"b\""]);
        // Another form than the one that would be sent now has to be sent.
        check_restored(IfNoneMatch, &["W/\"a~br\""], &["W/\"a~br\""]);
        // What isn't ours is left alone.
        for theirs in [
            "*",
            "\"a\"",
            "W/\"a\"",
            "\"a~gzip\"",
            "W/\"a-gzip\"",
            "W/\"~gzip",
            "\"",
            "",
            "W/\"a~\"",
        ] {
            check_restored(IfNoneMatch, &[theirs], &[theirs]);
            check_restored(IfMatch, &[theirs], &[theirs]);
        }
        check_restored(IfRange, &["W/\"a~gzip\""], &["W/\"a~gzip\""]);
    }

    #[test]
    fn a_304_has_the_tag_of_the_form_that_the_client_has() {
        let check = |told: &str, tag: &str, expected: &str| {
            let mut headers = Headers::new();
            headers.append(Known::Etag, tag);
            mark_not_modified(&mut headers, told.as_bytes(), Encoding::Gzip);
            assert_eq!(headers.get_str(Known::Etag), Some(expected));
        };
        check("\"b\", W/\"a~gzip\"", "\"a\"", "W/\"a~gzip\"");
        check("\"a\", W/\"b~gzip\"", "\"a\"", "\"a\"");
        check("W/\"a~gzip\"", "W/\"a\"", "W/\"a\"");
    }
}
