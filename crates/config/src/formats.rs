//! The forms of single texts, by the name that the schema gives them under `format`.
//!
//! Each check takes the text as it was written, and gives it back in the one form in which the rest of the program
//! expects it, or says what is wrong and what to write.

mod address;
mod bench;
mod http;
mod path;

use std::fmt::Display;
use std::str::FromStr;

use crate::bench::{Pause, Rate, Speed};
use crate::policy::quota::QuotaLimit;
use crate::policy::rate_limit::{RateLimitCost, RateLimitKey};
use crate::route::split::SplitKey;
use crate::service::{BalanceKey, HedgeDelay, StatusRange};
use crate::stores::soft::SoftPlace;
use crate::units::{ByteSize, Duration, Moment, Percent, Quota};

pub(crate) use http::is_token;
pub(crate) use path::fixed_part;

/// What a check gives: the text in its one form, or what is wrong with it.
type Checked = Result<String, String>;

/// Checks a text against a format. A format that isn't known here asks nothing of it.
pub(crate) fn check(format: &str, text: &str) -> Checked {
    match format {
        "duration" => written::<Duration>(text),
        "timeout" => timeout(text),
        "byte-size" => written::<ByteSize>(text),
        "quota" => written::<Quota>(text),
        "date-time" => written::<Moment>(text),
        "percent" => written::<Percent>(text),
        "status-range" => written::<StatusRange>(text),
        "hedge-delay" => written::<HedgeDelay>(text),
        "quota-limit" => written::<QuotaLimit>(text),
        "rate-limit-key" => written::<RateLimitKey>(text),
        "rate-limit-cost" => written::<RateLimitCost>(text),
        "balance-key" => written::<BalanceKey>(text),
        "split-key" => written::<SplitKey>(text),
        "soft-store" => written::<SoftPlace>(text),
        "name" => name(text),
        "column" => not_empty(text, "the name of a column"),
        "label" => label(text),
        "path" => not_empty(text, "a path of a file or folder"),
        "listen-address" => address::listen(text),
        "socket-address" => address::socket(text),
        "file-mode" => file_mode(text),
        "ip-network" => address::network(text),
        "target-url" => address::target(text),
        "database-url" => address::database(text),
        "sqlite-url" => address::sqlite(text),
        "database-name" => not_empty(text, "a name in the database"),
        "resource-name" => resource_name(text),
        "resource-pattern" if text == "*" => Ok(text.to_owned()),
        "resource-pattern" => resource_name(text),
        "host-pattern" => address::host_pattern(text),
        "authority" => address::authority(text),
        "host-name" => address::host_name(text),
        "domain-name" => address::domain_name(text),
        "dns-server" => address::dns_server(text),
        "service-name" => address::service_name(text),
        "https-url" => address::https_url(text),
        "mail-address" => address::mail(text),
        "origin" => address::origin(text),
        "table" => table(text),
        "path-pattern" => path::pattern(text),
        "check-path" => path::check(text),
        "path-prefix" => path::prefix(text),
        "file-name" => path::file_name(text),
        "redirect-url" => path::redirect(text),
        "method" => http::method(text),
        "field-name" => http::field_name(text),
        "cookie-name" => http::cookie_name(text),
        "editable-field-name" => http::editable_field_name(text),
        "field-value" => http::field_value(text),
        "sha256" => http::sha256(text),
        "bench-target" => bench::target(text),
        "bench-request" => bench::request(text),
        "bench-field-name" => bench::field_name(text),
        "json-pointer" => bench::pointer(text),
        "objective" => bench::objective(text),
        "rate" => written::<Rate>(text),
        "pause" => written::<Pause>(text),
        "speed" => written::<Speed>(text),
        "media-type" => http::media_type(text),
        _ => Ok(text.to_owned()),
    }
}

fn written<T: FromStr<Err = String> + Display>(text: &str) -> Checked {
    text.parse::<T>().map(|value| value.to_string())
}

fn timeout(text: &str) -> Checked {
    match text.parse::<Duration>()? {
        Duration(span) if span.is_zero() => Err(format!("`{text}` leaves no time at all; give it some, such as `5s`")),
        span => Ok(span.to_string()),
    }
}

fn name(text: &str) -> Checked {
    let fine = !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    if fine && text.len() <= 64 {
        return Ok(text.to_owned());
    }
    Err(format!(
        "`{text}` is no name; a name has letters, digits, `_` and `-`, 64 at the most"
    ))
}

/// Names that reach logs, metrics and header fields: freer than those by which the file itself finds things.
fn label(text: &str) -> Checked {
    let fine = text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) && text.trim() == text;
    if fine && (1..=128).contains(&text.len()) {
        return Ok(text.to_owned());
    }
    Err(format!("`{text}` is no name; it has 1 to 128 visible ASCII characters"))
}

fn not_empty(text: &str, what: &str) -> Checked {
    if text.is_empty() || text.contains('\0') {
        Err(format!("this must be {what}"))
    } else {
        Ok(text.to_owned())
    }
}

/// A name in paths and members of JSON: what stands there as it is (RFC 3986 §2.3).
fn resource_name(text: &str) -> Checked {
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    if (1..=64).contains(&text.len()) && text.bytes().all(fine) {
        return Ok(text.to_owned());
    }
    Err(format!(
        "`{text}` is no name for a path; it has letters, digits, `_` and `-`, 64 at the most"
    ))
}

/// The permissions of a file, for owner, group and others.
fn file_mode(text: &str) -> Checked {
    match u32::from_str_radix(text, 8) {
        Ok(mode) if mode <= 0o777 && text.bytes().all(|byte| byte.is_ascii_digit()) => Ok(format!("{mode:04o}")),
        _ => Err(format!("`{text}` is no mode of a file, such as `0660`")),
    }
}

fn table(text: &str) -> Checked {
    match text.split_once('.') {
        Some((database, table)) if !database.is_empty() && !table.is_empty() => Ok(text.to_owned()),
        _ => Err(format!(
            "`{text}` names no table; write `DATABASE.TABLE`, with a name under `databases`"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    /// Checks what becomes of texts; what is refused is given with a part of the reason.
    fn table(format: &str, cases: &[(&str, Result<&str, &str>)]) {
        for (text, expected) in cases {
            match (check(format, text), expected) {
                (Ok(text), Ok(expected)) => assert_eq!(text, *expected, "{format}"),
                (Err(error), Err(part)) => assert!(error.contains(part), "{format}: {text}: {error}"),
                (result, _) => panic!("{format}: {text}: {result:?}"),
            }
        }
    }

    #[test]
    fn addresses() {
        table(
            "socket-address",
            &[
                ("0.0.0.0:8080", Ok("0.0.0.0:8080")),
                ("[::]:8080", Ok("[::]:8080")),
                ("8080", Err("`0.0.0.0:8080`")),
                (":8080", Err("`0.0.0.0:8080`")),
                ("localhost:8080", Err("`127.0.0.1:8080`")),
                ("::1:8080x", Err("address and a port")),
            ],
        );
        table(
            "ip-network",
            &[
                ("10.0.0.0/8", Ok("10.0.0.0/8")),
                ("10.0.0.1", Ok("10.0.0.1/32")),
                ("::1", Ok("::1/128")),
                ("10.0.0.0/33", Err("network")),
            ],
        );
        table(
            "target-url",
            &[
                ("http://10.0.0.1:9000", Ok("http://10.0.0.1:9000")),
                ("https://api.example.com/", Ok("https://api.example.com")),
                ("http://[::1]:9000", Ok("http://[::1]:9000")),
                ("10.0.0.1:9000", Err("http://")),
                ("ftp://host", Err("http://")),
                ("http://host/path", Err("path")),
                ("http://host?x", Err("path")),
                ("http://user:pw@host", Err("user")),
                ("http://host:0", Err("port")),
                ("http://host:99999", Err("port")),
                ("http://", Err("host")),
                ("http://ho st", Err("host")),
            ],
        );
        table(
            "database-url",
            &[
                ("sqlite:hiring.db", Ok("sqlite:hiring.db")),
                ("sqlite:", Err("sqlite:PATH")),
                ("postgres://u:p@x/y", Ok("postgres://u:p@x/y")),
                ("mysql://x/y?sslmode=require", Ok("mysql://x/y?sslmode=require")),
                ("postgres://x", Err("name of the database")),
                ("postgres://x/y?sslmode=prefer", Err("clear text")),
                ("hiring.db", Err("sqlite:PATH")),
            ],
        );
        table(
            "host-pattern",
            &[
                ("Example.COM", Ok("example.com")),
                ("*.example.com", Ok("*.example.com")),
                ("127.0.0.1", Ok("127.0.0.1")),
                ("[::1]", Ok("[::1]")),
                ("example.com:80", Err("port")),
                ("*", Err("leave `host` out")),
                ("a.*.com", Err("host")),
                ("-a.com", Err("host")),
                ("a..com", Err("host")),
            ],
        );
        table(
            "authority",
            &[
                ("api.example.com", Ok("api.example.com")),
                ("[::1]:9000", Ok("[::1]:9000")),
                ("http://api", Err("host")),
                ("a b", Err("host")),
            ],
        );
        table(
            "origin",
            &[
                ("*", Ok("*")),
                ("https://app.example.com", Ok("https://app.example.com")),
                ("https://*.example.com:8443", Ok("https://*.example.com:8443")),
                ("app.example.com", Err("https://")),
                ("https://app.example.com/", Err("path")),
            ],
        );
    }

    #[test]
    fn what_discovery_asks() {
        table(
            "dns-server",
            &[
                ("10.0.0.53", Ok("10.0.0.53:53")),
                ("127.0.0.1:5353", Ok("127.0.0.1:5353")),
                ("fd00::1", Ok("[fd00::1]:53")),
                ("[fd00::1]:5353", Ok("[fd00::1]:5353")),
                ("10.0.0.53:0", Err("port")),
                ("dns.example.com", Err("address")),
            ],
        );
        table(
            "service-name",
            &[
                ("_http._tcp.Shop.example.com", Ok("_http._tcp.shop.example.com")),
                ("_http._tcp.shop.example.com.", Ok("_http._tcp.shop.example.com.")),
                ("shop", Ok("shop")),
                ("http://shop", Err("SRV")),
                ("_http._tcp..", Err("SRV")),
            ],
        );
    }

    #[test]
    fn what_authorities_are_told() {
        table(
            "domain-name",
            &[
                ("Shop.Example.com", Ok("shop.example.com")),
                ("localhost", Ok("localhost")),
                ("*.example.com", Err("list the names")),
                ("127.0.0.1", Err("domain name")),
                ("[::1]", Err("domain name")),
                ("a_b.example.com", Err("domain name")),
                ("shop.example.com:443", Err("domain name")),
            ],
        );
        table(
            "https-url",
            &[
                ("https://ca.test:14000/dir?x", Ok("https://ca.test:14000/dir?x")),
                ("https://[::1]:14000", Ok("https://[::1]:14000")),
                ("http://ca.test/dir", Err("https://")),
                ("https://me@ca.test/", Err("user")),
                ("https://ca.test/a b", Err("directory")),
                ("https://ca.test/#a", Err("directory")),
            ],
        );
        table(
            "mail-address",
            &[
                ("ops+acme@example.com", Ok("ops+acme@example.com")),
                ("mailto:ops@example.com", Err("mail")),
                ("ops", Err("mail")),
                ("@example.com", Err("mail")),
                ("a?b@example.com", Err("mail")),
            ],
        );
    }

    #[test]
    fn paths() {
        table(
            "path-pattern",
            &[
                ("/", Ok("/")),
                ("/**", Ok("/**")),
                ("/calendar/**", Ok("/calendar/**")),
                ("/items/{id}/*", Ok("/items/{id}/*")),
                ("/items/", Ok("/items/")),
                ("items", Err("begin with `/`")),
                ("/a//b", Err("empty segment")),
                ("/a/../b", Err("`..`")),
                ("/a/**/b", Err("last")),
                ("/a/b*", Err("whole segment")),
                ("/a/x{id}", Err("whole segment")),
                ("/{id}/{id}", Err("twice")),
                ("/a?b", Err("query")),
                ("/a b", Err("percent")),
                ("/a%zz", Err("percent")),
            ],
        );
        table(
            "path-prefix",
            &[
                ("/calendar", Ok("/calendar")),
                ("/calendar/", Err("end")),
                ("/a/*", Err("fixed")),
                ("calendar", Err("begin with `/`")),
            ],
        );
        table(
            "redirect-url",
            &[
                ("https://{host}{path}{query}", Ok("https://{host}{path}{query}")),
                ("/new", Ok("/new")),
                ("{path}", Ok("{path}")),
                ("new", Err("absolute")),
                ("/a b", Err("space")),
            ],
        );
        table(
            "check-path",
            &[
                ("/healthz", Ok("/healthz")),
                ("/ready?deep=1&x=%20", Ok("/ready?deep=1&x=%20")),
                ("healthz", Err("begin with `/`")),
                ("/a b", Err("percent")),
                ("/a#b", Err("fragment")),
            ],
        );
        table(
            "file-name",
            &[
                ("index.html", Ok("index.html")),
                ("a/b", Err("name")),
                ("..", Err("name")),
            ],
        );
    }

    #[test]
    fn words_of_http() {
        table(
            "method",
            &[
                ("GET", Ok("GET")),
                ("PURGE", Ok("PURGE")),
                ("get", Err("`GET`")),
                ("G T", Err("method")),
            ],
        );
        table(
            "field-name",
            &[
                ("X-Tenant", Ok("X-Tenant")),
                ("X Tenant", Err("header field")),
                ("", Err("header field")),
            ],
        );
        table(
            "editable-field-name",
            &[
                ("X-Tenant", Ok("X-Tenant")),
                ("Transfer-Encoding", Err("framing")),
                ("connection", Err("framing")),
            ],
        );
        table(
            "field-value",
            &[
                ("a b", Ok("a b")),
                ("a\nb", Err("control")),
                (" a", Err("begin or end")),
            ],
        );
        let hash = "AB".repeat(32);
        table("sha256", &[(&hash, Ok(&hash.to_lowercase())), ("ab", Err("64"))]);
        table(
            "media-type",
            &[
                ("text/*", Ok("text/*")),
                ("Application/JSON", Ok("application/json")),
                ("*+json", Ok("*+json")),
                ("json", Err("application/json")),
                ("*/*", Err("text/*")),
                ("text/html; charset=utf-8", Err("no type")),
            ],
        );
        table("timeout", &[("5s", Ok("5s")), ("0s", Err("no time"))]);
        table(
            "name",
            &[("a-b_1", Ok("a-b_1")), ("a.b", Err("letters")), ("", Err("letters"))],
        );
        table(
            "label",
            &[("GET /x", Ok("GET /x")), ("", Err("visible")), ("ä", Err("visible"))],
        );
        table(
            "table",
            &[
                ("a.b", Ok("a.b")),
                ("a", Err("DATABASE.TABLE")),
                (".b", Err("DATABASE.TABLE")),
            ],
        );
    }
}
