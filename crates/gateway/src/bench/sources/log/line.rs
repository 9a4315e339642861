//! One line of an access log.

use jiff::Timestamp;
use jiff::fmt::strtime;
use serde::Deserialize;

use super::Asked;

/// The longest path with its query that is asked for again.
const LONGEST_PATH: usize = 8 * 1024;

/// What a line says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// When the request came, in milliseconds since 1970.
    pub(super) time: i64,
    /// What was asked.
    pub(super) asked: Asked,
    /// The route that claimed it.
    pub(super) route: Option<String>,
}

/// A line of one of the formats; none, if it is none or has no request that could be sent again.
pub(super) fn read(line: &[u8]) -> Option<Line> {
    let line = std::str::from_utf8(line).ok()?.trim();
    let line = if line.starts_with('{') {
        object(line)
    } else {
        common(line)
    }?;
    sendable(&line.asked).then_some(line)
}

/// The fields of our own log that matter here.
#[derive(Deserialize)]
struct Object {
    time: String,
    method: String,
    path: String,
    host: Option<String>,
    route: Option<String>,
}

fn object(line: &str) -> Option<Line> {
    let object: Object = serde_json::from_str(line).ok()?;
    let time: Timestamp = object.time.parse().ok()?;
    Some(Line {
        time: time.as_millisecond(),
        asked: Asked {
            method: object.method,
            host: object.host,
            path: object.path,
        },
        route: object.route,
    })
}

/// The common log format, and the combined one, which has more at the end:
/// `client ident user [day/month/year:time zone] "method path version" status bytes`.
fn common(line: &str) -> Option<Line> {
    let (_, rest) = line.split_once(" [")?;
    let (time, rest) = rest.split_once("] \"")?;
    let (request, _) = rest.split_once('"')?;
    let mut words = request.split(' ');
    let (method, path, version) = (words.next()?, words.next()?, words.next()?);
    if words.next().is_some() || !version.starts_with("HTTP/") {
        return None;
    }
    let time = strtime::parse("%d/%b/%Y:%H:%M:%S %z", time).ok()?.to_timestamp().ok()?;
    Some(Line {
        time: time.as_millisecond(),
        asked: Asked {
            method: method.to_owned(),
            host: None,
            path: path.to_owned(),
        },
        route: None,
    })
}

fn sendable(asked: &Asked) -> bool {
    let token = |text: &str| {
        !text.is_empty() && text.len() <= 32 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
    let host = asked
        .host
        .as_deref()
        .is_none_or(|host| host.len() <= 255 && plain(host));
    let path = &asked.path;
    host && token(&asked.method)
        && path.starts_with('/')
        && path.len() <= LONGEST_PATH
        && plain(path)
        && !path.contains('#')
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn both_formats_of_other_servers_are_read() {
        for end in ["", " \"https://a.test/\" \"Agent \\\"x\\\" 1\""] {
            let text = format!("192.0.2.1 - ann [10/Oct/2000:13:55:36 -0700] \"GET /a?b=c HTTP/1.1\" 200 23{end}");
            let line = read(text.as_bytes()).unwrap();
            assert_eq!((line.time, &*line.asked.path), (971_211_336_000, "/a?b=c"), "{text}");
            assert_eq!((line.asked.host, line.route), (None, None));
        }
    }

    #[test]
    fn our_own_format_is_read() {
        let text = br#"{"time":"1970-01-01T00:00:01.250Z","method":"GET","host":"a.test","path":"/a","status":200}"#;
        let line = read(text).unwrap();
        assert_eq!((line.time, line.asked.host.as_deref()), (1250, Some("a.test")));
    }

    #[test]
    fn what_cannot_be_sent_again_is_no_line() {
        for text in [
            "",
            "{}",
            "- - - [10/Oct/2000:13:55:36 -0700] \"-\" 400 0",
            "- - - [10/Oct/2000:13:55:36 -0700] \"GET * HTTP/1.1\" 400 0",
            "- - - [10/Oct/2000:13:55:36 -0700] \"GET /a b HTTP/1.1\" 400 0",
            "- - - [40/Oct/2000:13:55:36 -0700] \"GET /a HTTP/1.1\" 200 0",
            r#"{"time":"1970-01-01T00:00:01Z","method":"GET","path":"/a\r\nx"}"#,
            r#"{"time":"1970-01-01T00:00:01Z","method":"GE T","path":"/a"}"#,
            r#"{"time":"1970-01-01T00:00:01Z","method":"GET","host":"a b","path":"/a"}"#,
        ] {
            assert_eq!(read(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_line_is_too_strange(line in proptest::collection::vec(any::<u8>(), 0..200)) {
            read(&line);
        }

        #[test]
        fn no_line_that_begins_well_is_too_strange(rest in ".{0,80}") {
            read(format!("a - - [10/Oct/2000:13:55:36 -0700] \"{rest}").as_bytes());
            read(format!("a - - [{rest}] \"GET / HTTP/1.1\"").as_bytes());
        }
    }
}
