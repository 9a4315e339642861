//! What has no honest use in a value, as patterns.

use std::sync::LazyLock;

use regex::bytes::{RegexSet, RegexSetBuilder};

use super::Kind;

/// Whether a value has nothing but letters, digits and what stands between them in names and numbers, so that it can't be anything.
pub(super) fn is_plain(value: &[u8]) -> bool {
    let mut last = 0;
    value.iter().all(|byte| {
        let repeated = last == *byte && matches!(byte, b'.' | b'-');
        last = *byte;
        !repeated && (byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'~'))
    })
}

/// Whether a path, decoded, leaves the folder that it stands in, as servers with other ideas of a path see it.
pub(super) fn leaves_folder(path: &[u8]) -> bool {
    path.contains(&0)
        || path
            .split(|byte| matches!(byte, b'/' | b'\\'))
            .any(|segment| segment == b".." || segment.starts_with(b"..;"))
}

/// Whether the name of a parameter is an operator of a database of documents: `user[$ne]`, `$where`.
pub(super) fn is_operator(name: &[u8]) -> bool {
    let inner = name
        .iter()
        .rposition(|byte| *byte == b'[')
        .map_or(name, |at| &name[at + 1..]);
    let operator = inner.strip_suffix(b"]").unwrap_or(inner);
    inner.len() < name.len() && operator.first() == Some(&b'$') && operator[1..].iter().all(u8::is_ascii_alphabetic)
        || operator == b"$where"
}

/// Whether a client says that it is a program that looks for weaknesses.
pub(super) fn is_scanner(agent: &[u8]) -> bool {
    SCANNERS.is_match(agent)
}

/// Builds the patterns.
pub(super) fn prepare() {
    for set in [&SCANNERS, &PATTERNS, &LINES, &FIELDS] {
        LazyLock::force(set);
    }
}

static SCANNERS: LazyLock<RegexSet> = LazyLock::new(|| {
    set([
        r"(?i)\b(?:sqlmap|nikto|nuclei|openvas|nessus|acunetix|wpscan|dirbuster|gobuster|feroxbuster|masscan|zgrab|jaeles|arachni)\b",
        r"(?i)openvasvt|fuzz faster u fool|\.nasl\b|burpcollaborator\.net|interact\.sh\b|\.oast\.",
    ])
});
static PATTERNS: LazyLock<RegexSet> = LazyLock::new(|| set(KINDS.iter().map(|(_, pattern)| *pattern)));
static LINES: LazyLock<RegexSet> = LazyLock::new(|| set(LINE_KINDS));
static FIELDS: LazyLock<RegexSet> = LazyLock::new(|| set(FIELD_KINDS));

/// What a value would do. `single_line`: it comes from where no honest value has several lines.
pub(super) fn kind(value: &[u8], single_line: bool) -> Option<Kind> {
    let short = single_line || value.len() <= LONGEST_LINE;
    if short && LINES.is_match(value) || single_line && FIELDS.is_match(value) {
        return Some(Kind::Line);
    }
    let found = PATTERNS.matches(value).iter().next()?;
    Some(KINDS[found].0)
}

/// A text in a form may have lines like those of a message. A short one that begins with them is meant to be taken for them.
const LONGEST_LINE: usize = 256;

/// What a line begins with that nobody writes into a form: a cookie, an answer, a command of a mail server.
///
/// `\xE5\x98\x8A` and `\xE5\x98\x8D` end in a line feed and a carriage return for programs that drop the upper bits.
const LINE_KINDS: [&str; 2] = [
    r"(?i)(?:[\r\n]|\xE5\x98[\x8A\x8D])[\r\n\t ]*(?:set-cookie\s*:|http/1\.[01] )",
    r"[\r\n](?:RCPT TO:|MAIL FROM:|QUIT\r?\n|[A-Z]{1,2}[0-9]{1,4} (?:CAPABILITY|FETCH|SELECT|LOGIN|LIST|SEARCH|LOGOUT)\b)",
];

/// Other fields of a head. In a text of several lines they may be headings of its writer's.
const FIELD_KINDS: [&str; 1] = [
    r"(?i)(?:[\r\n]|\xE5\x98[\x8A\x8D])[\r\n\t ]*(?:location|content-(?:type|length|disposition)|transfer-encoding|x-[a-z-]+|host|cookie|link|refresh|access-control-[a-z-]+|bcc|cc)\s*:",
];

/// Commands that are no words of a language, and those that are one and need an argument that isn't.
macro_rules! command {
    () => {
        r"(?:(?:wget|curl|nc|ncat|netcat|nslookup|getent|uname|whoami|ifconfig|ipconfig|netstat|chmod|chown|powershell|tftp|ping|bash|zsh|ksh|perl|python[23]?|ruby|php|systeminfo|telnet|ssh|scp|printf|rm|ls|ps|id|cat|dir|pwd)(?:\s*$|\s*[;|&`)]|[\s+]+[-/~.$'\x22\\0-9*]|[\s+]+[a-z]+://|[\s+]+[a-z]+[\s+]+[a-z0-9-]+\.[a-z0-9.-]+|[\s+]+/)|(?:sleep|kill|echo|set|type|net|find|head|tail|more|less|touch|env|node|cp|mv|awk|sed|grep|tee|sudo|su)[\s+]+(?:[-/$'\x22\\~][^\s,;]|[0-9]+\s*$|/a\s))"
    };
}

const KINDS: &[(Kind, &str)] = &[
    (Kind::Traversal, r"(?:\.\.;?[/\\]+){2}"),
    (Kind::Traversal, r"^[^\s]*[/\\]\.\.[/\\][^\s]*$"),
    (Kind::Traversal, r"^\.\.[/\\][^\s]*$"),
    (
        Kind::Traversal,
        r"(?i)etc[/\\](?:\./|\.\\)*(?:passwd|shadow|group|sudoers)\b|/proc/self/|\b(?:win|boot|system)\.ini\b|web-inf[/\\]|[/\\]\.git[/\\](?:config|head)|[/\\]\.ssh[/\\]|\.aws[/\\]credentials|\.htpasswd|ntuser\.dat|[/\\]windows[/\\]system32",
    ),
    (
        Kind::Traversal,
        r"(?i)^\s*(?:file:///|netdoc:|jar:file:|php://(?:filter|input)|phar://|expect://|gopher://|dict://|ldap://127\.)",
    ),
    (Kind::Command, concat!(r"(?i)(?:[;|]|&&|\|\||\n)[\s+]*", command!())),
    (Kind::Command, concat!(r"(?i)(?:\$\(|<\(|=`|^`)\s*", command!())),
    (Kind::Command, r"\$(?:IFS\b|\{IFS\}|@\{|\(\()"),
    (Kind::Command, r"\(\)\s*\{\s*:?\s*;?\s*\}\s*;"),
    (
        Kind::Command,
        r"(?i)(?:^|[\s;|&`'\x22=(])(?:/usr)?/bin/(?:ba|z|k|da)?sh\s+-|\bcmd(?:\.exe)?\s+/[ck]\b|powershell(?:\.exe)?\s+-(?:e|c|nop|w)",
    ),
    (
        Kind::Command,
        r"(?i)[;|&]\s*[a-z]+\s+(?:[^\s]*['\x22\\]){2,}[^\s]*[/\\]?",
    ),
    (
        Kind::Command,
        r"(?i)<!--\s*#\s*(?:exec|include|echo|config|printenv)\b|<\?php\b|<\?=|!!python/",
    ),
    (
        Kind::Template,
        r"(?i)\$\{\s*(?:jndi|lower|upper|env|sys|date|ctx|main|base64|:-|::-|\$\{)",
    ),
    (
        Kind::Template,
        r"(?i)(?:\$|#|@|\*)\{[^}]*(?:[0-9]\s*\*\s*[0-9]|\bT\(|@[a-z]+\(|getclass|forname|getruntime|\bnew\s+java|\bex\(|processbuilder)",
    ),
    (
        Kind::Template,
        r"(?i)\{\{[^}]*(?:[0-9]\s*\*\s*'?[0-9]|__|constructor|\.mro\b|lipsum|cycler|_self\b|getfilter|\.items\(\)|popen)",
    ),
    (
        Kind::Template,
        r"(?i)<#assign\s|freemarker\.template|\?new\(\)|<%=?\s*(?:[0-9]+\s*\*|system|exec|`|file\.|require)",
    ),
    (
        Kind::Query,
        r"\((?:&|\|)\s*\([a-zA-Z*!]|\*\)\s*\((?:[a-zA-Z]+=|\||&)|:(?:\d+\.){3,}\d+:=",
    ),
    (Kind::Query, r"[',\s{]\$(?:where|or|and|ne|gt|regex)\s*['\x22]?\s*:"),
    (
        Kind::Query,
        r"\bdb\.[a-zA-Z_]+\.(?:insert|find|remove|drop|update|aggregate)\w*\(",
    ),
    (Kind::Query, r"(?i);\s*var\s+\w+\s*=\s*new\s+date\b"),
    (
        Kind::Script,
        r"(?i)(?:^|[^a-z0-9_.])\(?(?:alert|confirm|prompt)\)?(?:\s*(?:\?\.)?\(\s*(?:[0-9'\x22/`)]|document|window|self|location)|`|\.(?:call|apply|bind)\()",
    ),
    (
        Kind::Script,
        r"(?i)document\??\s*(?:\.\s*(?:cookie|domain|write)\b|\[\s*['\x22]cookie)|\beval\(\s*(?:atob|string|unescape|name\b|location)|string\.fromcharcode\(|\.constructor\(\s*['\x22`]|\bset(?:timeout|interval)\(\s*['\x22`]|(?:window|document|top|self)\.location(?:\.href)?\s*=",
    ),
];

fn set<'a>(patterns: impl IntoIterator<Item = &'a str>) -> RegexSet {
    RegexSetBuilder::new(patterns)
        .unicode(false)
        .build()
        .expect("the patterns are constants, and a test builds them")
}
