//! Paths without detours.

/// Removes repeated slashes, `.` and `..` with the segment before it; on Windows, backslashes are slashes. A `..` that
/// leads out of a relative path stays, one that leads out of an absolute path goes.
pub(super) fn normalize(value: &[u8], out: &mut Vec<u8>, windows: bool) {
    let is_separator = |byte: &u8| *byte == b'/' || (windows && *byte == b'\\');
    let absolute = value.first().is_some_and(is_separator);
    let mut segments: Vec<&[u8]> = Vec::new();
    let mut ends_in_slash = false;
    for segment in value.split(is_separator) {
        ends_in_slash = matches!(segment, b"" | b"." | b"..");
        match segment {
            b"" | b"." => {}
            b".." if segments.last().is_some_and(|last| *last != b"..") => {
                segments.pop();
            }
            b".." if absolute => {}
            segment => segments.push(segment),
        }
    }
    if absolute {
        out.push(b'/');
    }
    for (nth, segment) in segments.iter().enumerate() {
        if nth > 0 {
            out.push(b'/');
        }
        out.extend_from_slice(segment);
    }
    let slash_is_there = out.is_empty() || out.ends_with(b"/") || out.ends_with(b"..");
    if ends_in_slash && !slash_is_there {
        out.push(b'/');
    }
}

#[cfg(test)]
mod tests {
    use crate::seclang::transform::tests::check;

    #[test]
    fn detours_go() {
        check("normalizePath", b"/foo/bar//baz", b"/foo/bar/baz");
        check("normalizePath", b"/foo/../bar/./x", b"/bar/x");
        check("normalizePath", b"/../../etc/passwd", b"/etc/passwd");
        check("normalizePath", b"../../etc", b"../../etc");
        check("normalizePath", b"dir/foo/..", b"dir/");
        check("normalizePath", b"dir/../foo", b"foo");
        check("normalizePath", b"a.b", b"a.b");
        check("normalizePath", b"/a/", b"/a/");
        check("normalizePath", b"", b"");
        check("normalizePath", b"/", b"/");
        check("normalizePath", b"./x", b"x");
        check("normalizePath", b"..", b"..");
        check("normalisePathWin", b"c:\\a\\..\\b/", b"c:/b/");
    }
}
