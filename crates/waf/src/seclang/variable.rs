//! What rules look at: variables, and the parts of them that a rule picks.

use super::pattern;

macro_rules! variables {
    ($($kind:ident { $($name:ident = $text:literal,)* })*) => {
        /// A variable of the language.
        #[allow(clippy::enum_variant_names, reason = "the names are those of the language")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(super) enum Name { $($($name,)*)* }

        impl Name {
            const ALL: &[(Name, &'static str, Kind)] = &[$($((Name::$name, $text, Kind::$kind),)*)*];
        }
    };
}

/// Where the values of a variable come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Facts of the message, one or none.
    Single,
    /// Facts of the message, by name.
    Named,
    /// What changes while rules run.
    Changing,
    /// What is known nowhere here: always empty.
    Absent,
}

variables! {
    Single {
        ArgsCombinedSize = "ARGS_COMBINED_SIZE",
        AuthType = "AUTH_TYPE",
        FilesCombinedSize = "FILES_COMBINED_SIZE",
        FullRequestLength = "FULL_REQUEST_LENGTH",
        InboundDataError = "INBOUND_DATA_ERROR",
        MultipartBoundaryQuoted = "MULTIPART_BOUNDARY_QUOTED",
        MultipartBoundaryWhitespace = "MULTIPART_BOUNDARY_WHITESPACE",
        MultipartCrlfLfLines = "MULTIPART_CRLF_LF_LINES",
        MultipartDataAfter = "MULTIPART_DATA_AFTER",
        MultipartDataBefore = "MULTIPART_DATA_BEFORE",
        MultipartFileLimitExceeded = "MULTIPART_FILE_LIMIT_EXCEEDED",
        MultipartHeaderFolding = "MULTIPART_HEADER_FOLDING",
        MultipartInvalidHeaderFolding = "MULTIPART_INVALID_HEADER_FOLDING",
        MultipartInvalidPart = "MULTIPART_INVALID_PART",
        MultipartInvalidQuoting = "MULTIPART_INVALID_QUOTING",
        MultipartLfLine = "MULTIPART_LF_LINE",
        MultipartMissingSemicolon = "MULTIPART_MISSING_SEMICOLON",
        MultipartSemicolonMissing = "MULTIPART_SEMICOLON_MISSING",
        MultipartStrictError = "MULTIPART_STRICT_ERROR",
        MultipartUnmatchedBoundary = "MULTIPART_UNMATCHED_BOUNDARY",
        OutboundDataError = "OUTBOUND_DATA_ERROR",
        QueryString = "QUERY_STRING",
        RemoteAddr = "REMOTE_ADDR",
        RemoteHost = "REMOTE_HOST",
        RemotePort = "REMOTE_PORT",
        ReqbodyError = "REQBODY_ERROR",
        ReqbodyErrorMsg = "REQBODY_ERROR_MSG",
        ReqbodyProcessor = "REQBODY_PROCESSOR",
        ReqbodyProcessorError = "REQBODY_PROCESSOR_ERROR",
        ReqbodyProcessorErrorMsg = "REQBODY_PROCESSOR_ERROR_MSG",
        RequestBasename = "REQUEST_BASENAME",
        RequestBody = "REQUEST_BODY",
        RequestBodyLength = "REQUEST_BODY_LENGTH",
        RequestFilename = "REQUEST_FILENAME",
        RequestLine = "REQUEST_LINE",
        RequestMethod = "REQUEST_METHOD",
        RequestProtocol = "REQUEST_PROTOCOL",
        RequestUri = "REQUEST_URI",
        RequestUriRaw = "REQUEST_URI_RAW",
        ResponseBody = "RESPONSE_BODY",
        ResponseContentLength = "RESPONSE_CONTENT_LENGTH",
        ResponseContentType = "RESPONSE_CONTENT_TYPE",
        ResponseProtocol = "RESPONSE_PROTOCOL",
        ResponseStatus = "RESPONSE_STATUS",
        ServerAddr = "SERVER_ADDR",
        ServerName = "SERVER_NAME",
        ServerPort = "SERVER_PORT",
        StatusLine = "STATUS_LINE",
        UniqueId = "UNIQUE_ID",
    }
    Named {
        Args = "ARGS",
        ArgsGet = "ARGS_GET",
        ArgsGetNames = "ARGS_GET_NAMES",
        ArgsNames = "ARGS_NAMES",
        ArgsPost = "ARGS_POST",
        ArgsPostNames = "ARGS_POST_NAMES",
        Files = "FILES",
        FilesNames = "FILES_NAMES",
        FilesSizes = "FILES_SIZES",
        MultipartFilename = "MULTIPART_FILENAME",
        MultipartName = "MULTIPART_NAME",
        MultipartPartHeaders = "MULTIPART_PART_HEADERS",
        RequestCookies = "REQUEST_COOKIES",
        RequestCookiesNames = "REQUEST_COOKIES_NAMES",
        RequestHeaders = "REQUEST_HEADERS",
        RequestHeadersNames = "REQUEST_HEADERS_NAMES",
        ResponseHeaders = "RESPONSE_HEADERS",
        ResponseHeadersNames = "RESPONSE_HEADERS_NAMES",
        XmlAttributes = "XML://@*",
        XmlText = "XML:/*",
    }
    Changing {
        Duration = "DURATION",
        HighestSeverity = "HIGHEST_SEVERITY",
        MatchedVar = "MATCHED_VAR",
        MatchedVarName = "MATCHED_VAR_NAME",
        MatchedVars = "MATCHED_VARS",
        MatchedVarsNames = "MATCHED_VARS_NAMES",
        Rule = "RULE",
        Tx = "TX",
    }
    Absent {
        Env = "ENV",
        FilesTmpContent = "FILES_TMP_CONTENT",
        FilesTmpnames = "FILES_TMPNAMES",
        Geo = "GEO",
        Global = "GLOBAL",
        Ip = "IP",
        ModsecBuild = "MODSEC_BUILD",
        PathInfo = "PATH_INFO",
        PerfAll = "PERF_ALL",
        RemoteUser = "REMOTE_USER",
        Resource = "RESOURCE",
        ScriptFilename = "SCRIPT_FILENAME",
        Session = "SESSION",
        Sessionid = "SESSIONID",
        StreamInputBody = "STREAM_INPUT_BODY",
        StreamOutputBody = "STREAM_OUTPUT_BODY",
        Time = "TIME",
        TimeDay = "TIME_DAY",
        TimeEpoch = "TIME_EPOCH",
        TimeHour = "TIME_HOUR",
        TimeMin = "TIME_MIN",
        TimeMon = "TIME_MON",
        TimeSec = "TIME_SEC",
        TimeWday = "TIME_WDAY",
        TimeYear = "TIME_YEAR",
        UrlencodedError = "URLENCODED_ERROR",
        User = "USER",
        Userid = "USERID",
        WebappId = "WEBAPPID",
    }
}

impl Name {
    /// How many variables there are.
    pub(super) const COUNT: usize = Name::ALL.len();

    /// The variable of that name, without case.
    pub(super) fn named(text: &str) -> Option<Name> {
        let found = Name::ALL.iter().find(|(_, known, _)| known.eq_ignore_ascii_case(text));
        found.map(|(name, _, _)| *name)
    }

    /// Its name in the language.
    pub(super) fn as_str(self) -> &'static str {
        Name::ALL[self as usize].1
    }

    pub(super) fn kind(self) -> Kind {
        Name::ALL[self as usize].2
    }
}

/// Which parts of a variable a rule looks at.
#[derive(Clone, Debug)]
pub(super) enum Selector {
    /// All.
    All,
    /// Those of that name, in small letters: names are compared without case.
    Key(Box<[u8]>),
    /// Those whose names match.
    Pattern(regex::bytes::Regex),
}

impl Selector {
    /// Whether it selects the part of that name.
    pub(super) fn admits(&self, key: &[u8]) -> bool {
        match self {
            Selector::All => true,
            Selector::Key(name) => name.eq_ignore_ascii_case(key),
            Selector::Pattern(pattern) => pattern.is_match(key),
        }
    }
}

/// One item of a rule's list of variables.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) name: Name,
    pub(super) selector: Selector,
    /// `!`: what it names is left out of what the items before it name.
    pub(super) excluded: bool,
    /// `&`: how many there are.
    pub(super) count: bool,
}

/// Reads a list such as `ARGS|!ARGS:password|&REQUEST_HEADERS:Host`.
pub(super) fn targets(text: &str) -> Result<Vec<Target>, String> {
    split(text).into_iter().map(|item| target(item.trim())).collect()
}

/// Splits at `|`, but not within a selector in quotes or slashes.
fn split(text: &str) -> Vec<&str> {
    let mut items = Vec::new();
    let (mut start, mut closing) = (0, None);
    let bytes = text.as_bytes();
    for (at, byte) in text.bytes().enumerate() {
        let before = &bytes[start..at];
        match (closing, byte) {
            (Some(end), byte) => {
                let ends_item = bytes.get(at + 1).is_none_or(|next| *next == b'|');
                if byte == end && ends_item && before.last() != Some(&b'\\') {
                    closing = None;
                }
            }
            (None, b'/' | b'\'') if before.last() == Some(&b':') && !starts_with_xml(before) => closing = Some(byte),
            (None, b'|') => {
                items.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    items.push(&text[start..]);
    items
}

fn starts_with_xml(item: &[u8]) -> bool {
    let item = item
        .strip_prefix(b"!")
        .or_else(|| item.strip_prefix(b"&"))
        .unwrap_or(item);
    item.len() >= 3 && item[..3].eq_ignore_ascii_case(b"XML")
}

/// Reads one item of a list.
pub(super) fn target(text: &str) -> Result<Target, String> {
    let (excluded, rest) = text.strip_prefix('!').map_or((false, text), |rest| (true, rest));
    let (count, rest) = rest.strip_prefix('&').map_or((false, rest), |rest| (true, rest));
    let (name, selector) = match rest.split_once(':') {
        Some((name, selector)) if name.eq_ignore_ascii_case("XML") => return xml(selector, excluded, count),
        Some((name, selector)) => (name, Some(selector)),
        None => (rest, None),
    };
    let name = Name::named(name).ok_or_else(|| format!("`{name}` is no variable that is known here"))?;
    Ok(Target {
        name,
        selector: selector.map_or(Ok(Selector::All), |text| parse_selector(name, text))?,
        excluded,
        count,
    })
}

/// The two expressions of XPath that rule sets use: all text, and all values of attributes.
fn xml(selector: &str, excluded: bool, count: bool) -> Result<Target, String> {
    let name = match selector {
        "/*" | "//*" | "/*/text()" | "//text()" => Name::XmlText,
        "//@*" => Name::XmlAttributes,
        _ => return Err(format!("of XPath, `XML:/*` and `XML://@*` are known, not `{selector}`")),
    };
    Ok(Target {
        name,
        selector: Selector::All,
        excluded,
        count,
    })
}

fn parse_selector(name: Name, text: &str) -> Result<Selector, String> {
    let text = text
        .strip_prefix('\'')
        .and_then(|text| text.strip_suffix('\''))
        .unwrap_or(text);
    if let Some(written) = text.strip_prefix('/').and_then(|text| text.strip_suffix('/')) {
        let translated = super::pcre::translate(written.as_bytes())?;
        if !translated.checks.is_empty() {
            return Err("a selector can't look around or refer to its groups".to_owned());
        }
        return pattern::compile(&format!("(?i){}", translated.text)).map(Selector::Pattern);
    }
    match name.kind() {
        Kind::Single => Err(format!("{} has no parts to select", name.as_str())),
        _ => Ok(Selector::Key(text.to_ascii_lowercase().into_bytes().into())),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read() {
        let list = targets("ARGS|!args:Foo|&REQUEST_HEADERS:Host|REQUEST_COOKIES:/a|b\\/c/|XML:/*|XML://@*").unwrap();
        let short: Vec<_> = list.iter().map(|it| (it.name, it.excluded, it.count)).collect();
        assert_eq!(
            short,
            [
                (Name::Args, false, false),
                (Name::Args, true, false),
                (Name::RequestHeaders, false, true),
                (Name::RequestCookies, false, false),
                (Name::XmlText, false, false),
                (Name::XmlAttributes, false, false),
            ]
        );
        assert!(list[1].selector.admits(b"FOO") && !list[1].selector.admits(b"fo"));
        assert!(list[3].selector.admits(b"xB/C") && !list[3].selector.admits(b"c"));
    }

    #[test]
    fn selectors_in_quotes_hold_what_they_like() {
        let list = targets("ARGS:'/^(?:a|b)$/'|TX:1").unwrap();
        assert!(list[0].selector.admits(b"b") && !list[0].selector.admits(b"ab"));
        assert_eq!(list.len(), 2);
    }

    #[test]
    fn what_is_unknown_is_refused() {
        for text in ["", "ARGZ", "REQUEST_URI:a", "XML:/a/b", "ARGS:/(/"] {
            assert!(targets(text).is_err(), "{text}");
        }
    }
}
