//! What is done to a value before an operator sees it.
//!
//! Every transformation knows the bytes without which it changes nothing, so that most values pass through whole chains
//! of them untouched.

mod decode;
mod encode;
mod paths;
mod text;

use super::bytes::ByteSet;

/// One transformation of SecLang.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are those of the language")]
pub(super) enum Transform {
    Base64Decode,
    Base64DecodeExt,
    Base64Encode,
    CmdLine,
    CompressWhitespace,
    CssDecode,
    EscapeSeqDecode,
    HexDecode,
    HexEncode,
    HtmlEntityDecode,
    JsDecode,
    Length,
    Lowercase,
    NormalizePath,
    NormalizePathWin,
    RemoveComments,
    RemoveCommentsChar,
    RemoveNulls,
    RemoveWhitespace,
    ReplaceComments,
    ReplaceNulls,
    Sha1,
    SqlHexDecode,
    Trim,
    TrimLeft,
    TrimRight,
    Uppercase,
    UrlDecode,
    UrlDecodeUni,
    UrlEncode,
    Utf8ToUnicode,
}

impl Transform {
    /// The transformation of that name, without case.
    pub(super) fn named(name: &str) -> Option<Transform> {
        use Transform as T;
        Some(match name.to_ascii_lowercase().as_str() {
            "base64decode" => T::Base64Decode,
            "base64decodeext" => T::Base64DecodeExt,
            "base64encode" => T::Base64Encode,
            "cmdline" => T::CmdLine,
            "compresswhitespace" => T::CompressWhitespace,
            "cssdecode" => T::CssDecode,
            "escapeseqdecode" => T::EscapeSeqDecode,
            "hexdecode" => T::HexDecode,
            "hexencode" => T::HexEncode,
            "htmlentitydecode" => T::HtmlEntityDecode,
            "jsdecode" => T::JsDecode,
            "length" => T::Length,
            "lowercase" => T::Lowercase,
            "normalizepath" | "normalisepath" => T::NormalizePath,
            "normalizepathwin" | "normalisepathwin" => T::NormalizePathWin,
            "removecomments" => T::RemoveComments,
            "removecommentschar" => T::RemoveCommentsChar,
            "removenulls" => T::RemoveNulls,
            "removewhitespace" => T::RemoveWhitespace,
            "replacecomments" => T::ReplaceComments,
            "replacenulls" => T::ReplaceNulls,
            "sha1" => T::Sha1,
            "sqlhexdecode" => T::SqlHexDecode,
            "trim" => T::Trim,
            "trimleft" => T::TrimLeft,
            "trimright" => T::TrimRight,
            "uppercase" => T::Uppercase,
            "urldecode" => T::UrlDecode,
            "urldecodeuni" => T::UrlDecodeUni,
            "urlencode" => T::UrlEncode,
            "utf8tounicode" => T::Utf8ToUnicode,
            _ => return None,
        })
    }

    /// A value that holds none of these bytes is left as it is; `None` where any value may change.
    pub(super) fn needs(self) -> Option<ByteSet> {
        use Transform as T;
        let white = b" \t\n\r\x0b\x0c\xa0";
        Some(match self {
            T::Base64Decode
            | T::Base64DecodeExt
            | T::Base64Encode
            | T::HexDecode
            | T::HexEncode
            | T::Length
            | T::Sha1 => return None,
            T::CmdLine => ByteSet::of(b"\"'\\^,;/( \t\n\r\x0b\x0c").with_range(b'A', b'Z'),
            T::CompressWhitespace | T::RemoveWhitespace | T::Trim | T::TrimLeft | T::TrimRight => ByteSet::of(white),
            T::CssDecode | T::EscapeSeqDecode | T::JsDecode => ByteSet::of(b"\\"),
            T::HtmlEntityDecode => ByteSet::of(b"&"),
            T::Lowercase => ByteSet::EMPTY.with_range(b'A', b'Z'),
            T::NormalizePath => ByteSet::of(b"/."),
            T::NormalizePathWin => ByteSet::of(b"/.\\"),
            T::RemoveComments | T::RemoveCommentsChar => ByteSet::of(b"/-#*"),
            T::RemoveNulls | T::ReplaceNulls => ByteSet::of(b"\0"),
            T::ReplaceComments => ByteSet::of(b"/"),
            T::SqlHexDecode => ByteSet::of(b"xX"),
            T::Uppercase => ByteSet::EMPTY.with_range(b'a', b'z'),
            T::UrlDecode | T::UrlDecodeUni => ByteSet::of(b"%+"),
            T::UrlEncode => ByteSet::of(b"0")
                .with_range(b'1', b'9')
                .with_range(b'A', b'Z')
                .with_range(b'a', b'z')
                .complement(),
            T::Utf8ToUnicode => ByteSet::EMPTY.with_range(0x80, 0xff),
        })
    }

    /// Writes the transformed value into `out`, which is empty.
    pub(super) fn apply(self, value: &[u8], out: &mut Vec<u8>) {
        use Transform as T;
        match self {
            T::Base64Decode => encode::base64_decode(value, out, false),
            T::Base64DecodeExt => encode::base64_decode(value, out, true),
            T::Base64Encode => encode::base64_encode(value, out),
            T::CmdLine => text::command_line(value, out),
            T::CompressWhitespace => text::compress_whitespace(value, out),
            T::CssDecode => decode::css(value, out),
            T::EscapeSeqDecode => decode::escape_sequences(value, out),
            T::HexDecode => encode::hex_decode(value, out),
            T::HexEncode => encode::hex_encode(value, out),
            T::HtmlEntityDecode => decode::html_entities(value, out),
            T::JsDecode => decode::javascript(value, out),
            T::Length => out.extend_from_slice(value.len().to_string().as_bytes()),
            T::Lowercase => out.extend(value.iter().map(u8::to_ascii_lowercase)),
            T::NormalizePath => paths::normalize(value, out, false),
            T::NormalizePathWin => paths::normalize(value, out, true),
            T::RemoveComments => text::remove_comments(value, out),
            T::RemoveCommentsChar => text::remove_comment_signs(value, out),
            T::RemoveNulls => out.extend(value.iter().filter(|byte| **byte != 0)),
            T::RemoveWhitespace => out.extend(value.iter().filter(|byte| !text::is_white(**byte))),
            T::ReplaceComments => text::replace_comments(value, out),
            T::ReplaceNulls => out.extend(value.iter().map(|byte| if *byte == 0 { b' ' } else { *byte })),
            T::Sha1 => encode::sha1(value, out),
            T::SqlHexDecode => decode::sql_hex(value, out),
            T::Trim => out.extend_from_slice(text::trim_end(text::trim_start(value))),
            T::TrimLeft => out.extend_from_slice(text::trim_start(value)),
            T::TrimRight => out.extend_from_slice(text::trim_end(value)),
            T::Uppercase => out.extend(value.iter().map(u8::to_ascii_uppercase)),
            T::UrlDecode => decode::url(value, out, false),
            T::UrlDecodeUni => decode::url(value, out, true),
            T::UrlEncode => encode::url_encode(value, out),
            T::Utf8ToUnicode => encode::utf8_to_unicode(value, out),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(super) fn check(name: &str, value: &[u8], expected: &[u8]) {
        let transform = Transform::named(name).unwrap();
        let mut out = Vec::new();
        transform.apply(value, &mut out);
        let show = |bytes: &[u8]| bytes.escape_ascii().to_string();
        assert_eq!(show(&out), show(expected), "{name} of {}", show(value));
        if let Some(needs) = transform.needs()
            && !needs.meets(&ByteSet::of(value))
        {
            assert_eq!(show(value), show(expected), "{name} says that it needs other bytes");
        }
    }

    const ALL: &[&str] = &[
        "base64Decode",
        "base64DecodeExt",
        "base64Encode",
        "cmdLine",
        "compressWhitespace",
        "cssDecode",
        "escapeSeqDecode",
        "hexDecode",
        "hexEncode",
        "htmlEntityDecode",
        "jsDecode",
        "length",
        "lowercase",
        "normalizePath",
        "normalizePathWin",
        "removeComments",
        "removeCommentsChar",
        "removeNulls",
        "removeWhitespace",
        "replaceComments",
        "replaceNulls",
        "sha1",
        "sqlHexDecode",
        "trim",
        "trimLeft",
        "trimRight",
        "uppercase",
        "urlDecode",
        "urlDecodeUni",
        "urlEncode",
        "utf8toUnicode",
    ];

    proptest! {
        #[test]
        fn what_needs_other_bytes_changes_nothing(value in proptest::collection::vec(any::<u8>(), 0..12), which in 0..ALL.len()) {
            let transform = Transform::named(ALL[which]).unwrap();
            let mut out = Vec::new();
            transform.apply(&value, &mut out);
            if transform.needs().is_some_and(|needs| !needs.meets(&ByteSet::of(&value))) {
                prop_assert_eq!(&out, &value);
            }
        }

        #[test]
        fn text_near_the_edges_changes_nothing_unasked(value in "[a-z0-9%&\\\\/.*#;x ]{0,10}", which in 0..ALL.len()) {
            let transform = Transform::named(ALL[which]).unwrap();
            let mut out = Vec::new();
            transform.apply(value.as_bytes(), &mut out);
            if transform.needs().is_some_and(|needs| !needs.meets(&ByteSet::of(value.as_bytes()))) {
                prop_assert_eq!(&out, value.as_bytes());
            }
        }
    }
}
