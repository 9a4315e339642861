//! Paths and what leads to them.

use super::Checked;

/// The pattern of a route's path.
pub(super) fn pattern(text: &str) -> Checked {
    let segments = segments(text)?;
    let mut names = Vec::new();
    for (index, segment) in segments.iter().enumerate() {
        let last = index + 1 == segments.len();
        match *segment {
            "" if !last => {
                return Err(format!(
                    "`{text}` has an empty segment; requests' paths never have one when they are compared"
                ));
            }
            "**" if !last => return Err(format!("`**` must be the last segment of `{text}`")),
            "*" | "**" => {}
            _ => match segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
                Some(name) if is_parameter(name) => {
                    if names.contains(&name) {
                        return Err(format!("`{text}` names the parameter `{name}` twice"));
                    }
                    names.push(name);
                }
                _ if segment.contains(['*', '{', '}']) => {
                    return Err(format!(
                        "in `{text}`, `{segment}` is neither fixed nor a whole segment `{{name}}`, `*` or `**`"
                    ));
                }
                _ => {}
            },
        }
    }
    Ok(text.to_owned())
}

/// A fixed part of a path that ends between two segments.
pub(super) fn prefix(text: &str) -> Checked {
    if segments(text)?.iter().any(|segment| segment.contains(['*', '{', '}'])) {
        return Err(format!(
            "`{text}` must be fixed; `*` and `{{name}}` have no place in it"
        ));
    }
    if text.ends_with('/') {
        return Err(format!("`{text}` must end between two segments: take out the last `/`"));
    }
    Ok(text.to_owned())
}

/// The segments before the first one that isn't fixed, such as `/items` of `/items/{id}`; empty when there are none.
pub(crate) fn fixed_part(pattern: &str) -> &str {
    let open = pattern
        .split_inclusive('/')
        .take_while(|part| !part.starts_with(['*', '{']))
        .map(str::len)
        .sum();
    pattern[..open].trim_end_matches('/')
}

/// What a check asks a server for: a path, and a query where there is one.
pub(super) fn check(text: &str) -> Checked {
    if !text.starts_with('/') {
        return Err(format!("`{text}` must begin with `/`"));
    }
    if text.contains('#') {
        return Err(format!("`{text}` has a fragment, of which servers never hear"));
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(format!("`{text}` must be percent-encoded"));
    }
    Ok(text.to_owned())
}

/// The name of a file, without folders.
pub(super) fn file_name(text: &str) -> Checked {
    if text.is_empty() || text == "." || text == ".." || text.contains(['/', '\\', '\0']) {
        return Err(format!("`{text}` must be the name of a file, without a folder"));
    }
    Ok(text.to_owned())
}

/// What a redirection leads to.
pub(super) fn redirect(text: &str) -> Checked {
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(format!(
            "`{text}` must have no space and no control character; write them percent-encoded"
        ));
    }
    if ["/", "http://", "https://", "{scheme}://", "{path}"]
        .iter()
        .any(|start| text.starts_with(start))
    {
        return Ok(text.to_owned());
    }
    Err(format!(
        "`{text}` must be an absolute URL or path, such as `https://{{host}}{{path}}{{query}}` or `/new`"
    ))
}

/// The segments of a path that is written as requests' paths are when they are compared with it.
fn segments(text: &str) -> Result<Vec<&str>, String> {
    let Some(rest) = text.strip_prefix('/') else {
        return Err(format!("`{text}` must begin with `/`"));
    };
    if text.contains(['?', '#']) {
        return Err(format!(
            "`{text}` has a query or a fragment, which are no part of a path; see the key `query`"
        ));
    }
    if !is_encoded(text) {
        return Err(format!(
            "`{text}` has characters that must be percent-encoded (RFC 3986, section 3.3)"
        ));
    }
    let segments: Vec<_> = rest.split('/').collect();
    if segments.iter().any(|segment| matches!(*segment, "." | "..")) {
        return Err(format!(
            "`{text}` has a segment `.` or `..`, which requests' paths never have when they are compared"
        ));
    }
    Ok(segments)
}

fn is_parameter(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Whether a path consists of the characters of paths (RFC 3986, section 3.3), of our own signs, and of whole
/// percent-encodings. Letters beyond ASCII are written percent-encoded, as they arrive.
fn is_encoded(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.iter().enumerate().all(|(at, byte)| match byte {
        b'%' => bytes
            .get(at + 1..at + 3)
            .is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)),
        _ => byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/{}".contains(byte),
    })
}
